"""The receiver of webhooks: reads what an event speaks of before it answers, and can misbehave."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from standardwebhooks import Webhook, WebhookVerificationError

from tests.chaos.calls import Call, Caller
from tests.chaos.evidence import Json, Lines

Mood = Literal["hang", "refuse", "break"]
READ_TIMEOUT = 2.0
ENDS = ("job.completed", "job.failed", "job.cancelled")


class Sink:
    """Takes events under ``/hook/{tenant}``; `moods` are how it fails at the moment, by fault."""

    def __init__(self, port: int, caller: Caller, secrets: Mapping[str, str], lines: Lines) -> None:
        self.moods: dict[int, Mood] = {}
        self._port = port
        self._caller = caller
        self._secrets = secrets
        self._lines = lines
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"http://127.0.0.1:{self._port}/hook"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def close(self) -> None:
        """Listen no longer."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *rest = head.splitlines()
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
            body = await reader.readexactly(int(headers["content-length"]))
            await self._take(first.split()[1].split("/")[2], headers, body, writer)
        writer.close()

    async def _take(
        self, tenant: str, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        delivery, event = next(self._numbers), json.loads(body)
        self._lines.add(
            event="received",
            delivery=delivery,
            id=headers.get("webhook-id"),
            type=event.get("type"),
            tenant=tenant,
            verified=self._verified(tenant, headers, body),
            body=event,
        )
        await self._read(tenant, delivery, event)
        status = await self._answer(writer)
        self._lines.add(event="answered", delivery=delivery, status=status)

    def _verified(self, tenant: str, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            Webhook(self._secrets[tenant]).verify(body, dict(headers))
        except WebhookVerificationError:
            return False
        return True

    async def _read(self, tenant: str, delivery: int, event: Json) -> None:
        """What the event speaks of, as it can be read now."""
        job = event["data"]["id"]
        paths = {"status": f"/v1/jobs/{job}"}
        if event["type"] in ENDS:
            paths["results"] = f"/v1/jobs/{job}/results"
        for name, path in paths.items():
            call = Call(name, "GET", path, tenant, job, delivery=delivery)
            await self._caller.ask("sink", call, READ_TIMEOUT)

    async def _answer(self, writer: asyncio.StreamWriter) -> int | None:
        """Answer in the mood of the moment; None is no answer at all."""
        while True:
            if "hang" not in self.moods.values():
                break
            await asyncio.sleep(0.1)
        if "break" in self.moods.values():
            return None
        status = 503 if "refuse" in self.moods.values() else 204
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        return status
