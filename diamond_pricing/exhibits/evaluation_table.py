"""An evaluation as text: a table for all sales, and one for each weight band."""

from diamond_pricing.validation import Evaluation, Predictions, Scores

HEAD = ("RMSE", "MAE", "MAPE %", "mdAPE %", "log-RMSE", "R² log", "R²", "COD", "PRD", "PRB")


def evaluation_table(evaluation: Evaluation) -> str:
    """Lay an evaluation out for a terminal; money is in the currency of the sales."""
    n, folds = len(evaluation.price), int(evaluation.folds.max()) + 1
    dated = "" if evaluation.effective == "undated" else f"{evaluation.effective} "
    rows = [["", *_cells(evaluation.overall(p)), _name(p)] for p in evaluation.predictions]
    text = [
        f"{n:,} sales, {folds} folds grouped by stone; money in {dated}{evaluation.currency}.",
        "recorded: on the price list of the sale; blend: without knowing the list.",
        "",
        *_table([("", "n", *HEAD, "model"), *rows]),
    ]
    for p in evaluation.predictions:
        if p.listing == "recorded":
            bands = [[band, *_cells(s), ""] for band, s in evaluation.by_band(p)]
            text += ["", f"{_name(p)}, by weight:", *_table([("", "n", *HEAD, ""), *bands])]
        if unpriced := evaluation.unpriced(p):
            text.append(f"{_name(p)}: {unpriced} sales of kinds unseen in training not priced.")
    return "\n".join(text)


def _name(prediction: Predictions) -> str:
    return f"{prediction.name}, {prediction.listing}" if prediction.listing else prediction.name


def _cells(s: Scores) -> list[str]:
    cells = [
        f"{s.n:,}",
        f"{s.rmse:,.0f}",
        f"{s.mae:,.0f}",
        f"{s.mape:.2f}",
        f"{s.median_ape:.2f}",
        f"{s.log_rmse:.4f}",
        f"{s.r2_log:.4f}",
        f"{s.r2:.4f}",
        f"{s.cod:.2f}",
        f"{s.prd:.3f}",
        f"{s.prb:+.3f}",
    ]
    return ["–" if "nan" in cell else cell for cell in cells]


def _table(rows: list[tuple[str, ...] | list[str]]) -> list[str]:
    wide = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    last = len(wide) - 1
    return [
        "  ".join(
            f"{cell:<{wide[j]}}" if j in (0, last) else f"{cell:>{wide[j]}}"
            for j, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
