"""Other people's files: understood, or set aside row by row with the reason, or refused whole."""

import io
import json
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diamond_pricing.intake import (
    RejectedFileError,
    Source,
    SourceError,
    read_sales_file,
    read_sheet,
    take_in,
    written_sales,
)
from diamond_pricing.intake.columns import TableColumns
from diamond_pricing.intake.numbers import number

PLAIN = "carat,cut,color,clarity,depth,table,price,x,y,z\n"
ROW = "1.01,Ideal,E,VS1,61.8,57,7000,6.43,6.4,3.97\n"


def taken(text, name="a.csv", **source):
    data = text.encode() if isinstance(text, str) else text
    return take_in(name, data, Source(**source))


def test_our_own_columns_need_nothing_declared():
    intake = taken(PLAIN + ROW)
    assert intake.read == len(intake.sales) == 1
    assert intake.quarantined == []
    row = intake.sales.iloc[0]
    assert (row.carat, row.cut, row.price, row.x, row.row) == (1.01, "Ideal", 7000.0, 6.43, 2)


def test_a_retailers_headers_money_and_words_are_understood():
    intake = taken(
        "\ufeffCarat Weight;Colour;CLARITY;Cut Grade;Total Price;Length (cm);Width [cm];Height (cm);"
        "Depth %;Polish\n"
        '"1,01";e;vs-1;ideal;"$7.000,50";"0,643";"0,64";"0,397";"61,8";EX\n'
    )
    assert intake.quarantined == []
    row = intake.sales.iloc[0]
    assert (row.carat, row.color, row.clarity, row.price) == (1.01, "E", "VS1", 7000.5)
    assert (row.x, row.y, row.z) == (6.43, 6.4, 3.97)
    assert row["polish"] == "Excellent"


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1,234", ".", 1234.0),
        ("$1,234.50", ".", 1234.5),
        ("1.234,50 €", ",", 1234.5),
        ("0,71", ",", 0.71),
        ("0,71", ".", None),
        ("1 234", ".", 1234.0),
        ("12'500", ".", 12500.0),
        ("USD 900", ".", 900.0),
        ("61.8 %", ".", 61.8),
        ("6.43 mm", ".", 6.43),
        ("1e3", ".", 1000.0),
        ("nan", ".", None),
        ("inf", ".", None),
        ("1_000", ".", None),
        ("0x10", ".", None),
        ("1,23,4", ".", None),
        ("--1", ".", None),
        ("1.2.3", ",", None),
        ("", ".", None),
    ],
)
def test_numbers_as_people_write_them(text, decimal, value):
    assert number(text, decimal) == value


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        (("7000", "-1"), "price", "must be positive"),
        (("7000", "0"), "price", "must be positive"),
        (("7000", ""), "price", "price is missing"),
        (("7000", "seven"), "price", "not a number: 'seven'"),
        (("7000", "€ 7000"), "price", "not in USD"),
        (("1.01,", ","), "carat", "carat is missing"),
        (("1.01,", "1_0,"), "carat", "not a number"),
        (("Ideal", "Lovely"), "cut", "'Lovely' is not a grade"),
        ((",E,", ",Е,"), "color", "CYRILLIC"),
        (("6.43,6.4,3.97", "0.643,0.64,0.397"), "x", "between 1 and 40"),
        (("6.43,6.4,3.97", "4.43,4.4,2.73"), "x", "does not fit 1.01 ct"),
        (("6.43,6.4,3.97", "6.43,6.4"), "row", "9 fields, the header 10"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_field_and_reason(change, field, reason):
    bad = ROW.replace(*change)
    source = {"currency": "USD"}
    intake = taken(PLAIN + ROW + bad + ROW.replace("7000", "7001"), **source)
    (aside,) = intake.quarantined
    assert (aside.row, aside.field) == (3, field)
    assert reason in aside.reason
    assert aside.original == bad.strip()
    assert len(intake.sales) == 2


def test_the_same_sale_twice_counts_once():
    intake = taken(PLAIN + ROW + ROW)
    assert [q.reason for q in intake.quarantined] == ["the same sale as row 2"]
    assert len(taken(PLAIN + ROW + ROW.replace("7000", "7100")).sales) == 2, "listed again"


def test_shapes_are_read_and_what_is_none_is_set_aside():
    text = PLAIN.replace("z\n", "z,Shape\n") + ROW.replace("3.97\n", "3.97,RD\n") * 1
    text += ROW.replace("3.97\n", "3.97,Princess\n").replace("7000", "7100")
    intake = taken(text + ROW.replace("3.97\n", "3.97,Kite\n").replace("7000", "7200"))
    assert intake.sales["shape"].tolist() == ["Round", "Princess"]
    assert [q.reason for q in intake.quarantined] == ["shape 'Kite' is not known"]


def parquet_bytes():
    target = io.BytesIO()
    pd.read_csv(io.StringIO(PLAIN + ROW)).to_parquet(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"  \n\n", "empty"),
        ("a.csv", PLAIN.encode(), "no rows"),
        ("a.csv", (PLAIN + ROW + "1.0,Ide").encode(), "cut off"),
        ("a.csv", (PLAIN + ROW + '1.0,"Ide').encode(), "cut off or its quotes"),
        ("a.csv", b"\x00\x01\x02" * 99, "binary"),
        ("a.csv", b"PK\x03\x04rest", "spreadsheet"),
        ("a.csv", (PLAIN + ROW.replace("Ideal", "=HYPERLINK(1)")).encode(), "formula"),
        ("a.csv", (PLAIN + ROW.replace("Ideal", "@SUM(A1)")).encode(), "formula"),
        ("a.csv", (PLAIN + ROW.replace("Ideal", "-cmd|' /C calc'!A0")).encode(), "formula"),
        ("a.csv", (PLAIN + ROW.replace("Ideal", "I" * 5000)).encode(), "characters"),
        ("a.csv", (PLAIN + ROW.replace("Ideal", "I" * 500_000)).encode(), "too long"),
        ("a.csv", (PLAIN.replace("price", "weight2") + ROW).encode(), "no column for price"),
        ("a.csv", (PLAIN.replace("depth", "Carats") + ROW).encode(), "both mean carat"),
        (
            "a.csv",
            (PLAIN.replace("price", "price eur") + ROW).encode(),
            "declare a rate for EUR",
        ),
        ("a.docx", b"anything", "not read"),
        ("a.parquet", parquet_bytes()[:-40], "cut off"),
        ("a.parquet", b"PAR1 no", "cut off"),
        ("a.jsonl", b'{"carat": 1}\n{"carat": ', "line 2 is not JSON"),
        ("a.jsonl", b'{"carat": [1]}\n', "plain values"),
        ("a.jsonl", b"[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_whole(name, data, reason):
    with pytest.raises(RejectedFileError, match=reason):
        take_in(name, data)


@pytest.mark.parametrize("kind", ["csv", "utf-16", "cp1252", "tsv", "jsonl", "parquet"])
def test_the_same_sales_in_any_format_are_the_same(kind, catalog):
    frame = catalog[
        ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    ]
    frame = frame.sample(300, random_state=1).reset_index(drop=True)
    frame = frame.astype({"cut": str, "color": str, "clarity": str})
    text = frame.to_csv(index=False)
    name, data = "a.csv", text.encode()
    if kind == "utf-16":
        data = text.encode("utf-16")
    elif kind == "cp1252":
        data = text.replace("price", "price (€)").encode("cp1252")
    elif kind == "tsv":
        name, data = "a.tsv", text.replace(",", "\t").encode()
    elif kind == "jsonl":
        rows = frame.to_dict("records")
        name, data = "a.jsonl", "\n".join(json.dumps(row) for row in rows).encode()
    elif kind == "parquet":
        target = io.BytesIO()
        frame.to_parquet(target)
        name, data = "a.parquet", target.getvalue()
    expected = take_in("a.csv", text.encode())
    intake = take_in(
        name,
        data,
        Source(currency="EUR") if kind == "cp1252" else None,
        currency="EUR" if kind == "cp1252" else "USD",
    )
    pd.testing.assert_frame_equal(
        intake.sales.drop(columns="row"), expected.sales.drop(columns="row")
    )
    assert intake.reasons() == expected.reasons()


@settings(max_examples=60)
@given(st.data())
def test_every_row_is_counted_once_whatever_is_in_it(data):
    cells = st.sampled_from(
        [
            "1.01",
            "0",
            "-1",
            "",
            "Ideal",
            "E",
            "VS1",
            "61.8",
            "nan",
            "7,000",
            "$5",
            "x",
            '"',
            "€",
            "1e99",
        ]
    ) | st.text(st.characters(exclude_characters=',\n\r\0=@+-"', codec="utf-8"), max_size=8)
    rows = data.draw(
        st.lists(st.lists(cells, min_size=1, max_size=12), min_size=1, max_size=12)
    )
    body = pd.Series([",".join(c.replace('"', "'") for c in row) for row in rows])
    kept = [row for row in body if row.replace(",", "").strip()]
    try:
        intake = taken(PLAIN + "\n".join(body) + "\n")
    except RejectedFileError:
        return
    assert intake.read == len(kept) == len(intake.sales) + len(intake.quarantined)
    assert all(q.reason and q.field for q in intake.quarantined)
    assert (intake.sales["price"] > 0).all()


def test_accepted_sales_come_back_from_their_file_bit_for_bit(catalog):
    text = catalog.sample(500, random_state=2).to_csv(index=False)
    sales = taken(text).sales
    data = written_sales(sales, "here")
    assert data == written_sales(sales, "here")
    back = read_sales_file(data)
    assert (back["source"] == "here").all()
    for name in ("carat", "price", "x", "row"):
        np.testing.assert_array_equal(back[name], sales[name])
    assert back["cut"].tolist() == sales["cut"].tolist()


def test_a_source_says_what_is_wrong_with_it():
    for text, complaint in (
        ("columns = 3", "cannot be read"),
        ("[columns]\nsparkle = 'a'", "sparkle"),
        ("[units]\nx = 'miles'", "known: mm, cm, in"),
        ("decimal = ';'", "decimal must be"),
        ("[grades.cut]\nExc = 'Superb'", "is not a grade"),
        ("identity = 'id'", "identity must"),
        ("signs = 'keep'", "signs must"),
        ("[rates]\nEUR = 0", "positive"),
        ("nonsense", "cannot be read"),
        ("secret = 1", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=complaint):
            Source.from_toml(text)
    assert issubclass(SourceError, ValueError)


def test_a_source_written_is_the_source_read():
    source = Source(
        columns={"carat": 'a "b"', "price": "Preis"},
        units={"x": "cm"},
        grades={"cut": {"Excellent": "Ideal"}},
        currency="EUR",
        rates={"EUR": 1.08},
        decimal=",",
    )
    assert Source.from_toml(source.to_toml()) == source


def test_declared_words_units_and_rates_are_used():
    text = "W;P;C;K;R;L\n0,2;1000;F;SI1;Excellent;0,64\n"
    source = Source(
        columns={
            "carat": "W",
            "price": "P",
            "color": "C",
            "clarity": "K",
            "cut": "R",
            "x": "L",
        },
        units={"carat": "g", "x": "cm"},
        grades={"cut": {"excellent": "Ideal"}},
        currency="EUR",
        rates={"EUR": 1.1},
        decimal=",",
    )
    row = take_in("a.csv", text.encode(), source).sales.iloc[0]
    assert (row.carat, row.cut, row.price, row.x) == (1.0, "Ideal", 1100.0, 6.4)


def test_a_word_can_be_declared_for_one_laboratory():
    text = "Carat,Price,Color,Clarity,Cut,Lab\n"
    text += "".join(
        f"1.0{i},6000,F,SI1,{word}\n"
        for i, word in enumerate(
            [
                *("Excellent,GIA", "excellent,gia", "EX,GIA", "3EX,G.I.A.", "EX Cut,GIA"),
                *("Excellent,HRD", "EX,HRD", "Excellent,", "Good,GIA"),
            ]
        )
    )
    source = Source(grades={"cut": {"GIA Excellent": "Ideal", "Excellent": "Premium"}})
    meant = [*["Ideal"] * 5, *["Premium"] * 3, "Good"]
    assert take_in("a.csv", text.encode(), source).sales["cut"].tolist() == meant
    rows = [line.split(",") for line in text.splitlines()]
    read = TableColumns(rows[0], source).of_texts(list(zip(*rows[1:], strict=True)))["cut"]
    assert [read.texts[code] for code in read.codes] == meant


def test_random_bytes_are_refused_and_never_crash():
    generator = random.Random(0)
    for size in (1, 10, 100, 5000):
        for name in ("a.csv", "a.jsonl", "a.parquet"):
            with pytest.raises(RejectedFileError):
                take_in(name, generator.randbytes(size))


@pytest.mark.parametrize(
    "cell", ["-12%", "-1e-05", "+49 (30) 12", "-Infinity", "-1 day, 23:59:55"]
)
def test_a_number_with_its_sign_is_no_formula(cell):
    text = PLAIN.replace("z\n", "z,Discount\n") + ROW.replace("3.97\n", f'3.97,"{cell}"\n')
    assert len(taken(text).sales) == 1


def test_single_precision_makes_no_other_stone(catalog):
    frame = catalog[
        ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    ]
    frame = frame.sample(200, random_state=4).reset_index(drop=True)
    small = frame.astype(dict.fromkeys(("carat", "depth", "table", "x", "y", "z"), "float32"))
    target = io.BytesIO()
    small.to_parquet(target)
    one = take_in("a.csv", frame.to_csv(index=False).encode()).sales
    two = take_in("a.parquet", target.getvalue()).sales
    pd.testing.assert_frame_equal(one.drop(columns="row"), two.drop(columns="row"))


def test_prices_in_other_currencies_never_pass_for_ours():
    rows = [ROW.replace("7000", price) for price in ("$7000", "€7001", "£7002")]
    with pytest.raises(RejectedFileError, match="several currencies"):
        taken(PLAIN + "".join(rows))
    intake = taken(PLAIN + "".join(rows), currency="USD")
    assert [q.row for q in intake.quarantined] == [3, 4]
    told = PLAIN.replace("z\n", "z,Currency\n") + ROW.replace("3.97\n", "3.97,EUR\n")
    with pytest.raises(RejectedFileError, match="declare a rate for EUR"):
        taken(told)
    assert [q.field for q in taken(told, currency="USD").quarantined] == ["price"]


def test_a_declared_price_per_carat_is_used_though_a_price_stands_beside():
    text = PLAIN.replace("z\n", "z,Net\n") + ROW.replace("3.97\n", "3.97,5000\n")
    (price,) = taken(text, columns={"price_per_carat": "Net"}).sales["price"]
    assert price == 5050


def test_thousands_are_not_taken_for_decimals():
    text = PLAIN.replace(",", ";") + ROW.replace(",", ";").replace(".", ",").replace(
        "7000", "7,000"
    )
    (aside,) = taken(text).quarantined
    assert "thousands or decimals" in aside.reason
    assert number("47 33") is None
    assert number("4 733") == 4733


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.jsonl", b'{"carat": ' + b"1" * 5000 + b"}\n"), ("a.jsonl", b'{"carat": "\\ud800"}\n')],
)
def test_what_python_chokes_on_is_refused(name, data):
    with pytest.raises(RejectedFileError):
        take_in(name, data)


def test_damaged_parquet_is_refused_or_read_and_never_crashes():
    whole, generator = bytearray(parquet_bytes()), random.Random(1)
    for _ in range(400):
        broken = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            broken[generator.randrange(len(broken))] ^= 1 << generator.randrange(8)
        try:
            take_in("a.parquet", bytes(broken))
        except RejectedFileError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("cell", "sides"),
    [
        ("6.43 x 6.40 x 3.97", (6.43, 6.4, 3.97)),
        ("6.43-6.40x3.97 mm", (6.43, 6.4, 3.97)),
        ("6.43 – 6.40 × 3.97", (6.43, 6.4, 3.97)),
        ("6.43*6.40*3.97", (6.43, 6.4, 3.97)),
        ("6.43mm X 6.40mm X 3.97mm", (6.43, 6.4, 3.97)),
        ("", None),
    ],
)
def test_measurements_in_one_column(cell, sides):
    head = "Carat,Cut,Color,Clarity,Price,Measurements"
    row = taken(f'{head}\n1.01,Ideal,E,VS1,7000,"{cell}"\n').sales.iloc[0]
    if sides is None:
        assert np.isnan([row.x, row.y, row.z]).all()
    else:
        assert (row.x, row.y, row.z) == sides
    bad = taken(f'{head}\n1.01,Ideal,E,VS1,7000,"6.43 x 6.40"\n1,Ideal,E,VS1,7000,\n')
    assert bad.quarantined[0].reason.startswith("measurements are not three numbers")
    comma = taken(f"{head.replace(',', ';')}\n1,01;Ideal;E;VS1;7000;6,43 x 6,40 x 3,97\n")
    assert comma.sales.iloc[0].z == 3.97
    cm = taken(f"{head} (cm)\n1.01,Ideal,E,VS1,7000,0.643 x 0.640 x 0.397\n")
    assert cm.sales.iloc[0].x == 6.43


@pytest.mark.parametrize(
    "header",
    [
        "caratWeight,cutGrade,colorGrade,clarityGrade,totalPrice",
        "Weight (ct.),Cut Quality,Colour,Clarity Grade,Price in USD",
        "diamond_carat,diamond_cut,diamond_color,diamond_clarity,price_usd",
        "Size,Make,Col.,Clar.,Asking Price ($)",
        "Gewicht (ct),Schliff,Farbe,Reinheit,Preis",
        "Carati,Taglio,Colore,Purezza,Prezzo totale",
        "CARAT,CUT,COLOR,CLARITY,USD Price",
    ],
)
def test_headers_that_retailers_use(header):
    row = taken(f"{header}\n1.01,Ideal,E,VS1,7000\n").sales.iloc[0]
    assert (row.carat, row.cut, row.color, row.clarity, row.price) == (
        1.01,
        "Ideal",
        "E",
        "VS1",
        7000,
    )


def test_a_depth_in_millimetres_is_a_height():
    text = "carat,cut,color,clarity,price,Depth %,Meas Length,Meas Width,Meas Depth\n"
    row = taken(text + "1.01,Ideal,E,VS1,7000,61.8,6.43,6.4,3.97\n").sales.iloc[0]
    assert (row.depth, row.z) == (61.8, 3.97)
    row = taken(
        "carat,cut,color,clarity,price,Length,Width,Depth\n1.01,Ideal,E,VS1,7000,6.43,6.4,3.97\n"
    )
    assert row.sales.iloc[0].z == 3.97
    row = taken("carat,cut,color,clarity,price,Depth (mm)\n1.01,Ideal,E,VS1,7000,3.97\n")
    assert row.sales.iloc[0].z == 3.97


def test_of_two_columns_of_one_name_the_one_that_can_be_read_is_meant():
    intake = taken("carat,Cut,Cut Grade,color,clarity,price\n1,Round,Ideal,E,VS1,5000\n")
    assert intake.sales.iloc[0].cut == "Ideal"
    with pytest.raises(RejectedFileError, match="both mean cut"):
        taken("carat,Cut,Cut Grade,color,clarity,price\n1,Good,Ideal,E,VS1,5000\n")


def test_grown_stones_are_told_apart():
    text = "carat,cut,color,clarity,price,Diamond Type\n"
    rows = [
        f"1,Ideal,E,VS1,{5000 + i},{word}\n"
        for i, word in enumerate(("Natural", "Lab Grown", "CVD", "", "lab-created"))
    ]
    intake = taken(text + "".join(rows))
    grown = "Laboratory-grown"
    assert intake.sales["origin"].fillna("").tolist() == ["Natural", grown, grown, "", grown]
    yes = taken(
        "carat,cut,color,clarity,price,Lab Grown\n1,Ideal,E,VS1,9,TRUE\n1,Ideal,E,VS1,9,No\n"
    )
    assert yes.sales["origin"].tolist() == [grown, "Natural"]


def test_a_small_parquet_file_that_unpacks_to_gigabytes_is_refused_early():
    import pyarrow as pa
    import pyarrow.parquet as pq

    cell = "x" * 1900
    table = pa.table({"carat": pa.array([cell] * 1_000_000).dictionary_encode()})
    target = io.BytesIO()
    pq.write_table(table, target, compression="zstd")
    assert len(target.getvalue()) < 1_000_000
    with pytest.raises(RejectedFileError, match="unpacks to over"):
        read_sheet("a.parquet", target.getvalue())


@pytest.mark.parametrize(
    "word", ["LG", "LGD", "Man-made", "Grown", "1.0", "T", "Ja", "synthetisch", "?!"]
)
def test_an_origin_in_other_words(word):
    intake = taken(
        f"carat,cut,color,clarity,price,Origin\n1,Ideal,E,VS1,5000,{word}\n1,Ideal,E,VS1,6000,Natural\n"
    )
    if word == "?!":
        assert (len(intake.sales), intake.quarantined[0].field) == (1, "origin")
    else:
        assert intake.sales["origin"].tolist() == ["Laboratory-grown", "Natural"]


def test_a_column_called_type_counts_where_it_tells_the_origin():
    text = "carat,cut,color,clarity,price,type\n1,Ideal,E,VS1,5000,{}\n1,Ideal,E,VS1,6000,{}\n"
    assert taken(text.format("natural", "lab")).sales["origin"].nunique() == 2
    assert "origin" not in taken(text.format("loose", "loose")).sales
    words = {"origin": {"Botswana": "natural"}}
    of = taken(text.replace("type", "origin").format("Botswana", "Mars"), grades=words)
    assert len(of.sales) == 1


@pytest.mark.parametrize(
    "word", ["Round", "Rund", "Rond", "Rotondo", "RND", "Round Diamond", "BR"]
)
def test_round_in_other_words(word):
    text = (
        "shape,carat,cut,color,clarity,price\n{},1,Ideal,E,VS1,5000\nOval,1,Ideal,E,VS1,5000\n"
    )
    assert taken(text.format(word)).sales["shape"].tolist() == ["Round", "Oval"]


def test_a_cut_column_of_shapes_beside_a_make_is_the_shape():
    rows = "".join(
        f"{shape},1,E,VS1,Ideal,{5000 + i}\n"
        for i, shape in enumerate(("Round", "Princess", "Oval", "Cushion"))
    )
    intake = taken("Cut,Carat,Color,Clarity,Make,Amount\n" + rows)
    assert intake.sales["shape"].tolist() == ["Round", "Princess", "Oval", "Cushion"]
    assert set(intake.sales["cut"]) == {"Ideal"}


@pytest.mark.parametrize(
    ("column", "word", "good"),
    [
        ("Currency", "USD", True),
        ("Currency", "$", True),
        ("Currency", "", True),
        ("Currency", "A$", False),
        ("Currency", "Rupees", False),
        ("Currency", "Fr.", False),
        ("Currency Code", "INR", False),
        ("Währung", "EUR", False),
        ("Currency", "shells", False),
    ],
)
def test_no_other_money_is_taken_for_ours(column, word, good):
    text = f"carat,cut,color,clarity,price,{column}\n1,Ideal,E,VS1,5000,USD\n1,Ideal,E,VS1,6000,{word}\n"
    assert len(taken(text, currency="USD").sales) == 1 + good


def test_a_price_that_is_none_costs_one_row():
    intake = taken(PLAIN + ROW + ROW.replace("7000", "POA") + ROW.replace("7000", "on request"))
    assert (len(intake.sales), len(intake.quarantined)) == (1, 2)


def test_points_that_part_thousands_are_no_decimals():
    head = "Gewicht;Schliff;Farbe;Reinheit;Preis\n"
    intake = taken(
        head + "2,01;Ideal;G;VS1;16.499\n0,5;Ideal;G;VS1;1.499,50\n1,5;Ideal;G;VS1;6.499,-\n"
    )
    assert intake.sales["price"].tolist() == [16499.0, 1499.5, 6499.0]
    with pytest.raises(RejectedFileError, match="may have thousands or decimals"):
        taken(head + "110;Ideal;G;VS1;4.733\n")
    assert (
        taken('carat,cut,color,clarity,price\n1.1,Ideal,G,VS1,"4,733"\n').sales.price[0] == 4733
    )
    swiss = taken("carat;cut;color;clarity;price\n1.1;Ideal;G;VS1;USD 16'499.–\n")
    assert swiss.sales.price[0] == 16499


def test_stones_with_numbers_of_their_own_are_no_duplicates():
    text = "Certificate,carat,cut,color,clarity,price\n{},1,Ideal,E,VS1,5000\n{},1,Ideal,E,VS1,5000\n"
    assert len(taken(text.format("GIA 1", "GIA 2")).sales) == 2
    same = taken(text.format("GIA 1", "GIA 1"))
    assert (len(same.sales), same.quarantined[0].field) == (1, "duplicate")
    two = text.replace("Certificate,", "Certificate,Stock #,").replace("{},1", "{},7,1")
    assert len(taken(two.format("GIA 1", "GIA 2")).sales) == 2
    kept = read_sales_file(written_sales(taken(text.format("GIA 1", "GIA 2")).sales, "a"))
    assert kept["identity"].tolist() == ["GIA 1", "GIA 2"]


@pytest.mark.parametrize("remark", ["- eye clean (GIA)", "@rossi", "+1 for luck", "-0.5"])
def test_a_remark_is_no_formula(remark):
    assert (
        len(
            taken(f"carat,cut,color,clarity,price,comment\n1,Ideal,E,VS1,5000,{remark}\n").sales
        )
        == 1
    )


@pytest.mark.parametrize(
    "text",
    [
        "Stock list June,,,,,\n\ncarat,cut,color,clarity,price,\n1,Ideal,E,VS1,5000,\n",
        "\n\ncarat,cut,color,clarity,price\n1,Ideal,E,VS1,5000\n",
        "sep=,\ncarat,cut,color,clarity,price\n1,Ideal,E,VS1,5000\n",
        "carat,cut,color,clarity,price,,\n1,Ideal,E,VS1,5000,,\n",
        "carat,cut,color,clarity,price\n1,Ideal,E,VS1,5000,\n",
        "sep=;\r\nStock list\r\ncarat;cut;color;clarity;price\r\n1;Ideal;E;VS1;5000\r\n",
    ],
)
def test_what_spreadsheets_leave_around_a_table(text):
    intake = taken(text)
    assert (len(intake.sales), intake.read) == (1, 1)
    assert intake.sales["row"][0] == 1 + text.replace("\r", "").split("\n").index(
        next(line for line in text.replace("\r", "").split("\n") if line.startswith("1"))
    )


def test_grades_may_repeat_what_they_grade():
    row = taken(
        "carat,cut,color,clarity,price\n1,Premium Cut,H Color,SI2 Clarity,5000\n"
    ).sales.iloc[0]
    assert (row.cut, row.color, row.clarity) == ("Premium", "H", "SI2")


def test_p_is_no_grade_of_ours():
    assert taken(PLAIN + ROW.replace("Ideal", "P")).quarantined[0].field == "cut"


def test_a_line_that_says_a_thing_twice_is_refused():
    line = (
        b'{"carat": 1, "carat": 2, "cut": "Ideal", "color": "E", "clarity": "VS1", "price": 9}'
    )
    with pytest.raises(RejectedFileError, match="'carat' twice"):
        take_in("sales.jsonl", line)
