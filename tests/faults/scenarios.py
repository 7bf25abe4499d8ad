"""What is written in one piece, and what must be true of it whenever the writer died.

A scenario makes a place ready, works there and says what it has acknowledged; its check looks
at the place as the next user would find it, and holds whatever moment the writer was stopped
at. Kills, failing calls and power cuts all try the same scenarios.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import text

from diamond_pricing import PriceModel
from diamond_pricing.cli import main
from diamond_pricing.errors import DiamondPricingError
from diamond_pricing.refit.run import refit
from diamond_pricing.registry import LocalStore, Registry
from diamond_pricing.registry.registry import seal
from diamond_pricing.registry.signing import Signing
from diamond_pricing.web.settings import Settings
from diamond_pricing.web.storage import (
    Caller,
    Database,
    Keys,
    NewQuote,
    Spend,
    audit_faults,
    create_key,
    revoke_key,
)
from diamond_pricing.web.storage.ledger import settled
from diamond_pricing.web.storage.tables import quotes, usage

Tell = Callable[[str], None]
SAID = {"at": "2026-01-01T00:00:00Z", "by": "test"}
WHY = SAID | {"reason": "a test"}
SECRET = b"0123456789abcdef0123456789abcdef"
STONE = ["--carat", "1.01", "--cut", "Ideal", "--color", "E", "--clarity", "VS1"]


class Scenario(NamedTuple):
    """Work that may be stopped anywhere.

    ``prepare`` makes a new place ready; ``work`` may be done there again and again, and tells
    what it has acknowledged; ``check`` raises if what it finds does not go with what was told.
    """

    prepare: Callable[[Path], None]
    work: Callable[[Path, Tell], None]
    check: Callable[[Path, list[str]], None]


class Refit(NamedTuple):
    """A delivery that leads to another model; its fit was made before."""

    ready: Path
    old: str
    new: str

    def prepare(self, place: Path) -> None:
        shutil.copytree(self.ready, place)
        if not self.old:
            shutil.rmtree(place / "home")

    def work(self, place: Path, tell: Tell) -> None:
        outcome = refit(place / "inbox", LocalStore(place / "home"), **SAID)
        if outcome.entry is not None:  # else it was done before
            tell(outcome.entry.active)

    def check(self, place: Path, told: list[str]) -> None:
        registry = Registry(LocalStore(place / "home"))
        assert registry.verify() == []
        last = registry.last()
        active = last.active if last is not None else ""
        assert active in (self.old, self.new)
        more = len(registry.entries()) - bool(self.old)
        assert more in (0, 1)  # a file that cannot be read is written down too
        assert more or active == self.old
        assert all(active == one for one in told)
        if active:
            assert registry.active() is not None


class Promotions(NamedTuple):
    """The active model is exchanged, and back, in a signed home."""

    models: tuple[PriceModel, ...]
    signing: Signing

    def _at(self, place: Path) -> Registry:
        return Registry(LocalStore(place / "home"), self.signing)

    def prepare(self, place: Path) -> None:
        registry = self._at(place)
        for model in self.models:
            registry.add(model)
        registry.promote(self.models[0].sha256, **WHY)

    def work(self, place: Path, tell: Tell) -> None:
        registry = self._at(place)
        with registry.store.writing(wait=True):
            tell(seal(registry.promote(self.models[1].sha256, **WHY)))
            tell(seal(registry.rollback(**WHY)))
            tell(seal(registry.pin(self.models[1].sha256, **WHY)))

    def check(self, place: Path, told: list[str]) -> None:
        registry = self._at(place)
        assert registry.verify(told[-1] if told else "") == []
        assert set(told) <= {seal(entry) for entry in registry.entries()}
        assert len(registry.entries()) - 1 in (len(told), len(told) + 1)
        assert registry.active() is not None


class Quotes(NamedTuple):
    """Quotes are stored and charged."""

    def _at(self, place: Path) -> Database:
        return Database(f"sqlite:///{place}/service.db")

    def prepare(self, place: Path) -> None:
        database = self._at(place)
        database.upgrade()
        database.close()

    def work(self, place: Path, tell: Tell) -> None:
        database = self._at(place)
        quote = NewQuote("m" * 64, '{"carat":1.01}', 804158)
        try:
            for _ in range(3):
                with database.writing() as connection:
                    (receipt,) = settled(
                        connection, [Spend(Caller("acme"), "quote", 1, quote)], 1.8e9
                    )
                assert receipt.quote is not None
                tell(receipt.quote.id)
        finally:
            database.close()

    def check(self, place: Path, told: list[str]) -> None:
        database = self._at(place)
        with database.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            found = connection.execute(quotes.select()).all()
            units = connection.execute(usage.select()).all()
        database.close()
        assert set(told) <= {row.id for row in found}, "an acknowledged quote is lost"
        assert len(found) - len(told) in (0, 1)
        assert all(row.cents == 804158 for row in found)
        assert sum(row.units for row in units) == len(found), "charged and kept go together"


class KeysMade(NamedTuple):
    """A new server's secret; keys made and revoked, and the audit log of it."""

    def _at(self, place: Path) -> Settings:
        return Settings(data=place / "service")

    def prepare(self, place: Path) -> None:
        place.mkdir()

    def work(self, place: Path, tell: Tell) -> None:
        settings = self._at(place)
        database = Database(settings.url)
        database.upgrade()
        secret = settings.secret()
        try:
            first = create_key(database, secret, "acme", ["quote"], by="test", quota="9/hour")
            tell(first)
            tell(create_key(database, secret, "bolt", ["batch"], by="test"))
            revoke_key(database, secret, first, by="test")
            tell(f"revoked {first}")
        finally:
            database.close()

    def check(self, place: Path, told: list[str]) -> None:
        settings = self._at(place)
        database = Database(settings.url)
        database.upgrade()
        with database.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
            assert audit_faults(connection, settings.secret()) == []
        keys = Keys(database, settings.secret())
        keys.refresh()
        gone = {one.removeprefix("revoked ") for one in told if one.startswith("revoked")}
        made = [one for one in told if one.startswith("dp_")]
        # The first of a pair may have been revoked without a word of it.
        unsure = made[-2:-1] if told and told[-1] in made and len(made) % 2 == 0 else []
        for key in set(made) - set(unsure):
            assert (keys.caller(key) is not None) == (key not in gone)
        database.close()


class Page(NamedTuple):
    """A client's page, written over an earlier one."""

    old: bytes
    new: bytes

    def prepare(self, place: Path) -> None:
        place.mkdir()
        (place / "page.html").write_bytes(self.old)

    def work(self, place: Path, tell: Tell) -> None:
        _run("explain", *STONE, "--html", str(place / "page.html"))
        tell("written")

    def check(self, place: Path, told: list[str]) -> None:
        found = (place / "page.html").read_bytes()
        assert found in ((self.new,) if told else (self.old, self.new))


class Score(NamedTuple):
    """A file of stones, priced."""

    stones: pd.DataFrame

    def prepare(self, place: Path) -> None:
        place.mkdir()
        self.stones.to_csv(place / "in.csv", index=False)

    def work(self, place: Path, tell: Tell) -> None:
        _run("score", str(place / "in.csv"), str(place / "out.parquet"))
        tell("written")

    def check(self, place: Path, told: list[str]) -> None:
        file = place / "out.parquet"
        assert file.exists() or not told
        if file.exists():
            assert len(pd.read_parquet(file)) == len(self.stones)


def _run(*words: str) -> None:
    """A command in this process; its error is raised again."""
    if main([*words]):
        raise DiamondPricingError(words[0])


def names() -> list[str]:
    return ["refit", "first refit", "promotions", "quotes", "keys", "page", "score"]


def scenario(name: str, given: dict[str, Any]) -> Scenario:
    """Make a scenario of the fixtures that it needs."""
    made: Any
    if name.endswith("refit"):
        old = json.loads((given["ready"] / "home/log/00000001.json").read_text())
        made = Refit(
            given["ready"],
            old["entry"]["active"] if name == "refit" else "",
            given["other"].sha256,
        )
    else:
        made = {
            "promotions": lambda: Promotions(
                (given["loglinear"], given["gam"]), given["signing"]
            ),
            "quotes": Quotes,
            "keys": KeysMade,
            "page": lambda: Page(b"an old page", given["page"]),
            "score": lambda: Score(given["sales"].head(50)),
        }[name]()
    return Scenario(made.prepare, made.work, made.check)
