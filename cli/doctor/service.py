"""What the service says of itself, its key and its clock."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from cli.client import Client
from cli.doctor.check import Check, bad, doubt, fine, unknown
from cli.doctor.system import look_at_system
from cli.errors import CliError
from cli.service import KEY

CLOCK_DOUBT, CLOCK_BAD = 30.0, 300.0
PARTS = {
    "engine": "start Temporal, and see IMAGEMILL_TEMPORAL_ADDRESS of the API",
    "store": "see IMAGEMILL_CONTROL_* of the API, and whether the bucket's server runs",
}


async def look_at_service(
    client: Client, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AsyncIterator[Check]:
    """Everything that can be asked over HTTP; nothing is changed by it."""
    try:
        health = await client.look("/healthz")
    except CliError as error:
        yield bad("service", str(error).split(". ")[0], "start it with `imagemill dev`, or see --url")
        return
    if not _is_ours(health):
        yield bad("service", f"{client.url} answers {health.status_code}, but is not Imagemill", "see --url")
        return
    yield fine("service", f"{client.url} answers")
    yield clock(health.headers.get("Date"), now())
    for look in (_ready, _key, look_at_system):
        try:
            async for check in look(client):
                yield check
        except CliError as error:
            yield bad("service", str(error).splitlines()[0], "it went away meanwhile; try once more")
            return


def clock(date: str | None, now: datetime) -> Check:
    """Do this machine and the service agree on the time? Signed addresses depend on it."""
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return unknown("clock", "the service does not say what time it has")
    apart = (now - there).total_seconds()
    # The header has whole seconds, and the answer took a moment.
    said = "agrees with the service" if abs(apart) < 2 else f"{abs(apart):,.0f} s {_way(apart)} the service"
    mend = "set the clocks by NTP: timedatectl set-ntp true"
    if abs(apart) >= CLOCK_BAD:
        return bad("clock", f"{said}; signed addresses will be refused", mend)
    return doubt("clock", said, mend) if abs(apart) >= CLOCK_DOUBT else fine("clock", said)


def _way(apart: float) -> str:
    return "ahead of" if apart > 0 else "behind"


def _is_ours(answer: httpx2.Response) -> bool:
    return answer.is_success and _json(answer).get("status") == "ok"


async def _ready(client: Client) -> AsyncIterator[Check]:
    found = _json(await client.look("/readyz"))
    for name, mend in PARTS.items():
        state = found.get(name)
        if state == "ok":
            yield fine(name, "answers the API")
        else:
            said = "it refuses its keys" if state == "refused" else f"it is {state or 'unknown'}"
            yield bad(name, f"the API says that {said}", mend)
    if found.get("tenants"):
        yield doubt("tenants", str(found["tenants"]), "mend the file; the API's log names the line")


async def _key(client: Client) -> AsyncIterator[Check]:
    """By what it opens: reading a list, and an empty submission that is refused for its emptiness."""
    read = (await client.look("/v1/jobs?limit=1")).status_code
    if read == 401:
        mend = f"set {KEY} to one of the service's keys; `imagemill keys create` makes one"
        yield bad("key", "the service does not know it, or it has run out", mend)
        return
    scopes = [name for name, may in (("read", read != 403), ("submit", await _may_submit(client))) if may]
    missing = [name for name in ("read", "submit") if name not in scopes]
    if missing:
        mend = "use another key to do that; `imagemill keys create --scopes read,submit` makes one"
        yield doubt("key", f"may {', '.join(scopes) or 'nothing'}, but not {', '.join(missing)}", mend)
    else:
        yield fine("key", "may read and submit")


async def _may_submit(client: Client) -> bool:
    answer = await client.look("/v1/jobs?validate_only=true", "POST", content=b"{}")
    return answer.status_code not in (401, 403)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
