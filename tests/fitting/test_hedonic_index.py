"""Hedonic indexes from sales: what each method is, and what a house may rely on."""

import csv
import io
import json
from dataclasses import asdict, astuple
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from diamond_pricing import Stones
from diamond_pricing.cli import main
from diamond_pricing.errors import FitError, ReportError
from diamond_pricing.exhibits import index_chart
from diamond_pricing.fitting import fit, hedonic_index, read_sales
from diamond_pricing.fitting.hedonic_index import unrounded
from diamond_pricing.model.market import Period, market_index
from diamond_pricing.stones import ATTRIBUTES, stone_keys

MONTHS = pd.date_range("2024-01-01", periods=14, freq="MS")
NAMES = ["carat", "cut", "color", "clarity", "price"]
IMPUTED = ("laspeyres", "paasche", "fisher")
SPLICES = ("movement", "window", "half", "mean")
THIN = 6


@pytest.fixture(scope="module")
def path() -> np.ndarray:
    return np.cumsum(np.random.default_rng(5).normal(0, 0.03, len(MONTHS)))


@pytest.fixture(scope="module")
def dated(catalog, path) -> pd.DataFrame:
    """Sales of 14 months, of which the seventh has four; without measurements."""
    rng = np.random.default_rng(6)
    some = catalog[catalog["stone"] % 40 == 3][NAMES].reset_index(drop=True)
    month = rng.integers(0, len(MONTHS), len(some))
    month[np.flatnonzero(month == THIN)[4:]] = THIN + 1
    day = pd.to_timedelta(rng.integers(0, 28, len(some)), unit="D")
    return some.assign(
        sold=(MONTHS[month] + day).strftime("%Y-%m-%d"),
        price=(some["price"] * np.exp(path[month])).round(2),
    )


def months(frame: pd.DataFrame) -> pd.Series:
    return frame["sold"].str[:7]


def stated(periods) -> dict[str, float]:
    return {p.period: p.index for p in periods if p.index is not None}


def of_enough(frame: pd.DataFrame) -> pd.DataFrame:
    month = months(frame)
    return frame[month.map(month.value_counts()) >= 5].assign(month=month)


# ----------------------------------------------------------------- what each method is

FORMULA = (
    "np.log(price) ~ np.log(carat) + I(np.log(carat) ** 2) + I(np.log(carat) ** 3)"
    " + C(cut) + C(color) + C(clarity) + C(month)"
)


def text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(dict.fromkeys(("cut", "color", "clarity"), str))


def test_the_time_dummy_index_and_its_limits_are_those_of_statsmodels(dated):
    kept = text(of_enough(dated))
    keys = stone_keys(Stones.from_frame(kept))
    result = smf.ols(FORMULA, kept).fit(cov_type="cluster", cov_kwds={"groups": keys})
    ends = result.conf_int(0.2).filter(like="month", axis=0).to_numpy()
    log = result.params.filter(like="month").to_numpy()
    ours = [p for p in unrounded(dated, level=0.8) if p.index is not None]
    assert astuple(ours[0])[2:] == (100, 100, 100)
    theirs = 100 * np.exp(np.column_stack([log, ends]))
    np.testing.assert_allclose([astuple(p)[2:] for p in ours[1:]], theirs, rtol=1e-8)


def small(frame: pd.DataFrame) -> np.ndarray:
    """The right side of a period's own regression."""
    log = np.log(frame["carat"].to_numpy())
    places = [
        [ATTRIBUTES[name].grades.index(grade) for grade in frame[name]]
        for name in ("cut", "color", "clarity")
    ]
    return np.column_stack([np.ones(len(frame)), log, log**2, *places])


@pytest.mark.parametrize("method", IMPUTED)
def test_imputation_is_that_of_a_hand_written_computation(dated, method):
    parts = dict(iter(of_enough(dated).groupby("month")))
    beta = {
        month: np.linalg.lstsq(small(part), np.log(part["price"]), rcond=None)[0]
        for month, part in parts.items()
    }
    first = next(iter(parts))

    def ratio(month, of):
        stones = small(parts[of])
        return np.exp(stones @ beta[month]).sum() / np.exp(stones @ beta[first]).sum()

    wanted = {}
    for month in parts:
        fixed, own = ratio(month, first), ratio(month, month)
        of = {"laspeyres": fixed, "paasche": own, "fisher": np.sqrt(fixed * own)}
        wanted[month] = 100 * of[method]
    ours = unrounded(dated, method)
    assert stated(ours) == pytest.approx(wanted, rel=1e-8)
    assert {(p.low, p.high) for p in ours} == {(None, None)}


@pytest.mark.parametrize("splice", SPLICES)
@pytest.mark.parametrize("window", [2, 5, 6, 13])
def test_each_splice_is_that_of_a_hand_written_computation(dated, splice, window):
    kept = text(of_enough(dated))
    names = sorted(kept["month"].unique())
    runs = [names[i : i + window] for i in range(len(names) - window + 1)]
    levels = []
    for run in runs:
        log = smf.ols(FORMULA, kept[kept["month"].isin(run)]).fit().params.filter(like="month")
        levels.append(dict(zip(run, np.exp([0.0, *log]), strict=True)))
    wanted = {month: 100 * level for month, level in levels[0].items()}
    for old, new in pairwise(levels):
        both = [month for month in new if month in old]
        last, month = both[-1], [*new][-1]
        via = {
            "movement": both[-1:],
            "window": both[:1],
            "mean": both,
            "half": [[*new][(window + 1) // 2 - 1]],
        }[splice]
        factors = [new[month] / new[m] / (old[last] / old[m]) for m in via]
        wanted[month] = wanted[last] * np.prod(factors) ** (1 / len(factors))
    ours = unrounded(dated, window=window, splice=splice)
    assert stated(ours) == pytest.approx(wanted, rel=1e-8)
    assert {(p.low, p.high) for p in ours} == {(None, None)}


def test_a_basket_is_priced_by_each_period(dated):
    parts = dict(iter(of_enough(dated).groupby("month")))
    stock = dated[dated["carat"] > 1.2].head(40)
    value = {
        month: np.exp(
            small(stock) @ np.linalg.lstsq(small(part), np.log(part["price"]), rcond=None)[0]
        ).sum()
        for month, part in parts.items()
    }
    wanted = {month: 100 * v / value["2024-01"] for month, v in value.items()}
    ours = unrounded(dated, "laspeyres", basket=Stones.from_frame(stock))
    assert stated(ours) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize(
    ("how", "most"),
    [({}, 0.03), ({"window": 5, "splice": "mean"}, 0.03), ({"method": "fisher"}, 0.07)],
)
def test_a_known_path_comes_back(dated, path, how, most):
    found = stated(unrounded(dated, **how))
    off = [
        np.log(found[str(m)[:7]] / 100) - (level - path[0])
        for m, level in zip(MONTHS, path, strict=True)
        if str(m)[:7] in found
    ]
    assert np.sqrt(np.mean(np.square(off))) < most


# ----------------------------------------------------------- what a house may rely on


@pytest.mark.parametrize(
    "how",
    [{"method": method} for method in IMPUTED]
    + [{"window": 4, "splice": splice} for splice in SPLICES],
)
def test_a_further_period_changes_no_earlier_figure(dated, how):
    month = months(dated)
    whole = unrounded(dated, **how)
    for last in sorted(month.unique())[5:-1]:
        until = unrounded(dated[month <= last].reset_index(drop=True), **how)
        assert until == whole[: len(until)]


def test_periods_of_few_sales_are_withheld_with_their_count(dated):
    thin = str(MONTHS[THIN])[:7]
    for how in ({}, {"method": "fisher"}, {"window": 3}):
        found = {p.period: p for p in hedonic_index(dated, **how)}
        assert [*found] == [str(m)[:7] for m in MONTHS]
        assert astuple(found[thin]) == (thin, 4, None, None, None)
        assert sum(p.sales for p in found.values()) == len(dated)
    gap = dated[months(dated) != "2024-03"].reset_index(drop=True)
    assert hedonic_index(gap)[2].sales == 0
    assert hedonic_index(gap)[2].index is None


def test_a_period_whose_sales_carry_no_regression_is_withheld(dated):
    few = dated[(months(dated) != "2024-05") | (dated.groupby(months(dated)).cumcount() < 17)]
    one = dated["color"].astype(str).where(months(dated) != "2024-09", "E")
    for frame, month in ((few, "2024-05"), (dated.assign(color=one), "2024-09")):
        found = {p.period: p for p in hedonic_index(frame.reset_index(drop=True), "paasche")}
        assert found[month].sales >= 17
        assert [month_ for month_, p in found.items() if p.index is None] in (
            [month, "2024-07"],
            ["2024-07", month],
        )


def test_an_imputed_index_begins_with_the_first_period_that_carries_a_regression(dated):
    few = (months(dated) != "2024-01") | (dated.groupby(months(dated)).cumcount() < 10)
    ours = hedonic_index(dated[few].reset_index(drop=True), "laspeyres")
    assert astuple(ours[0]) == ("2024-01", 10, None, None, None)
    assert ours[1].index == 100
    later = dated[months(dated) >= "2024-02"].reset_index(drop=True)
    assert ours[1:] == hedonic_index(later, "laspeyres")


def test_a_shape_rarely_sold_in_the_first_period_is_left_out_of_imputation(dated):
    rare = (months(dated) == "2024-01") & (dated.groupby(months(dated)).cumcount() < 4)
    shaped = dated.assign(shape=np.where(rare, "Heart", "Round"))
    without = unrounded(dated[~rare].reset_index(drop=True), "fisher")
    assert stated(unrounded(shaped, "fisher")) == pytest.approx(stated(without), rel=1e-9)


def test_a_feature_that_one_period_lacks_is_not_used(dated):
    table = np.where(months(dated) == "2024-10", np.nan, 55 + dated.index % 7)
    assert stated(unrounded(dated.assign(table=table))) == stated(unrounded(dated))
    whole = unrounded(dated.assign(table=55 + dated.index % 7))
    assert stated(whole) != pytest.approx(stated(unrounded(dated)), rel=1e-9)


def test_sales_without_a_day_are_left_out(dated):
    undated = dated.head(50).assign(sold=None, price=dated["price"].head(50) * 9)
    both = pd.concat([dated, undated], ignore_index=True)
    assert unrounded(both) == unrounded(dated)


def test_figures_have_two_digits(dated):
    for p, exact in zip(hedonic_index(dated), unrounded(dated), strict=True):
        assert astuple(p)[:2] == astuple(exact)[:2]
        for rounded, value in zip(astuple(p)[2:], astuple(exact)[2:], strict=True):
            assert rounded == (None if value is None else round(value, 2))


def test_weeks_are_those_of_iso_8601_and_quarters_of_the_calendar(dated):
    weeks = hedonic_index(dated, by="week")
    day = pd.to_datetime(dated["sold"]).dt.isocalendar()
    count = (
        day["year"].astype(str) + "-W" + day["week"].astype(str).str.zfill(2)
    ).value_counts()
    assert {p.period: p.sales for p in weeks if p.sales} == count.to_dict()
    assert [p.period for p in weeks][:2] == ["2024-W01", "2024-W02"]
    assert {"2024-W52", "2025-W01"} <= {p.period for p in weeks}
    quarters = [p.period for p in hedonic_index(dated, "fisher", by="quarter")]
    assert quarters == ["2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4", "2025-Q1"]


def test_shapes_do_not_move_the_index_by_their_share(dated):
    """Ovals, cut ungraded, cost half as much and sell ever more; the market is flat but for the path."""
    rng = np.random.default_rng(2)
    month = pd.factorize(months(dated), sort=True)[0]
    oval = rng.random(len(dated)) < 0.2 + 0.04 * month
    mixed = dated.assign(
        shape=np.where(oval, "Oval", "Round"),
        cut=np.where(oval, None, dated["cut"].astype(str)),
        price=dated["price"] * np.where(oval, 0.5, 1),
    )
    for how in ({}, {"window": 4}, {"method": "fisher"}):
        plain, other = stated(unrounded(dated, **how)), stated(unrounded(mixed, **how))
        last = [*plain][-1]
        assert np.log(other[last] / plain[last]) == pytest.approx(0, abs=0.06)
    hearts = Stones.from_frame(dated.head(3).assign(shape=["Round", "Heart", "Oval"]))
    with pytest.raises(FitError, match=r"1 stone of the basket \(the first in row 1"):
        hedonic_index(mixed, "laspeyres", basket=hearts)


def test_the_index_of_the_model_is_close_to_the_time_dummy_one(dated):
    model = stated(market_index(fit(dated), "quarter"))
    ours = hedonic_index(dated, by="quarter")
    for p in ours[1:]:
        half = np.log(p.high / p.low) / 2
        assert np.log(model[p.period] / p.index) == pytest.approx(0, abs=1.5 * half)


# ------------------------------------------------------------------------- properties

HOWS = st.sampled_from(
    [{}, {"window": 4}, {"window": 5, "splice": "mean"}, *({"method": m} for m in IMPUTED)]
)


@settings(max_examples=15)
@given(how=HOWS, factor=st.floats(0.01, 100))
def test_the_unit_of_money_does_not_matter(dated, how, factor):
    scaled = stated(unrounded(dated.assign(price=dated["price"] * factor), **how))
    assert scaled == pytest.approx(stated(unrounded(dated, **how)), rel=1e-9)


@settings(max_examples=15)
@given(
    how=st.sampled_from([{}, *({"method": m} for m in IMPUTED)]),
    factor=st.floats(0.5, 2),
    month=st.integers(1, 13).filter(lambda i: i != THIN),
)
def test_prices_of_one_period_move_its_index_alone_and_in_proportion(dated, how, factor, month):
    name = str(MONTHS[month])[:7]
    price = dated["price"] * np.where(months(dated) == name, factor, 1)
    before, after = (stated(unrounded(f, **how)) for f in (dated, dated.assign(price=price)))
    assert after == pytest.approx(before | {name: before[name] * factor}, rel=1e-9)


# ----------------------------------------------------------------------------- errors


def test_what_is_not_allowed_is_refused_with_a_clear_message(dated):
    stock = Stones.from_frame(dated.head(5))
    for how, message in (
        ({"method": "hedonic"}, "method must be one of 'time dummy', 'laspeyres', 'paasche', "),
        ({"by": "day"}, "by must be one of 'week', 'month', 'quarter', not 'day'"),
        ({"splice": "geometric", "window": 3}, "splice must be one of 'movement', 'window'"),
        ({"level": 1.0}, "level must be between 0 and 1, not 1.0"),
        ({"window": 1}, "window must be a whole number of periods, at least 2, not 1"),
        ({"window": -3}, "at least 2, not -3"),
        ({"window": 2.5}, "at least 2, not 2.5"),
        ({"window": True}, "at least 2, not True"),
        (
            {"window": 14},
            "a window of 14 periods needs as many with 5 sales or more; there are 13",
        ),
        ({"window": 3, "method": "fisher"}, "only the method 'time dummy' takes a window"),
        ({"basket": stock}, "only the method 'laspeyres' takes a basket, not 'time dummy'"),
        ({"basket": stock, "method": "paasche"}, "takes a basket, not 'paasche'"),
        ({"basket": stock.take([]), "method": "laspeyres"}, "at least one of them"),
        ({"basket": "stock.csv", "method": "laspeyres"}, "basket must be Stones"),
    ):
        with pytest.raises(FitError, match=message.replace("(", r"\(")):
            hedonic_index(dated, **how)
    undated = dated.drop(columns="sold")
    for sales in (undated, read_sales(undated), dated.assign(sold=None)):
        with pytest.raises(FitError, match="the sales have no dates"):
            hedonic_index(sales)
    few = dated.groupby(months(dated)).head(4).reset_index(drop=True)
    with pytest.raises(FitError, match="no month has 5 sales or more; choose longer periods"):
        hedonic_index(few)
    with pytest.raises(
        FitError, match=r"2024-01 to 2025-02: \d+ sales cannot carry \d+ coeffi"
    ):
        hedonic_index(dated.groupby(months(dated)).head(5).reset_index(drop=True))
    with pytest.raises(FitError, match="no period has 3 sales for each coefficient"):
        hedonic_index(dated.groupby(months(dated)).head(9).reset_index(drop=True), "fisher")
    with pytest.raises(ReportError, match="by month or quarter, not 'week'"):
        market_index(fit(dated), "week")


# ------------------------------------------------------------------ the command line


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, dated):
    monkeypatch.chdir(tmp_path)
    dated.to_csv("sales.csv", index=False)
    dated.assign(sold=pd.to_datetime(dated["sold"])).to_parquet("sales.parquet")
    dated[dated["carat"] > 1].drop(columns=["price", "sold"]).to_csv("stock.csv", index=False)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["index", *words])
        return code, *capsys.readouterr()

    return call


def read(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out)))


def test_the_command_makes_the_index_of_a_file_by_each_method(run, dated, tmp_path):
    for words, how in (
        ([], {}),
        (["--method", "time-dummy", "--level", "0.5"], {"level": 0.5}),
        (["--window", "4", "--splice", "half"], {"window": 4, "splice": "half"}),
        (["--method", "paasche", "--by", "quarter"], {"method": "paasche", "by": "quarter"}),
        (["--by", "week"], {"by": "week"}),
        (
            ["--method", "laspeyres", "--basket", "stock.csv"],
            {
                "method": "laspeyres",
                "basket": Stones.from_frame(pd.read_csv(tmp_path / "stock.csv")),
            },
        ),
    ):
        wanted = [
            {k: "" if v is None else str(v) for k, v in asdict(p).items()}
            for p in hedonic_index(dated, **how)
        ]
        code, out, err = run("--sales", "sales.csv", *words)
        assert (code, read(out)) == (0, wanted), err
        assert run("--sales", "sales.parquet", *words)[1] == out


def test_the_command_answers_machines_and_writes_files(run, dated, tmp_path):
    words = ["--sales", "sales.csv", "--window", "3", "--splice", "mean", "--json"]
    code, out, err = run(*words, "--out", "index.csv", "--chart", "index.svg")
    answer = json.loads(out)
    periods = answer.pop("periods")
    assert (code, answer) == (
        0,
        {"method": "time-dummy", "by": "month", "window": 3, "splice": "mean"},
    )
    assert periods == [asdict(p) for p in hedonic_index(dated, window=3, splice="mean")]
    assert "Wrote 14 periods to index.csv." in err
    assert len(read((tmp_path / "index.csv").read_text())) == 14
    root = ElementTree.fromstring((tmp_path / "index.svg").read_text())
    last = next(p["index"] for p in reversed(periods) if p["index"])
    assert root.get("aria-label").startswith(
        f"Index of prices at constant quality: {last:.1f} in 2025-02, 2024-01 being 100;"
    )


def test_the_index_of_a_model_is_drawn_too(run, dated, tmp_path):
    model = fit(dated)
    (tmp_path / "m.json").write_text(model.to_json())
    words = ["--model", "m.json", "--by", "quarter"]
    plain = run(*words)
    assert (plain[0], len(read(plain[1]))) == (0, 5)
    drawn = run(*words, "--chart", "one.svg"), run(*words, "--chart", "two.svg")
    assert drawn[0][1] == plain[1]
    one, two = ((tmp_path / f"{name}.svg").read_bytes() for name in ("one", "two"))
    assert one == two
    last = market_index(model, "quarter")[-1]
    limits = f"{last.index:.1f} ({last.low:.1f} to {last.high:.1f}) in 2025-Q1"
    assert limits in ElementTree.fromstring(one).get("aria-label")
    figure = index_chart(market_index(model, "quarter"))
    assert figure.frame["index"].tolist() == [p.index for p in market_index(model, "quarter")]
    with pytest.raises(ReportError, match="no period has an index"):
        index_chart([Period("2024-01", 2, None, None, None)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sales", "sales.csv", "--model", "m.json"], "--model is of an index from a model"),
        (["--sales", "sales.csv", "--home", "home"], "--home is of an index from a model"),
        (["--sales", "sales.csv", "--stone", "1 Ideal E VS1"], "--stone is of an index"),
        (["--method", "fisher"], "--method needs --sales"),
        (["--window", "3"], "--window needs --sales"),
        (["--basket", "stock.csv"], "--basket needs --sales"),
        (["--source", "stock.csv"], "--source needs --sales"),
        (["--leave-out"], "--leave-out needs --sales"),
        (["--sales", "sales.csv", "--splice", "mean"], "--splice needs --window"),
        (["--sales", "sales.csv", "--window", "1"], "1 is not in the range x>=2"),
        (["--sales", "sales.csv", "--method", "fisher", "--window", "3"], "takes a window"),
        (["--sales", "sales.csv", "--basket", "stock.csv"], "takes a basket"),
        (["--sales", "sales.csv", "--chart", "index.png"], "index.png must end in .svg"),
        (["--sales", "stock.csv"], "price"),
        (
            ["--sales", "sales.csv", "--method", "laspeyres", "--basket", "empty.csv"],
            "empty.csv: ",
        ),
        (["--by", "week"], "Shorter periods need the sales"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run, words, message, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err


def test_a_home_in_the_environment_is_no_option(run, monkeypatch):
    monkeypatch.setenv("DIAMOND_PRICING_HOME", "elsewhere")
    assert run("--sales", "sales.csv")[0] == 0
