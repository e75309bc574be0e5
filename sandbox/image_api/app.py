"""The sandbox's parts, wired to one ASGI application."""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from sandbox.image_api import catalog, delivery
from sandbox.image_api.control import Control
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import FaultPlan
from sandbox.image_api.generation import Generation
from sandbox.image_api.headers import Headers
from sandbox.image_api.keys import Keys
from sandbox.image_api.latency import Latency
from sandbox.image_api.ledger import Ledger
from sandbox.image_api.limits import ImageLimit
from sandbox.image_api.links import Links
from sandbox.image_api.models import Models


@dataclass(frozen=True, slots=True)
class Settings:
    """How the sandbox behaves.

    `speed` scales the provider's latencies: 1 is real, 0 is none. `seed` fixes latencies and the faults'
    chances. `images_per_minute` None means no limit. `drawers` is how many threads draw.
    """

    api_key: str
    ledger: Path
    base_url: str
    speed: float = 0.02
    seed: int = 0
    images_per_minute: int | None = None
    drawers: int = 2


def build(settings: Settings) -> ASGIApp:
    """Make the application. Its ledger is open until the application's lifespan ends."""
    models = catalog.load()
    keys, plan, ledger = Keys(settings.api_key), FaultPlan(settings.seed), Ledger(settings.ledger)
    links, drawers = Links(settings.base_url), ThreadPoolExecutor(settings.drawers, "drawer")
    generation = Generation(
        catalog=models,
        keys=keys,
        ledger=ledger,
        plan=plan,
        limit=ImageLimit(settings.images_per_minute),
        latency=Latency(settings.speed, settings.seed),
        links=links,
        drawers=drawers,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        drawers.shutdown(wait=False, cancel_futures=True)
        ledger.close()

    app = Starlette(
        routes=_routes(generation, Models(models, keys), Control(ledger, plan), links),
        exception_handlers=_HANDLERS,
        lifespan=lifespan,
    )
    return Headers(app)


def _routes(generation: Generation, models: Models, control: Control, links: Links) -> list[Route]:
    async def image(request: Request) -> Response:
        found = links.find(request.path_params["token"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1])

    return [
        Route("/v1/images/generations", generation, methods=["POST"]),
        Route("/v1/models", models.list),
        Route("/v1/models/{model}", models.retrieve),
        Route("/_sandbox/ledger", control.ledger),
        Route("/_sandbox/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/images/{token}", image),
    ]


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return delivery.refusal(error)


async def _refuse_url(request: Request, error: Exception) -> Response:
    """No such address, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"Invalid URL ({request.method} {request.url.path})"
    return delivery.refusal(ApiError(error.status_code, message, headers=error.headers or {}))


_HANDLERS: Mapping[Any, ExceptionHandler] = {ApiError: _refuse, HTTPException: _refuse_url}
