"""The sandbox's parts, wired to one ASGI application."""

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, ExceptionHandler

from sandbox.image_api import catalog, delivery
from sandbox.image_api.catalog import Catalog
from sandbox.image_api.control import Control
from sandbox.image_api.ending import Ending
from sandbox.image_api.endpoint import Endpoint, House
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import FaultPlan
from sandbox.image_api.headers import Headers
from sandbox.image_api.keys import Keys
from sandbox.image_api.latency import Latency
from sandbox.image_api.ledger import Ledger
from sandbox.image_api.limits import Limits, Minutes
from sandbox.image_api.links import Links
from sandbox.image_api.models import Models
from sandbox.image_api.pictures import Pictures
from sandbox.image_api.profiles import OPENAI, Profile
from sandbox.image_api.reading import Reader


@dataclass(frozen=True, slots=True)
class Settings:
    """How the sandbox behaves.

    Attributes:
        speed: scales the provider's latencies: 1 is real, 0 is none.
        seed: fixes latencies and the faults' chances.
        limits: what each model's minute holds.
        limit_headers: whether answers tell of the limits.
        profile: the provider that it is like.
        serves: models that are served beyond their date, besides those of the profile.
        today: the day by which models are retired; None is the calendar's.
        drawers: how many threads draw.
    """

    api_key: str
    ledger: Path
    base_url: str
    speed: float = 0.02
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    limit_headers: bool = True
    profile: Profile = OPENAI
    serves: frozenset[str] = frozenset()
    today: date | None = None
    drawers: int = 2


def build(settings: Settings) -> ASGIApp:
    """Make the application. Its ledger is open until the application's lifespan ends."""
    profile, plan, ledger = settings.profile, FaultPlan(settings.seed), Ledger(settings.ledger)
    everything = catalog.load()
    drawers = ThreadPoolExecutor(settings.drawers, "drawer")
    links, pictures = Links(settings.base_url), Pictures()

    def models_of_today() -> Catalog:
        return everything.on(settings.today or datetime.now(UTC).date(), profile.serves | settings.serves)

    house = House(
        keys=Keys(settings.api_key, profile),
        ledger=ledger,
        plan=plan,
        minutes=Minutes(settings.limits, headers=settings.limit_headers),
        profile=profile,
        ending=Ending(Latency(settings.speed, settings.seed), drawers, links.publish, pictures),
    )
    control = Control(ledger, plan, house.minutes, pictures)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        drawers.shutdown(wait=False, cancel_futures=True)
        ledger.close()

    app = Starlette(
        routes=[
            *_routes(house, Reader(models_of_today, profile, drawers), Models(models_of_today, house.keys)),
            *control.routes(),
            _links_route(links),
        ],
        exception_handlers=_HANDLERS,
        lifespan=lifespan,
    )
    return Headers(app)


def _routes(house: House, reader: Reader, models: Models) -> list[Route]:
    profile = house.profile
    return [
        Route(f"{profile.images_path}/generations", Endpoint(house, reader.generation), methods=["POST"]),
        Route(f"{profile.images_path}/edits", Endpoint(house, reader.edit), methods=["POST"]),
        Route(profile.models_path, models.list),
        Route(f"{profile.models_path}/{{model}}", models.retrieve),
    ]


def _links_route(links: Links) -> Route:
    async def image(request: Request) -> Response:
        found = links.find(request.path_params["token"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1])

    return Route("/images/{token}", image)


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return delivery.Refusal(error)


async def _refuse_url(request: Request, error: Exception) -> Response:
    """No such address, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"Invalid URL ({request.method} {request.url.path})"
    return delivery.Refusal(ApiError(error.status_code, message, headers=error.headers or {}))


_HANDLERS: Mapping[Any, ExceptionHandler] = {ApiError: _refuse, HTTPException: _refuse_url}
