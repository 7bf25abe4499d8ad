"""For operators: health, metrics, usage and the audit log."""

import time
from typing import Annotated

import msgspec
from litestar import Controller, Response, get
from litestar.params import QueryParameter

from diamond_pricing.errors import StorageError
from diamond_pricing.web.messages import AuditOut, AuditsOut, UsageOut, UsagesOut
from diamond_pricing.web.metrics import CONTENT_TYPE
from diamond_pricing.web.problems import ProblemError
from diamond_pricing.web.requests import StrictRequest
from diamond_pricing.web.storage import audited

Hour = Annotated[
    str,
    QueryParameter(
        description="UTC, as 2026-11-23T09 or the beginning of it.",
        pattern=r"^([0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2})?)?)?)?$",
    ),
]


class Health(msgspec.Struct, frozen=True):
    """Whether the server works."""

    status: str
    model: str


class OperationController(Controller):
    """Health, metrics, usage, audit."""

    tags = ("Operations",)

    @get("/health/live", operation_id="isAlive", summary="Is the process alive?")
    async def live(self, request: StrictRequest) -> Health:
        """Answer as long as the event loop turns."""
        return Health("alive", request.service.models.active.sha256)

    @get("/health/ready", operation_id="isReady", summary="Can it take requests?")
    async def ready(self, request: StrictRequest) -> Health:
        """Answer when a model is active and the database can be read."""
        service = request.service
        if service.database is not None:
            try:
                await service.looked_up(service.keys.refresh)
            except StorageError as error:
                raise ProblemError(
                    "not_ready", "The database cannot be read.", headers={"retry-after": "5"}
                ) from error
        return Health("ready", service.models.active.sha256)

    @get("/metrics", operation_id="readMetrics", summary="Counters for Prometheus")
    async def metrics(self, request: StrictRequest) -> Response[bytes]:
        """All counters of this process."""
        service, _ = request.allowed("admin")
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @get("/v1/usage", operation_id="readUsage", summary="What have we asked for?")
    async def usage(
        self, request: StrictRequest, since: Hour = "", until: Hour = ""
    ) -> UsagesOut:
        """Requests and prices of your tenant by hour and kind, as they are billed.

        By default those of this month.
        """
        service, known = request.service, request.known
        if service.ledger is None:
            return UsagesOut(known.caller.tenant, [])
        month = time.strftime("%Y-%m", time.gmtime())
        rows = await service.looked_up(
            service.ledger.used, known.caller.tenant, since or month, (until or "9999") + "~"
        )
        return UsagesOut(known.caller.tenant, [UsageOut(**row) for row in rows])

    @get("/v1/audit", operation_id="readAudit", summary="Who did what?")
    async def audit(
        self,
        request: StrictRequest,
        after: Annotated[
            int, QueryParameter(description="Number of an entry.", ge=0, le=2**62)
        ] = 0,
    ) -> AuditsOut:
        """Up to 1,000 entries of the audit log behind a number."""
        service, _ = request.allowed("admin")
        if service.database is None:
            return AuditsOut([])
        database = service.database

        def read() -> list[AuditOut]:
            with database.reading() as connection:
                return [AuditOut(**row) for row in audited(connection, after)]

        return AuditsOut(await service.looked_up(read))
