"""The engine: Temporal's real server in one process, on SQLite."""

from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from sandbox.stack.inheritance import inherited
from sandbox.stack.part import BACKEND, Part
from sandbox.stack.ports import HOST, PortBook

NAMESPACE = "default"
SEARCH_ATTRIBUTES = {
    "ImagemillTenant": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "ImagemillState": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "ImagemillName": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "ImagemillMetadata": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
# Fairness keys are ignored without the first. The second ends a stopping worker's polls on the server's side:
# without it a task may be handed to a poll that its worker has just given up, and is lost until it times out.
# The others let a workflow's steps follow each other at once: by default a queue hands on about 20 a second
# after a burst. With one partition a queue's rate is kept exactly; four would share it, and waste a seventh.
DYNAMIC_CONFIG = {
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.enableFairness": "true",
    "frontend.enableCancelWorkerPollsOnShutdown": "true",
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "history.visibilityProcessorMaxPollRPS": "1000",
}
# Together they take the server from 166 to 408 activities a second, and lose nothing when it is killed.
SQLITE_PRAGMAS = {"journal_mode": "wal", "synchronous": "normal"}


class Temporal(Part):
    """The engine.

    Besides the ports given to it, its internal services listen on random ones, of the loopback address too.
    """

    name = "temporal"
    stage = BACKEND

    def __init__(self, program: str, database: Path, book: PortBook, *, ui: bool) -> None:
        self._program = program
        self._database = database
        labels = ["temporal", "temporal.http", "temporal.metrics", *(["ui"] if ui else [])]
        self.ports = {label: book.take(self.name, label) for label in labels}

    @property
    def target(self) -> str:
        """Where clients connect."""
        return f"{HOST}:{self.ports['temporal']}"

    @property
    def ui_url(self) -> str | None:
        """The web interface, if it runs."""
        return f"http://{HOST}:{self.ports['ui']}" if "ui" in self.ports else None

    def command(self) -> tuple[str, ...]:
        """The server with its settings."""
        ui = ("--ui-port", str(self.ports["ui"])) if "ui" in self.ports else ("--headless",)
        return (
            *(self._program, "server", "start-dev", *ui),
            *("--ip", HOST, "--port", str(self.ports["temporal"])),
            *("--http-port", str(self.ports["temporal.http"])),
            *("--metrics-port", str(self.ports["temporal.metrics"])),
            *("--db-filename", str(self._database)),
            *_repeated("--sqlite-pragma", SQLITE_PRAGMAS),
            *_repeated("--dynamic-config-value", DYNAMIC_CONFIG),
        )

    def environment(self) -> dict[str, str]:
        """Nothing that would send the server's command line elsewhere, or have it ask for a newer version."""
        return inherited("TEMPORAL_") | {"TEMPORAL_VERSION_CHECK_DISABLED": "1"}

    async def healthy(self) -> bool:
        """Whether it takes calls, knows our search attributes, and answers a query for them."""
        try:
            client = await Client.connect(
                self.target, namespace=NAMESPACE, connect_timeout=timedelta(seconds=1)
            )
            await _add_search_attributes(client)
            await client.count_workflows(" AND ".join(f"{name} = 'ready?'" for name in SEARCH_ATTRIBUTES))
        except (RuntimeError, RPCError):  # the SDK's for a failed connect, and for a failed call
            return False
        return True


async def _add_search_attributes(client: Client) -> None:
    """Adds what is missing: the server's own flag for that is ignored on a database that exists."""
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=SEARCH_ATTRIBUTES),
        timeout=timedelta(seconds=2),
    )


def _repeated(flag: str, values: dict[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (flag, f"{name}={value}")]
