"""Sales that a command is given: a file is read, many and large ones are summed (`tally`)."""

import json
import signal
import sys
import time
from functools import reduce
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diamond_pricing.cli import options
from diamond_pricing.cli.options import example
from diamond_pricing.errors import DocumentError, FitError, MissingExtraError
from diamond_pricing.files import write
from diamond_pricing.stones import load_sales

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.fitting.atscale import Moments

SHOWN = 5  # rows that an error names
SMALL = 32 * 2**20  # bytes of a CSV file that is simply read
SMALL_PACKED = 2 * 2**20  # of one that is packed, as Parquet is
QUIET = 1.0  # seconds without a word
OFTEN = 0.2  # seconds between two looks


def large(data: Path | None) -> bool:
    """Whether sales are counted where they are rather than read as one small CSV file."""
    if data is None:
        return False
    name = data.name.casefold()
    pattern = not data.exists() and has_magic(str(data))
    if pattern or name.endswith((".pq", ".csv.zst")):
        return True
    packed = name.endswith((".parquet", ".csv.gz"))
    some = packed or name.endswith((".csv", ".tsv"))
    return some and data.is_file() and data.stat().st_size > (SMALL_PACKED if packed else SMALL)


def sales_in(
    file: Path | None, declared: Path | None, leave_out: bool, currency: str | None = None
) -> tuple["pd.DataFrame", dict[str, int]]:
    """Read the sales of a file, or the packaged; also how many were left out, by reason."""
    if file is None:
        return load_sales(), {}
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
        first = "; ".join(f"row {q.row}, {q.field}: {q.reason}" for q in wrong[:SHOWN])
        raise FitError(
            f"{len(wrong):,} of {intake.read:,} rows of {file} cannot be read: {first}. "
            "Leave them out with --leave-out, or say with --source how the file is written; "
            "'diamond-pricing inspect' shows how it is understood."
        )
    click.echo(
        f"Left out {len(wrong):,} of {intake.read:,} sales without a sound price or grade.",
        err=True,
    )
    return intake.sales, {UNSOUND: len(wrong)}


class Bar:
    """One line on a terminal: what is done, how many a second, time left."""

    def __init__(self, unit: str = "sales") -> None:
        self.unit = unit
        self.started = self.looked = time.monotonic()
        self.shown = False

    def __call__(self, what: str, share: float, rows: int) -> None:
        """Show the line, when a second has passed and somebody looks."""
        now = time.monotonic()
        if now - self.started < QUIET or now - self.looked < OFTEN or not sys.stderr.isatty():
            return
        self.looked = now
        text = f"{what}: {rows:,} {self.unit}"
        spent = now - self.started
        if 0 < share < 1:
            rate, left = rows * share / spent, spent * (1 - share) / share
            text += f", {100 * share:.0f} %, {rate:,.0f} {self.unit}/s, {left:,.0f} s left"
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
        self.shown = True

    def __enter__(self) -> "Bar":
        # Whoever ends us politely is to find nothing left behind, as after Ctrl-C.
        self.before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(self, *raised: object) -> None:
        signal.signal(signal.SIGTERM, self.before)
        if self.shown:
            click.echo("\r\x1b[K", nl=False, err=True)


def read(file: Path) -> "Moments":
    """Sums from a file."""
    try:
        from diamond_pricing.warehouse.moments_file import read_moments
    except ImportError as error:
        raise MissingExtraError("sums over sales", "scale") from error
    try:
        return read_moments(file.read_bytes())
    except DocumentError as error:
        raise DocumentError(f"{file}: {error}") from error


def added(files: tuple[Path, ...], without: tuple[Path, ...]) -> "Moments":
    """Sums of several files, or of all in a folder, less those of others."""
    every = [f for file in files for f in (sorted(file.glob("*.sums")) or [file])]
    whole = reduce(lambda a, b: a + b, map(read, every))
    return reduce(lambda a, b: a - b, map(read, without), whole)


@click.command(epilog=example("tally --data sales.parquet --out sales.sums"))
@click.option("--data", required=True, help="Parquet or CSV; * stands for many files.")
@click.option(
    "--like",
    type=options.OLD_FILE,
    help="Sums to which these can be added. Default: begin anew, with a founding model fitted "
    "to a sample.",
)
@click.option("--out", type=options.ANY_FILE, help="File to write.")
@click.option(
    "--each",
    type=options.FOLDER,
    help="Folder for the sums of each file, instead of --out. Existing sums are kept, so an "
    "interrupted run can be resumed.",
)
@click.option("--currency", help="ISO code of the prices, of new sums. Default: USD.")
@click.option("--effective", help="When the prices were true, of new sums.")
@options.trade
@options.leave_out
@options.engine
@options.as_json
def tally(
    data: str, like: Path | None, out: Path | None, each: Path | None, as_json: bool, **how: Any
) -> None:
    """Sum up sales for a fit, without keeping any of them.

    Sums can be added (a day, a region, a partner) and taken away again: `fit --sums`.
    """
    from diamond_pricing.warehouse import at_scale
    from diamond_pricing.warehouse.moments_file import written_moments

    if like is not None and (how["currency"] or how["effective"]):
        raise click.UsageError("--currency and --effective are those of --like.")
    if out is not None and each is None:
        parts = [(data, out)]
    elif each is not None and out is None:
        parts = _one_by_one(data, each)
    else:
        raise click.UsageError("Give --out for one file of sums, or --each for many.")
    frame = None if like is None else read(like).frame
    for of, to in parts:
        if each is not None and to.exists():
            frame = frame or read(to).frame
            click.echo(f"{to} is already there.", err=as_json)
            continue
        with Bar() as bar:
            moments = at_scale.sums(of, frame, progress=bar, **how)
        frame = moments.frame
        write(to, written_moments(moments))
        _told(to, moments, as_json)


def _one_by_one(data: str, folder: Path) -> list[tuple[str, Path]]:
    """Each file that a pattern stands for, and where its sums go."""
    found = sorted(glob(data))  # noqa: PTH207  a pattern from anywhere
    if not found:
        raise FitError(f"{data}: no such file.")
    folder.mkdir(parents=True, exist_ok=True)
    of = {folder / f"{Path(name).name.partition('.')[0]}.sums": name for name in found}
    if len(of) < len(found):
        raise FitError(f"{data}: two files have the same name; their sums would too.")
    return [(name, to) for to, name in of.items()]


def _told(out: Path, moments: "Moments", as_json: bool) -> None:
    facts: dict[str, Any] = {
        "sales": moments.n,
        "left_out": dict(moments.left_out),
        "founding": moments.frame.founding and moments.frame.founding.sha256,
        "bytes": out.stat().st_size,
        "out": str(out),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{out}: sums over {moments.n:,} sales, {facts['bytes'] / 1e6:.1f} MB.")
    for reason, count in moments.left_out.items():
        click.echo(f"  left out: {count:,} sales ({reason})")


COMMANDS: list[Any] = [tally]
