"""What a report speaks of: a model, sales, and where a home is given, its refits."""

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import DocumentError, FitError, ReportError
from diamond_pricing.fitting import Sales, read_sales
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.model.document import LARGEST
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.ledger import ledger
from diamond_pricing.registry import Entry, Registry, open_store
from diamond_pricing.reporting.source import shipped
from diamond_pricing.stones import Stones, load_sales, stone_keys
from diamond_pricing.warehouse import Quarantined, take_in

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.fitting.held_out import HeldOut

CACHE = "DIAMOND_PRICING_REPORT_CACHE"  # a folder that reports of one run share
FEWEST = 1_500  # sales from which a fit of their own tells more than the model


class Priced(NamedTuple):
    """Sales and what they are expected to fetch.

    Attributes
    ----------
    rows : Integers
        Lines of the file, or rows of the sales, that a person finds them by; shape (m,).
    sales : Sales
        The m sales.
    recorded, blend : Vector
        Expected log price on the list of the sale, and on the blend; shape (m,).
    how : str
        Where the expectation comes from, in a sentence.
    """

    rows: Integers
    sales: Sales
    recorded: Vector
    blend: Vector
    how: str

    @property
    def error(self) -> Vector:
        """Log price over expected log price, shape (m,)."""
        return np.log(self.sales.price) - self.recorded

    @property
    def stone(self) -> Integers:
        """Equal for sales of one stone, shape (m,)."""
        return stone_keys(self.sales.stones)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a report speaks of.

    Attributes
    ----------
    model : PriceModel
    whose : str
        Which model it is, in words.
    frame : DataFrame
        The sales that could be read.
    of : str
        Which sales they are, in words.
    quarantined : tuple[Quarantined, ...]
        Rows that could not, with their reasons.
    rows : Integers
        Where a person finds each row of the frame.
    registry : Registry or None
        Of the home.
    """

    model: PriceModel
    whose: str
    frame: "pd.DataFrame"
    of: str
    quarantined: tuple[Quarantined, ...]
    rows: Integers
    registry: Registry | None

    @classmethod
    def read(cls, model: str = "", home: str = "", data: str = "") -> "Inputs":
        """Find the model and the sales.

        Parameters
        ----------
        model : str
            Id in the home, or a file; empty: the active model of the home, else the
            packaged one.
        home : str
            A directory or URL; empty: none.
        data : str
            A file of sales; empty: those of the home, else the packaged ones.

        Raises
        ------
        DiamondPricingError
            When one of them is not there or cannot be read.
        """
        registry = Registry(open_store(home)) if home else None
        found, whose = _model(model, registry)
        t = found.training
        if data:
            path = Path(data)
            intake = take_in(path.name, path.read_bytes(), currency=t.currency)
            frame, rows = intake.sales.drop(columns="row"), intake.sales["row"].to_numpy()
            frame.attrs = {"currency": t.currency, "effective": t.effective}
            return cls(
                found, whose, frame, path.name, tuple(intake.quarantined), rows, registry
            )
        if registry is not None:
            frame = homes.counted_sales(registry.store, registry.entries())
            of = "the sales of the home"
            return cls(found, whose, frame, of, (), np.arange(len(frame)), registry)
        frame = load_sales()
        left_out = [
            Quarantined(row, problem.attribute, problem.reason, "")
            for row, problem in Stones.from_frame(frame).left_out
        ]
        rows = np.arange(len(frame))
        return cls(
            found, whose, frame, "the packaged sales of 2008", tuple(left_out), rows, None
        )

    @cached_property
    def sales(self) -> Sales:
        """The sales, checked."""
        return read_sales(self.frame)

    def need_ranges(self) -> None:
        """Refuse a model that does not say how far prices scatter around its own.

        Raises
        ------
        ReportError
        """
        if self.model.ranges is None or self.model.support is None:
            raise ReportError(
                f"this report needs a model that states ranges; {self.model} does not. "
                "The family 'monotone' does."
            )

    @cached_property
    def priced(self) -> Priced:
        """What the sales are expected to fetch, each by a fit that did not see the stone."""
        if len(self.frame) < FEWEST:
            return self._by_model()
        file = self._cached()
        if file is not None and file.is_file():
            with np.load(file, allow_pickle=False) as kept:
                rows, recorded, blend = kept["rows"], kept["recorded"], kept["blend"]
        else:
            held = self.fitted[1]
            rows, recorded, blend = held.rows, held.recorded, held.blend
        how = (
            f"Each of the {len(rows):,} sales is priced by a fit of the same recipe to the other "
            "sales, which did not see the stone (five folds by stone)."
        )
        return Priced(self.rows[rows], self._some(rows), recorded, blend, how)

    @cached_property
    def fitted(self) -> "tuple[PriceModel, HeldOut]":
        """The default family fitted to the sales, with held-out prices and leverages.

        Raises
        ------
        FitError
            When the sales cannot support it.
        """
        from diamond_pricing.fitting.monotone import fit_held_out

        model, held = fit_held_out(self.frame)
        if (file := self._cached()) is not None:
            with file.open("wb") as target:
                np.savez(target, rows=held.rows, recorded=held.recorded, blend=held.blend)
        return model, held

    def _by_model(self) -> Priced:
        rows = np.flatnonzero(self.model.supports(self.sales.stones))
        sales = self._some(rows)
        recorded = self.model.log_price(sales.stones, listing="recorded")
        how = (
            f"These {len(rows):,} sales are too few for a fit of their own: the expected prices are "
            f"those of model {self.model.sha256[:12]}, which may have seen some of the stones."
        )
        return Priced(self.rows[rows], sales, recorded, self.model.log_price(sales.stones), how)

    def _some(self, rows: Integers) -> Sales:
        s = self.sales
        return Sales(s.stones.take(rows), s.price[rows], s.currency, s.effective)

    def _cached(self) -> Path | None:
        folder = os.environ.get(CACHE)
        if not folder:
            return None
        s = self.sales
        digest = hashlib.sha256(s.price.tobytes())
        for name in sorted(s.stones.columns):
            digest.update(np.ascontiguousarray(s.stones[name]).tobytes())
        return Path(folder) / f"{digest.hexdigest()[:20]}.npz"

    @property
    def benchmark(self) -> dict[str, Any]:
        """Results of the accuracy benchmark beside other libraries, as it was last run."""
        found: dict[str, Any] = json.loads(_benchmark().read_text(encoding="utf-8"))
        return found


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
        """The last refit of a home that fitted a candidate, or the one of an entry.

        Raises
        ------
        ReportError
            When there is no home, or no such refit in it.
        """
        if not home:
            raise ReportError("the report of a refit needs a home; give --home.")
        registry = Registry(open_store(home))
        for found in reversed(registry.entries()):
            if found.action == "refit" and str(found.number) == (entry or str(found.number)):
                record = json.loads(registry.store.read(found.details["record"]))
                if record["candidate"]:
                    return cls(registry, found, record)
        which = f"numbered {entry}" if entry else "in its log"
        raise ReportError(
            f"there is no refit {which} of {registry.store} that fitted a candidate."
        )

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
        sales = homes.accepted_sales(store, self.registry.entries())
        stones = homes.stock_of(store) or homes.each_stone(sales)
        return pd.read_csv(io.BytesIO(ledger(champion, candidate, stones).to_csv()))

    def moves(self) -> "pd.DataFrame | None":
        """Old and new price of every stone, and what each line carries, in dollars.

        Where the candidate was kept out, what it would have done; None where it is the
        first of its home.
        """
        return self._moved

    def moves_text(self) -> str:
        """What the movements are of."""
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
    def _frozen(self) -> Sales:
        frame = homes.counted_sales(self.registry.store, self.registry.entries())
        return read_sales(frame[homes.held_out(frame)].reset_index(drop=True))

    def judged_on(self) -> Sales:
        """The accepted sales of stones that no model of the home was fitted on."""
        return self._frozen


class Prose:
    """Markdown that is made by a cell."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_markdown_(self) -> str:
        return self.text


def _model(name: str, registry: Registry | None) -> tuple[PriceModel, str]:
    if name and Path(name).is_file():
        try:
            with Path(name).open("rb") as source:
                return PriceModel.from_json(source.read(LARGEST + 1)), Path(name).name
        except DocumentError as error:
            raise DocumentError(f"{name}: {error}") from error
    if name and registry is not None:
        return registry.model(name), "a model of the home"
    if name:
        packaged = packaged_model()
        if len(name) >= 4 and packaged.sha256.startswith(name):
            return packaged, "the packaged model"
        raise ReportError(f"there is no model {name!r}; name a file, or a home that has it.")
    if registry is not None:
        active = registry.active()
        if active is None:
            raise ReportError(f"there is no active model in {registry.store} yet.")
        return active, "the active model"
    return packaged_model(), "the packaged model"


def _benchmark() -> Path:
    found = shipped("accuracy.json")
    return found if found.is_file() else found.parents[1] / "docs/explanation/accuracy.json"


def samples(frame: "pd.DataFrame", sizes: Sequence[int], seed: int = 0) -> "list[pd.DataFrame]":
    """Disjoint random samples of so many stones each, with all of their sales.

    Raises
    ------
    FitError
        When there are not so many stones.
    """
    keys = stone_keys(Stones.from_frame(frame))
    order = np.random.default_rng(seed).permutation(keys.max() + 1)
    if sum(sizes) > len(order):
        raise FitError(f"samples of {sum(sizes):,} stones from {len(order):,}.")
    found, start = [], 0
    for size in sizes:
        found.append(frame[np.isin(keys, order[start : start + size])].reset_index(drop=True))
        start += size
    return found
