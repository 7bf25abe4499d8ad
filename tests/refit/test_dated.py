"""A home whose sales have dates: months come in, the market moves, a source slips."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.cli import main
from diamond_pricing.model.market import market_index
from diamond_pricing.refit.days import within
from diamond_pricing.refit.home import counted_sales, deliveries_of
from diamond_pricing.refit.ledger import ledger
from diamond_pricing.registry import LocalStore, published
from diamond_pricing.stones import LINES, Stones
from tests.refit.test_refit import BARE, deliver, last_record, refit, registry

FIRST = 12  # months that found the home
CALENDAR = pd.date_range("2025-01-01", periods=FIRST + 3, freq="MS")


def of_month(rows, month, path, seed=1):
    """Sales of one month, or of the months given, at the level of a path of the market."""
    month = np.full(len(rows), month) if np.isscalar(month) else month
    days = pd.to_timedelta(np.random.default_rng(seed).integers(0, 28, len(rows)), unit="D")
    return rows.assign(
        sold=(CALENDAR[month] + days).strftime("%Y-%m-%d"),
        price=(rows["price"] * np.exp(path[month])).round(2),
    )


@pytest.fixture(scope="module")
def rows(catalog):
    some = catalog[catalog["stone"] % 6 == 2][BARE]
    return some.sample(frac=1, random_state=3).reset_index(drop=True)


@pytest.fixture(scope="module")
def path():
    walk = np.cumsum(np.random.default_rng(5).normal(-0.01, 0.015, len(CALENDAR)))
    walk[FIRST:] -= 0.03
    return walk


@pytest.fixture(scope="module")
def founded_dated(tmp_path_factory, rows, path):
    place = tmp_path_factory.mktemp("dated")
    months = np.random.default_rng(2).integers(0, FIRST, 2400)
    deliver(place, of_month(rows[:2400], months, path), "first.csv")
    assert refit(place) == "promoted"
    return place


@pytest.fixture
def place(founded_dated, tmp_path):
    import shutil

    shutil.copytree(founded_dated, tmp_path / "place")
    return tmp_path / "place"


def test_months_are_promoted_and_the_market_is_a_line_of_the_ledger(place, rows, path):
    before = registry(place).active()
    deliver(place, of_month(rows[2400:2750], FIRST, path), "2026-01.csv")
    assert refit(place) == "promoted"
    after = registry(place).active()
    assert after.training.effective > before.training.effective
    stones = Stones.from_frame(rows[:200])
    moves = ledger(before, after, stones)
    market = moves.parts[:, moves.lines.index("market")]
    fell = np.log(1 + market / moves.old)
    assert np.median(fell) == pytest.approx(path[FIRST] - path[FIRST - 1], abs=0.015)
    assert (moves.parts.sum(axis=1) == moves.new - moves.old).all()
    record = last_record(place)
    moved = next(f for f in record["findings"] if f["gate"] == "median_move")
    assert moved["value"] < 0.01, "the fall of the market is no movement of the model"
    assert LINES["market"].casefold() in " ".join(record["movers"])


@pytest.mark.parametrize("seed", range(4))
def test_a_source_that_slips_in_one_month_is_held_and_the_others_are_not(
    place, rows, path, seed
):
    some = rows[2400:].sample(300, random_state=seed)
    slipped = of_month(some[:150], FIRST, path).eval("price = price * 1.15")
    deliver(place, slipped, "partner/2026-01.csv")
    deliver(place, of_month(some[150:], FIRST, path), "own/2026-01.csv")
    assert refit(place) == "promoted"
    status = {d["source"]: d["status"] for d in last_record(place)["deliveries"]}
    assert status["partner"] == "held"
    assert status["own"] == "accepted"


def test_what_two_sources_show_is_the_market(place, rows, path):
    fallen = path - 0.14 * (np.arange(len(path)) >= FIRST)
    deliver(place, of_month(rows[2400:2600], FIRST, fallen), "one/2026-01.csv")
    assert refit(place) == "data rejected"
    assert "of 2025-12-28, allowed" in last_record(place)["says"]
    deliver(place, of_month(rows[2600:2800], FIRST, fallen, seed=4), "two/2026-01.csv")
    deliver(place, of_month(rows[2400:2600], FIRST, fallen, seed=5), "one/2026-01b.csv")
    refit(place)
    record = last_record(place)
    assert {d["status"] for d in record["deliveries"]} == {"accepted"}
    assert "do too" in json.dumps(record["findings"])
    assert record["verdict"] == "promoted"


def test_each_file_may_be_dated_by_its_name(place, rows, path):
    sources = place / "home" / "sources"
    sources.mkdir(exist_ok=True)
    (sources / "partner.toml").write_text('delivered = "file name"\n')
    feed = of_month(rows[2400:2700], FIRST, path).drop(columns="sold")
    deliver(place, feed, "partner/stock-20260131.csv")
    deliver(place, feed.iloc[1:], "partner/stock.csv")
    deliver(place, of_month(rows[2700:2800], FIRST, path), "partner/with-dates.csv")
    assert refit(place) == "promoted"
    status = {d["file"]: d for d in last_record(place)["deliveries"]}
    assert status["partner/stock-20260131.csv"]["status"] == "accepted"
    assert "'partner/stock.csv' has none" in status["partner/stock.csv"]["reason"]
    assert status["partner/with-dates.csv"]["status"] == "accepted", "each row says its day"
    assert registry(place).active().training.effective == "2026-01-31"


def test_sales_are_held_against_the_nearest_day(founded_dated):
    model = registry(founded_dated).active()
    days = pd.DataFrame(
        {
            "carat": 1.0,
            "cut": "Ideal",
            "color": "G",
            "clarity": "VS2",
            "sold": ["2020-01-01", "2025-06-06", "2031-01-01", None],
        }
    )
    stones = Stones.from_frame(days)
    assert model.supports(stones).tolist() == [False, True, False, True]
    assert model.supports(within(model, stones)).all()


def test_prices_told_before_they_were_known_are_scored(place, rows, path, capsys):
    stock = rows[2900:3000].assign(certificate=[f"S{i}" for i in range(100)])
    stock.drop(columns="price").to_csv(place / "home" / "stock.csv", index=False)
    deliver(place, of_month(rows[2400:2750], FIRST, path), "2026-01.csv")
    assert refit(place) == "promoted"
    sold = of_month(stock[:60], FIRST + 2, path)
    new = of_month(rows[2750:2900], FIRST + 2, path)
    new = new.assign(certificate=[f"N{i}" for i in range(len(new))])
    deliver(place, pd.concat([new, sold]), "2026-03.csv")
    assert refit(place) == "promoted"
    champions = registry(place).entries()
    capsys.readouterr()
    assert main(["accuracy", "--home", str(place / "home"), "--json"]) == 0
    scores = {(s["of"], s["age"]): s for s in json.loads(capsys.readouterr().out)}
    assert sum(s["n"] for (of, _), s in scores.items() if of == "deliveries") >= 550
    assert sum(s["n"] for (of, _), s in scores.items() if of == "stock") == 60
    assert {age for of, age in scores if of == "stock"} <= {"under 1 month", "1 to 3 months"}

    # Whoever has the model of before and the file can work the prices out again.
    key = champions[-1].details["sealed"]
    told = pd.read_csv(place / "home" / key)
    model = registry(place).model(champions[-2].active).carry_forward()
    some = told[told["of"] != "stock"]
    stones = Stones.from_frame(
        pd.read_csv(place / "inbox" / "2026-03.csv").iloc[some["row"] - 2]
    )
    assert model.price(stones) == pytest.approx(some["price"].to_numpy(), abs=0.006)
    near = []
    for entry, file in zip(champions[-2:], ("2026-01.csv", "2026-03.csv"), strict=True):
        some = pd.read_csv(place / "home" / entry.details["sealed"])
        some = some[some["of"] != "stock"]
        fetched = pd.read_csv(place / "inbox" / file)["price"].to_numpy()[some["row"] - 2]
        near += (np.abs(some["price"] / fetched - 1) <= 0.1).tolist()
    delivered = [s for (of, _), s in scores.items() if of == "deliveries"]
    assert sum(s["n"] for s in delivered) == len(near)
    assert sum(s["n"] * s["near"] for s in delivered) == pytest.approx(sum(near))
    assert all(0.6 < s["held"] <= 1 for s in delivered)
    assert registry(place).verify() == []
    (place / "home" / key).write_bytes(b"of,row\n")
    assert "is not what its name says" in " ".join(registry(place).verify())


def test_stones_that_leave_their_feed_are_scored_by_the_last_price_asked(
    place, rows, path, capsys
):
    feed = rows[2400:2700].assign(certificate=[f"GIA {2000 + i}" for i in range(300)])
    first = of_month(feed, FIRST, path)
    deliver(place, first, "2026-01.csv")
    assert refit(place) == "promoted"
    cheaper = first[:250].eval("price = price * 0.97").round(2).assign(sold="2026-02-15")
    deliver(place, cheaper, "2026-02.csv")
    assert refit(place) == "promoted"
    deliver(place, cheaper[:150].assign(sold="2026-03-02"), "2026-03.csv")
    refit(place)
    capsys.readouterr()
    assert main(["accuracy", "--home", str(place / "home"), "--json"]) == 0
    scores = [s for s in json.loads(capsys.readouterr().out) if s["of"] == "delisted"]
    told = pd.read_csv(place / "home" / registry(place).entries()[1].details["sealed"])
    told = told[told["of"] != "stock"].set_index("row")["price"]
    last = pd.concat([cheaper[150:], first[250:]])["price"].set_axis(range(152, 302))
    off = (told / last).dropna() - 1
    assert sum(s["n"] for s in scores) == len(off) > 140
    assert sum(s["n"] * s["near"] for s in scores) == pytest.approx((off.abs() <= 0.1).sum())


def test_a_home_without_a_second_delivery_has_told_nothing(founded_dated, capsys):
    assert main(["accuracy", "--home", str(founded_dated / "home")]) == 0
    assert "No prediction" in capsys.readouterr().out


def test_the_published_index_is_never_revised(place, rows, path, capsys):
    series = [published(registry(place).entries())]
    for k, month in enumerate((FIRST, FIRST + 1)):
        feed = rows[2400 + 350 * k : 2750 + 350 * k]
        deliver(place, of_month(feed, month, path), f"{month}.csv")
        assert refit(place) == "promoted"
        series.append(published(registry(place).entries()))
    first, second, third = series
    assert list(first) == [str(m)[:7] for m in CALENDAR[: FIRST - 1]]
    assert first["2025-01"] == 100
    assert list(third)[: len(second)] == list(second)
    assert list(second)[: len(first)] == list(first)
    assert second.items() >= first.items()
    assert third.items() >= second.items()
    assert set(third) - set(second) == {"2026-01"}
    best = {p.period: p.index for p in market_index(registry(place).active())}
    assert [best[m] for m in first] != [*first.values()], "the best one is revised"
    capsys.readouterr()
    assert main(["index", "--home", str(place / "home")]) == 0
    shown = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("period")
    assert shown["published"].dropna().to_dict() == {m: round(v, 2) for m, v in third.items()}
    assert shown.index[-1] not in third
    moved = third["2026-01"] / third["2025-12"]
    assert moved == pytest.approx(best["2026-01"] / best["2025-12"], abs=2e-4)
    assert np.log(moved) == pytest.approx(path[FIRST] - path[FIRST - 1], abs=0.02)


def test_the_report_on_the_market(place, rows, path, tmp_path, capsys):
    deliver(place, of_month(rows[2400:2750], FIRST, path), "2026-01.csv")
    assert refit(place) == "promoted"
    words = ["report", "market", "--home", str(place / "home"), "--to", "html"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "market.html").read_text()
    model = registry(place).active()
    last = [p for p in market_index(model) if p.index][-1]
    assert f"{last.index:.1f}" in page
    index = pd.read_csv(tmp_path / "out" / "market.csv").set_index("period")
    once = published(registry(place).entries())
    assert index["published"].dropna().to_dict() == pytest.approx(once, abs=0.0051)
    assert "Predictions against prices fetched" in page
    capsys.readouterr()
    assert main(["report", "market", "--to", "html", "--out", str(tmp_path / "no")]) == 2
    assert "sales have dates" in capsys.readouterr().err


def test_what_the_market_did_is_no_offset_of_a_new_source(place, rows, path):
    (place / "home" / "sources").mkdir(exist_ok=True)
    (place / "home" / "sources" / "partner.toml").write_text('offset = "fitted"\n')
    assert path[FIRST] - path[FIRST - 1] < -0.05
    dear = of_month(rows[2400:2600], FIRST, path).eval("price = price * 1.08")
    deliver(place, dear, "partner/2026-01.csv")
    deliver(place, of_month(rows[2600:2900], FIRST, path, seed=4), "2026-01.csv")
    assert refit(place) == "promoted"
    (offset,) = last_record(place)["offsets"]
    assert offset["low"] < np.log(1.08) < offset["high"]
    assert offset["high"] - offset["low"] < 0.08


def test_a_stone_that_is_listed_for_months_is_one_stone(place, rows, path, tmp_path, capsys):
    feed = rows[2400:2700].assign(certificate=[f"GIA {2000 + i}" for i in range(300)])
    first = of_month(feed, FIRST, path)
    deliver(place, first, "2026-01.csv")
    assert refit(place) == "promoted"
    later = first.assign(sold="2026-02-15")
    later.iloc[:40, later.columns.get_loc("price")] *= 0.97
    deliver(place, later.round(2), "2026-02.csv")
    assert refit(place) == "promoted"
    deliver(place, later.round(2).assign(sold="2026-03-02"), "2026-03.csv")
    assert refit(place) == "nothing new"
    record = last_record(place)
    assert "the home has 300 of its 300 rows already" in record["deliveries"][0]["reason"]
    capsys.readouterr()
    assert (
        main(["listings", "--home", str(place / "home"), "--out", str(tmp_path / "l.csv")]) == 0
    )
    assert "300 were delivered again, 40 at another price" in capsys.readouterr().out
    found = pd.read_csv(tmp_path / "l.csv").set_index("stone")
    own = found.loc[
        [str(s) for s in range(2000, 2300)]
        if found.index.dtype == object
        else range(2000, 2300)
    ]
    assert (own["last"] == "2026-03-02").all()
    assert (own["seen"] == 3).all()
    assert own["first"].tolist() == first["sold"].tolist()
    assert registry(place).verify() == []
    sales = counted_sales(LocalStore(place / "home"), registry(place).entries())
    assert len(sales) == 2400 + 300 + 40, "a price that did not change is fitted once"


def test_the_order_of_the_files_decides_nothing(place, rows, path):
    fallen = path - 0.14 * (np.arange(len(path)) >= FIRST)
    deliver(place, of_month(rows[2400:2600], FIRST, fallen), "one/2026-01.csv")
    assert refit(place) == "data rejected"
    deliver(place, of_month(rows[2600:2800], FIRST, fallen, seed=4), "two/2026-01.csv")
    assert refit(place) == "promoted"
    status = {f: d.status for f, d in by_file(place).items()}
    assert status == {
        "first.csv": "accepted",
        "one/2026-01.csv": "accepted",
        "two/2026-01.csv": "accepted",
    }


def by_file(place):
    return {d.file: d for d in deliveries_of(registry(place).entries()).values()}


def test_force_takes_in_what_is_held_but_for_what_is_named(place, rows, path):
    poisoned = of_month(rows[2400:2600], FIRST, path).eval("price = price * 1.4")
    deliver(place, poisoned, "partner/2026-01.csv")
    fallen = path - 0.14 * (np.arange(len(path)) >= FIRST)
    deliver(place, of_month(rows[2600:2800], FIRST, fallen, seed=4), "own/2026-01.csv")
    assert refit(place) == "data rejected"
    assert (
        refit(place, "--force", "the market fell", "--hold", "partner/2026-01.csv")
        == "promoted"
    )
    found = by_file(place)
    assert found["own/2026-01.csv"].status == "accepted"
    assert found["partner/2026-01.csv"].status == "held"


def test_the_ledger_tells_the_market_of_each_weight(place, rows, path):
    """Where stones from one carat on fell alone: their line is the market, not the weight."""
    import pandas as pd

    later = of_month(rows[2400:2900], FIRST, path)
    later.loc[later["carat"] >= 1.0, "price"] *= 0.88
    before = registry(place).active()
    deliver(place, later, "2026-01.csv")
    refit(place, "--force", "large stones fell")
    after = registry(place).active()
    stones = Stones.from_frame(
        pd.DataFrame({"carat": [0.7, 1.2], "cut": "Ideal", "color": "G", "clarity": "VS2"})
    )
    moves = ledger(before, after, stones)
    market = moves.parts[:, moves.lines.index("market")] / moves.old
    assert market[1] < market[0] - 0.05
    assert abs(moves.parts[1, moves.lines.index("magic")] / moves.old[1]) < 0.05
