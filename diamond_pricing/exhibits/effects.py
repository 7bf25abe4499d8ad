"""What each attribute does to a price, with how sure that is.

Ranges are of the coefficients: of the mean, not of a single sale. They are normal in the
log price, with the covariance that the model states.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.errors import StoneError
from diamond_pricing.exhibits import style, written
from diamond_pricing.exhibits.exhibit import Figure, Prose, Table, Writer, frame_of, table
from diamond_pricing.exhibits.priced import Z
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import ATTRIBUTES, Grade, Stone, Stones, attribute_named

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
WEIGHTS = (0.5, 1.0, 2.0)  # carats that steps are told at
DRAWN = ("carat", "cut", "color", "clarity", "depth", "table")
NEAR = 0.1  # of log weight around them
CHUNK = 1_000  # rows of the design matrix at once


def partial_effect(
    model: PriceModel,
    attribute: str,
    over: tuple[float, float] | None = None,
    stone: Stone | None = None,
    level: float = LEVEL,
) -> Figure | Prose:
    """Draw the price of a stone as one attribute changes and all else stays, with its band.

    In place of the picture a sentence, where the model does not read the attribute.

    Parameters
    ----------
    over : tuple[float, float], optional
        Least and largest value of a measure; default: what the model has seen.
    stone : Stone, optional
        Default: the model's reference stone.

    Raises
    ------
    StoneError
        For an attribute that is none, or that counts only together with others.
    """
    stone = stone or model.reference
    name = attribute_named(attribute)
    if name not in DRAWN:
        raise StoneError(
            f"{attribute!r} has no effect of its own to draw; choose {', '.join(DRAWN)}.",
            attribute=attribute,
        )
    attribute, at = name, ATTRIBUTES[name]
    if attribute not in model._effects.attributes:
        return Prose(f"This model does not read {at.label.lower()}.")
    if isinstance(at, Grade):
        return _grades(model, at, stone, level)
    low, high = over or model.training.ranges[attribute]
    space = np.geomspace if attribute == "carat" else np.linspace
    values = np.unique(np.round(space(low, high, 240), 2))
    frame = changes(model, stone, attribute, values.tolist(), level)
    start = getattr(stone, attribute)
    end = frame.iloc[-1]
    with style.drawing(2.6) as sheet:
        axes = sheet.axes
        if attribute == "carat":
            style.weights(axes.xaxis)  # before anything is drawn, which fits the limits to it
        # A line breaks where the model declines.
        gap = np.diff(frame[attribute], prepend=low) > 5 * np.median(np.diff(values))
        for _, part in frame.groupby(np.cumsum(gap)):
            place = part[attribute]
            axes.fill_between(
                place, part["low"], part["high"], color=style.BLUE, alpha=0.22, lw=0
            )
            axes.plot(place, part["log_change"], color=style.BLUE)
        if start is not None:
            axes.plot([start], [0], "o", color=style.NAVY, ms=4)
            style.note(axes, str(stone), (start, 0), (6, -12), color=style.NAVY)
        style.percent(axes.yaxis)
        axes.set_ylabel("change of the price")
        if attribute == "carat":
            axes.set_ylabel("price against the reference")
            axes.yaxis.set_major_formatter(lambda v, _: f"×{np.exp(v):.3g}")
            ticks = np.log([0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
            inside = (ticks >= frame["low"].min()) & (ticks <= frame["high"].max())
            axes.set_yticks(ticks[inside])
        else:
            axes.set_xlabel(f"{at.label.lower()}, {at.unit}")
        moves = frame["log_change"]
        least, most, last = (
            written.change(float(v), 0) for v in (moves.min(), moves.max(), moves.iloc[-1])
        )
        alt = (
            f"Price of a {stone} as {at.label.lower()} goes from {frame[attribute].min():g} to "
            f"{frame[attribute].max():g} {at.unit}: least {least}, most {most}, at the end "
            f"{last} ({100 * level:g} % range {written.between(end['low'], end['high'])})."
        )
        return sheet.exhibit(alt, frame)


def changed(stone: Stone, **attributes: Any) -> Stone:
    """The stone with other values of some attributes."""
    return replace(stone, **attributes)


def changes(
    model: PriceModel,
    stone: Stone,
    attribute: str,
    values: Sequence[float | str],
    level: float = LEVEL,
) -> "pd.DataFrame":
    """Log change of a stone's price at other values of one attribute, and its range.

    Values that the model declines are left out.
    """
    others = Stones.of([changed(stone, **{attribute: value}) for value in values])
    kept = np.flatnonzero(model.supports(others))
    others, here = others.take(kept), Stones.of([stone])
    move = model.log_price(others) - model.log_price(here)
    rows = model.design(others) - model.design(here)
    error = np.linalg.norm(rows @ model.factor, axis=1)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    return frame_of(
        {
            attribute: [values[i] for i in kept.tolist()],
            "log_change": move,
            "low": move - z * error,
            "high": move + z * error,
        }
    )


def step(
    model: PriceModel, stone: Stone, attribute: str, to: str, level: float = LEVEL
) -> tuple[float, float, float] | None:
    """Log change of a stone's price with another grade, and its range; None if declined."""
    if model.supports(Stones.of([stone]))[0]:
        found = changes(model, stone, attribute, [to], level)
        for _, move, low, high in found.itertuples(index=False):
            return move, low, high
    return None


def _grades(model: PriceModel, grade: Grade, stone: Stone, level: float) -> Figure:
    frame = changes(model, stone, grade.name, list(model.training.grades[grade.name]), level)
    with style.drawing(2.2) as sheet:
        axes, place = sheet.axes, np.arange(len(frame))
        ends = style.reach(frame, "log_change")
        axes.errorbar(
            place, frame["log_change"], ends, fmt="o", color=style.BLUE, ms=4, capsize=3
        )
        for i, move in enumerate(frame["log_change"]):
            style.note(axes, written.change(move, 0), (i, move), (7, 0), va="center")
        axes.set_xticks(place, frame[grade.name])
        axes.set_xlim(-0.5, len(frame) - 0.3)
        style.percent(axes.yaxis)
        axes.set_ylabel(f"against {getattr(stone, grade.name)}")
        axes.grid(axis="x", visible=False)
        told = "; ".join(
            f"{name} {written.estimate(*ends)}" for name, *ends in frame.itertuples(index=False)
        )
        alt = f"{grade.label} of a {stone}, {100 * level:g} % ranges: {told}."
        return sheet.exhibit(alt, frame)


def grade_steps(
    model: PriceModel,
    carats: Sequence[float] = WEIGHTS,
    stone: Stone | None = None,
    level: float = LEVEL,
) -> Table:
    """Tell in plain words what one grade is worth, at several weights.

    Each cell: change of the price of a stone like ``stone``, and its range; blank where the
    model declines one of the two stones.
    """
    stone = stone or model.reference
    rows = []
    for attribute in ("cut", "color", "clarity"):
        seen = list(model.training.grades[attribute])
        for worse, better in pairwise(seen):
            row = {"one grade better": f"{attribute} {worse} → {better}"}
            for carat in carats:
                start = changed(stone, carat=carat, **{attribute: worse})
                found = step(model, start, attribute, better, level)
                row[f"{carat:g} ct"] = written.estimate(*found) if found else ""
            rows.append(row)
    return Table(frame_of(rows))


def average_steps(model: PriceModel, sales: Stones, level: float = LEVEL) -> Table:
    """What one grade of each attribute is worth on average over the sold stones of a weight.

    Every stone within a tenth of the weight is moved up one grade; the mean of the log
    changes, and its range from the covariance of the coefficients.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rows = []
    for attribute in ("cut", "color", "clarity"):
        grade = ATTRIBUTES[attribute]
        assert isinstance(grade, Grade)
        seen = [grade.grades.index(name) for name in model.training.grades[attribute]]
        up = dict(pairwise(seen))
        row = {"": f"one grade of {attribute}"}
        for carat in WEIGHTS:
            near = np.abs(np.log(sales["carat"] / carat)) < NEAR
            like = sales.take(np.flatnonzero(near & np.isin(sales[attribute], list(up))))
            codes = [up[code] for code in like[attribute].tolist()]
            better = like.with_columns(**{attribute: np.array(codes, np.int64)})
            fine = np.flatnonzero(model.supports(like) & model.supports(better))
            row[f"{carat:g} ct"] = ""
            if len(fine):
                move, error = _mean_change(model, like.take(fine), better.take(fine))
                half = z * error
                row[f"{carat:g} ct"] = written.estimate(move, move - half, move + half)
        rows.append(row)
    return Table(frame_of(rows))


def _mean_change(model: PriceModel, here: Stones, there: Stones) -> tuple[float, float]:
    """Mean difference of log price between n pairs of stones, and its standard error."""
    gap = np.zeros(len(model.coefficients))
    for start in range(0, len(here), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(here)))
        gap += (model.design(there.take(rows)) - model.design(here.take(rows))).sum(axis=0)
    move = float(np.mean(model.log_price(there) - model.log_price(here)))
    return move, float(np.linalg.norm(gap / len(here) @ model.factor))


def surface(model: PriceModel, carat: float = 1.0, cut: str = "Ideal") -> Figure:
    """Draw the price of every color and clarity at one weight, blank where none were sold."""
    seen = model.training.grades
    colors, clarities = list(seen["color"])[::-1], list(seen["clarity"])
    stones = Stones.of([model.alike(carat, cut, c, q) for c in colors for q in clarities])
    fine = model.supports(stones)
    price = np.full(len(stones), np.nan)
    if not fine.any():
        raise StoneError(f"no stone of {carat:g} ct has a price.", attribute="carat")
    price[fine] = model.price(stones.take(fine))
    grid = price.reshape(len(colors), len(clarities))
    frame = frame_of(grid, clarities)
    frame.insert(0, "color", colors)
    money = written.amounts(model.training.currency)
    with style.drawing(2.9) as sheet:
        axes = sheet.axes
        shade = np.log(grid)
        low, high = float(np.nanmin(shade)), float(np.nanmax(shade))
        texts = [money(value) if value == value else "" for value in price.tolist()]
        style.cells(
            axes, shade, texts, (colors, clarities), "Blues", (low, high + 0.3 * (high - low))
        )
        axes.set_xlabel("clarity")
        axes.set_ylabel("color")
        alt = (
            f"Price of a {carat:g} ct {stones.stone(0).cut} stone by color and clarity, from "
            f"{money(np.nanmin(grid))} to {money(np.nanmax(grid))}."
        )
        return sheet.exhibit(alt, frame)


def magic_steps(
    model: PriceModel, stones: Stones, stone: Stone | None = None
) -> tuple[Figure, Table]:
    """Show the jump of the price at each magic weight, and how many stones are cut to it.

    The jump is that of the line *Magic weight* between a stone a hundredth lighter and one
    that reaches the weight.
    """
    stone = stone or model.reference
    low, high = model.training.ranges["carat"]
    rows = []
    cents = np.round(100 * stones["carat"]).astype(int)
    for weight in model.magic_weights:
        below = round(weight - 0.01, 2)
        ends = [changed(stone, carat=w) for w in (below, weight)]
        if not low <= below < weight <= high or not model.supports(Stones.of(ends)).all():
            continue
        why = model.compare(*ends)
        line = next(line for line in why.lines if line.name == "magic")
        half, at = Z * line.standard_error, round(100 * weight)
        limits = (line.log_effect - half, line.log_effect + half)
        sold = (int((cents == at - 1).sum()), int((cents == at).sum()))
        rows.append((weight, line.log_effect, *limits, *sold))
    columns = ["weight", "log_jump", "low", "high", "just_under", "at"]
    frame = frame_of(rows, columns=columns)
    with style.drawing(2.2) as sheet:
        axes, place = sheet.axes, np.arange(len(frame))
        bars = style.reach(frame, "log_jump")
        axes.bar(place, frame["log_jump"], color=style.BLUE, width=0.6)
        axes.errorbar(
            place, frame["log_jump"], bars, fmt="none", ecolor=style.NAVY, capsize=2, lw=1
        )
        axes.set_xticks(place, [f"{w:.2f}" for w in frame["weight"]])
        axes.axhline(0, color=style.ORANGE, lw=0.8)
        style.percent(axes.yaxis)
        axes.set_xlabel("carat")
        axes.set_ylabel("jump of the price")
        axes.grid(axis="x", visible=False)
        told = "; ".join(f"{w:g} ct {written.change(m)}" for w, m, *_ in rows)
        alt = f"Jump of the price at each magic weight, {stone}: {told}."
        figure = sheet.exhibit(alt, frame)
    shown: dict[str, Writer] = {
        "weight": "{:.2f} ct".format,
        "jump": written.change,
        "95 % range": str,
        "sold 0.01 ct under": written.count,
        "sold at it": written.count,
    }
    return figure, table([(w, m, written.between(a, b), *n) for w, m, a, b, *n in rows], shown)
