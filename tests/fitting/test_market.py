"""Dates of sales: a line for the market, prices as of a day, an index."""

import copy
import csv
import io
import json
import pickle
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from diamond_pricing import PriceModel, Stone, Stones
from diamond_pricing.cli import main
from diamond_pricing.errors import (
    FitError,
    ReportError,
    SourceError,
    StoneError,
    UnsupportedStoneError,
)
from diamond_pricing.fitting import fit
from diamond_pricing.model.market import market_index
from diamond_pricing.stones import stone_keys
from diamond_pricing.terms import Periods
from diamond_pricing.warehouse.scoring import sql

MONTHS = pd.date_range("2023-11-01", periods=36, freq="MS")
EMPTY = (7, 8, 25)
JUMP = 20
STONE = {"carat": 1.01, "cut": "Ideal", "color": "E", "clarity": "VS1"}


@pytest.fixture(scope="module")
def path() -> np.ndarray:
    """Log level of each month: a drawn walk that jumps once."""
    walk = np.cumsum(np.random.default_rng(7).normal(0, 0.015, len(MONTHS)))
    walk[JUMP:] -= 0.12
    return walk


@pytest.fixture(scope="module")
def dated(catalog, path) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    names = ["carat", "cut", "color", "clarity", "price"]
    some = catalog[catalog["stone"] % 9 == 4][names].reset_index(drop=True)
    month = rng.choice([i for i in range(len(MONTHS)) if i not in EMPTY], len(some))
    day = pd.to_timedelta(rng.integers(0, 28, len(some)), unit="D")
    return some.assign(
        sold=(MONTHS[month] + day).strftime("%Y-%m-%d"),
        price=(some["price"] * np.exp(path[month])).round(2),
    )


@pytest.fixture(scope="module")
def model(dated) -> PriceModel:
    return fit(dated)


def test_a_known_path_comes_back_with_bands_that_hold(model, path):
    found = market_index(model)
    truth = {str(m)[:7]: level for m, level in zip(MONTHS, path, strict=True)}
    assert [p.period for p in found] == list(truth)
    assert {p.period for p in found if p.index is None} == {[*truth][i] for i in EMPTY}
    found = [p for p in found if p.sales]
    assert sum(p.sales for p in found) == model.training.rows
    log = np.array([truth[p.period] - truth[found[0].period] for p in found])
    index, low, high = (
        np.log([getattr(p, end) / 100 for p in found]) for end in ("index", "low", "high")
    )
    assert np.sqrt(np.mean((index - log) ** 2)) < 0.012
    assert ((low - 1e-4 <= log) & (log <= high + 1e-4)).mean() > 0.75
    assert (high - low).mean() < 0.06


def test_a_stone_sold_twice_does_not_hide_what_the_market_did(catalog, path):
    """Many stones stand on both price lists, here on days of their own."""
    rng = np.random.default_rng(3)
    some = catalog[catalog["stone"] % 5 == 2].drop(columns=["stone"]).reset_index(drop=True)
    month = rng.integers(0, len(MONTHS), len(some))
    moved = some.assign(
        sold=MONTHS[month] + pd.Timedelta(days=9),
        price=(some["price"] * np.exp(path[month])).round(2),
    )
    found = market_index(fit(moved))
    log = np.log([p.index / found[0].index for p in found])
    assert np.polyfit(path - path[0], log, 1)[0] == pytest.approx(1, abs=0.05)


def test_a_price_is_as_of_the_last_day_and_says_so(model, dated):
    last = dated["sold"].max()
    why = model.explain(Stone(**STONE))
    assert why.effective == model.training.effective == last
    assert "Market: as of the last day of the sales" in str(why)
    assert why.cents == model.explain(Stone(**STONE, sold=last)).cents
    assert next(line.factor for line in why.lines if line.name == "market") == 1


def test_another_day_is_a_line_of_the_price(model, path, dated):
    now, then = Stone(**STONE), Stone(**STONE, sold="2025-03-05")
    why = model.explain(then)
    assert why.effective == "2025-03-05"
    (line,) = [line for line in why.lines if line.name == "market"]
    assert np.log(line.factor) == pytest.approx(path[16] - path[-1], abs=0.03)
    assert why.price / model.explain(now).price == pytest.approx(line.factor, abs=1e-4)
    assert "as of 2025-03-05 rather than the last day of the sales" in str(why)
    for day, near in (("2023-10-31", 0), ("2027-01-01", 1)):
        with pytest.raises(UnsupportedStoneError, match="outside what this model has") as told:
            model.explain(Stone(**STONE, sold=day))
        assert told.value.given == day
        assert told.value.nearest == (dated["sold"].min(), dated["sold"].max())[near]
    with pytest.raises(
        StoneError, match="a date from 1990-01-01 to 2100-01-01, not 1950-01-01"
    ):
        Stone(**STONE, sold="1950-01-01")


def test_months_without_sales_follow_their_neighbors(model):
    price = {
        day: model.explain(Stone(**STONE, sold=day)).price
        for day in ("2024-05-15", "2024-06-15", "2024-07-15", "2024-08-15")
    }
    before, *between, after = price.values()
    for one in between:
        assert min(before, after) * 0.99 <= one <= max(before, after) * 1.01


def test_the_market_is_no_scatter(dated, model):
    assert model.residual_sd < 0.8 * fit(dated.drop(columns="sold")).residual_sd


def test_a_stone_is_one_on_any_day():
    alike = {
        "carat": [1.01] * 2,
        "cut": ["Ideal"] * 2,
        "color": ["E"] * 2,
        "clarity": ["VS1"] * 2,
    }
    days = pd.DataFrame(alike | {"sold": ["2025-03-05", "2026-03-05"]})
    assert len(set(stone_keys(Stones.from_frame(days)))) == 1


def test_one_month_is_no_market(dated):
    of_one = dated[dated["sold"].str.startswith("2026-03")].reset_index(drop=True)
    model = fit(of_one)
    assert "market" not in model.lines
    with pytest.raises(ReportError, match="no dates"):
        market_index(model)


def test_shapes_may_move_apart(dated):
    rng = np.random.default_rng(3)
    oval = rng.random(len(dated)) < 0.4
    later = dated["sold"] >= "2025-05-01"
    price = dated["price"] * np.where(oval & later, 0.7, 1.0)
    model = fit(dated.assign(shape=np.where(oval, "Oval", "Round"), price=price.round(2)))
    apart = [
        np.log(market_index(model, "quarter", of=Stone(**STONE, shape=shape))[-1].index)
        for shape in ("Oval", "Round")
    ]
    assert apart[0] - apart[1] == pytest.approx(np.log(0.7), abs=0.06)


def test_the_database_gives_the_same_cents_on_any_day(model):
    days = ["2023-12-24", "2025-06-30", "2025-07-01", "2026-10-01", None, "2030-01-01"]
    table = pd.DataFrame([{**STONE, "id": i, "sold": day} for i, day in enumerate(days)])
    table["sold"] = pd.to_datetime(table["sold"])
    connection = duckdb.connect()
    connection.register("given", table)
    connection.execute("CREATE TABLE stones AS SELECT * FROM given")
    connection.execute(sql(model, "duckdb", columns=["id", *STONE, "sold"]))
    priced = connection.execute("SELECT * FROM diamond_prices ORDER BY id").df()
    assert priced["status"].tolist()[-1] == "refused"
    wanted = [model.explain(Stone(**STONE, sold=day)).cents for day in days[:-1]]
    assert priced["price_cents"].tolist()[:-1] == wanted


def test_a_model_of_dates_goes_through_its_document(model):
    again = PriceModel.from_json(model.to_json())
    assert again == model
    stones = Stones.of([Stone(**STONE, sold="2025-03-05"), Stone(**STONE)])
    np.testing.assert_array_equal(again.price(stones), model.price(stones))
    with pytest.raises(FitError, match="ascend"):
        Periods("sold", (3.0, 2.0))


def test_the_index_on_the_command_line(model, tmp_path, capsys):
    (tmp_path / "m.json").write_text(model.to_json())
    words = ["index", "--model", str(tmp_path / "m.json")]
    assert main([*words, "--by", "quarter"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["period"] == "2023-Q4"
    assert float(rows[0]["index"]) == 100
    assert len(rows) == 13
    assert main([*words, "--json", "--stone", "0.5 Premium G SI1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["periods"][0]["index"] == 100
    assert main(["index"]) != 0
    assert "the sales of this model have no dates" in capsys.readouterr().err


def test_prices_are_carried_forward_by_name_only_and_in_wider_ranges(model, path):
    last = model.last_day
    days = [last - 40, last, last + 10, last + 100, last + 1000, None]
    stones = Stones.of([Stone(**STONE, sold=day) for day in days])
    assert model.supports(stones).tolist() == [True, True, False, False, False, True]
    forward = model.carry_forward()
    assert forward.supports(stones).all()
    assert forward.sha256 == model.sha256
    price = forward.price(stones)
    assert (price[1:] == price[1]).all()
    low, high = forward.range(stones)
    width = np.log(high / low)
    assert width[0] == pytest.approx(width[1], rel=1e-12)
    assert width[1] == width[-1]
    assert (np.diff(width[1:-1]) > 0).all()
    assert (np.array(forward.appraise(stones)[1:]) == [low, high]).all()
    for row, expected in enumerate(zip(low, high, strict=True)):
        stone = stones.stone(row)
        why = forward.explain(stone)
        assert why.range() == pytest.approx(expected)
        after = why.stone.sold is not None and why.stone.sold > last
        assert ("carried_forward" in [r.code for r in why.verdict.reasons]) == after
        assert ("carried forward from 2026-10-2" in str(why)) == after
    with pytest.raises(UnsupportedStoneError, match="carry_forward") as told:
        model.explain(Stone(**STONE, sold=last + 1))
    assert told.value.nearest == model.training.effective
    for again in (pickle.loads(pickle.dumps(forward)), copy.copy(forward)):
        assert again.supports(stones).all()


def test_a_carried_range_holds_what_the_market_did(catalog):
    """Of sales three months after the last that a model knows, as many as it says."""
    held = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        walk = np.cumsum(rng.normal(0, 0.03, 27))
        names = ["carat", "cut", "color", "clarity", "price"]
        some = catalog[catalog["stone"] % 23 == seed][names].reset_index(drop=True)
        month = rng.integers(0, 24, len(some))
        month[rng.random(len(some)) < 0.15] = 26
        sold = pd.Timestamp("2024-01-15") + pd.to_timedelta(30.4 * month, unit="D")
        some = some.assign(
            price=(some["price"] * np.exp(walk[month])).round(2), sold=sold.strftime("%Y-%m-%d")
        )
        forward = fit(some[month < 24]).carry_forward()
        later = some[month == 26]
        stones = Stones.from_frame(later)
        known = forward.supports(stones)
        low, high = forward.range(stones.take(known), listing="recorded")
        price = later["price"].to_numpy()[known]
        held.append(((low <= price) & (price <= high)).mean())
    assert 0.8 < np.mean(held) < 0.97, held


def test_a_past_that_is_too_short_carries_nothing_forward(dated, loglinear):
    with pytest.raises(FitError, match="no dates; its prices"):
        loglinear.carry_forward()
    short = fit(dated[(dated["sold"] >= "2026-07-01") & (dated["sold"] < "2026-11-01")])
    with pytest.raises(FitError, match="4 months; 6 months are needed"):
        short.carry_forward()


def test_sales_without_a_day_are_left_out_of_a_dated_fit(dated):
    some = dated.copy()
    some.loc[some.index % 10 == 0, "sold"] = None
    found = fit(some)
    assert found.training.left_out["date missing"] == (some.index % 10 == 0).sum()
    assert found.training.rows == some["sold"].notna().sum()


def test_prices_of_another_day_everywhere(model, dated, tmp_path, capsys):
    day = "2025-03-05"
    then = model.as_of(day)
    stone, now = Stone(**STONE), Stone(**STONE, sold=day)
    why = then.explain(stone)
    assert why.cents == model.explain(now).cents
    assert why.effective == day
    assert f"Market: as of {day}" in str(why)
    assert f"of {day} " in str(why)
    told = str(then.explain(Stone(**STONE, sold="2025-06-07")))
    assert f"as of 2025-06-07 rather than {day}" in told
    stones = Stones.from_frame(dated.drop(columns=["price", "sold"]).head(300))
    at = Stones.from_frame(dated.drop(columns="price").head(300).assign(sold=day))
    known = model.supports(at)
    assert (then.supports(stones) == known).all()
    stones, at = stones.take(known), at.take(known)
    assert then.price(stones) == pytest.approx(model.price(at), rel=1e-12)
    assert np.array(then.range(stones)) == pytest.approx(np.array(model.range(at)), rel=1e-12)
    assert (then.itemise(stones).sum(axis=1) == model.itemise(at).sum(axis=1)).all()
    assert then.sha256 == model.sha256
    assert then.to_json() == model.to_json()
    again = pickle.loads(pickle.dumps(then))
    assert again.explain(stone).cents == why.cents
    assert model.as_of(model.training.effective).explain(stone) == model.explain(stone)

    (tmp_path / "m.json").write_text(model.to_json())
    words = ["--model", str(tmp_path / "m.json"), "--as-of", day]
    pd.DataFrame([STONE]).to_csv(tmp_path / "s.csv", index=False)
    assert main(["score", str(tmp_path / "s.csv"), str(tmp_path / "o.csv"), *words]) == 0
    assert pd.read_csv(tmp_path / "o.csv")["price_cents"].tolist() == [why.cents]
    grades = [w for name, value in STONE.items() for w in (f"--{name}", str(value))]
    capsys.readouterr()
    assert main(["explain", *grades, *words]) == 0
    assert why.money in capsys.readouterr().out
    out = ["--out", str(tmp_path / "s.sql"), "--dialect", "duckdb"]
    assert main(["export-sql", *words, *out]) == 0
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE stones AS SELECT *, NULL::DOUBLE depth, "
            'NULL::DOUBLE "table", NULL::DOUBLE x, NULL::DOUBLE y, NULL::DOUBLE z '
            f"FROM '{tmp_path / 's.csv'}'"
        )
        db.execute((tmp_path / "s.sql").read_text())
        assert db.sql("SELECT price_cents FROM diamond_prices").fetchall() == [(why.cents,)]


def test_a_day_that_no_model_prices_is_refused(model, loglinear):
    with pytest.raises(UnsupportedStoneError, match="carry_forward"):
        model.as_of("2027-03-01")
    with pytest.raises(StoneError, match="must be a date"):
        model.as_of("soon")
    with pytest.raises(FitError, match="no dates"):
        loglinear.as_of("2027-03-01")
    later = model.carry_forward().as_of("2027-03-01")
    why, now = later.explain(Stone(**STONE)), model.explain(Stone(**STONE))
    assert why.cents == now.cents
    assert why.range()[0] < now.range()[0]
    assert "carried_forward" in [r.code for r in why.verdict.reasons]
    with pytest.raises(SourceError, match="widen"):
        sql(later, "duckdb")


def moved_apart(dated, small: float, large: float) -> pd.DataFrame:
    """Sales among which stones under 0.50 ct and those from 1.50 ct moved by so much more."""
    month = pd.to_datetime(dated["sold"]).dt.to_period("M").astype("int64")
    share = (month - month.min()) / (month.max() - month.min())
    rate = np.where(dated["carat"] < 0.5, small, np.where(dated["carat"] >= 1.5, large, 0.0))
    return dated.assign(price=(dated["price"] * np.exp(rate * share)).round(2))


@pytest.fixture(scope="module")
def apart(dated) -> PriceModel:
    return fit(moved_apart(dated, -0.33, 0.2))


def test_small_and_large_stones_have_markets_of_their_own(apart, path):
    moved = path[-1] - path[0]
    for text, rate in (
        ("0.3 Ideal G VS2", -0.33),
        ("0.7 Ideal G VS2", 0.0),
        ("2.01 Ideal H SI1", 0.2),
    ):
        last = market_index(apart, of=Stone.parse(text))[-1]
        assert np.log(last.index / 100) == pytest.approx(moved + rate, abs=0.06), text


def test_no_price_falls_with_weight_on_any_day(dated):
    """Where large stones truly fell so far that those of 1.50 ct became cheaper than lighter."""
    apart = fit(moved_apart(dated, 0.0, -0.6))
    assert apart.certificate.holds
    rng = np.random.default_rng(0)
    n = 4000
    at = rng.choice([0.5, 1.0, 1.5, 2.0], n)
    first, last = apart.training.ranges["sold"]
    frame = pd.DataFrame(
        {
            name: rng.choice(list(apart.training.grades[name]), n)
            for name in ("cut", "color", "clarity")
        }
    ).assign(sold=rng.integers(int(first), int(last) + 1, n))
    below, above = (
        apart.log_price(Stones.from_frame(frame.assign(carat=at * share)), extrapolate=True)
        for share in (1 - 1e-9, 1.0)
    )
    assert (above - below >= -1e-9).all()


def test_the_database_knows_the_markets_of_weights(apart, dated):
    some = dated.head(400)[["carat", "cut", "color", "clarity", "sold"]]
    some = some[apart.supports(Stones.from_frame(some))].reset_index(drop=True)
    stones = Stones.from_frame(some)
    with duckdb.connect() as db:
        db.register("rows", some.assign(sold=pd.to_datetime(some["sold"])))
        db.execute(
            'CREATE TABLE stones AS SELECT *, NULL::DOUBLE depth, NULL::DOUBLE "table", '
            "NULL::DOUBLE x, NULL::DOUBLE y, NULL::DOUBLE z, "
            "ROW_NUMBER() OVER () AS id FROM rows"
        )
        columns = [
            "id",
            "carat",
            "cut",
            "color",
            "clarity",
            "depth",
            "table",
            "x",
            "y",
            "z",
            "sold",
        ]
        db.execute(sql(apart, "duckdb", columns=columns))
        found = db.sql("SELECT price_cents FROM diamond_prices ORDER BY id").fetchnumpy()
    assert (found["price_cents"] == apart.itemise(stones).sum(axis=1)).all()


@pytest.mark.parametrize(
    "written",
    [
        pd.to_datetime(["2025-03-05"]).astype("datetime64[ns]"),
        pd.to_datetime(["2025-03-05"]).astype("datetime64[s]"),
        [date(2025, 3, 5)],
        [pd.Timestamp("2025-03-05 12:00")],
        ["2025-03-05"],
        [np.datetime64("2025-03-05")],
        [np.datetime64("2025-03-05T10:00", "ns")],
        pd.array(["2025-03-05"], dtype="string"),
    ],
)
def test_dates_of_a_data_frame_are_read_however_they_are_held(model, written):
    stones = Stones.from_frame(pd.DataFrame([STONE]).assign(sold=written))
    assert model.price(stones)[0] == model.price(Stones.of([Stone(**STONE, sold="2025-03-05")]))


@pytest.mark.parametrize(
    "wrong", ["01/07/2024", "2024-02-30", "soon", 45474, 20240701, pd.Period("2024-07")]
)
def test_a_date_that_cannot_be_read_is_refused_and_never_another(model, dated, wrong):
    frame = dated.drop(columns="price").head(3).assign(sold=["2025-03-05", wrong, "2025-03-05"])
    with pytest.raises(StoneError, match=r"1 of 3 rows: sold .*row 1"):
        Stones.from_frame(frame)
    with pytest.raises(StoneError, match="sold"):
        fit(dated.assign(sold=[wrong, *dated["sold"].iloc[1:]]))
    with pytest.raises(StoneError, match="sold"):
        Stone(**STONE, sold=wrong)


@pytest.mark.parametrize("none", [None, "", pd.NaT, np.nan, np.datetime64("NaT")])
def test_no_date_is_none_however_it_is_held(model, none):
    stones = Stones.from_frame(pd.DataFrame([STONE]).assign(sold=pd.Series([none])))
    assert model.price(stones)[0] == model.price(Stones.of([Stone(**STONE)]))[0]
    for wrong in (pd.NaT, np.datetime64("NaT")):
        with pytest.raises(StoneError, match="missing"):
            model.as_of(wrong)


def test_a_slip_of_the_pen_is_not_the_last_day_of_prices(model, dated, tmp_path, capsys):
    slipped = dated.copy()
    slipped.iloc[[3, 5], slipped.columns.get_loc("sold")] = ["2027-03-01", "2019-01-01"]
    slipped.iloc[8, slipped.columns.get_loc("sold")] = "2090-01-01"
    found = fit(slipped)
    assert found.training.effective == model.training.effective
    assert found.training.left_out["date months apart from all others"] == 3
    assert found.training.rows == len(dated) - 3
    slipped.to_csv(tmp_path / "s.csv", index=False)
    words = ["fit", "--data", str(tmp_path / "s.csv"), "--out", str(tmp_path / "m.json")]
    assert main(words) == 2
    assert (
        "months apart from all others" in (said := capsys.readouterr().err) or "future" in said
    )
    assert main([*words, "--leave-out"]) == 0
    again = PriceModel.from_json((tmp_path / "m.json").read_text())
    assert again.training.effective == model.training.effective


def test_a_carried_range_is_as_wide_as_the_market_of_such_stones_moved(dated):
    wild = dated.copy()
    month = pd.to_datetime(wild["sold"]).dt.to_period("M").astype("int64")
    wave = 0.25 * np.sin((month - month.min()) / 3)
    wild["price"] = (wild["price"] * np.exp(np.where(wild["carat"] >= 1.0, wave, 0))).round(2)
    forward = fit(wild).carry_forward()
    stones = [Stone(c, "Ideal", "G", "VS2", sold=forward.last_day + 90) for c in (0.7, 1.2)]
    calm, moved = forward.market_spread(Stones.of(stones))
    assert moved > 2 * calm
    low, high = forward.range(Stones.of(stones))
    for i, stone in enumerate(stones):
        assert forward.explain(stone).range() == pytest.approx((low[i], high[i]))


def test_prices_are_carried_no_farther_than_the_sales_go_back(model):
    forward = model.carry_forward()
    first, last = model.training.ranges["sold"]
    assert forward.supports(Stones.of([Stone(**STONE, sold=2 * last - first)]))[0]
    far = Stone(**STONE, sold=2 * last - first + 1)
    with pytest.raises(UnsupportedStoneError) as told:
        forward.explain(far)
    assert "carry_forward" not in str(told.value)
    assert forward.assess(far).status == "declined"


def test_models_of_two_days_are_two(model):
    then = model.as_of("2025-03-05")
    assert {model, then, model.carry_forward()} == {model, then, model.carry_forward()}
    assert len({model, then, model.carry_forward(), model.as_of("2025-03-05")}) == 3


def test_no_sql_is_written_whose_ranges_would_not_widen(model, tmp_path, capsys):
    (tmp_path / "m.json").write_text(model.to_json())
    words = ["export-sql", "--dialect", "duckdb", "--out", str(tmp_path / "s.sql")]
    assert main([*words, "--model", str(tmp_path / "m.json"), "--carry-forward"]) == 2
    assert "ranges that widen" in capsys.readouterr().err


def test_a_batch_says_of_when_each_price_is(model, dated):
    from diamond_pricing.intake.judged import judged

    last = model.last_day
    columns = {name: [value] * 3 for name, value in STONE.items()}
    columns["sold"] = np.array([last - 30, np.nan, last + 30])
    columns["carat"] = np.array(columns["carat"])
    found = judged(model.carry_forward(), columns, 3, 0.9, "blend")
    assert found.days.tolist() == [last - 30, last, last + 30]
    assert found.status.tolist() == [0, 0, 1]
