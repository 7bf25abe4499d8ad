"""The application: what stands at which path."""

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from diamond_pricing import __version__
from diamond_pricing.web.api.batches import BatchController
from diamond_pricing.web.api.models import ModelController
from diamond_pricing.web.api.operations import OperationController
from diamond_pricing.web.api.quotes import QuoteController
from diamond_pricing.web.api.stones import StoneController
from diamond_pricing.web.door import Door
from diamond_pricing.web.page.stock import StockController
from diamond_pricing.web.page.views import PageController
from diamond_pricing.web.requests import StrictRequest, answered_problem, only_known_fields
from diamond_pricing.web.service import Service
from diamond_pricing.web.settings import Settings


def create_app(settings: Settings) -> Door:
    """Make a server; it owns no global state.

    Raises
    ------
    DiamondPricingError
        When its home, database or settings cannot be used.
    """
    service = Service(settings)
    app = Litestar(
        [
            QuoteController,
            BatchController,
            StoneController,
            ModelController,
            OperationController,
            PageController,
            StockController,
        ],
        request_class=StrictRequest,
        before_request=only_known_fields,
        exception_handlers={Exception: answered_problem},
        lifespan=[service.running],
        state=State({"service": service}),
        # With no plugins named it would serve pages that load scripts from other hosts.
        openapi_config=OpenAPIConfig(
            "diamond_pricing", __version__, render_plugins=[JsonRenderPlugin()]
        ),
        logging_config=None,
    )
    door = Door(app, service)
    service.each_moment.append(door.flush)
    return door
