"""What a statistician asks of a fit: variance, influence, concurvity, stability."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Matrix, Vector
from diamond_pricing.exhibits import written
from diamond_pricing.exhibits.effects import changed, changes
from diamond_pricing.exhibits.exhibit import Table
from diamond_pricing.exhibits.priced import FEWEST, in_order
from diamond_pricing.model import PriceModel
from diamond_pricing.stones import Stones
from diamond_pricing.validation.concurvity import concurvity, shared

if TYPE_CHECKING:
    from diamond_pricing.fitting.held_out import HeldOut


def breusch_pagan(regression: Any) -> Table:
    """Test whether a statsmodels regression errs as much everywhere.

    Also by how much its standard errors change when they do not take it so.

    Breusch & Pagan's (1979) Lagrange multiplier, in Koenker's form, which does not assume
    normal errors.
    """
    import pandas as pd
    from statsmodels.stats.diagnostic import het_breuschpagan

    statistic, p, _, _ = het_breuschpagan(regression.resid, regression.model.exog)
    classical = regression.model.fit()
    robust = classical.get_robustcov_results("HC3")
    ratio = np.asarray(robust.bse) / np.asarray(classical.bse)
    rows = [
        ("Breusch–Pagan statistic", f"{statistic:,.0f}"),
        ("degrees of freedom", f"{regression.model.exog.shape[1] - 1}"),
        ("p-value", "under 0.0001" if p < 1e-4 else f"{p:.4f}"),
        (
            "robust (HC3) over classical standard errors",
            f"{ratio.min():.2f} to {ratio.max():.2f}",
        ),
    ]
    return Table(pd.DataFrame(rows, columns=["", "value"]), {"value": str})


def scatter_table(error: Vector, stones: Stones) -> Table:
    """Spread of the held-out errors by weight band and grade: half and nine tenths of them."""
    import pandas as pd

    rows = []
    for name in ("weight", "cut", "color", "clarity"):
        labels, names = in_order(stones, name)
        for label in names:
            of = np.abs(error[labels == label])
            if len(of) >= FEWEST:
                rows.append((name, label, len(of), *np.quantile(of, (0.5, 0.9)).tolist()))
    frame = pd.DataFrame(
        rows, columns=["by", "group", "sales", "half within", "nine tenths within"]
    )
    return Table(
        frame, {"sales": written.count, "half within": _within, "nine tenths within": _within}
    )


def _within(value: float) -> str:
    return written.between(-value, value)


def influence_table(held: "HeldOut", most: int = 10) -> Table:
    """The sales that pull the fit most, by Cook's distance.

    Leverage is at the weights of the fit; the error is that of a fit without the stone's
    fold, which stands in for the fit without the sale.
    """
    import pandas as pd

    fit = held.found.fit
    weight = held.found.weight
    error = np.nan_to_num(np.log(held.sales.price) - held.recorded)  # beyond others: 0
    pull = error**2 * weight / (float(fit.edf.sum()) * fit.residual_variance)
    # The distance is the pull times the leverage, which is at most 1.
    rows_of = np.argsort(-pull)[: max(3_000, most)]
    leverage = np.zeros(len(error))
    leverage[rows_of] = held.leverage(rows_of)
    cook = pull * leverage
    rows = []
    for i in np.argsort(-cook)[:most].tolist():
        rows.append(
            (
                str(held.sales.stones.stone(i)),
                float(held.sales.price[i]),
                float(error[i]),
                float(leverage[i]),
                float(weight[i]),
                float(cook[i]),
            )
        )
    columns = ["stone", "price", "held-out error", "leverage", "weight", "Cook's distance"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {
            "price": written.amounts(held.sales.currency),
            "held-out error": written.change,
            "leverage": written.places(3),
            "weight": written.places(2),
            "Cook's distance": written.places(4),
        },
    )


def concurvity_table(gam: PriceModel, model: PriceModel, stones: Stones) -> Table:
    """How much of each line the others could have said, over some stones.

    For the additive model without interactions, mgcv's observed measure. For the default
    model, whose terms are nested by design, the share of a line's fitted effect that is
    linear in those of the other lines.
    """
    import pandas as pd

    alone = concurvity(gam, stones.take(np.flatnonzero(gam.supports(stones))))
    stones = stones.take(np.flatnonzero(model.supports(stones)))
    effects: Matrix = model.contributions(stones)
    found = dict(zip(model.lines, shared(effects), strict=True))
    rows = [(line, alone.get(line), found.get(line)) for line in model.lines]
    return Table(
        pd.DataFrame(
            rows, columns=["line", "additive model, observed", "default model, lines"]
        ),
        {
            "additive model, observed": written.places(2),
            "default model, lines": written.places(2),
        },
    )


def stability(models: Sequence[PriceModel], carat: float = 1.0) -> Table:
    """Compare what models fitted to disjoint samples say of one grade, at one weight.

    Each row: the steps of one attribute; their spread between the models, and the standard
    error that the models state themselves, as root mean squares over steps.
    """
    import pandas as pd

    rows = []
    for attribute in ("cut", "color", "clarity"):
        seen = [
            g
            for g in models[0].training.grades[attribute]
            if all(g in m.training.grades[attribute] for m in models)
        ]
        between, stated, moves = [], [], []
        for worse, better in pairwise(seen):
            found = []
            for m in models:
                stone = changed(models[0].reference, carat=carat, **{attribute: worse})
                if m.supports(Stones.of([stone]))[0]:
                    found.append(changes(m, stone, attribute, [better]))
            if len(found) == len(models) and all(len(f) for f in found):
                each = np.array([f["log_change"].iloc[0] for f in found])
                error = [(f["high"].iloc[0] - f["low"].iloc[0]) / 3.919928 for f in found]
                moves.append(float(each.mean()))
                between.append(float(each.std(ddof=1)))
                stated.append(float(np.sqrt(np.mean(np.square(error)))))
        if moves:
            rows.append(
                (
                    f"one grade of {attribute}",
                    len(moves),
                    float(np.mean(moves)),
                    _rms(between),
                    _rms(stated),
                )
            )
    columns = ["", "steps", "mean", "spread between fits", "standard error stated"]
    return Table(
        pd.DataFrame(rows, columns=columns),
        {
            "steps": written.count,
            "mean": written.change,
            "spread between fits": lambda v: written.share(v, 2),
            "standard error stated": lambda v: written.share(v, 2),
        },
    )


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def certificate_table(model: PriceModel) -> Table:
    """The proof that no price falls as a stone improves, as the model states it."""
    import pandas as pd

    found = model.certificate
    rows = [("", "this model states none")]
    if found is not None:
        rows = [
            ("pairs of stones compared", written.count(found.compared)),
            *(
                (f"prices that fall as {name} improves", written.count(n))
                for name, n in found.inversions.items()
            ),
            (
                "weights tried",
                f"{found.lightest:.2f} to {found.heaviest:.2f} ct in steps of {found.step:g}",
            ),
            ("price lists tried", ", ".join(found.lists)),
            ("dimensions tried", "; ".join(found.dimensions)),
        ]
    return Table(pd.DataFrame(rows, columns=["", "found"]), {"found": str})


def facts(model: PriceModel) -> Table:
    """What a model is, in a few figures."""
    import pandas as pd

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
    return Table(pd.DataFrame(rows, columns=["", "value"]), {"value": str})


def stated_ranges(model: PriceModel) -> Table:
    """Half widths of the 50 % and 90 % ranges that the model states, on the blend, by part.

    For a stone of average difficulty of its part, as a share of the price.
    """
    import pandas as pd

    assert model.ranges is not None, "this model states no ranges"
    ranges = model.ranges
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
        weight = (
            f"under {high:g} ct"
            if not low
            else f"from {low:g} ct"
            if high == float("inf")
            else f"{low:g}–{high:g} ct"
        )
        half = [ranges.halves(level)[part] for level in (0.5, 0.9)]
        rows.append(
            (weight, names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}", n, *half)
        )
    frame = pd.DataFrame(
        rows,
        columns=["weight", "clarity", "held-out sales", "half within", "nine tenths within"],
    )
    return Table(
        frame,
        {
            "held-out sales": written.count,
            "half within": _within,
            "nine tenths within": _within,
        },
    )
