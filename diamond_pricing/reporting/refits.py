"""A refit as its home recorded it."""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from diamond_pricing.errors import ReportError
from diamond_pricing.fitting import Sales, read_sales
from diamond_pricing.model import PriceModel
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.deliveries import Delivery
from diamond_pricing.refit.ledger import ledger
from diamond_pricing.refit.offsets import Offset, taken_off
from diamond_pricing.registry import Entry, Registry

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Refit:
    """A refit of a home as it was recorded.

    Attributes
    ----------
    registry : Registry
    entry : Entry
        Of the log.
    record : dict
        Everything that the decision rested on.
    """

    registry: Registry
    entry: Entry
    record: dict[str, Any]

    @classmethod
    def read(cls, home: str, entry: str = "") -> "Refit":
        """The last refit of a home, or the one of an entry.

        Raises
        ------
        ReportError
            When there is no home, or no such refit in it.
        """
        if not home:
            raise ReportError("the report of a refit needs a home; give --home.")
        registry = Registry.at(home)
        for found in reversed(registry.entries()):
            if found.action == "refit" and str(found.number) == (entry or str(found.number)):
                record = registry.store.read(found.details["record"])
                return cls(registry, found, json.loads(record))
        which = f"numbered {entry}" if entry else "in the log"
        raise ReportError(f"there is no refit {which} of {registry.store}.")

    @property
    def currency(self) -> str:
        """Of all prices of the home."""
        return str(self.record["home"]["currency"])

    def model(self, role: str) -> PriceModel | None:
        """The ``champion``, ``candidate`` or ``anchor``; None where there was none."""
        name = self.record[role]
        return self.registry.model(name) if name else None

    @cached_property
    def _moved(self) -> "pd.DataFrame | None":
        import pandas as pd

        if "ledger" in self.record:
            return pd.read_csv(io.BytesIO(self.registry.store.read(self.record["ledger"])))
        champion, candidate = self.model("champion"), self.model("candidate")
        if champion is None or candidate is None:
            return None
        store = self.registry.store
        stones = homes.stones_compared(
            store, lambda: homes.accepted_sales(store, self.registry.entries())
        )
        return pd.read_csv(io.BytesIO(ledger(champion, candidate, stones).to_csv()))

    def moves(self) -> "pd.DataFrame | None":
        """Old and new price of every stone, and what each line carries, in dollars.

        Where the candidate was kept out, what it would have done; None where it is the
        first of its home.
        """
        return self._moved

    def moves_text(self) -> str:
        """What the movements are of."""
        if not self.record["candidate"]:
            return "Nothing was fitted: no price moves."
        if self._moved is None:
            return "This is the first model of the home: no price moves."
        n = f"{len(self._moved):,}"
        if "ledger" in self.record:
            return f"Of {n} stones, from the champion's price to the candidate's."
        return (
            f"Of {n} stones, from the champion's price to what the candidate would have asked; "
            "it was not promoted."
        )

    @cached_property
    def _frozen(self) -> Sales | None:
        if not self.record["candidate"]:
            return None
        store, home = self.registry.store, self.record["home"]
        before = [e for e in self.registry.entries() if e.number < self.entry.number]
        known = list(homes.deliveries_of(before).values())
        new = [msgspec.convert(d, Delivery) for d in self.record["deliveries"]]
        # Where the gates kept the candidate out, its deliveries are held for their reasons.
        reasons = {f["says"] for f in self.record["findings"] if not f["passed"]}
        tried = [
            d
            for d in new
            if d.status == "accepted"
            or (d.status == "held" and set(d.reason.removesuffix(".").split("; ")) <= reasons)
        ]
        frame = homes.stored_sales(
            store, [*(d for d in known if d.status == "accepted"), *tried]
        )
        if frame is None:
            return None
        frame = frame[homes.held_out(frame)].reset_index(drop=True)
        sources = homes.declared_sources(store, frame["source"])
        fitted = {o["source"]: msgspec.convert(o, Offset) for o in self.record["offsets"]}
        frame = frame.assign(price=taken_off(frame, sources, fitted))
        return read_sales(frame, currency=home["currency"], effective=home["effective"])

    def judged_on(self) -> Sales | None:
        """The sales that the candidate was judged on; None where nothing was fitted."""
        return self._frozen
