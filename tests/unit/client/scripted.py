"""A service that answers what the test says, in this order, and a client of it whose waits take no time."""

from collections.abc import Iterable
from typing import Any

import httpx2

from imagemill_client import AsyncImagemill, Imagemill

URL = "https://imagemill.test"
KEY = "im_key_secret"
Answer = httpx2.Response | Exception


class Scripted:
    """What was asked, what was answered, and how long was waited in between."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.waits: list[float] = []
        self.now = 0.0

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    def client(self, **more: Any) -> Imagemill:
        return Imagemill(URL, KEY, transport=self.transport, sleep=self.sleep, clock=lambda: self.now, **more)

    def async_client(self, **more: Any) -> AsyncImagemill:
        async def sleep(seconds: float) -> None:
            self.sleep(seconds)

        return AsyncImagemill(URL, KEY, transport=self.transport, sleep=sleep, clock=lambda: self.now, **more)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        assert self.answers, f"nobody expected {request.method} {request.url}"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def problem(
    status: int, slug: str = "some", errors: Iterable[tuple[str, str]] = (), **headers: str
) -> httpx2.Response:
    """A problem document of the service's."""
    body: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": "It is wrong",
        "status": status,
        "detail": "so",
    }
    if errors:
        body["errors"] = [{"pointer": where, "detail": what} for where, what in errors]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)
