"""The service over HTTP: one method a call, answers as models, errors as sentences."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from mimetypes import guess_type
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from cli.answers import Caps, File, ItemPage, Job, Report, Usage, Validation
from cli.errors import CliError, EstimateSlow, Refused, ServiceAway, problem_text
from cli.service import KEY, Service

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
# The answer to an upload comes when the whole file is in the store.
UPLOAD_TIMEOUT = httpx2.Timeout(600.0, connect=5.0)
# An estimate comes when all rows have been read, for which the service takes two minutes at most.
ESTIMATE_SECONDS = 150.0
SLOW = "/problems/estimate-too-slow"
PASSING = (429, 502, 503, 504)
PAGE = 500
DEFAULT_WAIT = 1.0
# A proxy that the environment names cannot reach the loopback address of this machine.
LOOPBACK: dict[str, httpx2.AsyncBaseTransport | None] = dict.fromkeys(
    ("all://127.0.0.1", "all://localhost", "all://[::1]")
)
Model = TypeVar("Model", bound=BaseModel)


class Client:
    """Calls one service. Nothing is tried again in here; see `cli.patience` for that.

    Raises, from every call:
        Refused: the service says no, and why.
        ServiceAway: it does not answer, or says that it can't now.
    """

    def __init__(self, service: Service, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._url = service.url
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {service.api_key}"},
            timeout=TIMEOUT,
            transport=transport,
            mounts=None if transport else LOOPBACK,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def upload(self, path: Path) -> str:
        """Uploads a file and returns its id."""
        form = guess_type(path.name)[0] or "application/octet-stream"
        with path.open("rb") as content:
            files = {"file": (path.name, content, form)}
            answer = await self._send("POST", "/v1/files", files=files, timeout=UPLOAD_TIMEOUT)
        return _read(File, answer).id

    async def submit(self, body: dict[str, Any], key: str) -> Job:
        """Submits a job. With the same key it can be called again, and is the same job."""
        return _read(Job, await self._send("POST", "/v1/jobs", json=body, headers={"Idempotency-Key": key}))

    async def validate(self, body: dict[str, Any], seconds: float = ESTIMATE_SECONDS) -> Validation:
        """What a submission would cost; starts nothing.

        Raises:
            EstimateSlow: it has more rows than the service reads while a caller waits.
        """
        timeout = httpx2.Timeout(seconds, connect=5.0)
        query = {"validate_only": "true"}
        answer = await self._send("POST", "/v1/jobs", json=body, params=query, timeout=timeout)
        return _read(Validation, answer)

    async def status(self, job: str) -> tuple[Job, float]:
        """The status of a job, and the seconds after which it is worth asking again."""
        answer = await self._send("GET", f"/v1/jobs/{job}")
        wait = _retry_after(answer)
        return _read(Job, answer), DEFAULT_WAIT if wait is None else wait

    async def raw_status(self, job: str) -> str:
        """The status of a job as the service wrote it."""
        return (await self._send("GET", f"/v1/jobs/{job}")).text

    async def page(self, job: str, after: str | None) -> ItemPage:
        """A page of items; the addresses of their images are good for an hour from now."""
        query = {"limit": str(PAGE)} | ({} if after is None else {"after": after})
        return _read(ItemPage, await self._send("GET", f"/v1/jobs/{job}/items", params=query))

    async def cancel(self, job: str) -> Job:
        """Cancels a job."""
        return _read(Job, await self._send("POST", f"/v1/jobs/{job}/cancel"))

    async def set_budget(self, job: str, budget: dict[str, str]) -> Job:
        """Changes a job's cap, or what happens when it is used up; what is left out stays."""
        return _read(Job, await self._send("PATCH", f"/v1/jobs/{job}", json={"budget": budget}))

    async def pause(self, job: str) -> Job:
        """Lets a job start nothing more until it is resumed."""
        return _read(Job, await self._send("POST", f"/v1/jobs/{job}/pause"))

    async def resume(self, job: str) -> Job:
        """Lets a paused or held job go on."""
        return _read(Job, await self._send("POST", f"/v1/jobs/{job}/resume"))

    async def report(self, job: str) -> Report:
        """The receipt of a job that has ended."""
        return _read(Report, await self._send("GET", f"/v1/jobs/{job}/report"))

    async def raw_report(self, job: str, *, items: bool) -> AsyncGenerator[bytes, None]:
        """The receipt as the service writes it, piece by piece: with its items it may be long."""
        query = {"items": "true"} if items else {}
        with self._told():
            async with self._http.stream("GET", f"{self._url}/v1/jobs/{job}/report", params=query) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _refusal(answer)
                async for piece in answer.aiter_bytes():
                    yield piece

    async def usage(self, days: dict[str, str]) -> Usage:
        """What was spent, and what is left; `days` may have `from` and `to`."""
        return _read(Usage, await self._send("GET", "/v1/usage", params=days))

    async def raw_usage(self, days: dict[str, str]) -> str:
        """The usage as the service wrote it."""
        return (await self._send("GET", "/v1/usage", params=days)).text

    async def caps(self, tenant: str) -> Caps:
        """A tenant's caps; takes the operator's key."""
        return _read(Caps, await self._send("GET", f"/v1/tenants/{tenant}/caps"))

    async def set_caps(self, tenant: str, caps: dict[str, str]) -> Caps:
        """Sets a tenant's caps, and removes what is left out; takes the operator's key."""
        return _read(Caps, await self._send("PUT", f"/v1/tenants/{tenant}/caps", json=caps))

    async def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        with self._told():
            answer = await self._http.request(method, f"{self._url}{path}", **more)
        if answer.is_success:
            return answer
        raise _refusal(answer)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the transport can't do becomes a sentence."""
        try:
            yield
        except httpx2.ConnectError:
            raise ServiceAway(
                f"Nothing answers at {self._url}. Start the service there (`imagemill dev` runs one on this "
                "machine), or name another with --url or IMAGEMILL_URL."
            ) from None
        except httpx2.TransportError as error:
            what = str(error) or type(error).__name__
            raise ServiceAway(f"The service at {self._url} broke off ({what}).") from None


class Downloads:
    """Fetches from presigned addresses, which get no key of ours."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(
            timeout=TIMEOUT, transport=transport, mounts=None if transport else LOOPBACK
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def read(self, url: str) -> AsyncGenerator[bytes, None]:
        """The content, piece by piece.

        Raises:
            Refused: the store says no. The address is not repeated: it is a credential.
            ServiceAway: it does not answer, or says that it can't now.
        """
        try:
            async with self._http.stream("GET", url) as answer:
                if not answer.is_success:
                    away = answer.status_code == 429 or answer.is_server_error
                    text = f"the store answered {answer.status_code} {answer.reason_phrase}"
                    raise ServiceAway(text, answered=True) if away else Refused(text)
                async for piece in answer.aiter_bytes():
                    yield piece
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise ServiceAway(f"the store did not answer ({type(error).__name__})") from None


def _read(model: type[Model], answer: httpx2.Response) -> Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise CliError(
            f"What {answer.url.host} answered is not what Imagemill answers; is the address right?"
        ) from None


def _refusal(answer: httpx2.Response) -> CliError:
    text, kind = _problem(answer)
    if kind == SLOW:
        return EstimateSlow(text)
    if answer.status_code in PASSING:
        return ServiceAway(text, wait=_retry_after(answer), answered=True)
    if answer.status_code == 401:
        text += f"\n  The key is read from {KEY} where --url or IMAGEMILL_URL is given."
    return Refused(text)


def _problem(answer: httpx2.Response) -> tuple[str, object]:
    """The problem document that the service sent, or what a proxy in between said; and its type, if any."""
    plain = f"The service answered {answer.status_code} {answer.reason_phrase}".rstrip()
    try:
        body = answer.json()
    except ValueError:
        return plain, None
    if not isinstance(body, dict) or not isinstance(body.get("title"), str):
        return plain, None
    errors = [
        (str(each.get("pointer", "/")), str(each.get("detail", "")))
        for each in body.get("errors") or []
        if isinstance(each, dict)
    ]
    return problem_text(body["title"], str(body.get("detail") or ""), errors), body.get("type")


def _retry_after(answer: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers.get("Retry-After", "")))
    except ValueError:
        return None
