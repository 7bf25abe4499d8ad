"""What a statistician asks of a fit: variance, influence, concurvity, stability."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.effects import changed, step
from diamond_pricing.exhibits.exhibit import Table, table
from diamond_pricing.exhibits.priced import groups
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.stones import ATTRIBUTES, LISTING, Stones
from diamond_pricing.stones.kinds import ORIGIN, SHAPE, kinds_known
from diamond_pricing.validation.concurvity import concurvity, shared

if TYPE_CHECKING:
    from diamond_pricing.fitting.held_out import HeldOut


def breusch_pagan(regression: Any) -> Table:
    """Test whether a statsmodels regression errs as much everywhere.

    Also by how much its standard errors change when they do not take it so.

    Breusch & Pagan's (1979) Lagrange multiplier, in Koenker's form, which does not assume
    normal errors.
    """
    from statsmodels.stats.diagnostic import het_breuschpagan

    statistic, p, _, _ = het_breuschpagan(regression.resid, regression.model.exog)
    classical = regression.model.fit()
    robust = classical.get_robustcov_results("HC3")
    ratio = np.asarray(robust.bse) / np.asarray(classical.bse)
    ends = f"{ratio.min():.2f} to {ratio.max():.2f}"
    rows = [
        ("Breusch–Pagan statistic", f"{statistic:,.0f}"),
        ("degrees of freedom", f"{regression.model.exog.shape[1] - 1}"),
        ("p-value", "under 0.0001" if p < 1e-4 else f"{p:.4f}"),
        ("robust (HC3) over classical standard errors", ends),
    ]
    return table(rows, {"": None, "value": str})


def scatter_table(error: Vector, stones: Stones) -> Table:
    """Spread of the held-out errors by weight band and grade: half and nine tenths of them."""
    rows = [
        (name, label, int(of.sum()), *np.quantile(np.abs(error[of]), (0.5, 0.9)).tolist())
        for name in ("weight", "cut", "color", "clarity")
        for label, of in groups(stones, name)
    ]
    return table(rows, {"by": None, "group": None, "sales": written.count, **WITHIN})


def _within(value: float) -> str:
    return written.between(-value, value)


WITHIN = dict.fromkeys(("half within", "nine tenths within"), _within)


def influence_table(held: "HeldOut", most: int = 10) -> Table:
    """The sales that pull the fit most, by Cook's distance.

    Leverage is at the weights of the fit; the error is that of a fit without the stone's
    fold, which stands in for the fit without the sale.
    """
    fit, weight = held.found.fit, held.found.weight
    error = np.nan_to_num(np.log(held.sales.price) - held.recorded)  # beyond others: 0
    pull = error**2 * weight / (float(fit.edf.sum()) * fit.residual_variance)
    # The distance is the pull times the leverage, which is at most 1.
    rows_of = np.argsort(-pull)[: max(3_000, most)]
    leverage = np.zeros(len(error))
    leverage[rows_of] = held.leverage(rows_of)
    cook = pull * leverage
    figures = (held.sales.price, error, leverage, weight, cook)
    rows = [
        (str(held.sales.stones.stone(i)), *(float(of[i]) for of in figures))
        for i in np.argsort(-cook)[:most].tolist()
    ]
    columns = {
        "stone": None,
        "price": written.amounts(held.sales.currency),
        "held-out error": written.change,
        "leverage": written.places(3),
        "weight": written.places(2),
        "Cook's distance": written.places(4),
    }
    return table(rows, columns)


def concurvity_table(gam: PriceModel, model: PriceModel, stones: Stones) -> Table:
    """How much of each line the others could have said, over some stones.

    For the additive model without interactions, mgcv's observed measure. For the default
    model, whose terms are nested by design, the share of a line's fitted effect that is
    linear in those of the other lines.
    """
    alone = concurvity(gam, stones.take(np.flatnonzero(gam.supports(stones))))
    stones = stones.take(np.flatnonzero(model.supports(stones)))
    found = dict(zip(model.lines, shared(model.contributions(stones)), strict=True))
    rows = [(line, alone.get(line), found.get(line)) for line in model.lines]
    shares = ("additive model, observed", "default model, lines")
    return table(rows, {"line": None, **dict.fromkeys(shares, written.places(2))})


def stability(models: Sequence[PriceModel], carat: float = 1.0) -> Table:
    """Compare what models fitted to disjoint samples say of one grade, at one weight.

    Each row: the steps of one attribute; their spread between the models, and the standard
    error that the models state themselves, as root mean squares over steps.
    """
    rows = []
    for attribute in ("cut", "color", "clarity"):
        first, *others = (m.training.grades[attribute] for m in models)
        seen = [grade for grade in first if all(grade in known for known in others)]
        between, stated, moves = [], [], []
        for worse, better in pairwise(seen):
            stone = changed(models[0].reference, carat=carat, **{attribute: worse})
            found = [step(m, stone, attribute, better) for m in models]
            if all(found):
                move, low, high = np.array(found).T
                moves.append(float(move.mean()))
                between.append(float(move.std(ddof=1)))
                stated.append(_rms((high - low) / 3.919928))
        if moves:
            mean = float(np.mean(moves))
            spreads = (_rms(between), _rms(stated))
            rows.append((f"one grade of {attribute}", len(moves), mean, *spreads))
    columns = {
        "": None,
        "steps": written.count,
        "mean": written.change,
        "spread between fits": lambda v: written.share(v, 2),
        "standard error stated": lambda v: written.share(v, 2),
    }
    return table(rows, columns)


def _rms(values: Sequence[float] | Vector) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def certificate_table(model: PriceModel) -> Table:
    """The proof that no price falls as a stone improves, as the model states it."""
    found = model.certificate
    rows = [("", "this model states none")]
    if found is not None:
        weights = f"{found.lightest:.2f} to {found.heaviest:.2f} ct"
        rows = [
            ("pairs of stones compared", written.count(found.compared)),
            *(
                (f"prices that fall as {name} improves", written.count(n))
                for name, n in found.inversions.items()
            ),
            ("weights tried", f"{weights} in steps of {found.step:g}"),
            ("price lists tried", ", ".join(found.lists)),
            ("dimensions tried", "; ".join(found.dimensions)),
        ]
    return table(rows, {"": None, "found": str})


def facts(model: PriceModel) -> Table:
    """What a model is, in a few figures."""
    t = model.training
    rows = [
        ("id", model.sha256[:12]),
        ("family", model.family),
        ("sales", written.count(t.rows)),
        ("distinct stones", written.count(t.stones)),
        *((f"left out: {why}", written.count(n)) for why, n in t.left_out.items()),
        ("prices", f"{t.effective} {t.currency}"),
        ("weights", "{:g} to {:g} ct".format(*t.ranges["carat"])),
        *(
            (name, f"{next(iter(t.grades[name]))} to {next(reversed(t.grades[name]))}")
            for name in ("cut", "color", "clarity")
        ),
        ("effective degrees of freedom", written.places(0)(model.edf)),
        ("standard deviation of the residuals", written.share(model.residual_sd)),
        ("reference stone", str(model.reference)),
    ]
    return table(rows, {"": None, "value": str})


HISTORY = 12  # log entries shown


def provenance(model: PriceModel) -> str:
    """Where a model's sales come from, and under which terms."""
    t = model.training
    if model.sha256 == packaged_model().sha256:
        return (
            f"{t.rows:,} asking prices of round stones, as retailers listed them in 2008: the "
            "table of the PyPI package plotnine (MIT licence), which has it from the R package "
            "ggplot2. They are there to try the model on, not to quote by."
        )
    return (
        f"{t.rows:,} sales of {t.stones:,} stones that the owner of the model brought; where "
        "they come from and under which terms is for the owner to say."
    )


def kinds_words(model: PriceModel) -> str:
    """Which stones a model prices: ``natural or laboratory-grown round or oval``."""
    known = (kinds_known(kind, model.training.grades) for kind in (ORIGIN, SHAPE))
    return " ".join(" or ".join(map(str.lower, grades)) for grades in known)


def read_words(model: PriceModel) -> str:
    """The attributes that prices are read from, in words."""
    read = model._effects.attributes - {LISTING.name, ORIGIN, SHAPE}
    labels = [a.label.lower() for name, a in ATTRIBUTES.items() if name in read]
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))


def history(entries: Iterable[Any]) -> Table | None:
    """The last entries of a home's log, the latest first; None without any."""
    last = [*entries][::-1][:HISTORY]
    rows = [(e.at[:10], e.action, e.active[:12] or "none", e.by, e.reason) for e in last]
    columns = {"day": None, "step": None, "active model": str, "by": None, "why": None}
    return table(rows, columns) if rows else None


def stated_ranges(model: PriceModel) -> Table:
    """Half widths of the 50 % and 90 % ranges that the model states, on the blend, by part.

    For a stone of average difficulty of its part, as a share of the price.
    """
    ranges = model.ranges
    assert ranges is not None, "this model states no ranges"
    edges = [0.0, *ranges.bands, float("inf")]
    rows = []
    for part, n in enumerate(ranges.counts):
        cells = [
            (i, j) for i, row in enumerate(ranges.part) for j, p in enumerate(row) if p == part
        ]
        if not cells:
            continue
        low, high = edges[min(i for i, _ in cells)], edges[max(i for i, _ in cells) + 1]
        names = [ranges.clarities[j] for j in sorted({j for _, j in cells})]
        weight = f"{low:g}–{high:g} ct"
        if not low:
            weight = f"under {high:g} ct"
        elif high == float("inf"):
            weight = f"from {low:g} ct"
        clarity = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        half = [ranges.halves(level)[part] for level in (0.5, 0.9)]
        rows.append((weight, clarity, n, *half))
    columns = {"weight": None, "clarity": None, "held-out sales": written.count, **WITHIN}
    return table(rows, columns)
