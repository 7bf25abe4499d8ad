"""Everything a server holds: its models, what it remembers, what it counts."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from diamond_pricing.errors import StorageError
from diamond_pricing.model import PriceModel
from diamond_pricing.registry import LocalStore, open_store
from diamond_pricing.web.door import Known
from diamond_pricing.web.house import read_house
from diamond_pricing.web.metrics import Metrics
from diamond_pricing.web.models import Models
from diamond_pricing.web.problems import Fault, ProblemError, unauthorized
from diamond_pricing.web.settings import Settings
from diamond_pricing.web.storage import Database, Keys, Ledger, NewQuote, Receipt, Spend
from diamond_pricing.web.storage.ledger import PATIENCE

T = TypeVar("T")
log = logging.getLogger("diamond_pricing.web")


class Service:
    """What requests are answered with.

    Raises
    ------
    DiamondPricingError
        When the home or the database cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.models = Models(settings.home)
        homes = [open_store(settings.home)] if settings.home else []
        self.house = read_house([*homes, LocalStore(settings.data)])
        self.metrics = Metrics()
        self.database = Database(settings.url) if settings.store else None
        self.ledger: Ledger | None = None
        secret = settings.secret() if settings.store else b""
        if self.database is not None:
            self.database.upgrade()
            self.ledger = Ledger(self.database, settings.limits.unstored)
        self.keys = Keys(self.database, secret)
        self.keys.refresh()
        # Stock lists that were priced, by the token of their link: when, for whom, what.
        self.priced_lists: OrderedDict[str, tuple[float, str, Any]] = OrderedDict()
        self.each_moment: list[Callable[[], None]] = []  # ten times a second
        self._measured()

    @asynccontextmanager
    async def running(self, _: Any = None) -> AsyncIterator[None]:
        """Follow registry and keys, and write the ledger, while the server runs."""
        if self.ledger is not None:
            self.ledger.start()
        works = (self._follow, self._ready, self._moments)
        tasks = [asyncio.create_task(work()) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for do in self.each_moment:
                do()
            if self.ledger is not None:
                await asyncio.to_thread(self.ledger.stop)
            if self.database is not None:
                self.database.close()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self.settings.poll)
            for look in (self.models.refresh, self.keys.refresh):
                try:
                    await asyncio.to_thread(look)
                except Exception as error:  # the next look may find it mended
                    log.error("%s failed: %s", look.__qualname__, error)
            self._measured()

    async def _moments(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            for do in self.each_moment:
                do()

    async def _ready(self) -> None:
        """Make the comparables of the active model ready, which takes a second."""
        model = self.models.active
        with suppress(ProblemError):  # told when somebody asks for them
            await asyncio.to_thread(self.models.evidence, model, model.reference, 1)

    def _measured(self) -> None:
        models = self.models
        self.metrics.model(models.active.sha256, models.swaps, models.faults)

    async def model(
        self, pinned: str | None, header: str | None, effective: str | None = None
    ) -> PriceModel:
        """The model that a request is to be answered by.

        Raises
        ------
        ProblemError
            When there is none of that id or of that date.
        """
        if pinned is not None and header is not None and pinned != header:
            named = pinned[:80]
            fault = Fault("another model than the header names", parameter="model", given=named)
            wrong = "The query and the header X-Model-Id name different models."
            raise ProblemError("models_differ", wrong, [fault])
        name, model = header if pinned is None else pinned, self.models.active
        if name is not None:
            at_hand = self.models.at_hand(name)
            if at_hand is None:
                at_hand = await asyncio.to_thread(self.models.find, name)
            model = at_hand
        known = model.training.effective
        if effective is None or effective == known:
            return model
        if name is not None:
            wrong = "not the date of the pinned model"
            fault = Fault(wrong, "/effective", "", effective[:80], known, [known])
            detail = f"Model {model.sha256[:12]} has prices of {known}."
            raise ProblemError("effective_not_known", detail, [fault])
        return await asyncio.to_thread(self.models.effective, effective)

    async def charge(
        self, known: Known, kind: str, units: int, quote: NewQuote | None = None
    ) -> Receipt:
        """Write down what a request costs, and the quote if it is one.

        While nothing can be written prices go on being told, up to a limit; what is told
        then is no quote, and is charged later.

        Raises
        ------
        ProblemError
            ``unauthorized``, ``too_many_requests``, ``idempotency_key_reused`` or
            ``storage_unavailable``.
        """
        self.metrics.count(self.metrics.prices, kind, units)
        if self.ledger is None:
            return Receipt()
        spend = Spend(known.caller, kind, units, quote)
        try:
            receipt = await self.ledger.settle(spend)
        except StorageError as error:
            log.error("not stored: %s", error)
            if not self.ledger.owe(spend):
                raise
            self.metrics.unstored.inc(units)
            return Receipt()
        known.receipt = receipt
        if receipt.refused:
            raise _refused(receipt, units)
        return receipt

    def failed(self, error: Exception, problem: ProblemError) -> None:
        """Write down an error of ours."""
        if problem.code == "internal":
            self.metrics.unforeseen.inc()
            log.error("unforeseen", exc_info=error)

    async def away(self, do: Callable[..., T], *given: Any) -> T:
        """Do what takes long without holding up others."""
        return await asyncio.to_thread(do, *given)

    async def looked_up(self, do: Callable[..., T], *given: Any) -> T:
        """Ask the database; StorageError where it does not answer in time."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(do, *given), PATIENCE)
        except TimeoutError as error:
            raise StorageError("the database does not answer in time.") from error


def _refused(receipt: Receipt, units: int) -> ProblemError:
    if receipt.refused == "too_many_requests":
        wrong = f"This costs {units:,} and {receipt.left or 0:,} are left; the next window "
        wrong += f"begins in {receipt.reset} seconds."
        again = {"retry-after": str(receipt.reset)}
        return ProblemError(receipt.refused, wrong, headers=again)
    if receipt.refused == "unauthorized":
        return unauthorized("This key was revoked.")
    fault = Fault("belongs to another request", parameter="Idempotency-Key")
    wrong = "This Idempotency-Key was used for another request; use a new one."
    return ProblemError("idempotency_key_reused", wrong, [fault])
