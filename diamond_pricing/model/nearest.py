"""The nearest stone that a model prices, for one that it declines."""

from itertools import product
from math import log
from typing import Any

from diamond_pricing.model.price_model import PriceModel
from diamond_pricing.stones import Stone, Stones
from diamond_pricing.stones.trade import graded


def nearest_priced(model: PriceModel, stone: Stone) -> Stone | None:
    """The nearest stone that the model prices, without measurements; None if there is none.

    Nearest in steps: a grade of color or clarity is one, a tenth of the weight is one.
    """
    low, high = model.training.ranges["carat"]
    there = min(max(stone.carat, low), high)
    weights = {there, *(round(there * (1 + step / 50), 2) for step in range(-15, 16))}
    seen = model.training.grades
    given = {
        name: value
        for name, value in stone.given().items()
        if isinstance(value, str) and value in seen.get(name, ())
    }
    cut = given.get("cut") or [*seen["cut"]][-1]
    found = []
    for weight, color, clarity in product(weights, seen["color"], seen["clarity"]):
        if low <= weight <= high:
            values: dict[str, Any] = given | {
                "carat": weight,
                "cut": cut,
                "color": color,
                "clarity": clarity,
            }
            steps = abs(log(weight / stone.carat)) / 0.1
            for name in ("color", "clarity"):
                scale = graded(name).grades
                steps += abs(scale.index(values[name]) - scale.index(getattr(stone, name)))
            found.append((steps, weight, Stone(**values)))
    found.sort(key=lambda one: one[:2])
    known = model.supports(Stones.of([one for *_, one in found]))
    return next((one for (*_, one), fine in zip(found, known, strict=True) if fine), None)
