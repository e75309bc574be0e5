"""The fake service's address: what of the HTTP API it takes, and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

import httpx2

from imagemill_client.testing import _files, _jobs, _misc
from imagemill_client.testing._http import ApiProblem, Asked, Told

if TYPE_CHECKING:
    from imagemill_client.testing._fake import FakeImagemill

Route = Callable[["FakeImagemill", Asked], Told]
_ROUTES: list[tuple[str, re.Pattern[str], Route]] = [
    (method, re.compile(path), answer)
    for method, path, answer in (*_jobs.ROUTES, *_files.ROUTES, *_misc.ROUTES)
]


class FakeTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Gives what a client sends to a fake, and the client what the fake answers."""

    def __init__(self, fake: FakeImagemill) -> None:
        self._fake = fake

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """For blocking clients."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """For asynchronous ones."""
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        with self._fake.lock:
            raw, _, query = request.url.raw_path.decode("ascii").partition("?")
            headers = {name.lower(): value for name, value in request.headers.items()}
            asked = Asked(request.method, request.url.host, raw, dict(parse_qsl(query)), headers, body)
            told = self._troubled(request, asked)
            return httpx2.Response(told.status, headers=told.headers, content=told.body, request=request)

    def _troubled(self, request: httpx2.Request, asked: Asked) -> Told:
        kind = self._fake.troubles.popleft() if self._fake.troubles else None
        if kind == "unreachable":
            raise httpx2.ConnectError("the test lets nobody in", request=request)
        if kind == "away":
            return Told(503, b"", {"retry-after": "1"})
        if kind == "limited":
            return Told(429, b"", {"retry-after": "1"})
        told = self._routed(asked)
        if kind == "unanswered":
            raise httpx2.ReadError("the test keeps the answer", request=request)
        return told

    def _routed(self, asked: Asked) -> Told:
        try:
            if asked.host == "images.fake":
                return _files.signed(self._fake, asked)
            _misc.note(self._fake, asked)
            if asked.headers.get("authorization") != f"Bearer {self._fake.api_key}":
                raise ApiProblem(
                    "unauthorized", 401, "The API key is missing or wrong", "this key is not known"
                )
            return self._found(asked)(self._fake, asked)
        except ApiProblem as problem:
            return problem.told()
        except (json.JSONDecodeError, UnicodeDecodeError):
            return ApiProblem("invalid-request", 422, "The request is not as it should be", "no JSON").told()

    def _found(self, asked: Asked) -> Route:
        for method, path, answer in _ROUTES:
            match = path.fullmatch(asked.path)
            if match and method == asked.method:
                asked.names.update({name: unquote(text) for name, text in match.groupdict().items()})
                return answer
        raise ApiProblem("not-found", 404, "There is no such thing", f"nothing is at {asked.path}")
