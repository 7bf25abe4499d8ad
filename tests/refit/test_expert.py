"""A blind test finds the bias and the spread that an expert has, and no others."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.cli import main
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import Sales, read_sales
from diamond_pricing.intake import Source, take_in
from diamond_pricing.refit.expert import judge_expert, plan, sheet
from diamond_pricing.refit.offsets import fitted_offsets, taken_off
from diamond_pricing.registry import LocalStore
from diamond_pricing.stones import stone_keys


@pytest.fixture(scope="module")
def chosen(packaged, catalog):
    return plan(packaged, read_sales(catalog), 80)


def priced(packaged, stones, *, bias=0.0, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    log_price = packaged.log_price(stones)
    price = np.exp(log_price + bias + rng.normal(0, spread, len(stones)))
    return Sales(stones, price, "USD", "2008")


def test_the_stones_are_blind_distinct_and_spread(chosen):
    assert len(np.unique(stone_keys(chosen))) == 80
    assert len(np.unique(chosen["color"])) == 7
    assert len(np.unique(chosen["clarity"])) >= 7
    rows = list(csv.DictReader(io.StringIO(sheet(chosen))))
    assert {row["price"] for row in rows} == {""}


def test_an_expert_like_the_last_one_agrees(packaged, chosen):
    verdict = judge_expert(packaged, priced(packaged, chosen))
    assert verdict.agrees
    assert verdict.power > 0.99


def test_a_biased_expert_is_found_and_the_offset_takes_it_off(packaged, chosen):
    verdict = judge_expert(packaged, priced(packaged, chosen, bias=0.08))
    assert not verdict.agrees
    assert verdict.overall.low < 0.08 < verdict.overall.high
    assert f"offset = {verdict.offset:.4f}" in str(verdict)
    sales = pd.DataFrame({"price": [1080.0, 1000.0], "source": ["anna", "default"]})
    np.testing.assert_allclose(taken_off(sales, {"anna": Source(offset=1.08)}, {}), 1000.0)


def test_an_expert_who_copies_the_model_is_told(packaged, chosen):
    verdict = judge_expert(packaged, priced(packaged, chosen, spread=0.001))
    assert not verdict.agrees
    assert "copies a list or this model" in str(verdict)


def test_an_erratic_expert_is_told_apart_from_a_biased_one(packaged, chosen):
    verdict = judge_expert(packaged, priced(packaged, chosen, spread=0.2))
    assert not verdict.agrees
    assert "blur the model" in str(verdict)


def test_limits_hold_as_often_as_they_say(packaged, chosen):
    inside = agreed = 0
    for seed in range(200):
        verdict = judge_expert(packaged, priced(packaged, chosen, bias=0.03, seed=seed))
        inside += verdict.overall.low < 0.03 < verdict.overall.high
        agreed += verdict.agrees
    assert inside > 0.91 * 200  # three standard errors under 0.95
    assert agreed < 0.10 * 200, "at the margin itself agreement is claimed in 5 % at most"


def test_a_few_stones_are_no_evidence(packaged, chosen):
    with pytest.raises(FitError, match="too few"):
        judge_expert(packaged, priced(packaged, chosen.take(np.arange(5))))
    with pytest.raises(FitError, match="only"):
        plan(packaged, read_sales_of(chosen), 10_000)


def read_sales_of(stones):
    return Sales(stones, np.full(len(stones), 1000.0), "USD", "2008")


def test_the_commands_work_together(tmp_path, packaged, catalog, capsys):
    from diamond_pricing.refit import run as running

    columns = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    (tmp_path / "inbox").mkdir()
    catalog[columns].sample(3000, random_state=0).to_csv(
        tmp_path / "inbox" / "a.csv", index=False
    )
    home = str(tmp_path / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "fit", lambda *_, **__: packaged)
        running.refit(tmp_path / "inbox", LocalStore(tmp_path / "home"), at="now", by="test")
    out = tmp_path / "plan.csv"
    assert main(["expert", "plan", "--home", home, "--out", str(out), "--stones", "40"]) == 0
    assert main(["expert", "plan", "--home", home, "--out", str(out)]) == 2, (
        "it may be filled in"
    )
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    stones = take_in("a.csv", out.read_bytes().replace(b",\n", b",1\n")).sales
    from diamond_pricing import Stones

    price = np.exp(packaged.log_price(Stones.from_frame(stones), listing="recorded")) * 1.1
    with out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(rows[0])
        table.writerows(
            [*list(row.values())[:-1], f"{p:.0f}"] for row, p in zip(rows, price, strict=True)
        )
    capsys.readouterr()
    assert main(["expert", "judge", str(out), "--home", home]) == 0
    found = re.search(r"offset = (1\.\d+)", capsys.readouterr().out)
    assert float(found[1]) == pytest.approx(1.1, abs=0.025)  # its limits are wider


@pytest.mark.parametrize("known", [True, False])
def test_an_offset_is_fitted_as_well_as_its_limits_say(catalog, packaged, known):
    """Some sales are called another's and made dearer: the limits hold the truth."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(20):
        some = catalog.iloc[rng.choice(len(catalog), 3000, replace=False)]
        small = some["carat"].to_numpy() < 0.9  # the expert prices other stones than the rest
        anna = rng.random(len(some)) < np.where(small, 0.15, 0.05)
        some = some.assign(
            source=np.where(anna, "anna", "default"),
            price=some["price"] * np.where(anna, 1.08, 1.0),
        )
        (offset,) = fitted_offsets(some, ["anna", "gone"], packaged if known else None)
        assert 0 <= anna.sum() - offset.n <= 5 * known  # stones that the model declines
        assert offset.log == pytest.approx(np.log(1.08), abs=0.03 if known else 0.06)
        assert offset.high - offset.low < (0.04 if known else 0.08)
        held.append(offset.low <= np.log(1.08) <= offset.high)
    assert sum(held) >= 16  # of 20 at 95 %


def test_an_offset_needs_sales_and_others_to_be_held_against(catalog):
    some = catalog.head(400).assign(source="anna")
    with pytest.raises(FitError, match="there are 0 of those"):
        fitted_offsets(some, ["anna"])
    some.iloc[:395, some.columns.get_loc("source")] = "default"
    with pytest.raises(FitError, match="there are 5"):
        fitted_offsets(some, ["anna"])
    assert fitted_offsets(some, []) == []
