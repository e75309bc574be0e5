"""Files in one request, in parts, and back."""

import json
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli import patience
from cli.client import Client
from cli.downloads import Downloads
from cli.errors import Refused, Stopped
from cli.files import app, sending
from cli.service import Service
from tests.unit.cli.answers import Script, answer
from tests.unit.cli.conftest import Type
from tests.unit.cli.test_verbs import FILE, FILED, UPLOAD, UPLOADED

SERVICE = Service("http://mill.test", "im_id_secret")


class Parts:
    """A service that takes a file in parts of four bytes."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.troubles: list[httpx2.Response | Exception] = []
        self.size: int | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        method, path = request.method, request.url.path
        if method == "POST" and path == "/v1/uploads":
            self.size = json.loads(request.content)["bytes"]
        elif method == "PUT":
            if self.troubles:
                trouble = self.troubles.pop(0)
                if isinstance(trouble, Exception):
                    raise trouble
                return trouble
            content = request.read()
            assert request.headers["x-content-sha256"] == sha256(content).hexdigest()
            self.parts[int(path.rsplit("/")[-1])] = content
            return answer({"number": 1, "bytes": len(content)})
        elif path.endswith("/complete"):
            assert json.loads(request.content) == {"bytes": sum(map(len, self.parts.values()))}
            return answer(FILED)
        return answer(self.upload)

    @property
    def upload(self) -> dict[str, Any]:
        parts = [{"number": number, "bytes": len(data)} for number, data in self.parts.items()]
        return UPLOADED | {"bytes": self.size, "part_bytes": 4, "parts": parts}

    async def send(self, path: Path, said: list[str], resume: str | None = None) -> str:
        async with Client(SERVICE, httpx2.MockTransport(self)) as client:
            told = await sending.send_file(client, path, say=said.append, resume=resume, whole=5)
        return told.model.id


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pause(_: float) -> None: ...

    monkeypatch.setattr(patience, "sleep", pause)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_bytes(b"0123456789")
    return path


async def test_a_large_file_goes_in_parts(large: Path) -> None:
    service = Parts()
    service.troubles = [httpx2.ReadError("reset"), answer({"title": "busy"}, 503)]
    assert await service.send(large, []) == FILE
    assert service.parts == {1: b"0123", 2: b"4567", 3: b"89"}
    assert service.size == 10


async def test_what_broke_off_is_gone_on_with(large: Path) -> None:
    service, said = Parts(), list[str]()
    service.parts = {1: b"0123", 2: b"45"}
    service.size = 10
    assert await service.send(large, said, UPLOAD) == FILE
    assert service.parts == {1: b"0123", 2: b"4567", 3: b"89"}


async def test_a_break_says_how_to_go_on(large: Path) -> None:
    service, said = Parts(), list[str]()
    service.troubles = [answer({"title": "It may not"}, 403)] * 3
    with pytest.raises(Refused, match="It may not"):
        await service.send(large, said)
    assert said[-1] == f"To go on with it within a day: imagemill files upload {large} --resume {UPLOAD}"


async def test_another_file_is_not_mixed_in(large: Path) -> None:
    service = Parts()
    service.size = 11
    with pytest.raises(Stopped, match=r"a file of 11 bytes; .* has 10"):
        await service.send(large, [], UPLOAD)
    assert service.parts == {}


def test_a_file_comes_back(typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Script(httpx2.Response(200, content=b"a,b\n"))
    monkeypatch.setattr(app, "Downloads", partial(Downloads, store.transport))
    there = httpx2.Response(302, headers={"Location": "http://store.test/a?sign=1"})
    evil = answer(FILED | {"filename": "../../shop.csv"})
    result, requests = typed("files", "fetch", FILE, answers=[evil, there])
    assert (result.exit_code, result.stdout) == (0, "shop.csv\n")
    assert (tmp_path / "shop.csv").read_bytes() == b"a,b\n"
    assert [request.url.path for request in requests] == [f"/v1/files/{FILE}", f"/v1/files/{FILE}/content"]
    again, requests = typed("files", "fetch", FILE, answers=[evil, there])
    assert (again.exit_code, len(requests)) == (1, 1)
    assert "shop.csv is there already; name another place with --to" in again.stderr
