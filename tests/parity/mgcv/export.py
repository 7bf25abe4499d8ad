"""The sales, knots and λ that mgcv is given, and the same three models in our engine.

    python -m tests.parity.mgcv.export
    Rscript tests/parity/mgcv/fit.R tests/parity/mgcv tests/parity/mgcv

``curve`` is a P-spline and a random effect, ``surface`` adds an interaction of P-splines;
both are mgcv's own bases and penalties. ``grades`` has curves by grade, bands of weight and
uneven knots; its B-splines are mgcv's, its divided differences are written again in R.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from diamond_pricing import Stones, load_sales
from diamond_pricing.fitting.engine.design import Design, Margin, learned, sheets
from diamond_pricing.fitting.engine.smoothing import smooth
from diamond_pricing.fitting.engine.tables import Gram, Tables, axis, coded
from diamond_pricing.stones import ATTRIBUTES
from diamond_pricing.terms import Levels, Spline, Steps, dense

FOLDER = Path(__file__).parent
SEED, SALES = 20, 600
TERMS = {
    "curve": ["w", "color"],
    "surface": ["w", "depth", "color", "w depth"],
    "grades": ["w", "band", "color", "cut", "depth", "w color", "depth cut", "band color"],
}
FIXED, HEAVY = (0.02, 0.3, 4.0), (30.0, 500.0)  # λ, taken in turn


class Case:
    """One of the models, over the stored sales."""

    def __init__(self, name: str, sales: pd.DataFrame, knots: pd.DataFrame) -> None:
        self.name = name
        self.at = {
            of: tuple(part["at"]) for of, part in knots[knots["case"] == name].groupby("of")
        }
        self.values = {"carat": sales["carat"].to_numpy(), "depth": sales["depth"].to_numpy()}
        self.grades = {}
        for grade in ("cut", "color"):
            known = ATTRIBUTES[grade].grades
            self.values[grade] = pd.Categorical(sales[grade], known).codes.astype(float)
            self.grades[grade] = tuple(name for name in known if (sales[grade] == name).any())
        self.axes = {feature: axis(values) for feature, values in self.values.items()}
        self.codes = {f: coded(values, self.axes[f]) for f, values in self.values.items()}
        parts = [term.split() for term in TERMS[name]]
        margins = {
            part: self._margin(part) for part in {part for term in parts for part in term}
        }
        made = [tuple(margins[part] for part in term) for term in parts]
        if name == "curve":  # a random effect: every grade is drawn to nothing, none is centred
            levels = margins["color"].basis
            made[1] = (Margin(levels, np.eye(levels.width), np.ones(levels.width)),)
        self.design: Design = sheets(made)
        y = np.log(sales["price"].to_numpy())
        self.gram: Gram = Tables(self.design, self.axes, self.codes).gram(y)

    def _margin(self, part: str) -> Margin:
        basis: Spline | Steps | Levels
        if part in ("w", "depth"):
            basis = Spline("log(carat)" if part == "w" else "depth", self.at[part])
        elif part == "band":
            basis = Steps(self.at["band"])
        else:
            basis = Levels(part, self.grades[part])
        bins = self.axes[basis.feature]
        count = np.bincount(self.codes[basis.feature], minlength=len(bins)).astype(float)
        return learned(basis, dense(basis, basis.placed(bins)), count)

    def rows(self) -> np.ndarray:
        """X, one row a sale, made without the tables."""
        columns = []
        for sheet in self.design.sheets:
            X = np.ones((len(self.values["carat"]), 1))
            for margin in sheet.margins:
                basis = margin.basis
                B = dense(basis, basis.placed(self.values[basis.feature]))
                B = B @ margin.transform
                X = (X[:, :, None] * B[:, None, :]).reshape(len(X), -1)
            columns.append(X)
        return np.hstack(columns)


def even(values: pd.Series, k: int) -> np.ndarray:
    """Even knots of k cubic B-splines, all values strictly inside, as R wants them."""
    beyond = (values.max() - values.min()) / 1000
    low, high = values.min() - beyond, values.max() + beyond
    step = (high - low) / (k - 3)
    return low + step * np.arange(-3, k + 1)


def uneven(values: pd.Series, k: int) -> np.ndarray:
    """Knots of k cubic B-splines, halfway between even ones and quantiles."""
    inner = (np.quantile(values, np.linspace(0, 1, k - 2)) + even(values, k)[3:-3]) / 2
    below, above = inner[1] - inner[0], inner[-1] - inner[-2]
    outer = np.arange(1, 4)
    return np.concatenate([inner[0] - below * outer[::-1], inner, inner[-1] + above * outer])


def main() -> None:
    catalog = load_sales()
    bad = {row for row, _ in Stones.from_frame(catalog).left_out}
    # Away from the thin tails: mgcv drops columns of an interaction that no sale tells of.
    sales = catalog.drop(index=sorted(bad))
    sales = sales.query("carat <= 1.6 and 59 <= depth <= 64 and cut != 'Fair'")
    sales = (
        sales.groupby("cut", observed=True)
        .sample(SALES // 4, random_state=SEED)[["carat", "cut", "color", "depth", "price"]]
        .reset_index(drop=True)
    )
    weight, depth = np.log(sales["carat"]), sales["depth"]
    placed = {
        ("curve", "w"): even(weight, 14),
        ("surface", "w"): even(weight, 9),
        ("surface", "depth"): even(depth, 6),
        ("grades", "w"): uneven(weight, 8),
        ("grades", "depth"): uneven(depth, 6),
        ("grades", "band"): np.array([0.5, 1.0]),
    }
    knots = pd.DataFrame(
        [(case, of, float(f"{at:.12g}")) for (case, of), ats in placed.items() for at in ats],
        columns=["case", "of", "at"],
    )
    rows = []
    for name in TERMS:
        case = Case(name, sales, knots)
        count = len(case.design.penalties)
        for label, cycle in (("fixed", FIXED), ("heavy", HEAVY)):
            rows += [(name, label, i + 1, cycle[i % len(cycle)]) for i in range(count)]
        ours = smooth(case.gram, case.design.penalties).smoothing
        rows += [(name, "ours", i + 1, float(f"{at:.12g}")) for i, at in enumerate(ours)]
    smoothing = pd.DataFrame(rows, columns=["case", "set", "penalty", "lambda"])
    for table, file in ((sales, "sales"), (knots, "knots"), (smoothing, "smoothing")):
        table.to_csv(FOLDER / f"{file}.csv", index=False)


if __name__ == "__main__":
    main()
