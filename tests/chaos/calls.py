"""Calls of the service's clients, each recorded when it begins and when it is known what became of it."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.chaos.evidence import Json, Lines

TIMEOUT = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client knows after a call; without a status, or with a 5xx, it knows nothing."""

    status: int | None
    body: Any = None
    etag: str | None = None

    @property
    def ok(self) -> bool:
        """Was it done?"""
        return self.status is not None and self.status < 400

    @property
    def maybe(self) -> bool:
        """May it have been done or not?"""
        return self.status is None or self.status >= 500


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked: `name` is the word for it in the records; `files` go as a form, in `body`'s place."""

    name: str
    method: str
    path: str
    tenant: str
    job: str | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None
    delivery: int | None = None


class Caller:
    """Asks the API with the keys of its tenants. All clients of a run share one, and its connections."""

    def __init__(self, url: str, keys: Mapping[str, str], lines: Lines) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False)
        self._keys = keys
        self._lines = lines
        self._ops = itertools.count(1)

    async def ask(self, client: str, call: Call, timeout: float = TIMEOUT) -> Answer:
        """One call by a client, as it was answered."""
        op = next(self._ops)
        self._lines.add(op=op, client=client, event="begun", **_begun(call))
        try:
            answer = await self._http.request(
                call.method,
                call.path,
                headers={"Authorization": f"Bearer {self._keys[call.tenant]}", **(call.headers or {})},
                json=None if call.files else call.body,
                files=call.files,
                timeout=timeout,
            )
        except httpx2.HTTPError as error:
            self._lines.add(op=op, event="unknown", error=f"{type(error).__name__}: {error}")
            return Answer(None)
        return self._known(op, answer)

    def _known(self, op: int, answer: httpx2.Response) -> Answer:
        found = Answer(answer.status_code, _parsed(answer), answer.headers.get("etag"))
        said: Json = {"op": op, "status": found.status, "body": found.body}
        if found.maybe:
            self._lines.add(event="unknown", **said)
        elif found.ok:
            self._lines.add(event="ended", **said, **({"etag": found.etag} if found.etag else {}))
        else:
            self._lines.add(event="failed", **said)
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _begun(call: Call) -> Json:
    line: Json = {"name": call.name, "tenant": call.tenant, "method": call.method, "path": call.path}
    more = {"job": call.job, "headers": call.headers, "body": call.body, "delivery": call.delivery}
    return line | {name: value for name, value in more.items() if value is not None}


def _parsed(answer: httpx2.Response) -> Any:
    if not answer.content:
        return None
    try:
        if answer.headers.get("content-type", "").startswith("application/jsonl"):
            return [json.loads(line) for line in answer.text.split("\n") if line]
        return answer.json()
    except ValueError:
        return answer.text
