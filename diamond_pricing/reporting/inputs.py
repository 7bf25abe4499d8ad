"""What a report speaks of: a model, sales, and where a home is given, its refits."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diamond_pricing.arrays import Integers, Vector
from diamond_pricing.errors import FitError, ReportError
from diamond_pricing.exhibits import Priced, plain_markdown
from diamond_pricing.fitting import Sales, fit, grade_worth, read_sales
from diamond_pricing.fitting.grade_worth import Worth
from diamond_pricing.intake import Quarantined, take_in
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.model.words import ENGLISH
from diamond_pricing.refit import home as homes
from diamond_pricing.refit.sealed import Score, scored
from diamond_pricing.registry import Registry, published
from diamond_pricing.registry.signing import read_model
from diamond_pricing.reporting.source import shipped
from diamond_pricing.stones import Stones, load_sales, stone_keys

if TYPE_CHECKING:
    import pandas as pd

    from diamond_pricing.fitting.held_out import HeldOut

CACHE = "DIAMOND_PRICING_REPORT_CACHE"  # a folder that reports of one run share
TRIAL = "trial"
DISJOINT = 3  # models that share no stone
LARGEST_SAMPLE = 2_500  # stones of each
FEWEST = 1_500  # sales from which a fit of their own tells more than the model


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
    finds : str
        What ``rows`` are: ``row`` of a file, or ``place`` among the sales.
    """

    model: PriceModel
    whose: str
    frame: "pd.DataFrame"
    of: str
    quarantined: tuple[Quarantined, ...]
    rows: Integers
    registry: Registry | None
    finds: str = "place"
    _begun: "dict[str | int, Future[str]]" = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, model: str = "", home: str = "", data: str = "", as_of: str = "") -> "Inputs":
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
        as_of : str
            The day of the prices, as ``2026-09-30``; empty: the last of the model's sales.

        Raises
        ------
        DiamondPricingError
            When one of them is not there or cannot be read.
        """
        registry = Registry.at(home) if home else None
        found, whose = _model(model, registry)
        found = found.as_of(as_of) if as_of else found
        t = found.training
        if data:
            path = Path(data)
            intake = take_in(path.name, path.read_bytes(), currency=t.currency)
            frame, rows = intake.sales.drop(columns="row"), intake.sales["row"].to_numpy()
            frame.attrs = {"currency": t.currency, "effective": t.effective}
            of, aside = plain_markdown(path.name), tuple(intake.quarantined)
            return cls(found, whose, frame, of, aside, rows, registry, "row")
        if registry is not None:
            frame = homes.counted_sales(registry.store, registry.entries())
            of = "the sales of the home"
            return cls(found, whose, frame, of, (), np.arange(len(frame)), registry)
        frame = load_sales()
        aside = tuple(
            Quarantined(row, problem.attribute, problem.reason, "")
            for row, problem in Stones.from_frame(frame).left_out
        )
        of = "the packaged sales of 2008"
        return cls(found, whose, frame, of, aside, np.arange(len(frame)), None)

    @cached_property
    def sales(self) -> Sales:
        """The sales, checked.

        Raises
        ------
        ReportError
            When they are not in the model's money, or of another day.
        """
        t, found = self.model.training, read_sales(self.frame)
        packaged = self.registry is None and self.finds != "row"
        if found.currency != t.currency or (packaged and found.effective != t.effective):
            raise ReportError(
                f"the model's prices are {ENGLISH.prices(t.currency, t.effective)}, "
                f"{self.of} are in {ENGLISH.prices(found.currency, found.effective)}; give "
                "--data with sales like those that it was fitted to."
            )
        return found

    @cached_property
    def _evidence(self) -> Sales | None:
        try:
            return self.sales
        except (ReportError, FitError):  # a price needs no sales
            return None

    @property
    def sold_weights(self) -> Vector | None:
        """Weights of the sales, where there are any like the model's."""
        return None if self._evidence is None else self._evidence.stones["carat"]

    @property
    def dearest(self) -> float | None:
        """Price of the dearest sale, where there are any like the model's."""
        return None if self._evidence is None else float(self._evidence.price.max())

    @property
    def row_words(self) -> str:
        """How a person finds a row."""
        if "row" in self.finds:
            return "The row is the line of the file; the header is line 1."
        return "The row counts the sales from 0."

    def need_sales(self, least: int) -> None:
        """Refuse what so few sales cannot show, by a `ReportError`."""
        if len(self.frame) < least:
            raise ReportError(
                f"this report needs {least} sales to say anything; {self.of} are "
                f"{len(self.frame)}."
            )

    def need_dates(self) -> None:
        """Refuse a model whose sales have no dates, by a `ReportError`."""
        if self.model.dates is None:
            raise ReportError(
                f"this report needs a model whose sales have dates; {self.model} has none."
            )

    @cached_property
    def published(self) -> dict[str, float]:
        """The index that the home has published, by month."""
        return {} if self.registry is None else published(self.registry.entries())

    @cached_property
    def told_before(self) -> list[Score]:
        """The home's sealed predictions against the prices that stones fetched."""
        home = self.registry
        return [] if home is None else scored(home.store, home.entries())

    def worth(self, attribute: str) -> list[Worth]:
        """What each grade is worth, by quarter."""
        return grade_worth(self.sales, attribute)

    def need_ranges(self) -> None:
        """Refuse a model without ranges of its prices, by a `ReportError`."""
        if self.model.ranges is None or self.model.support is None:
            raise ReportError(
                f"this report needs a model that states ranges; {self.model} does not. "
                "The family 'monotone' does."
            )

    @cached_property
    def priced(self) -> Priced:
        """What the sales are expected to fetch, each by a fit that did not see the stone."""
        if len(self.frame) < FEWEST:
            rows = np.flatnonzero(self.model.supports(self.sales.stones))
            sales, model = self.sales.take(rows), self.model
            recorded = model.log_price(sales.stones, listing="recorded")
            how = (
                f"These {len(rows):,} sales are too few to fit a model to: expected prices are "
                f"those of model {model.sha256[:12]}, which may have seen some of the stones."
            )
            return Priced(self.rows[rows], sales, recorded, how, unseen=False)
        kept = self._held_out
        judged = ~np.isnan(kept["recorded"])
        rows = kept["rows"][judged]
        how = (
            f"Each of the {len(rows):,} sales is priced by a fit of the default recipe "
            "to the others, which did not see the stone (five folds by stone)."
        )
        return Priced(self.rows[rows], self.sales.take(rows), kept["recorded"][judged], how)

    @cached_property
    def alone(self) -> "tuple[Integers, Sales]":
        """Rows and sales with nothing like them among the others to judge by."""
        if len(self.frame) < FEWEST:
            rows = np.flatnonzero(~self.model.supports(self.sales.stones))
        else:
            kept = self._held_out
            rows = kept["rows"][np.isnan(kept["recorded"])]
        return self.rows[rows], self.sales.take(rows)

    @cached_property
    def fitted(self) -> "tuple[PriceModel, HeldOut]":
        """The default family fitted to the sales, with held-out prices and leverages.

        Raises
        ------
        FitError
            When the sales cannot support it.
        """
        from diamond_pricing.fitting.monotone import fit_held_out

        return fit_held_out(self.frame)

    @cached_property
    def _held_out(self) -> dict[str, Any]:
        def found() -> dict[str, Any]:
            held = self.fitted[1]
            return {"rows": held.rows, "recorded": held.recorded}

        return self._kept("held_out", found)

    @cached_property
    def parted(self) -> "tuple[pd.DataFrame, pd.DataFrame]":
        """Sales of two thirds of the stones, drawn at random, and those of the rest."""
        n = self.stone_count
        first, second = samples(self.frame, (2 * n // 3, n - 2 * n // 3))
        return first, second

    @cached_property
    def stone_count(self) -> int:
        """Distinct stones of the sales."""
        return len(np.unique(stone_keys(self.sales.stones)))

    @cached_property
    def trial(self) -> tuple[PriceModel, Priced]:
        """The default family fitted to the first of ``parted``, and how it prices the second.

        Where the sales are too few, the model itself and how it prices them.
        """
        if len(self.frame) < FEWEST:
            return self.model, self.priced

        def document() -> dict[str, Any]:
            begun = self._begun.get(TRIAL)
            text = _document(self.parted[0]) if begun is None else begun.result()
            return {"document": np.array(text)}

        model = PriceModel.from_json(str(self._kept("trial", document)["document"]))
        test = read_sales(self.parted[1])
        rows = np.flatnonzero(model.supports(test.stones))
        sales = test.take(rows)
        recorded = model.log_price(sales.stones, listing="recorded")
        how = (
            f"The default recipe was fitted to the {model.training.rows:,} sales of two thirds "
            f"of the stones, drawn at random; it prices the {len(rows):,} sales of the other "
            f"third that it supports ({len(test) - len(rows):,} it declines)."
        )
        return model, Priced(rows, sales, recorded, how)

    @cached_property
    def disjoint(self) -> tuple[PriceModel, ...]:
        """Three models of the default family, fitted to stones of their own."""
        begun = [self._begun[i] for i in range(DISJOINT) if i in self._begun]
        texts = [found.result() for found in begun] or [_document(f) for f in self._samples]
        return tuple(PriceModel.from_json(text) for text in texts)

    @cached_property
    def _samples(self) -> "list[pd.DataFrame]":
        size = min(LARGEST_SAMPLE, self.stone_count // DISJOINT)
        return samples(self.frame, (size,) * DISJOINT, seed=1)

    def begin(self) -> None:
        """Start the fits of ``trial`` and ``disjoint`` in a process of their own.

        They go on while `fitted` is under way, where there are two cores.
        """
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        if len(self.frame) >= FEWEST:
            self._begun[TRIAL] = pool.submit(_document, self.parted[0])
        for i, frame in enumerate(self._samples):
            self._begun[i] = pool.submit(_document, frame)
        pool.shutdown(wait=False)

    def _kept(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Arrays that reports of one run share in a folder, where there is one."""
        folder = os.environ.get(CACHE)
        if not folder:
            return make()
        digest = hashlib.sha256(self.sales.price.tobytes())
        for column in sorted(self.sales.stones.columns):
            digest.update(np.ascontiguousarray(self.sales.stones[column]).tobytes())
        file = Path(folder) / f"{name}-{digest.hexdigest()[:20]}.npz"
        if not file.is_file():
            with file.open("wb") as target:
                np.savez(target, **make())
        with np.load(file, allow_pickle=False) as kept:
            return dict(kept)

    @property
    def benchmark(self) -> dict[str, Any]:
        """Results of the accuracy benchmark beside other libraries, as it was last run."""
        file = shipped("accuracy.json")
        if not file.is_file():
            file = file.parents[1] / "docs/explanation/accuracy.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def _document(frame: "pd.DataFrame") -> str:
    """The default family fitted to some sales, as its document."""
    return fit(frame).to_json()


def _model(name: str, registry: Registry | None) -> tuple[PriceModel, str]:
    if name and Path(name).is_file():
        return read_model(Path(name)), plain_markdown(Path(name).name)
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
    *parts, _ = np.split(order, np.cumsum(sizes))
    return [frame[np.isin(keys, part)].reset_index(drop=True) for part in parts]
