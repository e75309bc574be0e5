"""From a request to an order."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from sandbox.image_api import errors, form, order, references
from sandbox.image_api.attachments import Attachments
from sandbox.image_api.catalog import Catalog
from sandbox.image_api.order import Order
from sandbox.image_api.profiles import Profile

# Room for some images as data URLs; a generation takes a fraction of it.
MOST_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads requests by the rules of one provider. `catalog` gives the models of today."""

    catalog: Callable[[], Catalog]
    profile: Profile
    drawers: Executor

    async def generation(self, request: Request, _: Attachments) -> Order:
        """The order of a generation; it has no attachments.

        Raises:
            ApiError: the request is not valid.
        """
        body = self._with_deployment(request, await _json(request))
        return order.read(body, self.catalog(), self.profile)

    async def edit(self, request: Request, attachments: Attachments) -> Order:
        """The order of an edit. What is attached is put into `attachments`, for the caller to close.

        Raises:
            ApiError: the request is not valid.
        """
        if _media_type(request) == "multipart/form-data":
            values, found = await form.take(request)
        else:
            values, found = references.take(await _json(request))
        attachments.images, attachments.mask, attachments.markup = found.images, found.mask, found.markup
        body = self._with_deployment(request, values)
        return await asyncio.get_running_loop().run_in_executor(
            self.drawers, order.read_edit, body, attachments, self.catalog(), self.profile
        )

    def _with_deployment(self, request: Request, body: Any) -> Any:
        """A deployment in the URL is the model, whatever the body says. It is named like the model."""
        deployment = request.path_params.get("deployment")
        if deployment is None or not isinstance(body, dict):
            return body
        if deployment not in self.catalog().models:
            raise errors.deployment_not_found()
        return {**body, "model": deployment}


async def _json(request: Request) -> object:
    if _media_type(request) not in {"", "application/json"}:
        raise errors.unsupported_content_type(_media_type(request))
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise errors.body_too_large()
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        raise errors.malformed_json() from None
    return parsed


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
