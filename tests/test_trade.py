"""Attributes that a home adds, one of each kind, at every door."""

import csv
import datetime
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from decimal import Decimal

import duckdb
import httpx
import numpy as np
import pandas as pd
import pytest

from diamond_pricing import PriceModel, Stone, Stones
from diamond_pricing.cli import main
from diamond_pricing.errors import DocumentError, StoneError, TradeError, UnsupportedStoneError
from diamond_pricing.fitting import fit
from diamond_pricing.intake import read_sales_file, take_in, written_sales
from diamond_pricing.intake.judged import judged
from diamond_pricing.model.market import market_index
from diamond_pricing.model.words import ENGLISH, ITALIAN
from diamond_pricing.registry import Registry
from diamond_pricing.stones import ATTRIBUTES, LINES, OTHERS, trade
from diamond_pricing.stones.attributes import iso
from diamond_pricing.warehouse.scoring import score, sql
from tests.web.serving import serving

OURS = """
[[attribute]]
name = "fire"
label = "Fire"
labels = { it = "Fuoco" }
kind = "measure"
unit = "points"
low = 0
high = 10

[[attribute]]
name = "glow"
label = "Glow"
kind = "ordered"
grades = ["Dull", "Fair", "Bright"]
direction = "rising"
spellings = { Bright = "br, shining" }

[[attribute]]
name = "house"
label = "House laboratory"
kind = "category"
grades = ["North", "South", "East"]
aliases = "our lab"
"""
NAMES = ("fire", "glow", "house", "sold")
OF = {"sold": "market"}  # lines that are not called as their attribute
EFFECTS = {
    "glow": {"Dull": -0.1, "Fair": 0.0, "Bright": 0.15},
    "house": {"North": 0.0, "South": 0.08, "East": -0.05},
}


@pytest.fixture(scope="module", autouse=True)
def restored():
    """The trade of this process as it was; other tests know nothing of ours."""
    before = dict(trade._entries), dict(trade._line_labels)
    yield
    trade._set(*before, "tests")


@pytest.fixture(scope="module")
def sold(catalog):
    """Sales to which four attributes matter, each by a known amount."""
    rng = np.random.default_rng(8)
    some = catalog[catalog["stone"] % 12 == 5].drop(columns=["stone", "listing"])
    n = len(some)
    sales = some.reset_index(drop=True).assign(
        Fire=rng.uniform(2, 8, n).round(1),
        glow=rng.choice(["Dull", "Fair", "Bright"], n),
        **{"Our Lab": rng.choice(["North", "South", "East"], n, p=[0.5, 0.3, 0.2])},
    )
    days = rng.integers(0, 700, n)
    sales["Sale Date"] = [
        str(datetime.date(2023, 1, 1) + datetime.timedelta(int(d))) for d in days
    ]
    effect = sales["glow"].map(EFFECTS["glow"]) + sales["Our Lab"].map(EFFECTS["house"])
    effect += 0.03 * (sales["Fire"] - 5) + 0.0002 * days
    sales["price"] = (sales["price"] * np.exp(effect)).round(2)
    return sales


@pytest.fixture(scope="module")
def home(sold, tmp_path_factory):
    place = tmp_path_factory.mktemp("trade")
    (place / "home").mkdir()
    (place / "inbox").mkdir()
    (place / "home" / "trade.toml").write_text(OURS)
    sold.to_csv(place / "inbox" / "first.csv", index=False)
    assert main(["refit", "--inbox", str(place / "inbox"), "--home", str(place / "home")]) == 0
    return place / "home"


@pytest.fixture(scope="module")
def model(home) -> PriceModel:
    return Registry.at(str(home)).active()


@pytest.fixture(scope="module")
def server(home, tmp_path_factory):
    with (
        serving(tmp_path_factory.mktemp("served"), "--home", str(home)) as served,
        httpx.Client(base_url=served.url, timeout=30) as client,
    ):
        yield client


STONE = Stone(1.01, "Ideal", "E", "VS1")


def with_ours(**more):
    return Stone(1.01, "Ideal", "E", "VS1", **more)


def test_a_refit_learns_what_each_attribute_is_worth(model):
    assert {OF.get(name, name) for name in NAMES} <= set(model.lines)
    usual = {"fire": 5.0, "glow": "Fair", "house": "North", "sold": "2023-06-01"}
    start = with_ours(**usual)

    def factor(**changed):
        why = model.explain(with_ours(**usual | changed), reference=start)
        (name,) = changed
        line = next(line for line in why.lines if line.name == OF.get(name, name))
        assert sum(line.cents for line in why.lines) == why.cents
        return np.log(line.factor)

    assert factor(glow="Bright") == pytest.approx(0.15, abs=0.03)
    assert factor(glow="dull") == pytest.approx(-0.10, abs=0.03)
    assert factor(house="South") == pytest.approx(0.08, abs=0.03)
    assert factor(fire=7.5) == pytest.approx(0.075, abs=0.025)
    assert factor(sold="2024-06-01") == pytest.approx(0.0732, abs=0.025)


def test_a_source_may_name_what_the_home_adds(home, tmp_path):
    """In a process of its own: nothing has added the attributes there before."""
    stones = tmp_path / "stones.csv"
    stones.write_text("carat,cut,color,clarity,Lustre\n1.01,Ideal,E,VS1,Bright\n")
    source = tmp_path / "source.toml"
    source.write_text('[columns]\nglow = "Lustre"\n')
    out = tmp_path / "out.csv"
    command = [
        sys.executable,
        "-m",
        "diamond_pricing.cli",
        "score",
        stones,
        out,
        "--home",
        home,
        "--source",
        source,
        "--json",
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["priced"] == 1


def test_no_price_falls_as_a_rising_attribute_improves(model):
    for house in ("North", "South", "East"):
        prices = [
            model.price(Stones.of([with_ours(glow=glow, house=house)]))[0]
            for glow in ("Dull", "Fair", "Bright")
        ]
        assert prices == sorted(prices)


def test_what_is_not_given_is_averaged_and_said(model):
    why = model.explain(with_ours(glow="Bright"))
    text = str(why)
    assert "Glow: Bright" in text
    assert "House laboratory: not given" in text
    assert model.explain(STONE).price > 0
    with pytest.raises(UnsupportedStoneError, match="2023-01-01 to 2024"):
        model.explain(with_ours(sold="2031-01-01"))


def test_reasons_name_dates_and_references_are_stones(model):
    (reason,) = model.assess(with_ours(sold="2031-01-01")).reasons
    assert reason.given == "2031-01-01"
    with pytest.raises(StoneError, match="give a Stone"):
        model.contributions(Stones.of([STONE]), reference="x")


def test_labels_of_a_trade_are_no_markup(model, monkeypatch):
    why = model.explain(STONE)
    monkeypatch.setattr(type(why), "not_counted", property(lambda _: ("glow",)))
    monkeypatch.setattr(type(ENGLISH), "attribute", lambda *_: "<b>glow</b>")
    assert "&lt;b&gt;glow" in why._repr_html_()
    assert "<b>glow" not in why._repr_html_()


def test_the_document_carries_what_it_needs(model):
    text = model.to_json()
    names = [entry["name"] for entry in json.loads(text)["trade"]]
    assert names == ["sold", "fire", "glow", "house"]
    before = dict(trade._entries), dict(trade._line_labels)
    packaged = {e.name: e for e in trade.PACKAGED.attribute}
    trade._set(packaged, dict(trade.PACKAGED.lines), "tests")
    try:
        assert "glow" not in ATTRIBUTES
        assert PriceModel.from_json(text) == model
        assert "glow" in ATTRIBUTES
        other = OURS.replace('"Dull", "Fair", "Bright"', '"Low", "High"').replace(
            "Bright = ", "High = "
        )
        trade._set(packaged, dict(trade.PACKAGED.lines), "tests")
        trade.use(other)
        with pytest.raises(DocumentError, match="glow"):
            PriceModel.from_json(text)
    finally:
        trade._set(*before, "tests")


def test_the_command_line_takes_them_and_shows_the_trade(home, capsys):
    words = ["explain", "--carat", "1.01", "--cut", "Ideal", "--color", "E", "--clarity", "VS1"]
    ours = ["--with", "glow=shining", "--with", "our lab=south", "--with", "fire=6"]
    assert main([*words, *ours, "--home", str(home), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["stone"]["glow"] == "Bright"
    assert {"glow", "house", "fire"} <= {line["name"] for line in answer["lines"]}
    assert main([*words, "--with", "luck=7", "--home", str(home)]) == 2
    assert "'luck' is not an attribute" in capsys.readouterr().err
    assert main(["trade", "show", "--home", str(home), "--added"]) == 0
    shown = capsys.readouterr().out
    assert 'name = "glow"' in shown
    assert 'name = "fluorescence"' not in shown
    assert trade.use(shown) == ()
    assert main(["trade", "show"]) == 0
    every = capsys.readouterr().out
    assert trade.use(every) == ()
    assert every.count("[[attribute]]") == len(ATTRIBUTES)


def test_files_and_the_database_give_the_same_cents(model, sold, tmp_path):
    some = (
        sold.drop(columns="price")
        .head(300)
        .rename(columns={"Our Lab": "house", "Sale Date": "sold", "Fire": "fire"})
    )
    rng = np.random.default_rng(1)
    for name in NAMES:
        some.loc[rng.random(len(some)) < 0.2, name] = None
    some.insert(0, "id", range(len(some)))
    cents = model.itemise(Stones.from_frame(some)).sum(axis=1)
    fine = model.supports(Stones.from_frame(some))
    fine[[row for row, _ in Stones.from_frame(some).left_out]] = False
    file = tmp_path / "stock.csv"
    some.to_csv(file, index=False)
    scored = score(file, tmp_path / "priced.csv", model)
    assert scored.priced > 290
    priced = pd.read_csv(tmp_path / "priced.csv")
    known = priced["price_cents"].notna().to_numpy()
    np.testing.assert_array_equal(priced["price_cents"].to_numpy()[known], cents[known])
    connection = duckdb.connect()
    connection.register("given", some)
    connection.execute("CREATE TABLE stones AS SELECT * FROM given")
    columns = [name for name in some.columns if name != "price"]
    connection.execute(sql(model, "duckdb", columns=columns))
    rows = connection.execute(
        "SELECT id, status, price_cents, glow_cents, fire_cents, market_cents, code FROM diamond_prices "
        "ORDER BY id"
    ).fetchall()
    lines = model.itemise(Stones.from_frame(some))
    place = {name: 1 + model.lines.index(OF.get(name, name)) for name in NAMES}
    for i, status, price, glow, fire, when, code in rows:
        assert (status != "refused") == fine[i], (i, code)
        if fine[i]:
            ours = [lines[i, place[name]] for name in ("glow", "fire", "sold")]
            assert [price, glow, fire, when] == [cents[i], *ours]


@pytest.mark.parametrize("family", ["loglinear", "gam"])
def test_other_families_have_a_line_for_them_too(sold, family):
    trade.use(OURS)
    other = fit(sold, family, trade=OURS)
    assert {"glow", "house", "fire"} <= set(other.lines)
    assert PriceModel.from_json(other.to_json()) == other


def test_a_stone_knows_the_attributes_of_the_trade():
    stone = Stone(1.0, "Ideal", "E", "VS1", fluorescence="fnt", laboratory="gia", polish="EX")
    assert (stone.fluorescence, stone.laboratory, stone.polish) == ("Faint", "GIA", "Excellent")
    assert stone.symmetry is None
    assert stone == Stone(
        1.0, "Ideal", "E", "VS1", polish="Excellent", laboratory="GIA", fluorescence="Faint"
    )
    assert Stone(**stone.given()) == stone
    assert Stone.parse("1.0 Ideal E VS1 fluor=faint lab=GIA polish=X") == stone
    assert Stones.of([stone]).stone(0) == stone
    with pytest.raises(AttributeError, match="no attribute 'sparkle'"):
        _ = stone.sparkle
    with pytest.raises(StoneError, match="did you mean laboratory"):
        Stone(1.0, "Ideal", "E", "VS1", lab="GIA")


@pytest.mark.parametrize(
    ("name", "words", "grade"),
    [
        ("polish", "EX X exc ID", ["Excellent"] * 3 + ["Ideal"]),
        ("symmetry", "VG G F P", ["Very Good", "Good", "Fair", "Poor"]),
        (
            "fluorescence",
            "NON FNT MED STG VST F1 SLT",
            ["None", "Faint", "Medium", "Strong", "Very Strong", "Faint", "Faint"],
        ),
        ("shape", "BR RB RBC PR OV CU", ["Round"] * 3 + ["Princess", "Oval", "Cushion"]),
        ("laboratory", "gia AGSL igi", ["GIA", "AGS", "IGI"]),
        ("girdle", "STK VTN XTK", ["Slightly Thick", "Very Thin", "Extremely Thick"]),
        ("culet", "NON PT VSM", ["None", "None", "Very Small"]),
        ("origin", "LG natural CVD", ["Laboratory-grown", "Natural", "Laboratory-grown"]),
    ],
)
def test_grades_are_read_as_the_trade_writes_them(name, words, grade):
    assert [ATTRIBUTES[name].find(word) for word in words.split()] == grade


def test_a_grade_of_another_scale_is_answered_with_what_it_may_be(packaged):
    for word in ("Excellent", "EX", "3EX", "XXX", "GIA Excellent", "gia ex"):
        with pytest.raises(
            StoneError, match="this model knows Premium and Ideal: choose"
        ) as caught:
            packaged.explain(Stone(1.0, word, "E", "VS1"))
        assert caught.value.code == "grade_not_seen"
    for house, told in (("GIA", "best grade of GIA"), ("IGI", "a grade of IGI")):
        stone = Stone(1.0, "Excellent", "E", "VS1", laboratory=house)
        assert f"Excellent is {'the ' * (house == 'GIA')}{told}; this model knows" in (
            packaged.assess(stone).reasons[0].message
        )
    verdict = packaged.assess(Stone(1.0, "Astor", "E", "VS1"))
    assert "this model knows Ideal: choose it" in verdict.reasons[0].message
    columns = {"carat": np.ones(3), "color": ["E"] * 3, "clarity": ["VS1"] * 3}
    houses = {"cut": ["Excellent"] * 3, "laboratory": ["GIA", "igi", "nobody's"]}
    errors = judged(packaged, columns | houses, 3, 0.9, "blend").errors
    told = [re.search(r"is (.+); this", str(errors[row])).group(1) for row in range(3)]
    assert told[:2] == ["the best grade of GIA", "a grade of IGI"]
    assert told[2].startswith("the best grade of GIA, HRD")


def test_a_cut_scale_of_a_house_is_carried_by_the_model(catalog):
    top = catalog["cut"].eq("Ideal") & (catalog["table"] < 56)
    cuts = catalog["cut"].astype(str).mask(top, "Signature")
    some = catalog.assign(cut=cuts)[catalog["stone"] % 12 == 1].drop(columns="listing")
    scale = {"name": "cut", "grades": [*ATTRIBUTES["cut"].grades, "Signature"]}
    own = fit(some, "loglinear", trade={"attribute": [scale]})
    assert "Signature" in own.training.grades["cut"]
    assert own.explain(Stone(1.0, "signature", "G", "VS1")).price > 0
    assert json.loads(own.to_json())["trade"][0]["name"] == "cut"


def test_what_is_said_of_a_grade_goes_with_it():
    before = dict(trade._entries), dict(trade._line_labels)
    try:
        trade.use({"attribute": [{"name": "cut", "grades": ["Fine", "Finest"]}]})
        cut = ATTRIBUTES["cut"]
        assert cut.grades == (cut.ungraded, "Fine", "Finest")
        with pytest.raises(StoneError, match="Fine, Finest"):
            Stone(1.0, "Excellent", "E", "VS1")
        assert Stone(1.0, "finest", "E", "VS1").cut == "Finest"
    finally:
        trade._set(*before, "tests")


_SEVERAL_DATES = """
import numpy as np, pandas as pd
from diamond_pricing.fitting import fit
from diamond_pricing import load_sales
sales = load_sales().sample(1500, random_state=4).drop(columns="listing", errors="ignore")
day = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(1500) % 600, "D")
sales["Sale Date"] = day.astype(str)
sales["certified"] = (day - pd.Timedelta(40, "D")).astype(str)
certified = {"name": "certified", "label": "Certified", "kind": "date"}
certified |= {"low": "1990-01-01", "high": "2100-01-01"}
model = fit(sales, "FAMILY", trade={"attribute": [certified]})
print(model.sha256, model.dates, "certified" in model._effects.attributes)
"""


@pytest.mark.parametrize("family", ["loglinear", "monotone"])
def test_prices_go_by_one_date_in_every_process(family):
    said = set()
    for seed in "123":
        told = subprocess.run(
            [sys.executable, "-c", _SEVERAL_DATES.replace("FAMILY", family)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(told.stdout)
    (only,) = said
    assert only.split()[1:] == ["sold", "False"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[attribute]]\nname = 'glow'\nkind = 'colour'\nlabel = 'G'\n", "of kind"),
        (
            "[[attribute]]\nname = 'Glow X'\nkind = 'ordered'\nlabel='G'\ngrades=['a']\n",
            "needs a name",
        ),
        ("[[attribute]]\nname = 'g1'\nkind = 'ordered'\nlabel = 'G'\n", "needs grades"),
        (
            "[[attribute]]\nname = 'g1'\nkind = 'measure'\nlabel = 'G'\nlow=2\nhigh=1\n",
            "low and high",
        ),
        (
            "[[attribute]]\nname = 'g1'\nkind = 'measure'\nlabel = 'G'\nlow=1\nhigh=2\naliases='depth'\n",
            "both",
        ),
        (
            "[[attribute]]\nname = 'g1'\nlabel = 'G'\nlow = 1\nhigh = 2\nwhat = 3\n",
            "is not a valid trade",
        ),
        ("this is not TOML\n", "is not a valid trade"),
        ("nowhere/trade.toml", "cannot be read"),
    ],
)
def test_a_trade_that_makes_no_sense_changes_nothing(text, complaint):
    before = trade.written()
    with pytest.raises(TradeError, match=complaint):
        trade.use(text)
    assert trade.written() == before
    assert list(LINES)[:4] == ["carat", "magic", "cut", "color"]


def test_words_that_an_optional_column_does_not_know_count_as_missing():
    frame = pd.DataFrame(
        {
            "carat": [1.0, 1.1, 1.2, 1.3],
            "cut": "Ideal",
            "color": "E",
            "clarity": "VS1",
            "fluorescence": ["None", "Faint", "purple", None],
            "polish": [1, 2, 3, 4],
        }
    )
    stones = Stones.from_frame(frame)
    assert stones.labels("fluorescence").tolist() == ["None", "Faint", "", ""]
    ((row, problem),) = stones.left_out
    assert (row, problem.code, problem.attribute) == (2, "unknown_value", "fluorescence")
    assert "polish" not in stones.columns
    assert not stones.known("polish").any()


def test_shapes_and_origins_that_a_model_has_not_seen_are_refused(packaged):
    for more, code in (({"shape": "oval"}, "shape"), ({"origin": "lab grown"}, "origin")):
        stone = Stone(1.01, "Ideal", "E", "VS1", **more)
        verdict = packaged.assess(stone)
        assert (verdict.status, verdict.reasons[0].code) == ("declined", f"{code}_not_priced")
        with pytest.raises(UnsupportedStoneError):
            packaged.explain(stone)
    fine = Stone(1.01, "Ideal", "E", "VS1", shape="RB", origin="natural", laboratory="GIA")
    assert packaged.explain(fine).cents == packaged.explain(STONE).cents
    oval = Stones.of([Stone(1.01, "Ideal", "E", "VS1", shape="Oval", x=8.0, y=5.6, z=3.6)])
    assert oval.left_out == ()
    assert oval["listing"].tolist() == [-1]


def test_unsupported_stones_can_have_no_price(packaged):
    several = Stones.of([STONE, Stone(60.0, "Ideal", "E", "VS1")])
    prices = packaged.price(several, unsupported="nan")
    assert prices[0] == packaged.price(Stones.of([STONE]))[0]
    assert np.isnan(prices[1])
    with pytest.raises(UnsupportedStoneError):
        packaged.price(several)
    with pytest.raises(StoneError, match="'raise' or 'nan'"):
        packaged.price(several, unsupported="skip")


def test_a_served_home_takes_its_attributes(home, model, server):
    """In a process of its own, as a server is."""
    stone = {
        "carat": 1.01,
        "cut": "Ideal",
        "color": "E",
        "clarity": "VS1",
        "glow": "shining",
        "house": "South",
        "sold": "2024-03-01",
    }
    why = model.explain(Stone(**stone))
    quote = server.post("/v1/quotes", json=stone).json()
    assert quote["cents"] == why.cents
    assert quote["stone"]["glow"] == "Bright"
    assert quote["stone"]["sold"] == "2024-03-01"
    schema = server.get("/schema/openapi.json").json()["components"]["schemas"]["StoneIn"]
    assert {"glow", "house", "fire", "sold", "fluorescence"} <= set(schema["properties"])
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["carat", "cut", "color", "clarity", "glow", "our lab", "sold"]
    )
    writer.writeheader()
    row = {k: v for k, v in stone.items() if k != "house"} | {"our lab": "south"}
    writer.writerows([row, row | {"glow": "purple"}])
    answer = server.post(
        "/v1/quotes/batch", content=text.getvalue(), headers={"Content-Type": "text/csv"}
    )
    first, second = csv.DictReader(io.StringIO(answer.text))
    assert round(100 * float(first["price"])) == why.cents
    assert second["status"] == "refused"
    page = server.get("/", params={k: str(v) for k, v in stone.items()}).text
    assert "House laboratory" in page
    assert 'name="fire"' in page
    first, last = (iso(day) for day in model.training.ranges["sold"])
    assert f'name="sold" type="date" min="{first}" max="{last}"' in page
    assert 'name="fluorescence"' not in page
    assert "Not in this price: fluorescence, polish, symmetry, laboratory." in page


def test_a_served_home_carries_prices_forward_when_asked(model, server):
    stone = {
        "carat": 1.01,
        "cut": "Ideal",
        "color": "E",
        "clarity": "VS1",
        "sold": "2025-06-01",
    }
    refused = server.post("/v1/quotes", json=stone)
    assert (refused.status_code, refused.json()["code"]) == (422, "stone_declined")
    assert "carry_forward" in refused.json()["detail"]
    found = server.post("/v1/quotes", json=stone | {"carry_forward": True}).json()
    last = server.post("/v1/quotes", json=stone | {"sold": None}).json()
    assert found["price"] == last["price"]
    assert found["range"]["low"] < last["range"]["low"]
    assert found["verdict"]["reasons"][0]["code"] == "carried_forward"
    far = server.post("/v1/quotes", json=stone | {"carry_forward": True, "sold": "2034-01-01"})
    assert far.status_code == 422
    assert "carried forward to 2026-" in far.json()["detail"]


def test_a_served_home_tells_what_the_market_did(model, server):
    told = server.get("/v1/index", params={"by": "quarter"}).json()
    best = [asdict(p) | {"published": None} for p in market_index(model, "quarter")]
    assert told["periods"] == best
    assert told["model"] == model.sha256
    months = server.get("/v1/index").json()["periods"]
    assert len(months) == 23
    assert (months[0]["published"], months[-1]["published"]) == (100, None)
    assert months[5]["published"] == pytest.approx(months[5]["index"], abs=0.01)
    now = server.get("/v1/price-list").json()
    then = server.get("/v1/price-list", params={"as_of": "2024-03-01"}).json()
    assert (now["effective"], then["effective"]) == (model.training.effective, "2024-03-01")
    assert [c["price"] for c in now["cells"]] != [c["price"] for c in then["cells"]]
    wrong = server.get("/v1/price-list", params={"as_of": "2034-03-01"})
    assert wrong.json()["errors"][0]["parameter"] == "as_of"
    wrong = server.get("/v1/index", params={"shape": "Oval"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "stone_declined")
    assert "row" not in wrong.json()["detail"]
    assert server.get("/v1/index", params={"by": "day"}).status_code == 400


def test_the_others_of_the_packaged_trade_are_those_of_grading_reports():
    names = {other.name for other in OTHERS}
    assert {
        "shape",
        "polish",
        "symmetry",
        "fluorescence",
        "fluorescence_color",
        "laboratory",
        "origin",
        "method",
        "treatment",
        "girdle",
        "culet",
        "crown_angle",
        "crown_height",
        "pavilion_angle",
        "pavilion_depth",
        "star_length",
        "lower_half",
        "ratio",
        "shade",
        "sold",
    } <= names


def test_intakes_keep_what_they_know_of_and_read_what_was_kept(home):
    head = "carat,cut,color,clarity,price,Fluor,Report,sparkle\n"
    rows = "1,Ideal,E,VS1,5000,faint,GIA,shining\n1,Ideal,E,VS1,6000,purple,igi,?\n"
    intake = take_in("a.csv", (head + rows).encode())
    assert intake.quarantined == []
    assert intake.sales["fluorescence"].fillna("").tolist() == ["Faint", ""]
    assert intake.sales["laboratory"].tolist() == ["GIA", "IGI"]
    kept = written_sales(
        intake.sales.drop(columns="fluorescence").assign(
            **{"other:Fluor": ["faint", "purple"]}
        ),
        "a",
    )
    again = read_sales_file(kept)
    assert again["fluorescence"].fillna("").tolist() == ["Faint", ""]
    assert again["laboratory"].tolist() == ["GIA", "IGI"]


def test_frames_of_every_library_are_read_alike(catalog):
    import pyarrow as pa

    frame = catalog.head(200)[["carat", "cut", "color", "clarity", "depth", "x", "y", "z"]]
    frame = frame.assign(fluorescence=["Faint", None] * 100, price=1)
    expected = Stones.from_frame(frame)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    relation = duckdb.connect().from_arrow(arrow)
    nullable = frame.convert_dtypes()
    decimals = frame.assign(carat=[Decimal(f"{c:.2f}") for c in frame["carat"]])
    for form in (
        nullable,
        frame.convert_dtypes(dtype_backend="pyarrow"),
        decimals,
        frame.assign(cut=frame["cut"].astype("category").cat.add_categories("Fine")),
        arrow,
        arrow.to_batches()[0],
        relation,
        {name: frame[name].tolist() for name in frame},
        dict(frame),
    ):
        found = Stones.from_frame(form)
        assert set(found.columns) == set(expected.columns)
        for name, column in expected.columns.items():
            np.testing.assert_array_equal(found[name], column, str(type(form)))


def test_what_a_price_does_not_know_is_said_of_each_model(model):
    assert ENGLISH.unrecorded(model.lines) == (
        "Not in this price: fluorescence, polish, symmetry, laboratory. "
        "Natural origin and a round brilliant cut are assumed."
    )
    lines = (*model.lines, "polish", "symmetry", "laboratory", "fluorescence", "shape")
    assert ENGLISH.unrecorded(lines) == ""
    assert ITALIAN.unrecorded((*model.lines, "polish")).startswith(
        "Non compresi nel prezzo: fluorescenza, simmetria, laboratorio."
    )
