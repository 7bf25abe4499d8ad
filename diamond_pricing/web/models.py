"""The models of a server: the active one, followed without a restart, and pinned ones."""

import logging
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from diamond_pricing.errors import DiamondPricingError, MissingExtraError, RegistryError
from diamond_pricing.model import PriceModel, packaged_model
from diamond_pricing.registry import Entry, LocalStore, Registry, open_store, published
from diamond_pricing.stones import Stone, Stones, load_columns
from diamond_pricing.web.messages import ChangeOut, ModelOut
from diamond_pricing.web.problems import Fault, ProblemError

if TYPE_CHECKING:
    from diamond_pricing.fitting import Sales
    from diamond_pricing.validation import Comparables, Evidence

KEPT = 8  # models in memory beside the active one
DRAWN = 40  # like sales behind the median and the middle half
MOST = 1_000  # changes of one answer
log = logging.getLogger("diamond_pricing.web")


class Models:
    """Which model answers.

    Reading attributes is safe from every thread; what takes long (`refresh`, `find` of a
    model that is not in memory, `evidence`) belongs into a thread.

    Parameters
    ----------
    home : str
        Path or URL of a home; empty for the packaged model alone.

    Raises
    ------
    DiamondPricingError, OSError
        When the home or its active model cannot be read: nothing answered before that could
        go on, and the packaged model's prices are not this home's.
    """

    def __init__(self, home: str = "") -> None:
        self.home = home
        self.packaged = packaged_model()
        self.active = self.packaged
        self.swaps = self.faults = 0
        self.registry: Registry | None = None
        if home:
            store = open_store(home)
            if isinstance(store, LocalStore) and not store.root.is_dir():
                raise RegistryError(f"there is no home at {home}.")
            self.registry = Registry(store)
        self._entry = 0
        self._kept: OrderedDict[str, PriceModel] = OrderedDict()
        self._told: dict[str, ModelOut] = {}  # what is listed of each
        self._evidence: tuple[str, Comparables] | None = None
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        warm(self.active)
        self._follow()
        if self.registry is not None and not self._entry and self.registry.models():
            raise RegistryError(
                f"{home} has models and no log that says which is active; restore its log, or "
                "promote one with 'diamond-pricing registry promote'."
            )

    def refresh(self) -> None:
        """Follow the registry.

        A model that is damaged or does not price its own reference is not taken: the one
        that answered goes on answering.
        """
        try:
            self._follow()
        except (DiamondPricingError, OSError) as error:
            self.faults += 1
            log.error("the active model stays %s: %s", self.active.sha256[:12], error)

    def _follow(self) -> None:
        last = self.registry.last() if self.registry is not None else None
        if last is None and self._entry:
            raise RegistryError("the log of the home is gone.")
        if self.registry is None or last is None or last.number == self._entry:
            return
        if last.active and last.active != self.active.sha256:
            fresh = self.at_hand(last.active) or self.registry.model(last.active)
            warm(fresh)
            self.keep(self.active)
            self.active = fresh  # one assignment: a request sees the one or the other
            self.swaps += 1
            log.info("model %s is active, by entry %d", fresh.sha256[:12], last.number)
        self._entry = last.number

    def at_hand(self, name: str) -> PriceModel | None:
        """A model that is in memory, by its whole id or the first 8 or more characters."""
        for model in (self.active, self.packaged, *list(self._kept.values())):
            if len(name) >= 8 and model.sha256.startswith(name):
                return model
        return None

    def find(self, name: str) -> PriceModel:
        """Any model of this server; ``model_not_found`` when there is none of that id."""
        found = self.at_hand(name)
        if found is not None:
            return found
        hexadecimal = 8 <= len(name) <= 64 and not set(name) - set("0123456789abcdef")
        if self.registry is not None and hexadecimal:
            try:
                return self.keep(self.registry.model(name))
            except (RegistryError, OSError) as error:
                log.info("model %s was asked for: %s", name[:12], error)
        fault = Fault("there is no such model", parameter="model", given=name[:80])
        raise ProblemError("model_not_found", "This server has no model of that id.", [fault])

    def keep(self, model: PriceModel) -> PriceModel:
        """Have a model at hand."""
        with self._lock:
            self._kept[model.sha256] = model
            self._kept.move_to_end(model.sha256)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return model

    def effective(self, when: str) -> PriceModel:
        """The latest model whose prices are of a year or date; a problem if there is none."""
        candidates = [self.active, *self._promoted(), self.packaged]
        for model in candidates:
            if model.training.effective == when:
                return model
        known = list(dict.fromkeys(model.training.effective for model in candidates))
        wrong = f"No model here has prices of {when[:40]!r}; there are {', '.join(known)}."
        fault = Fault("no prices of that date", "/effective", "", when[:80], known[0], known)
        raise ProblemError("effective_not_known", wrong, [fault])

    def _promoted(self) -> list[PriceModel]:
        """Models that were active, latest first, as many as are kept in memory."""
        names = dict.fromkeys(e.active for e in reversed(self._entries()) if e.active)
        found = []
        for name in list(names)[:KEPT]:
            with suppress(ProblemError):  # damaged; `registry verify` tells
                found.append(self.find(name))
        return found

    def _entries(self) -> list[Entry]:
        return self.registry.entries() if self.registry is not None else []

    def published(self) -> dict[str, float]:
        """The index that the home has published, by month."""
        return published(self._entries())

    def changes(self, after: int) -> list[ChangeOut]:
        """When another model became active, from the entry behind ``after`` on."""
        found, before = [], ""
        for e in self._entries():
            if e.active != before and e.number > after:
                found.append(ChangeOut(e.number, e.at, e.action, e.active, before))
            before = e.active
        return found[:MOST]

    def listed(self) -> list[ModelOut]:
        """All models, the active one first."""
        names = self.registry.models() if self.registry is not None else []
        names = [self.active.sha256, *sorted({*names, self.packaged.sha256})]
        found = []
        for name in dict.fromkeys(names):
            if name not in self._told:
                try:
                    self._told[name] = self._summary(name)
                except (RegistryError, OSError) as error:
                    log.info("model %s is not listed: %s", name[:12], error)
                    continue  # `registry verify` tells
            active = name == self.active.sha256
            found.append(msgspec.structs.replace(self._told[name], active=active))
        return found

    def _summary(self, name: str) -> ModelOut:
        """What is listed of a model; it is read and let go, as a home may have very many."""
        model = self.at_hand(name)
        if model is None:
            assert self.registry is not None  # which named it
            model = self.registry.model(name)
        t = model.training
        return ModelOut(name, False, model.family, t.currency, t.effective, t.rows, t.stones)

    def evidence(self, model: PriceModel, stone: Stone, count: int) -> "Evidence":
        """The ``count`` sales nearest to a stone; the median is of ``DRAWN`` or more.

        Raises
        ------
        ProblemError
            When the sales cannot be read.
        StoneError
            When the model declines the stone.
        """
        from diamond_pricing.validation import Comparables

        with self._looking:  # once, however many ask at the same time
            if self._evidence is None or self._evidence[0] != model.sha256:
                self._evidence = (model.sha256, Comparables(model, self._sales(model)))
            ready = self._evidence[1]
        found = ready.nearest(stone, min(max(count, DRAWN), len(ready.rows)))
        return replace(found, comparables=found.comparables[:count])

    def _sales(self, model: PriceModel) -> "Sales":
        from diamond_pricing.fitting import read_sales

        if self.registry is not None and model.sha256 != self.packaged.sha256:
            try:
                from diamond_pricing.refit.home import sales_of

                return sales_of(self.registry.store, self.registry.entries())
            except (DiamondPricingError, ImportError, OSError) as error:
                log.error("no comparables: %s", error)
                told = "the sales of this home cannot be read."
                if isinstance(error, ImportError | MissingExtraError):
                    told = "install the extra 'refit' to serve the sales of a home."
                raise ProblemError("no_comparables", f"No comparables: {told}") from error
        return read_sales(load_columns())


def warm(model: PriceModel) -> None:
    """Price and explain once: what a model works out at first use is then there.

    Raises
    ------
    DiamondPricingError
        When it cannot price its own reference.
    """
    why = model.explain(model.reference)
    assert sum(line.cents for line in why.lines) == why.cents
    _ = [why.sentence(line) for line in why.lines], why.verdict, why.lines[0].factor_range()
    stones = Stones.of([model.reference])
    if not np.isclose(model.price(stones)[0], why.price, atol=0.01):
        raise RegistryError("the model prices its reference in two ways.")
    model.itemise(stones)
