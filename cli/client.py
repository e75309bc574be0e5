"""The service over HTTP: answers as models and as they came, errors as sentences."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from mimetypes import guess_type
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from cli.answers import File, ItemPage, Job, Validation
from cli.errors import ServiceAway
from cli.patience import Say, patiently
from cli.reading import Model, Told, document, read, refusal, retry_after
from cli.service import Service

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
# The answer to an upload comes when the whole file is in the store.
UPLOAD_TIMEOUT = httpx2.Timeout(600.0, connect=5.0)
# An estimate comes when all rows have been read, for which the service takes two minutes at most.
ESTIMATE_SECONDS = 150.0
PAGE = 500
DEFAULT_WAIT = 1.0
# A proxy that the environment names cannot reach the loopback address of this machine.
LOOPBACK: dict[str, httpx2.AsyncBaseTransport | None] = dict.fromkeys(
    ("all://127.0.0.1", "all://localhost", "all://[::1]")
)
Query = dict[str, str]


class Client:
    """Calls one service. Nothing is tried again in here; see `cli.patience` for that.

    Raises, from every call:
        Refused: the service says no, and why.
        ServiceAway: it does not answer, or says that it can't now.
        CliError: something else answers.
    """

    def __init__(self, service: Service, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.url = service.url
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

    # --- any call ----------------------------------------------------------------------------------

    async def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """One call; the JSON object of its answer, which is empty where there is none."""
        return document(await self._send(method, path, **more))

    async def ask(self, model: type[Model], method: str, path: str, **more: Any) -> Told[Model]:
        """One call; its answer as it came, and as it is read."""
        answer = await self._send(method, path, **more)
        return Told(document(answer), read(model, answer))

    async def listed(
        self, path: str, query: Query, most: int | None, say: Say, page: int = PAGE
    ) -> AsyncGenerator[dict[str, Any], None]:
        """What a list has, page by page; of `most` entries no more, and no larger page than is needed."""
        after: Query = {}
        while most is None or most > 0:
            size = {"limit": str(page if most is None else min(most, page))}
            asked = query | size | after
            found = await patiently(partial(self.call, "GET", path, params=asked), say=say)
            for entry in found.get("data", []):
                yield entry
            most = None if most is None else most - len(found.get("data", []))
            last = found.get("last") or found.get("last_id")
            if not found.get("has_more") or not last:
                return
            after = {"after": str(last)}

    async def stream(
        self, path: str, query: Query | None = None, headers: Query | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A long answer, piece by piece, as the service writes it."""
        more: dict[str, Any] = {"params": query or {}, "headers": headers or {}}
        with self._told():
            async with self._http.stream("GET", f"{self.url}{path}", **more) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise refusal(answer)
                async for piece in answer.aiter_bytes():
                    yield piece

    async def address(self, path: str, query: Query | None = None) -> str:
        """Where the service leads to: an address that is signed, and good for a while."""
        with self._told():
            answer = await self._http.get(f"{self.url}{path}", params=query or {})
        if answer.is_redirect:
            return str(answer.headers["Location"])
        raise refusal(answer)

    async def look(self, path: str, method: str = "GET", **more: Any) -> httpx2.Response:
        """An answer whatever its status is."""
        with self._told():
            return await self._http.request(method, f"{self.url}{path}", **more)

    # --- jobs --------------------------------------------------------------------------------------

    async def upload(self, path: Path) -> str:
        """Uploads a file in one request, and returns its id."""
        return (await self.sent(path)).model.id

    async def sent(self, path: Path) -> Told[File]:
        """Uploads a file in one request."""
        form = guess_type(path.name)[0] or "application/octet-stream"
        with path.open("rb") as content:
            files = {"file": (path.name, content, form)}
            return await self.ask(File, "POST", "/v1/files", files=files, timeout=UPLOAD_TIMEOUT)

    async def submit(self, body: dict[str, Any], key: str) -> Job:
        """Submits a job. With the same key it can be called again, and is the same job."""
        return (await self.submitted(body, key)).model

    async def submitted(self, body: dict[str, Any], key: str, path: str = "/v1/jobs") -> Told[Job]:
        """Submits a job, or the retry of one, and returns the whole answer."""
        return await self.ask(Job, "POST", path, json=body, headers={"Idempotency-Key": key})

    async def validate(self, body: dict[str, Any], seconds: float = ESTIMATE_SECONDS) -> Validation:
        """What a submission would cost; starts nothing.

        Raises:
            EstimateSlow: it has more rows than the service reads while a caller waits.
        """
        return (await self.validated(body, seconds)).model

    async def validated(self, body: dict[str, Any], seconds: float = ESTIMATE_SECONDS) -> Told[Validation]:
        """What a submission would cost, as the whole answer."""
        timeout = httpx2.Timeout(seconds, connect=5.0)
        query = {"validate_only": "true"}
        return await self.ask(Validation, "POST", "/v1/jobs", json=body, params=query, timeout=timeout)

    async def status(self, job: str) -> tuple[Job, float]:
        """The status of a job, and the seconds after which it is worth asking again."""
        told, wait = await self.state(job)
        return told.model, wait

    async def state(self, job: str) -> tuple[Told[Job], float]:
        """The whole status of a job, and the seconds after which it is worth asking again."""
        answer = await self._send("GET", f"/v1/jobs/{job}")
        wait = retry_after(answer)
        return Told(document(answer), read(Job, answer)), DEFAULT_WAIT if wait is None else wait

    async def page(self, job: str, after: str | None) -> ItemPage:
        """A page of items; the addresses of their images are good for an hour from now."""
        query = {"limit": str(PAGE)} | ({} if after is None else {"after": after})
        return read(ItemPage, await self._send("GET", f"/v1/jobs/{job}/items", params=query))

    async def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        with self._told():
            answer = await self._http.request(method, f"{self.url}{path}", **more)
        if answer.is_success:
            return answer
        raise refusal(answer)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the transport can't do becomes a sentence."""
        try:
            yield
        except httpx2.ConnectError:
            raise ServiceAway(
                f"Nothing answers at {self.url}. Start the service there (`imagemill dev` runs one on this "
                "machine), or name another with --url or IMAGEMILL_URL."
            ) from None
        except httpx2.TransportError as error:
            what = str(error) or type(error).__name__
            raise ServiceAway(f"The service at {self.url} broke off ({what}).") from None
