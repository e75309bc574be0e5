"""The doctor: what is well, what is not, and how to mend it."""

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.doctor import app as doctor_app
from cli.doctor import here, host
from cli.doctor.check import Check, Found
from cli.doctor.service import clock
from cli.doctor.system import checks_of
from cli.main import app
from imagemill import doctor as host_doctor
from imagemill.domain.errors import Misconfigured
from imagemill.domain.pools import Pool
from sandbox.stack import Addresses
from tests.unit.cli.answers import answer
from tests.unit.cli.conftest import ENVIRONMENT
from tests.unit.cli.test_verbs import SYSTEM, page

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
READY = {"engine": "ok", "store": "ok"}


class World:
    """A service whose parts can be broken."""

    def __init__(self) -> None:
        self.ready: httpx2.Response = answer(READY)
        self.read, self.submit = 200, 422
        self.health: httpx2.Response | Exception = answer({"status": "ok"})
        self.system: httpx2.Response = answer(SYSTEM | {"warnings": []})
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if isinstance(self.health, Exception):
            raise self.health
        if request.method == "POST":
            self.bodies.append(request.read())
            return answer({}, self.submit)
        found = {"/healthz": self.health, "/readyz": self.ready, "/v1/system": self.system}.get(path)
        found = found or answer(page(), self.read)
        date = format_datetime(datetime.now(UTC), usegmt=True)
        return httpx2.Response(found.status_code, content=found.content, headers={"Date": date})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ask(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in os.environ:
        if name.startswith("IMAGEMILL_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor_app, "Client", partial(Client, transport=httpx2.MockTransport(world)))

    def run(*words: str, **environment: str) -> Result:
        return CliRunner().invoke(app, ["doctor", *words], env=ENVIRONMENT | environment)

    return run


def bad(result: Result) -> list[str]:
    """What is bad, and how to mend it."""
    lines = result.stdout.splitlines()
    return [line for number, line in enumerate(lines) if "✗" in line or "✗" in lines[number - 1]]


def test_all_is_well(ask: Any, world: World) -> None:
    result = ask()
    assert (result.exit_code, bad(result)) == (0, [])
    for line in ("✓ key             may read and submit", "✓ workers         1 alive", "All is well."):
        assert line in result.stdout.splitlines()
    assert world.bodies == [b"{}"]
    assert ask("-q").stdout == ""


def test_for_programs(ask: Any, world: World) -> None:
    world.read = 401
    result = ask("--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["well"]) == (1, False)
    [wrong] = [check for check in found["checks"] if check["found"] == "bad"]
    assert wrong["name"] == "key"
    assert "IMAGEMILL_API_KEY" in wrong["mend"]


@pytest.mark.parametrize(
    ("broken", "said", "mend"),
    [
        ({"health": httpx2.ConnectError("refused")}, "Nothing answers at http://mill.test", "imagemill dev"),
        ({"health": httpx2.Response(200, content=b"<html>")}, "is not Imagemill", "see --url"),
        ({"ready": answer(READY | {"engine": "away"}, 503)}, "engine", "start Temporal"),
        ({"ready": answer(READY | {"store": "away"}, 503)}, "store", "IMAGEMILL_CONTROL_"),
        (
            {"ready": answer(READY | {"store": "refused"}, 503)},
            "it refuses its keys",
            "IMAGEMILL_CONTROL_",
        ),
        ({"read": 401}, "does not know it", "imagemill keys create"),
        ({"system": answer(SYSTEM | {"workers": []})}, "none is alive", "imagemill worker"),
    ],
)
def test_what_is_broken_is_told_with_its_mending(
    broken: dict[str, Any], said: str, mend: str, ask: Any, world: World
) -> None:
    for name, value in broken.items():
        setattr(world, name, value)
    result = ask()
    told = bad(result)
    assert result.exit_code == 1
    assert len(told) == 2
    assert said in told[0]
    assert mend in told[1]
    assert result.stdout.splitlines()[-1] == "One thing is not well; → says how to mend it."


def test_a_key_that_may_not_all(ask: Any, world: World) -> None:
    world.submit = 403
    result = ask("-q")
    assert result.exit_code == 0
    assert result.stdout.startswith("! key             may read, but not submit\n")


def test_a_service_without_such_an_answer(ask: Any, world: World) -> None:
    world.system = answer({}, 404)
    result = ask()
    assert result.exit_code == 0
    assert "- workers         this service, or this key, does not tell of them" in result.stdout


def test_no_service_is_known(ask: Any) -> None:
    result = ask(IMAGEMILL_URL="")
    assert result.exit_code == 1
    assert "✗ service         No service is known" in result.stdout
    assert "→ Either start one on this machine with `imagemill dev`" in result.stdout


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(0, Found.FINE), (-1.5, Found.FINE), (40, Found.DOUBT), (-40, Found.DOUBT), (400, Found.BAD)],
)
def test_clocks(seconds: float, found: Found) -> None:
    date = format_datetime(NOW, usegmt=True)
    check = clock(date, NOW + timedelta(seconds=seconds))
    assert check.found is found
    if seconds > 30:
        assert "ahead of the service" in check.detail
    assert clock(None, NOW).found is Found.UNKNOWN


def test_what_the_system_tells() -> None:
    group = SYSTEM["pools"][0]["groups"][0]
    trouble = {"code": "insufficient_quota", "detail": "The account is out of money."}
    queue = {"name": "q", "kind": "activity", "backlog": 7, "pollers": 0, "oldest_seconds": 1.0}
    paused = group | {"state": "paused", "paused_until": "2026-11-20T09:30:00Z"}
    told = {
        "parts": [{"name": "delivery", "state": "away"}],
        "pools": [{"name": "p", "groups": [group | {"trouble": trouble}, paused]}],
        "workers": None,
        "queues": [queue, queue | {"pollers": 1, "oldest_seconds": 900.0}],
    }  # fmt: skip
    checks = list(checks_of(told))
    assert [(check.name, check.found) for check in checks] == [
        ("delivery bucket", Found.BAD),
        ("workers", Found.UNKNOWN),
        ("pool p/g", Found.BAD),
        ("pool p/g", Found.DOUBT),
        ("queue", Found.BAD),
        ("queue", Found.DOUBT),
    ]
    assert all(check.mend for check in checks if check.found in (Found.BAD, Found.DOUBT))


# --- this machine ---------------------------------------------------------------------------------


def test_python_and_disk(tmp_path: Path) -> None:
    assert here.python((3, 10, 9)).found is Found.BAD
    assert here.python((3, 11, 0)).found is Found.FINE
    found = [here.disk(tmp_path, free).found for free in (100, here.GIB, 10 * here.GIB)]
    assert found == [Found.BAD, Found.DOUBT, Found.FINE]


def stack(folder: Path, **changes: Any) -> list[Check]:
    place = folder / ".imagemill/stack.json"
    place.parent.mkdir()
    Addresses(**{"pid": os.getpid()} | changes).write(place)
    return list(here.stack(folder / "below"))


def test_a_stack_that_was_killed(tmp_path: Path) -> None:
    gone = stack(tmp_path, pid=2**22 + 1)
    assert [check.found for check in gone] == [Found.DOUBT]


def test_a_stack_that_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    class Connection:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    def connect(address: tuple[str, int], **_: object) -> Connection:
        tried.append(address)
        if address[1] == 3:
            raise ConnectionRefusedError
        return Connection()

    monkeypatch.setattr(socket, "create_connection", connect)
    [check] = stack(tmp_path, url="http://127.0.0.1:1", temporal="127.0.0.1:2", store="http://127.0.0.1:3")
    assert tried == [("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3)]
    assert (check.found, check.detail) == (Found.BAD, "nothing listens: store at http://127.0.0.1:3")


def test_its_file_is_nobody_else_s(tmp_path: Path) -> None:
    stack(tmp_path)
    (tmp_path / ".imagemill/stack.json").chmod(0o644)
    assert "chmod 600" in next(here.stack(tmp_path)).mend


def test_a_host_is_known_by_its_settings() -> None:
    assert host.is_host({"IMAGEMILL_CONTROL_BUCKET": "a"})
    assert not host.is_host({"IMAGEMILL_CONTROL_BUCKET": "", "IMAGEMILL_URL": "x"})


def test_a_host_s_settings_are_tried_in_a_process_of_its_own() -> None:
    """Nothing is set but a bucket: each group of settings says what is missing, in its own words."""
    found = list(host.look_at_host({"PATH": os.environ["PATH"], "IMAGEMILL_TEMPORAL_ADDRESS": "no-address"}))
    assert {check.found for check in found} == {Found.BAD}
    said = {check.name: check.detail for check in found}
    assert "IMAGEMILL_CONTROL_BUCKET: is missing" in said["control (host)"]
    assert "IMAGEMILL_PROVIDER_API_KEY: is missing" in said["pools (host)"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (httpx2.Response(200), "takes the key"),
        (httpx2.Response(404), "whether it takes the key is open"),
        (httpx2.Response(401), "refuses the key (401)"),
        (httpx2.Response(503), "answers 503"),
        (httpx2.ConnectError("no"), "does not answer (ConnectError)"),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_a_provider_account_is_asked_for_what_costs_nothing(step: Any, said: str, kind: Any) -> None:
    pool = Pool(
        name="p", kind=kind, base_url="https://p.test/v1/", api_key=SecretStr("very-secret"), query={"v": "1"}
    )
    asked: list[httpx2.Request] = []

    def provide(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if isinstance(step, Exception):
            raise step
        return httpx2.Response(step.status_code)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(provide)) as http:
        try:
            told = await host_doctor.provider(http, pool)
        except Misconfigured as error:
            told = str(error)
    assert said in told
    assert "very-secret" not in told
    [request] = asked
    path = "/v1/openai/models" if kind == "azure" else "/v1/models"
    assert (request.method, request.url.path, request.url.params["v"]) == ("GET", path, "1")
    header = request.headers["api-key"] if kind == "azure" else request.headers["Authorization"]
    assert "very-secret" in header
