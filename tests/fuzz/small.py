"""A price model of every part, small enough that a document is a few kilobytes."""

import numpy as np

from diamond_pricing import PriceModel, Stone, Stones
from diamond_pricing.fitting.atscale import Counts, Errors, Frame, Moments
from diamond_pricing.fitting.engine.tables import Gram
from diamond_pricing.model.certificate import Certificate
from diamond_pricing.model.document import quantised
from diamond_pricing.model.effects import Entry, Inference
from diamond_pricing.model.markup import Band, Markup
from diamond_pricing.model.ranges import LEVELS, Ranges
from diamond_pricing.model.support import Support
from diamond_pricing.model.training import Training
from diamond_pricing.stones import GRADES, LISTING
from diamond_pricing.terms import Averages, Contrast, Levels, Slope, Spline, Steps, Term

CUTS, COLORS, CLARITIES = ("Good", "Ideal"), ("G", "E"), ("SI1", "VS1", "IF")
BARE = Stone(1.0, "Ideal", "E", "VS1")
MEASURED = Stone(0.7, "Good", "G", "SI1", depth=62.0, table=57.0, x=5.67, y=5.70, z=3.52)
STONES = (BARE, MEASURED, Stone(1.2, "Ideal", "G", "IF", x=6.8, y=6.75))
WEIGHT = Spline("carat", (0.0, 0.0, 1.0, 4.0, 4.0), 1)
RANGES = {
    "carat": (0.3, 3.0),
    "depth": (55.0, 68.0),
    "table": (50.0, 66.0),
    "x": (4.0, 10.0),
    "y": (4.0, 10.0),
    "z": (2.5, 6.5),
}


def small_model(sides: str = "log(x * y) / 2 - log(carat) / 3") -> PriceModel:
    """A model with all that a document may hold.

    Parameters
    ----------
    sides : str
        The number of a slope; with ``log(x / y)``, which depends on the order of length and
        width, the model has no plan. Empty for a model without it and without a mark-up, as
        sums over sales need.
    """
    averages = Averages((0.5, 1.0), CUTS, (0.45, 0.05, 0.5))
    bases = [
        (),
        (Spline("log(carat)", (-2.0, -2.0, -1.0, 0.0, 1.5, 1.5), 1),),
        (Steps((0.7, 1.0)),),
        (Levels("cut", CUTS),),
        (Levels("color", COLORS), WEIGHT),
        (Levels("clarity", CLARITIES),),
        (Spline("depth", (50.0, 50.0, 62.0, 70.0, 70.0), 1, ((0.2, 0.7, 0.1),) * 4),),
        (WEIGHT, Contrast(LISTING.grades[::2], (-1.0, 1.0), ((0.1,),))),
        *([(Slope(sides, ((0.6,),) * 4),)] if sides else []),
    ]
    terms = tuple(Term(some) for some in bases)
    p = sum(term.width for term in terms)
    coefficients = np.linspace(-0.05, 0.05, p)
    coefficients[0] = 8.0
    coefficients[1:5] = (-1.5, 0.0, 1.5, 3.0)
    factor = quantised(np.outer(np.linspace(0.01, 0.02, p), (1.0, 0.5)))
    grades = {
        grade.name: dict.fromkeys(seen, 20)
        for grade, seen in zip(
            (*GRADES, LISTING), (CUTS, COLORS, CLARITIES, LISTING.grades), strict=True
        )
    }
    row = tuple(round(0.005 * (k + 1), 4) for k in range(len(LEVELS)))
    return PriceModel(
        family="small",
        origin="made by hand",
        terms=terms,
        coefficients=coefficients,
        factor=factor,
        residual_sd=0.1,
        edf=float(p),
        reference=BARE,
        averages=averages,
        training=Training(60, 50, {"measurements": 2}, "USD", "2008", RANGES, grades),
        markup=Markup(
            (1.0,),
            6.0,
            1.0,
            ((0.0, 0.1, 0.1),) * 2,
            ((0.0, 0.05, 0.05),) * 2,
            (Band(0, 500.0, 900.0, 1.1, 0.01, 12),),
        )
        if sides
        else None,
        inference=Inference(
            "x>y", "x<y", (Entry((), (0.1,)), Entry((Slope("carat"),), (0.2,)))
        ),
        ranges=Ranges(
            (1.0,),
            CLARITIES,
            {"color": {"G": 1.1, "E": 0.9}, "cut": {"Ideal": 1.0}},
            ((0, 0, 1), (1, 1, 1)),
            (30, 20),
            dict.fromkeys(("blend", "recorded", "inferred"), (row,) * 2),
        ),
        support=Support((1.0,), COLORS, CLARITIES, (5, 9, 3, 8, 0, 1, 40, 7, 0, 2, 5, 6)),
        certificate=Certificate(
            10, {"carat": 0, "cut": 0}, 0.2, 5.0, 0.01, ("blend",), ("missing",)
        ),
    )


def small_sums() -> Moments:
    """Sums over sales of one small model: all of their parts, over no real sales."""
    founding = small_model("")
    frame = Frame.of(founding.terms, Stones.of(STONES), founding, 0.5)
    p = frame.p
    grams = tuple(Gram(np.eye(p), np.ones(p), 9.0, 3) for _ in range(2))
    weight = {name: np.ones(len(bins)) for name, bins in frame.bins.items()}
    counts = Counts(np.array([0, 4]), np.array([2, 1]))
    extent = {"carat": (0.3, 3.0)}
    errors = Errors(counts, counts, 0.4)
    return Moments(frame, grams, weight, counts, extent, {"measurements": 1}, errors)
