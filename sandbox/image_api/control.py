"""``/_sandbox``: what a test or an operator of the sandbox may see and order. From this machine only."""

import ipaddress
from collections.abc import Awaitable, Callable

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.image_api import faults
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import FaultPlan
from sandbox.image_api.ledger import Ledger
from sandbox.image_api.limits import Limits, Minutes
from sandbox.image_api.pictures import Pictures

PICTURE_BYTES = 64 * 1024 * 1024
SHOWN = ["GET", "POST", "DELETE"]


class Control:
    """The endpoints for the ledger, the fault plan, the limits and the given pictures."""

    def __init__(self, ledger: Ledger, plan: FaultPlan, minutes: Minutes, pictures: Pictures) -> None:
        self._ledger = ledger
        self._plan = plan
        self._minutes = minutes
        self._pictures = pictures

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/_sandbox/ledger", _local(self.ledger)),
            Route("/_sandbox/faults", _local(self.faults), methods=SHOWN),
            Route("/_sandbox/limits", _local(self.limits), methods=["GET", "POST"]),
            Route("/_sandbox/pictures", _local(self.pictures), methods=SHOWN),
        ]

    async def ledger(self, request: Request) -> Response:
        """The bill; `?since=` leaves out so many of the first entries."""
        since = max(0, _number(request, "since") or 0)
        return Response(self._ledger.report(since), media_type="application/json")

    async def faults(self, request: Request) -> Response:
        """Show (GET), replace (POST) or clear (DELETE) the plan; always answers with the plan in force."""
        if request.method == "DELETE":
            self._plan.replace([])
        elif request.method == "POST":
            self._plan.replace(_read_plan(await request.body()))
        return JSONResponse(self._plan.report())

    async def limits(self, request: Request) -> Response:
        """Show (GET) or change (POST) the limits; one that is not named stays, and null is none."""
        if request.method == "POST":
            limits = self._minutes.limits
            self._minutes.limits = limits.model_copy(update=_read_limits(await request.body()))
        return JSONResponse(self._minutes.limits.model_dump())

    async def pictures(self, request: Request) -> Response:
        """Show (GET), add (POST) or clear (DELETE) the bytes that are delivered for a prompt.

        A POST has the bytes as its body, `?prompt=`, and `?times=` if not all answers are to have them.
        """
        if request.method == "DELETE":
            self._pictures.clear()
        elif request.method == "POST":
            await self._keep_picture(request)
        return JSONResponse(self._pictures.report())

    async def _keep_picture(self, request: Request) -> None:
        data = await request.body()
        prompt = request.query_params.get("prompt")
        if not prompt or not 0 < len(data) <= PICTURE_BYTES:
            raise ApiError(400, f"a picture has a prompt, and 1 to {PICTURE_BYTES} bytes")
        self._pictures.keep(prompt, data, _number(request, "times"))


def _local(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Let only this machine's own requests through."""

    async def guarded(request: Request) -> Response:
        _check_local(request)
        return await handler(request)

    return guarded


def _read_plan(body: bytes) -> list[faults.Fault]:
    try:
        return faults.read_plan(body)
    except ValidationError as error:
        raise ApiError(400, str(error), code="invalid_plan") from None


def _read_limits(body: bytes) -> dict[str, int | None]:
    try:
        return Limits.model_validate_json(body).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise ApiError(400, str(error), code="invalid_limits") from None


def _number(request: Request, name: str) -> int | None:
    value = request.query_params.get(name)
    try:
        return None if value is None else int(value)
    except ValueError:
        raise ApiError(400, f"{name} must be a whole number") from None


def _check_local(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ApiError(403, "The sandbox is controlled from its own machine only.")
