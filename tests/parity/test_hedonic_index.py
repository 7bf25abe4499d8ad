"""Hedonic indexes equal those of R's lm; hedonic/ holds its inputs and what it answered."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from diamond_pricing import Stones
from diamond_pricing.fitting.hedonic_index import unrounded
from tests.parity.hedonic.export import FOLDER, WINDOWS, dated

SALES = pd.read_csv(FOLDER / "sales.csv")
THEIRS = pd.read_csv(FOLDER / "index.csv")
SPLICES = ("movement", "window", "half", "mean")


def compared(name: str, **how) -> None:
    ours = {p.period: p for p in unrounded(SALES, **how) if p.index is not None}
    theirs = THEIRS[THEIRS["method"] == name].set_index("period")
    assert [*ours] == [*theirs.index]
    assert len(ours) == 11
    for end in ("index", "low", "high"):
        values = np.array([getattr(p, end) for p in ours.values()], float)
        np.testing.assert_allclose(values, theirs[end], rtol=1e-10)


@pytest.mark.parametrize("method", ["time dummy", "laspeyres", "paasche", "fisher"])
def test_each_method_equals_that_of_r(method):
    compared(method, method=method)


def test_a_fixed_basket_equals_that_of_r():
    basket = Stones.from_frame(SALES[SALES["carat"] > 1].reset_index(drop=True))
    in_use = SALES.groupby(SALES["sold"].str[:7])["sold"].transform("size") >= 5
    basket = basket.take(in_use[SALES["carat"] > 1].to_numpy())
    compared("basket", method="laspeyres", basket=basket)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("splice", SPLICES)
def test_each_splice_equals_that_of_r(splice, window):
    compared(f"{splice} {window}", window=window, splice=splice)


def test_the_splices_differ_where_windows_have_more_than_one_period_in_common():
    index = THEIRS.pivot(index="period", columns="method", values="index").iloc[-1]
    for window in WINDOWS:
        values = [round(index[f"{splice} {window}"], 9) for splice in SPLICES]
        assert len(set(values)) == (1 if window == 2 else 4)


def test_the_stored_sales_are_those_of_the_script():
    pd.testing.assert_frame_equal(SALES, dated(), check_dtype=False, check_categorical=False)


def test_r_still_answers_what_is_stored(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed.")
    command = ["Rscript", FOLDER / "reference.R", FOLDER, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "index.csv"), THEIRS, rtol=1e-10)
