"""``/_sandbox``: what a test or an operator of the sandbox may see and order. From this machine only."""

import ipaddress

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.image_api import faults
from sandbox.image_api.errors import ApiError
from sandbox.image_api.faults import FaultPlan
from sandbox.image_api.ledger import Ledger


class Control:
    """The endpoints for the ledger and the fault plan."""

    def __init__(self, ledger: Ledger, plan: FaultPlan) -> None:
        self._ledger = ledger
        self._plan = plan

    async def ledger(self, request: Request) -> Response:
        """The bill; `?since=` leaves out so many of the first entries."""
        _check_local(request)
        try:
            since = max(0, int(request.query_params.get("since", "0")))
        except ValueError:
            raise ApiError(400, "since must be a whole number") from None
        return Response(self._ledger.report(since), media_type="application/json")

    async def faults(self, request: Request) -> Response:
        """Show (GET), replace (POST) or clear (DELETE) the plan; always answers with the plan in force."""
        _check_local(request)
        if request.method == "DELETE":
            self._plan.replace([])
        elif request.method == "POST":
            self._plan.replace(_read_plan(await request.body()))
        return JSONResponse(self._plan.report())


def _read_plan(body: bytes) -> list[faults.Fault]:
    try:
        return faults.read_plan(body)
    except ValidationError as error:
        raise ApiError(400, str(error), code="invalid_plan") from None


def _check_local(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ApiError(403, "The sandbox is controlled from its own machine only.")
