"""``GET /v1/models``: what the sandbox can draw with."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.image_api import errors
from sandbox.image_api.catalog import Catalog, Model
from sandbox.image_api.keys import Keys


class Models:
    """The endpoints that list and describe models."""

    def __init__(self, catalog: Callable[[], Catalog], keys: Keys) -> None:
        self._catalog = catalog
        self._keys = keys

    async def list(self, request: Request) -> Response:
        """All models."""
        self._keys.check(request)
        return JSONResponse(
            {"object": "list", "data": [_describe(m) for m in self._catalog().models.values()]}
        )

    async def retrieve(self, request: Request) -> Response:
        """One model.

        Raises:
            ApiError: 404, no such model.
        """
        self._keys.check(request)
        name = request.path_params["model"]
        catalog = self._catalog()
        if name not in catalog.models:
            raise errors.model_not_found(name, catalog.retired.get(name))
        return JSONResponse(_describe(catalog.models[name]))


def _describe(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": "system",
        "shutdown_date": model.shutdown_date,
    }
