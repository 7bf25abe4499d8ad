"""The engine fits what R's mgcv fits; mgcv/ holds its inputs and what it answered."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from diamond_pricing.fitting.engine.smoothing import FLAT, PenalisedFit, smooth, solve
from tests.parity.mgcv.export import FOLDER, TERMS, Case

INPUTS = ("sales", "knots", "smoothing")
ANSWERS = ("scores", "terms", "chosen", "fitted")
READ = {name: pd.read_csv(FOLDER / f"{name}.csv") for name in (*INPUTS, *ANSWERS)}


@pytest.fixture(scope="module", params=TERMS)
def case(request) -> Case:
    return Case(request.param, READ["sales"], READ["knots"])


def smoothing(case: Case, which: str) -> np.ndarray:
    if which == "chosen":
        rows = READ["chosen"].query("case == @case.name")
    else:
        rows = READ["smoothing"].query("case == @case.name and set == @which")
    return rows["lambda"].to_numpy()


def score(case: Case, which: str) -> float:
    """Twice the REML score by mgcv."""
    rows = READ["scores"].query("case == @case.name and set == @which")
    return 2 * rows["reml"].item()


# At the same λ two solvers of one linear system differ by rounding alone: 1e-12 was measured.
@pytest.mark.parametrize("which", ["fixed", "ours"])
def test_fitted_values_and_their_standard_errors_equal_those_of_mgcv(case, which):
    fit, X = solve(case.gram, case.design.penalties, smoothing(case, which)), case.rows()
    theirs = READ["fitted"]
    np.testing.assert_allclose(
        X @ fit.coefficients, theirs[f"{case.name} {which} fit"], rtol=0, atol=1e-9
    )
    ours = np.sqrt(((X @ fit.covariance) * X).sum(axis=1))
    np.testing.assert_allclose(ours, theirs[f"{case.name} {which} se"], rtol=1e-8)


@pytest.mark.parametrize("which", ["fixed", "heavy", "ours", "chosen"])
def test_degrees_of_freedom_and_variance_equal_those_of_mgcv(case, which):
    fit = solve(case.gram, case.design.penalties, smoothing(case, which))
    row = READ["scores"].query("case == @case.name and set == @which").iloc[0]
    assert fit.edf.sum() == pytest.approx(row["edf"], abs=1e-8)
    assert fit.residual_variance == pytest.approx(row["variance"], rel=1e-8)
    each = READ["terms"].query("case == @case.name and set == @which")["edf"]
    ours = [fit.edf[sheet.columns].sum() for sheet in case.design.sheets[1:]]
    np.testing.assert_allclose(ours, each, rtol=0, atol=1e-8)


def test_the_reml_score_is_that_of_mgcv_up_to_a_constant(case):
    sets = ["fixed", "heavy", "ours", "chosen"]
    scores = [
        PenalisedFit(case.gram, case.design.penalties, smoothing(case, which)).score
        - score(case, which)
        for which in sets
    ]
    # Scores of some thousands, kept to 14 digits: 2e-9 was measured.
    np.testing.assert_allclose(scores, scores[0], rtol=0, atol=1e-7)


def test_our_choice_of_smoothness_is_no_worse_than_that_of_mgcv(case):
    """Judged by our score, and for the λ that export.py stored, by mgcv's."""
    penalties = case.design.penalties
    ours = PenalisedFit(case.gram, penalties, smooth(case.gram, penalties).smoothing).score
    theirs = PenalisedFit(case.gram, penalties, smoothing(case, "chosen")).score
    # Towards λ = ∞ the score falls as 1/λ: what is left to gain is its derivative by log λ,
    # and below FLAT we stop.
    allowed = FLAT * len(penalties)
    assert ours <= theirs + allowed
    assert score(case, "ours") <= score(case, "chosen") + allowed


def test_mgcv_still_answers_what_is_stored(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed.")
    if subprocess.run(["Rscript", "-e", "library(mgcv)"], capture_output=True).returncode:
        pytest.skip("R has no mgcv.")
    command = ["Rscript", FOLDER / "fit.R", FOLDER, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = {name: pd.read_csv(tmp_path / f"{name}.csv") for name in ANSWERS}
    # Another BLAS or another mgcv may stop elsewhere on a flat score: its choice of λ is
    # compared by the score alone, and what it makes of given λ closely.
    for name in ("scores", "terms"):
        old, new = (table[name].query("set != 'chosen'") for table in (READ, again))
        pd.testing.assert_frame_equal(new, old, rtol=1e-7)
    old, new = (table["scores"].query("set == 'chosen'") for table in (READ, again))
    np.testing.assert_allclose(new["reml"], old["reml"], rtol=1e-5)
    pd.testing.assert_frame_equal(again["fitted"], READ["fitted"], rtol=1e-7)
