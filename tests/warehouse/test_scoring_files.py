"""Files are priced row by row as single stones are, or not written at all."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from diamond_pricing import Stone, Stones
from diamond_pricing.cli import main
from diamond_pricing.errors import SourceError, StoneError
from diamond_pricing.intake import Source
from diamond_pricing.warehouse.scoring import score

NAMES = ["carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"]


@pytest.fixture(scope="module")
def some(sales):
    frame = sales[NAMES].iloc[:3000].astype(dict.fromkeys(("cut", "color", "clarity"), str))
    return frame.assign(id=range(len(frame))).reset_index(drop=True)


@pytest.fixture(scope="module")
def spoilt(some):
    """A few rows of each kind that cannot be priced."""
    frame = some.iloc[:200].copy()
    frame.loc[3, "carat"] = np.nan
    frame.loc[5, "cut"] = "Splendid"
    frame.loc[7, "clarity"] = None
    frame.loc[9, "depth"] = 99.0
    frame.loc[11, "x"] = 0.0
    frame.loc[13, "color"] = "Z"
    frame.loc[15, ["carat", "x", "y", "z"]] = [9.0, np.nan, np.nan, np.nan]
    frame.loc[17, "z"] = 9.0
    frame.loc[19, "table"] = 99.0
    frame.loc[21, ["depth", "table", "x", "y", "z"]] = np.nan
    frame.loc[23, "y"] = np.inf
    return frame


def test_a_file_is_priced_as_single_stones_are(packaged, some, tmp_path):
    some.to_parquet(tmp_path / "in.parquet")
    scored = score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged)
    answer = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert scored.rows == len(some) == len(answer)
    priced = 0
    for row in answer:
        stone = {name: row[name] for name in NAMES}
        if not any(stone[side] for side in "xyz"):  # 0 × 0 × 0 is not measured
            stone |= dict.fromkeys("xyz")
        try:
            why = packaged.explain(Stone(**stone))
        except StoneError:
            assert row["status"] == "refused"
            assert row["price_cents"] is None
            continue
        priced += 1
        assert row["price_cents"] == why.cents
        assert [row["reference_cents"]] + [row[f"{n}_cents"] for n in packaged.lines] == [
            line.cents for line in why.lines
        ]
    assert priced == scored.priced > 2900


def test_rows_that_cannot_be_priced_get_their_reason_and_stop_no_other(
    packaged, spoilt, tmp_path
):
    spoilt.to_parquet(tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged)
    answer = pq.read_table(tmp_path / "out.parquet").to_pandas()
    codes = answer["code"]
    expected = {
        3: "impossible_value",
        5: "unknown_grade",
        7: "unknown_grade",
        9: "impossible_value",
        11: "impossible_dimension",
        13: "grade_not_seen",
        15: "weight_outside_range",
        17: "height_contradicts_depth",
        19: "measure_outside_range",
        23: "impossible_value",
    }
    assert {row: codes[row] for row in expected} == expected
    assert answer["status"][21] == "priced"
    assert (answer["price_cents"].isna() == (answer["status"] == "refused")).all()


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_other_peoples_csv_is_read(packaged, spoilt, tmp_path, ending):
    frame = spoilt.rename(columns={"carat": "Carat Weight", "color": "Colour", "x": "length"})
    frame.to_csv(tmp_path / f"in.{ending}", index=False, sep=";")
    spoilt.to_parquet(tmp_path / "in.parquet")
    score(tmp_path / f"in.{ending}", tmp_path / "out.csv", packaged)
    score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged)
    csv, parquet = pd.read_csv(tmp_path / "out.csv"), pd.read_parquet(tmp_path / "out.parquet")
    assert list(csv.columns)[:10] == list(frame.columns)
    for name in ("status", "code", "price_cents", "low_cents", "proportions_cents"):
        assert (
            csv[name].astype(object).where(csv[name].notna(), None).tolist()
            == parquet[name].astype(object).where(parquet[name].notna(), None).tolist()
        )
    assert pc.read_csv(tmp_path / "out.csv").num_rows == len(spoilt)


def test_a_word_among_numbers_is_an_error_of_its_row(packaged, tmp_path):
    (tmp_path / "in.csv").write_text(
        "carat,cut,color,clarity\n1.01,vg,E,VS1\nheavy,Ideal,E,VS1\n"
    )
    scored = score(tmp_path / "in.csv", tmp_path / "out.csv", packaged)
    assert (scored.rows, scored.priced, scored.refused) == (2, 1, {"impossible_value": 1})
    assert "must be a number" in (tmp_path / "out.csv").read_text()


def test_several_files_are_one(packaged, some, tmp_path):
    for i in range(3):
        some.iloc[100 * i : 100 * (i + 1)].to_parquet(tmp_path / f"in{i}.parquet")
    scored = score(str(tmp_path / "in*.parquet"), tmp_path / "out.parquet", packaged)
    assert scored.rows == 300
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == list(range(300))


def _bad(tmp_path, kind, some):
    file = tmp_path / "in.parquet"
    some.iloc[:50].to_parquet(file)
    if kind == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    elif kind == "no column":
        some.drop(columns="color").to_parquet(file)
    elif kind == "wrong type":
        some.assign(carat=True).to_parquet(file)
    elif kind == "a name of ours":
        some.assign(status=1).to_parquet(file)
    elif kind == "empty":
        file = tmp_path / "in.csv"
        file.write_text("")
    elif kind == "broken gzip":
        file = tmp_path / "in.csv.gz"
        file.write_bytes(gzip.compress(some.to_csv(index=False).encode())[:-2000])
    elif kind == "no such file":
        file = tmp_path / "nothing.parquet"
    elif kind == "torn row":
        file = tmp_path / "in.csv"
        file.write_text("carat,cut,color,clarity\n1,Ideal,E,VS1\n1,Ideal\n")
    return file


@pytest.mark.parametrize(
    "kind",
    [
        "truncated",
        "no column",
        "wrong type",
        "a name of ours",
        "empty",
        "broken gzip",
        "no such file",
        "torn row",
    ],
)
def test_a_bad_file_is_one_error_and_leaves_nothing(kind, some, tmp_path, capsys):
    file, out = _bad(tmp_path, kind, some), tmp_path / "out.parquet"
    before = set(tmp_path.iterdir())
    assert main(["score", str(file), str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_inspect_says_of_a_file_score_reads(encoding, tmp_path, capsys):
    text = "Gewicht;Cut;Farbe;Reinheit;Größe;Preis\n1,01;Ideal;E;VS1;groß;5000\n"
    (tmp_path / "in.csv").write_text(text, encoding=encoding)
    assert main(["inspect", str(tmp_path / "in.csv")]) == 0
    (tmp_path / "in.toml").write_text(capsys.readouterr().out)
    words = [str(tmp_path / "in.csv"), str(tmp_path / "new" / "out.csv")]
    assert main(["score", *words, "--source", str(tmp_path / "in.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["priced"] == 1
    assert "groß" in (tmp_path / "new" / "out.csv").read_text()


@pytest.mark.parametrize("declared", ["", 'encoding = "utf-16"\n'])
def test_text_in_another_encoding_is_told_with_what_helps(declared, some, tmp_path, capsys):
    late = "1,Ideal,E,VS1,fine\n" * 9_000 + "1,Ideal,E,VS1,groß\n"
    text = f"carat,cut,color,clarity,note\n{late}"
    (tmp_path / "in.csv").write_text(text, encoding="cp1252")
    (tmp_path / "in.toml").write_text(declared)
    words = [str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert main(["score", *words, "--source", str(tmp_path / "in.toml")]) == 2
    assert 'encoding = "cp1252"' in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    if declared:
        told = main(["inspect", words[0], "--source", str(tmp_path / "in.toml")])
        assert told == 2
        assert "not text in utf-16" in capsys.readouterr().err


def test_what_is_no_file_or_model_is_refused_in_a_sentence(packaged, some, tmp_path):
    with pytest.raises(SourceError, match="not DataFrame; for what is in memory"):
        score(some, tmp_path / "out.csv", packaged)
    with pytest.raises(SourceError, match="not str"):
        score(tmp_path / "in.csv", tmp_path / "out.csv", "the packaged one")


def test_a_file_is_not_written_over_itself(packaged, some, tmp_path):
    some.iloc[:5].to_parquet(tmp_path / "in.parquet")
    with pytest.raises(SourceError, match="another file"):
        score(tmp_path / "in.parquet", tmp_path / "in.parquet", packaged)


def test_nothing_is_left_when_it_is_stopped_or_the_disk_is_full(packaged, some, tmp_path):
    some.to_parquet(tmp_path / "in.parquet")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged, progress=stop)
    assert [f.name for f in tmp_path.iterdir()] == ["in.parquet"]


def test_the_command_tells_what_became_of_the_rows(spoilt, tmp_path, capsys):
    spoilt.to_parquet(tmp_path / "in.parquet")
    assert main(["score", str(tmp_path / "in.parquet"), str(tmp_path / "o.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 200
    assert told["refused"]["impossible_value"] == 3
    assert told["priced"] + sum(told["refused"].values()) == 200


THEIRS = """Stock #;Gewicht (mg);Make;Colour;Purity;Measurements;Shape;Value
A-1;202;Exzellent;E;VS 1;6,43 x 6,47 x 3,98;Rund;x
A-2;140,0;Very Good;G;SI1;;round;x
A-3;202;Ideal;E;VS1;;Princess;x
A-4;202;Ideal;E;VS1;6,4 x 6,4;round;x
A-5;viel;Ideal;E;VS1;;round;x
"""
DECLARED = """
decimal = ","
[grades.cut]
Exzellent = "Ideal"
"""


def test_other_peoples_headers_units_and_words_are_understood(packaged, tmp_path, capsys):
    (tmp_path / "in.csv").write_text(THEIRS)
    (tmp_path / "theirs.toml").write_text(DECLARED)
    out = tmp_path / "out.csv"
    words = [
        "score",
        str(tmp_path / "in.csv"),
        str(out),
        "--source",
        str(tmp_path / "theirs.toml"),
    ]
    assert main(words) == 0
    found = pd.read_csv(out).to_dict("records")
    stones = [
        Stone(1.01, "Ideal", "E", "VS1", x=6.43, y=6.47, z=3.98),
        Stone(0.7, "Very Good", "G", "SI1"),
    ]
    for row, stone in zip(found, stones, strict=False):
        assert row["price_cents"] == packaged.explain(stone).cents
    codes = [row["code"] for row in found[2:]]
    assert codes == ["shape_not_priced", "impossible_value", "impossible_value"]
    assert "'Princess' is not priced here, only Round" in found[2]["error"]


def test_a_column_of_shapes_is_one_whatever_it_is_called(packaged, tmp_path):
    """Or ovals would be priced as round stones."""
    line = "1.01,Ideal,E,VS1"
    (tmp_path / "in.csv").write_text(
        f"carat,cut,color,clarity,Artikel\n{line},BR\n{line},OV\n{line},Oval\n"
    )
    scored = score(tmp_path / "in.csv", tmp_path / "out.csv", packaged)
    assert (scored.priced, scored.refused) == (1, {"shape_not_priced": 2})


def test_a_declared_column_is_that_one(packaged, tmp_path):
    """Though another one has the plainer name."""
    from diamond_pricing.intake import Source

    (tmp_path / "in.csv").write_text("carat,w,cut,color,clarity\n9,1.01,Ideal,E,VS1\n")
    declared = Source(columns={"carat": "w"})
    score(tmp_path / "in.csv", tmp_path / "out.csv", packaged, declared=declared)
    price = pd.read_csv(tmp_path / "out.csv")["price_cents"][0]
    assert price == packaged.explain(Stone(1.01, "Ideal", "E", "VS1")).cents
    with pytest.raises(SourceError, match="'weight' declared for carat is not there"):
        score(
            tmp_path / "in.csv",
            tmp_path / "o.csv",
            packaged,
            declared=Source(columns={"carat": "weight"}),
        )


def test_two_columns_in_other_words_for_one_thing_are_refused(packaged, tmp_path):
    (tmp_path / "in.csv").write_text("carat,make,taille,color,clarity\n1,Ideal,Good,E,VS1\n")
    with pytest.raises(SourceError, match="'make' and 'taille' both mean cut"):
        score(tmp_path / "in.csv", tmp_path / "out.csv", packaged)


def test_prices_of_another_currency_than_the_sources_are_refused(tmp_path, capsys):
    (tmp_path / "in.csv").write_text("carat,cut,color,clarity\n1.01,Ideal,E,VS1\n")
    words = ["score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert main(words) == 0
    assert "prices: USD, 2008, by the packaged model" in capsys.readouterr().out
    (tmp_path / "s.toml").write_text('currency = "EUR"\n')
    assert main([*words, "--source", str(tmp_path / "s.toml")]) == 2
    assert "the source is in EUR, and the model prices in USD" in capsys.readouterr().err


@pytest.mark.parametrize("width", ["float16", "float32", "float64"])
def test_numbers_of_any_width_are_the_decimals_that_they_stand_for(packaged, tmp_path, width):
    """0.7 and 0.9 ct are weights at which prices jump."""
    carat = np.array([0.7, 0.9, 1.5], width)
    frame = pd.DataFrame({"carat": carat, "cut": "Ideal", "color": "E", "clarity": "VS1"})
    table = pa.table({name: pa.array(frame[name].to_numpy()) for name in frame})
    pq.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged)
    found = pd.read_parquet(tmp_path / "out.parquet")["price_cents"].tolist()
    single = [Stone(c, "Ideal", "E", "VS1") for c in (0.7, 0.9, 1.5)]
    assert found == [packaged.explain(stone).cents for stone in single]
    many = packaged.price(Stones.from_frame(frame))
    np.testing.assert_array_equal(many, packaged.price(Stones.of(single)))


@pytest.mark.parametrize("header", ["Origine", "Herkunft", "Origen", "Natural / Lab", "Origin"])
def test_a_stone_that_is_said_to_be_grown_is_refused_in_many_languages(
    packaged, tmp_path, header
):
    line = "1.01,Ideal,E,VS1"
    (tmp_path / "in.csv").write_text(
        f"carat,cut,color,clarity,{header},Box\n{line},natural,3\n{line},laboratorio,4\n"
    )
    scored = score(tmp_path / "in.csv", tmp_path / "out.csv", packaged)
    assert (scored.priced, scored.refused) == (1, {"origin_not_priced": 1})
    assert scored.unread == ("Box",)


@pytest.mark.parametrize("grown", [[False, True, None], [0, 1, None]])
def test_a_grown_stone_may_be_marked_by_a_flag(packaged, tmp_path, grown):
    stones = {"carat": [1.01] * 3, "cut": ["Ideal"] * 3, "color": ["E"] * 3}
    table = pa.table({**stones, "clarity": ["VS1"] * 3, "lab_grown": grown})
    for column in (table["lab_grown"], table["lab_grown"].dictionary_encode()):
        pq.write_table(table.set_column(4, "lab_grown", column), tmp_path / "in.parquet")
        scored = score(tmp_path / "in.parquet", tmp_path / "out.parquet", packaged)
        assert (scored.priced, scored.refused) == (2, {"origin_not_priced": 1})


def test_columns_stay_as_they_are_though_a_header_goes_over_two_lines(packaged, tmp_path):
    (tmp_path / "in.csv").write_text(
        'carat,cut,color,clarity,"note\n(ours)",cert,sold\n1.01,Ideal,E,VS1,a,0012345,true\n'
    )
    score(tmp_path / "in.csv", tmp_path / "out.csv", packaged)
    found = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert found[["note\n(ours)", "cert", "sold"]].iloc[0].tolist() == ["a", "0012345", "true"]


def test_encoding_and_delimiter_of_a_declaration_hold(packaged, tmp_path):
    text = "Größe^cut^color^clarity\n1,01^Ideal^E^VS1\n1.200^Ideal^E^VS1\n"
    for encoding in ("cp1252", "utf-16", "utf-8"):
        (tmp_path / "in.csv").write_bytes(text.encode(encoding))
        declared = Source.from_toml(
            f'\ufeffencoding = "{encoding}"\ndelimiter = "^"\ndecimal = ","\n'
            '[columns]\ncarat = " Größe "\n'.encode()
        )
        for rows in (3, 2):  # a row's fate does not hang on its neighbours
            lines = text.splitlines(keepends=True)
            kept = "".join([lines[0], *lines[-rows + 1 :]])
            (tmp_path / "in.csv").write_bytes(kept.encode(encoding))
            score(tmp_path / "in.csv", tmp_path / "out.csv", packaged, declared=declared)
            found = pd.read_csv(tmp_path / "out.csv")
            assert found["status"].iloc[-1] == "refused"  # 1,200 carats
            assert len(found) == rows - 1
        assert found.shape[0] == 1


@pytest.mark.parametrize(
    ("column", "values", "target"),
    [
        ("images", [["a", "b"]], "out.csv"),
        ("measurements", [[6.4, 6.4, 3.9]], "out.parquet"),
        ("shape", [["round"]], "out.parquet"),
        ("shape", [b"\xff"], "out.csv"),
        ("scan", [b"\xff\xfe"], "out.csv"),
    ],
)
def test_columns_that_cannot_be_read_or_written_are_one_line(
    packaged, tmp_path, column, values, target
):
    table = pa.table(
        {"carat": [1.01], "cut": ["Ideal"], "color": ["E"], "clarity": ["VS1"], column: values}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(SourceError, match=r"must hold|cannot be written as CSV") as caught:
        score(tmp_path / "in.parquet", tmp_path / target, packaged)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / target).exists()


def test_a_declaration_that_is_no_utf8_or_names_a_column_twice_is_one_line(tmp_path, capsys):
    (tmp_path / "in.csv").write_text("W,W,cut,color,clarity\n1.01,1,Ideal,E,VS1\n")
    words = ["score", str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    for content, said in (
        (b'[grades.cut]\n"\xe9x" = "Ideal"\n', "this source cannot be read"),
        (b'[columns]\ncarat = "W"\n', "declared for carat is there twice"),
    ):
        (tmp_path / "s.toml").write_bytes(content)
        assert main([*words, "--source", str(tmp_path / "s.toml")]) == 2
        assert said in capsys.readouterr().err
