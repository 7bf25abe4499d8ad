"""A file of sales that a command is given."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diamond_pricing.errors import FitError

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # rows that an error names

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="How the file is written, as 'inspect' prints it.",
)


def sales_in(
    file: Path, declared: Path | None, leave_out: bool, currency: str | None = None
) -> tuple["pd.DataFrame", dict[str, int]]:
    """Read the sales of a file; also return how many were left out, by reason.

    Raises
    ------
    FitError
        For a file that cannot be read, or rows that cannot and are not to be left out.
    """
    from diamond_pricing.fitting.sales import UNSOUND
    from diamond_pricing.intake import TOTAL, RejectedFileError, Source, sales_to_fit

    source = Source.from_toml(declared.read_bytes()) if declared else None
    try:
        intake = sales_to_fit(file.name, file.read_bytes(), source, currency=currency)
    except RejectedFileError as error:
        raise FitError(f"{file}: {error}") from error
    for note in intake.notes:
        click.echo(f"Note: {note}", err=True)
    wrong = [q for q in intake.quarantined if q.field != TOTAL]
    if not wrong:
        return intake.sales, {}
    if not leave_out:
        first = "".join(f"\n  row {q.row}, {q.field}: {q.reason}" for q in wrong[:SHOWN])
        raise FitError(
            f"{len(wrong):,} of {intake.read:,} rows of {file} cannot be read:{first}.\n"
            "Leave them out with --leave-out, or say with --source how the file is written; "
            "'diamond-pricing inspect' shows how it is understood."
        )
    click.echo(
        f"Left out {len(wrong):,} of {intake.read:,} sales without a sound price or grade.",
        err=True,
    )
    return intake.sales, {UNSOUND: len(wrong)}
