"""Starting, stopping, dying."""

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox.stack import (
    LocalStack,
    PartDied,
    PartNotOurs,
    PartNotReady,
    PartNotRunning,
    PartReport,
    PortBusy,
    StackOptions,
    UnknownPart,
)
from tests.integration.stack.helpers import Watch


def of_workers(data_dir: Path, count: int = 1, fake: str = "", **more: float) -> StackOptions:
    extra: Mapping[str, str] = {"FAKE_WORKER": fake}
    return StackOptions(data_dir=data_dir, parts={"worker"}, workers=count, extra_env=extra, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["temporal", "store"])
async def test_a_busy_given_port_is_an_error_before_anything_starts(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = LocalStack(StackOptions(data_dir=tmp_path, parts={"temporal", "store"}, ports={name: port}))
        with pytest.raises(PortBusy, match=f"Port {port} is wanted by {name}"):
            await stack.start()
    assert not list((tmp_path / "logs").iterdir())


async def test_a_port_that_was_taken_meanwhile_is_an_error(tmp_path: Path, fake_programs: Path) -> None:
    async with LocalStack(StackOptions(data_dir=tmp_path, parts={"api"})) as stack:
        await stack.stop_part("api")
        port = int((stack.addresses.url or "").rpartition(":")[2])
        with socket.create_server(("127.0.0.1", port)), pytest.raises(PortBusy, match=f"{port} is wanted by"):
            await stack.start_part("api")


async def test_another_server_on_the_port_is_not_taken_for_ours(
    tmp_path: Path, fake_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LocalStack(StackOptions(data_dir=tmp_path, parts={"api"})) as stack:
        await stack.stop_part("api")
        port = int((stack.addresses.url or "").rpartition(":")[2])
        # As if the other came between the check of the port and the start.
        monkeypatch.setattr("sandbox.stack.supervised.require_free", lambda _part, _ports: None)
        async with await asyncio.start_server(answer_ok, "127.0.0.1", port):
            with pytest.raises(PartNotOurs, match=f"127.0.0.1:{port} answers, but not from the process"):
                await stack.start_part("api")
        assert not stack.is_running("api")


async def answer_ok(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_part_that_dies_is_reported_with_the_end_of_its_log_and_ends_the_rest(
    tmp_path: Path, fake_programs: Path
) -> None:
    reports: list[PartReport] = []
    options = StackOptions(data_dir=tmp_path, parts={"api", "worker"})
    stack = LocalStack(options, reports.append)
    await stack.start()
    os.kill(stack.pid("worker-1"), signal.SIGKILL)
    with pytest.raises(PartDied) as caught:
        await stack.wait()
    assert (caught.value.part, caught.value.returncode) == ("worker-1", -signal.SIGKILL)
    assert str(caught.value) == (
        f"worker-1 was ended by SIGKILL. The end of {stack.log('worker-1')}:\n    at work"
    )
    assert not stack.is_running("api")
    assert not stack.directory.addresses.exists()
    assert [report.name for report in reports if report.state == "died"] == ["worker-1"]


async def test_leaving_the_context_tells_of_a_death(tmp_path: Path, fake_programs: Path) -> None:
    with pytest.raises(PartDied, match="worker-1 was ended by SIGKILL"):
        await overlook_a_death(tmp_path)


async def overlook_a_death(data_dir: Path) -> None:
    async with LocalStack(of_workers(data_dir)) as stack:
        os.kill(stack.pid("worker-1"), signal.SIGKILL)
        with suppress(PartDied):
            await stack.wait()


async def test_another_error_gets_the_death_as_a_note(tmp_path: Path, fake_programs: Path) -> None:
    with pytest.raises(LookupError) as caught:
        await fail_after_a_death(tmp_path)
    assert "worker-1 was ended by SIGKILL" in "".join(caught.value.__notes__)


async def fail_after_a_death(data_dir: Path) -> None:
    async with LocalStack(of_workers(data_dir)) as stack:
        os.kill(stack.pid("worker-1"), signal.SIGKILL)
        with pytest.raises(PartDied):
            await stack.wait()
        raise LookupError("no such job")


async def test_a_part_that_cannot_start_says_why(tmp_path: Path, fake_programs: Path) -> None:
    with pytest.raises(PartDied, match="worker-1 ended by itself with exit code 3") as caught:
        await LocalStack(of_workers(tmp_path, fake="broken")).start()
    assert "no engine at that address" in str(caught.value)
    async with LocalStack(of_workers(tmp_path)):
        pass  # the directory is free again


async def test_a_part_that_is_never_ready_is_an_error_and_stopped(
    tmp_path: Path, fake_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.stack.services.Worker.healthy", never)
    stack = LocalStack(of_workers(tmp_path, start_timeout=0.2))
    with pytest.raises(PartNotReady, match=r"worker-1 was not ready within 0\.2 s"):
        await stack.start()
    assert not stack.is_running("worker-1")


async def never(_part: object) -> bool:
    return False


async def test_single_parts_can_be_killed_stopped_and_restarted(tmp_path: Path, fake_programs: Path) -> None:
    async with LocalStack(of_workers(tmp_path, count=2)) as stack:
        assert stack.names == ("worker-1", "worker-2")
        first, second = stack.pid("worker-1"), stack.pid("worker-2")
        await stack.kill("worker-1")
        with pytest.raises(PartNotRunning, match="worker-1"):
            stack.pid("worker-1")
        await stack.start_part("worker-1")
        assert stack.pid("worker-1") != first
        assert stack.pid("worker-2") == second
        await stack.restart("worker-2")
        assert stack.pid("worker-2") != second
        await stack.stop_part("worker-2")
        assert not stack.is_running("worker-2")
    assert stack.failure is None


async def test_a_part_that_runs_is_not_started_twice(tmp_path: Path, fake_programs: Path) -> None:
    async with LocalStack(of_workers(tmp_path)) as stack:
        pid = stack.pid("worker-1")
        await stack.start_part("worker-1")
        assert stack.pid("worker-1") == pid


async def test_an_unknown_part_is_an_error_that_names_those_there_are(
    tmp_path: Path, fake_programs: Path
) -> None:
    async with LocalStack(of_workers(tmp_path)) as stack:
        with pytest.raises(UnknownPart, match="no part `api`; it has worker-1"):
            stack.pid("api")


async def test_a_part_that_lingers_is_killed(tmp_path: Path, fake_programs: Path) -> None:
    async with LocalStack(of_workers(tmp_path, fake="stubborn", stop_grace=0.2)) as stack:
        end = Watch([stack.pid("worker-1")])
    assert end.all_ended(timeout=0)


async def test_the_api_stops_before_the_workers(tmp_path: Path, fake_programs: Path) -> None:
    reports: list[PartReport] = []
    options = StackOptions(data_dir=tmp_path, parts={"api", "worker", "image-api"}, workers=2)
    async with LocalStack(options, reports.append):
        pass
    stopped = [report.name for report in reports if report.state == "stopped"]
    assert stopped[0] == "api"
    assert set(stopped[1:3]) == {"worker-1", "worker-2"}
    assert stopped[3:] == ["image-api"]


async def test_workers_get_the_stacks_settings_and_not_the_callers(
    tmp_path: Path, fake_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEMILL_WORK_WINDOW", "7")
    extra = {"IMAGEMILL_TIMES_CALL_DEADLINE": "5"}
    options = StackOptions(data_dir=tmp_path, parts={"worker"}, extra_env=extra)
    async with LocalStack(options) as stack:
        got = (stack.directory.run / "worker-1.ready").read_text().splitlines()
    ours = {name for name in got if name.startswith("IMAGEMILL_")}
    assert ours == {
        "IMAGEMILL_API_KEY",
        "IMAGEMILL_ADMIN_KEY",
        "IMAGEMILL_CAPS_DAY_USD",
        "IMAGEMILL_CAPS_MONTH_USD",
        "IMAGEMILL_TIMES_CALL_DEADLINE",
    }


async def test_a_part_has_settings_of_its_own_which_are_read_whenever_it_starts(
    tmp_path: Path, fake_programs: Path
) -> None:
    own = {"COLOUR": "red"}
    options = StackOptions(data_dir=tmp_path, parts={"worker"}, workers=2, part_env={"worker-1": own})
    async with LocalStack(options) as stack:
        assert environment(stack, "worker-1")["COLOUR"] == "red"
        assert "COLOUR" not in environment(stack, "worker-2")
        own["COLOUR"] = "green"
        await stack.restart("worker-1")
        assert environment(stack, "worker-1")["COLOUR"] == "green"


async def test_a_part_can_be_another_program_behind_a_prefix(tmp_path: Path, fake_programs: Path) -> None:
    program = fake_programs / "another.py"
    program.write_text((fake_programs / "worker.py").read_text())
    options = StackOptions(
        data_dir=tmp_path,
        parts={"worker"},
        programs={"worker-1": (str(program),)},
        prefixes={"worker-1": ("env", "BEFORE=it")},
    )
    async with LocalStack(options) as stack:
        assert str(program) in words(stack, "worker-1", "cmdline")
        assert environment(stack, "worker-1")["BEFORE"] == "it"


async def test_a_part_that_ends_by_itself_can_be_brought_back(tmp_path: Path, fake_programs: Path) -> None:
    died = asyncio.Event()
    options = StackOptions(data_dir=tmp_path, parts={"worker"}, workers=2, stop_on_death=False)

    def hear(report: PartReport) -> None:
        if report.state == "died":
            died.set()

    async with LocalStack(options, hear) as stack:
        other = stack.pid("worker-2")
        os.kill(stack.pid("worker-1"), signal.SIGKILL)
        await died.wait()
        assert not stack.is_running("worker-1")
        await stack.start_part("worker-1")
        assert stack.is_running("worker-1")
        assert stack.pid("worker-2") == other
    assert stack.failure is None


def environment(stack: LocalStack, part: str) -> dict[str, str]:
    """What a process was started with."""
    pairs = (word.partition("=") for word in words(stack, part, "environ"))
    return {name: value for name, _, value in pairs}


def words(stack: LocalStack, part: str, file: str) -> list[str]:
    """What the kernel tells of a process."""
    return Path(f"/proc/{stack.pid(part)}/{file}").read_bytes().decode().split("\0")
