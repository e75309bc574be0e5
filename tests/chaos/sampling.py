"""What the processes take, second by second, and how long the engine's histories are.

Nothing of the service is asked: the kernel tells of its processes, and the engine of its workflows.
"""

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

Line = dict[str, Any]

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PAGE = 500


class Sampler:
    """Writes a line for each part and each kind of child of it, now and then.

    A line tells time, part, pid, rss_bytes, fds, threads and processes. Children of one kind are summed in
    one line, since they take turns: their part is `worker-1/imagemill.imaging.child`, their pid the part's
    own. fds is null where the kernel does not let us look.

    Args:
        pids: the processes that run now, by part.
        path: where the lines are added.
        seconds: from one look to the next.
    """

    def __init__(self, pids: Callable[[], Mapping[str, int]], path: Path, seconds: float = 1.0) -> None:
        self._pids = pids
        self._path = path
        self._seconds = seconds

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._seconds)

    def look(self) -> None:
        """Add what is there now."""
        lines = list(sample(self._pids(), time.time()))
        with self._path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def sample(pids: Mapping[str, int], now: float) -> Iterator[Line]:
    """What each part takes, and each kind of child of it; nothing of a part that has just ended."""
    for part, pid in sorted(pids.items()):
        found = _taken(pid)
        if found is None:
            continue
        yield {"time": now, "part": part, "pid": pid, **found, "processes": 1}
        yield from _children(part, pid, now)


def _children(part: str, pid: int, now: float) -> Iterator[Line]:
    kinds: dict[str, list[Line]] = defaultdict(list)
    for child in _below(pid):
        found, name = _taken(child), _name(child)
        if found is not None and name:
            kinds[name].append(found)
    for name, several in sorted(kinds.items()):
        sums = {each: _sum(one[each] for one in several) for each in ("rss_bytes", "fds", "threads")}
        yield {"time": now, "part": f"{part}/{name}", "pid": pid, **sums, "processes": len(several)}


def _sum(values: Iterator[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def _taken(pid: int) -> Line | None:
    """None: the process has ended; a zombie, which nobody has waited for yet, has nothing but its number."""
    status = {
        name: value.split() for name, _, value in (line.partition(":") for line in _text(pid, "status"))
    }
    if "VmRSS" not in status:
        return None
    return {
        "rss_bytes": int(status["VmRSS"][0]) * 1024,
        "fds": _count(Path(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"][0]),
    }


def _count(folder: Path) -> int | None:
    with suppress(OSError):
        return len(os.listdir(folder))  # noqa: PTH208 - the names alone, without a path for each
    return None


def _below(pid: int) -> Iterator[int]:
    """A process' children, and theirs."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _below(child)


def _name(pid: int) -> str:
    """What a process runs, by its command line: a module, a script, or a program."""
    words = "".join(_text(pid, "cmdline")).rstrip("\0").split("\0")
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return next((Path(word).name for word in words if word.endswith(".py")), Path(words[0]).name)


def _text(pid: int, name: str) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_text().splitlines()
    return []


async def histories(client: Client) -> list[Line]:
    """How long each run's history is that the engine remembers, those that go on included.

    A line tells workflow, type, run, status, events, bytes, began and ended (null while it goes on).
    """
    found: list[Line] = []
    more = b""
    while True:
        answer = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(namespace=client.namespace, page_size=PAGE, next_page_token=more)
        )
        found += [_history(await _whole(client, each)) for each in answer.executions]
        more = answer.next_page_token
        if not more:
            return found


async def _whole(client: Client, listed: WorkflowExecutionInfo) -> WorkflowExecutionInfo:
    """Of one that goes on, the list does not tell how long it is."""
    if listed.status != WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
        return listed
    which = WorkflowExecution(workflow_id=listed.execution.workflow_id, run_id=listed.execution.run_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=which)
    answer = await client.workflow_service.describe_workflow_execution(request)
    return answer.workflow_execution_info


def _history(told: WorkflowExecutionInfo) -> Line:
    status = WorkflowExecutionStatus.Name(told.status).removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()
    return {
        "workflow": told.execution.workflow_id,
        "type": told.type.name,
        "run": told.execution.run_id,
        "status": status,
        "events": told.history_length,
        "bytes": told.history_size_bytes,
        "began": _seconds(told.start_time.ToNanoseconds()),
        "ended": _seconds(told.close_time.ToNanoseconds()) if told.HasField("close_time") else None,
    }


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / 1e9
