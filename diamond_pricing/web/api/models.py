"""The models themselves, so that an answer can be checked without us."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.params import PathParameter, QueryParameter

from diamond_pricing.web.messages import ChangesOut, ModelsOut
from diamond_pricing.web.requests import StrictRequest

ModelName = Annotated[
    str, PathParameter(description="Id of a model, or 8 or more of its characters.")
]


class ModelController(Controller):
    """Models."""

    path = "/v1/models"
    tags = ("Models",)

    @get(operation_id="listModels", summary="Which models are there?")
    async def listed(self, request: StrictRequest) -> ModelsOut:
        """All models that quotes may be pinned to, the active one first."""
        service, _ = request.allowed("quote")
        return ModelsOut(await service.away(service.models.listed))

    @get("/changes", operation_id="listChanges", summary="When did the active model change?")
    async def changes(
        self,
        request: StrictRequest,
        after: Annotated[
            int,
            QueryParameter(
                ge=0, le=2**62, description="Number of the last change that you know."
            ),
        ] = 0,
    ) -> ChangesOut:
        """Changes of the active model by promotion, refit or rollback, oldest first.

        Ask on with the number of the last one; without a home there are none.
        """
        service, _ = request.allowed("quote")
        return ChangesOut(await service.away(service.models.changes, after))

    @get("/{name:str}", operation_id="readModel", summary="Read a model document")
    async def read(self, request: StrictRequest, name: ModelName) -> Response[bytes]:
        """The document itself: it carries its hash, the model's id, and prices without us.

        It is the whole price list, and needs a key with the scope `model`.
        """
        service, _ = request.allowed("model")
        model = await service.model(name, None)
        whole = model.sha256 == name
        kept = "private, max-age=31536000, immutable" if whole else "private, no-cache"
        headers = {"ETag": f'"{model.sha256}"', "Cache-Control": kept}
        text = await service.away(model.to_json)
        return Response(text.encode(), media_type="application/json", headers=headers)
