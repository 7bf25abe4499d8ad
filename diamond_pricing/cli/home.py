"""Commands around a home: its models, its sales, and the scheduled refit."""

import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from diamond_pricing.cli import options
from diamond_pricing.cli.options import example

if TYPE_CHECKING:
    from diamond_pricing import PriceModel
    from diamond_pricing.registry import Entry, Registry

# Exit codes of refit; 2 is an error, as for every command.
CODES = {"promoted": 0, "kept": 10, "nothing new": 11, "data rejected": 12, "busy": 13}
needed_home = options.home(
    "A directory, or a URL such as s3://bucket/prefix (extra 'cloud').", required=True
)


def _said(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why, for the log.")
    return value.strip()


reason_option = click.option(
    "--reason", required=True, callback=_said, help="Why, for the log."
)


def now() -> str:
    """The time for the log, UTC; SOURCE_DATE_EPOCH stands in for the clock."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = time.gmtime(float(given) if given else None)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"SOURCE_DATE_EPOCH is not a time: {given!r}.") from error
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)


def who() -> str:
    """Who runs this, for the log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def residual_words(model: "PriceModel") -> str:
    """How far prices lie from the sales of the fit, and by how flexible a curve."""
    return f"typical residual {100 * model.residual_sd:.1f} %, {model.edf:.0f} effective df"


def _registry(home: str, *, must_be: bool = True) -> "Registry":
    from diamond_pricing.registry import Registry, open_store

    return Registry.at(home) if must_be else Registry(open_store(home))


EXITS = (
    "Exit codes: 0 promoted, 10 kept, 11 nothing new, 12 data rejected, 13 busy, 2 error.\n\n"
)


@click.command(epilog=example("refit --inbox inbox --home home", EXITS))
@click.option("--inbox", type=options.ANY_FILE, required=True, help="New files.")
@needed_home
@click.option("--dry-run", is_flag=True, help="Decide, and write nothing.")
@click.option(
    "--force",
    callback=options.named,
    help="Promote in spite of the gates; give the reason. Files that are held are taken in "
    "too, those of earlier runs as well.",
)
@click.option(
    "--hold",
    multiple=True,
    metavar="FILE",
    help="With --force: a held file that stays held, as the log names it. May be repeated.",
)
@options.as_json
@click.pass_context
def refit(
    ctx: click.Context,
    inbox: Path,
    home: str,
    dry_run: bool,
    force: str | None,
    hold: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take new sales in, refit, judge, and promote or keep.

    Reads the spreadsheets, CSV, Parquet and JSON files of INBOX that this home has not seen;
    a file in a folder belongs to the source of that name. Nothing is moved or changed there.
    """
    from diamond_pricing.errors import DiamondPricingError
    from diamond_pricing.refit import refit as run
    from diamond_pricing.registry import BusyError, ConflictError, open_store

    try:
        outcome = run(
            inbox,
            open_store(home),
            at=now(),
            by=who(),
            dry_run=dry_run,
            force=force or "",
            hold=hold,
            tell=lambda text: click.echo(text, err=True),
        )
    except (BusyError, ConflictError) as error:
        if as_json:
            click.echo(msgspec.json.encode({"verdict": "busy", "says": str(error)}).decode())
        click.echo(f"Busy: {error}", err=True)
        ctx.exit(CODES["busy"])
    except (DiamondPricingError, OSError) as error:
        if as_json:
            click.echo(msgspec.json.encode({"verdict": "error", "says": str(error)}).decode())
        raise
    if as_json:
        number = outcome.entry.number if outcome.entry else None
        answer = {"verdict": outcome.verdict, "says": outcome.says, "entry": number}
        click.echo(msgspec.json.encode(answer | {"record": outcome.record}).decode())
    else:
        click.echo(f"{outcome.verdict.capitalize()}{' (dry run)' if dry_run else ''}.")
        click.echo(outcome.says)
        for finding in outcome.record.get("findings", []):
            mark = "passed" if finding["passed"] else "FAILED"
            against = f" against the {finding['against']}" if finding["against"] else ""
            click.echo(f"  {mark}  {finding['gate']}{against}: {finding['says']}")
        for sentence in outcome.record.get("movers", []):
            click.echo(f"  {sentence}")
    ctx.exit(CODES[outcome.verdict])


@click.command(epilog=example("inspect partner.csv > home/sources/partner.toml"))
@click.argument("file", type=options.ANY_FILE)
@click.option("--source", type=options.ANY_FILE, help="A declared source to try.")
@click.option("--currency", help="Of the home. Default: that of the file.")
@options.trade
def inspect(file: Path, source: Path | None, currency: str | None) -> None:
    """Show how a file of sales would be understood, as a source to be confirmed.

    The source goes to standard output, what would become of the rows to standard error.
    """
    from diamond_pricing.intake import RejectedFileError, Source, guessed, read_sheet, take_in
    from diamond_pricing.intake.reading import TEXTS, encoding_of
    from diamond_pricing.intake.suggestions import suggested, unfinished

    declared = Source.from_toml(source.read_bytes()) if source else Source()
    data = file.read_bytes()
    sheet = read_sheet(
        file.name, data, encoding=declared.encoding, delimiter=declared.delimiter
    )
    try:
        full = guessed(sheet, declared, by_cells=True)
    except RejectedFileError as error:
        click.echo(unfinished(sheet, declared).encode(), nl=False)
        raise click.ClickException(
            f"{error} Complete the columns that stand as comments."
        ) from error
    understood, notes, comments = suggested(sheet, full)
    if not understood.encoding and file.suffix.casefold() in TEXTS:
        understood = msgspec.structs.replace(understood, encoding=encoding_of(data))
    ours = currency or understood.currency or "USD"
    intake = take_in(file.name, data, understood, currency=ours)
    # UTF-8, whatever the terminal writes: it is to be read again.
    click.echo(f"{understood.to_toml()}{comments}".encode())
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    click.echo(
        f"{intake.read:,} rows: {len(intake.sales):,} would be accepted, "
        f"{len(intake.quarantined):,} set aside.",
        err=True,
    )
    for row in intake.quarantined[:5]:
        click.echo(f"  row {row.row}, {row.field}: {row.reason}", err=True)
    if len(intake.quarantined) > 5:
        click.echo("  …", err=True)


@click.group(epilog=example("registry list --home home"))
def registry() -> None:
    """Look at the models of a home, and choose the active one."""


@registry.command("list", epilog=example("registry list --home home"))
@needed_home
@options.as_json
def list_(home: str, as_json: bool) -> None:
    """Show the log, and which model is active."""
    entries = _registry(home).entries()
    if as_json:
        click.echo(msgspec.json.encode(entries).decode())
        return
    if not entries:
        click.echo(f"There is no model in {home} yet.")
    for entry in entries:
        click.echo(_line(entry))
    if entries and entries[-1].active:
        click.echo(f"active {entries[-1].active[:12]}, anchor {entries[-1].anchor[:12]}")


@registry.command(epilog=example("registry show 3ddb4d29 --home home"))
@needed_home
@click.argument("model")
def show(home: str, model: str) -> None:
    """Say what a model is."""
    found = _registry(home).model(model)
    click.echo(f"{found}\n{found.origin}\n{residual_words(found)}")


@registry.command(epilog=example("registry diff 3ddb4d29 73a37450 --home home"))
@needed_home
@click.argument("first")
@click.argument("second")
def diff(home: str, first: str, second: str) -> None:
    """Say how prices move from one model to another, on stones that both know."""
    from diamond_pricing.refit.home import accepted_sales, stones_compared
    from diamond_pricing.refit.ledger import ledger

    models = _registry(home)
    old, new = models.model(first), models.model(second)
    stones = stones_compared(
        models.store, lambda: accepted_sales(models.store, models.entries())
    )
    moves = ledger(old, new, stones)
    click.echo(f"{len(moves.old):,} stones; the largest movements:")
    for sentence in moves.movers():
        click.echo(f"  {sentence}")


@registry.command(
    epilog=example("registry promote 3ddb4d29 --home home --reason 'new prices agreed'")
)
@needed_home
@click.argument("model")
@reason_option
def promote(home: str, model: str, reason: str) -> None:
    """Make MODEL active: an id of this home, or a file to be added to it."""
    from diamond_pricing.registry.signing import read_model

    models = _registry(home, must_be=not Path(model).is_file())  # a file may begin a home
    with models.store.writing(wait=True):
        if Path(model).is_file():
            model = models.add(read_model(Path(model)))
        click.echo(_line(models.promote(model, at=now(), by=who(), reason=reason)))


@registry.command(
    epilog=example("registry rollback --home home --reason 'a partner complained'")
)
@needed_home
@reason_option
def rollback(home: str, reason: str) -> None:
    """Make the model active again that was so before the present one."""
    models = _registry(home)
    with models.store.writing(wait=True):
        click.echo(_line(models.rollback(at=now(), by=who(), reason=reason)))


@registry.command(
    epilog=example("registry pin 73a37450 --home home --reason 'checked by Don Francesco'")
)
@needed_home
@click.argument("model")
@reason_option
def pin(home: str, model: str, reason: str) -> None:
    """Make MODEL the anchor that slow drift is measured from."""
    models = _registry(home)
    with models.store.writing(wait=True):
        click.echo(_line(models.pin(model, at=now(), by=who(), reason=reason)))


@registry.command(epilog=example("registry keygen signing.pem > trusted.pem"))
@click.argument("file", type=options.ANY_FILE)
def keygen(file: Path) -> None:
    """Make a private key in FILE, and show the public one that belongs to it.

    DIAMOND_PRICING_SIGNING_KEY names the first where models are fitted and promoted,
    DIAMOND_PRICING_TRUSTED_KEYS the second where they are read.
    """
    from diamond_pricing.registry.signing import new_key

    click.echo(new_key(file), nl=False)


@registry.command(epilog=example("registry sign --home home"))
@click.argument("file", type=options.ANY_FILE, required=False)
@options.home()
def sign(file: Path | None, home: str | None) -> None:
    """Sign a model document FILE, or all models of a home and its log, as they stand.

    Look at them first: to sign is to say that they are yours.
    """
    from diamond_pricing import PriceModel
    from diamond_pricing.files import write
    from diamond_pricing.registry.signing import MODEL, Signing, beside

    if file is not None:
        sha256 = PriceModel.from_json(file.read_bytes()).sha256
        write(beside(file), Signing.configured().sign(MODEL, sha256))
        click.echo(f"Signed model {sha256[:12]} in {beside(file)}.")
        return
    if not home:
        raise click.UsageError("name a FILE or a --home.")
    models = _registry(home)
    with models.store.writing(wait=True):
        count = models.sign()
    click.echo(f"Signed {count} hashes with key {models.signing.name}.")


@registry.command(epilog=example("registry verify --home home"))
@needed_home
@click.option("--head", default="", help="What an earlier check printed: shows a log cut off.")
def verify(home: str, head: str) -> None:
    """Check every model, every entry of the log and every file that it names."""
    from diamond_pricing.registry import RegistryError
    from diamond_pricing.registry.registry import seal

    models = _registry(home)
    wrong = models.verify(head)
    if wrong:
        raise RegistryError(" ".join(wrong))
    entries = models.entries()
    click.echo(
        f"All is as it was written: {len(entries)} entries, {len(models.models())} models."
    )
    if entries:
        click.echo(f"head {seal(entries[-1])}")


@click.command(epilog=example("accuracy --home home"))
@needed_home
@options.as_json
def accuracy(home: str, as_json: bool) -> None:
    """Compare sealed predictions with the prices that stones fetched.

    Each refit predicts the prices of new stones by the model that was active before it, and
    those of the stones in stock.csv, and keeps the hash of its predictions in the log.
    """
    from diamond_pricing.refit.sealed import scored

    models = _registry(home)
    scores = scored(models.store, models.entries())
    if as_json:
        click.echo(msgspec.json.encode(scores).decode())
        return
    if not scores:
        click.echo(f"No prediction in {home} can be scored yet.")
        return
    click.echo("                            sales  within 10 %  half within  level  in range")
    for s in scores:
        held = "" if s.held is None else f"{100 * s.held:9.1f} %"
        click.echo(
            f"{s.of:<11} {s.age:<15}{s.n:>6,}{100 * s.near:>11.1f} %{100 * s.error:>11.1f} %"
            f"{100 * s.level:>+7.1f}{held}"
        )


@click.command(epilog=example("listings --home home --out listings.csv"))
@needed_home
@click.option("--out", type=options.ANY_FILE, required=True, help="CSV file to write.")
def listings(home: str, out: Path) -> None:
    """Write each stone that was delivered once: its first and last day, and its prices.

    Stones with neither a report number nor measurements are left out.
    """
    import csv
    import io

    from diamond_pricing.files import harmless, write
    from diamond_pricing.refit.listings import listings as every

    models = _registry(home)
    found = every(models.store, models.entries())
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["source", "stone", "first", "last", "seen", "prices"])
    table.writerows(
        [
            harmless(one.source),
            harmless(one.stone),
            one.first,
            one.last,
            one.seen,
            " ".join(f"{price:g}" for price in one.prices),
        ]
        for one in found
    )
    write(out, text.getvalue().encode())
    again = sum(one.seen > 1 for one in found)
    moved = sum(len(one.prices) > 1 for one in found)
    click.echo(
        f"{out}: {len(found):,} stones; {again:,} were delivered again, {moved:,} at "
        "another price."
    )


def _line(entry: "Entry") -> str:
    what = entry.details.get("verdict", entry.action)
    reason = entry.reason if len(entry.reason) <= 70 else f"{entry.reason[:69]}…"
    model = entry.active[:12] or "none yet"
    return f"{entry.number:>4}  {entry.at}  {what:<13}  active {model}  {entry.by}: {reason}"


@click.group(epilog=example("expert plan --home home --out to-price.csv"))
def expert() -> None:
    """Test a new expert blind, and say whether to trust their prices."""


@expert.command("plan", epilog=example("expert plan --home home --out to-price.csv"))
@needed_home
@click.option("--stones", default=60, show_default=True, type=click.IntRange(12, 1000))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--out", type=options.ANY_FILE, required=True, help="CSV to fill in.")
def plan_(home: str, stones: int, seed: int, out: Path) -> None:
    """Choose stones on whose price the sales and the model agree; write them without it."""
    from diamond_pricing.refit.expert import plan, sheet
    from diamond_pricing.refit.home import sales_of

    if out.exists():  # it may hold an expert's prices
        raise click.UsageError(f"{out} exists; name another file.")
    models = _registry(home)
    chosen = plan(_active(models), sales_of(models.store, models.entries()), stones, seed)
    out.write_text(sheet(chosen), encoding="utf-8")
    click.echo(f"Wrote {stones} stones to {out}; the expert fills in the column price.")


@expert.command("judge", epilog=example("expert judge priced.csv --home home"))
@click.argument("file", type=options.ANY_FILE)
@needed_home
def judge_(file: Path, home: str) -> None:
    """Say how the expert's prices in FILE compare with the model's."""
    import numpy as np

    from diamond_pricing.fitting import Sales
    from diamond_pricing.intake import take_in
    from diamond_pricing.refit.expert import judge_expert
    from diamond_pricing.stones import Stones

    model = _active(_registry(home))
    intake = take_in(file.name, file.read_bytes(), currency=model.training.currency)
    for row in intake.quarantined:
        click.echo(f"left out: row {row.row}, {row.field}: {row.reason}", err=True)
    price = intake.sales["price"].to_numpy(np.float64)
    training = model.training
    sales = Sales(Stones.from_frame(intake.sales), price, training.currency, training.effective)
    click.echo(str(judge_expert(model, sales)))


def _active(models: "Registry") -> "PriceModel":
    from diamond_pricing.registry import RegistryError

    model = models.active()
    if model is None:
        raise RegistryError(f"there is no active model in {models.store} yet.")
    return model


COMMANDS: list[Any] = [refit, inspect, registry, accuracy, listings, expert]
