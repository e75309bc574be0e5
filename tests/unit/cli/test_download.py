import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli import patience
from cli.client import Client, Downloads
from cli.download import Account, Download
from cli.errors import CliError, Refused
from cli.service import Service
from tests.unit.cli.answers import JOB, answer

SERVICE = Service("http://mill.test", "im_id_secret")


def image(name: str, content: bytes, **changes: Any) -> dict[str, Any]:
    facts = {"key": f"images/{JOB}/{name}", "sha256": sha256(content).hexdigest(), "bytes": len(content)}
    return facts | {"url": f"http://store.test/{content.decode()}?sign=1", "width": 16} | changes


def item(name: str, *images: dict[str, Any], state: str = "succeeded") -> dict[str, Any]:
    return {"custom_id": name, "state": state, "images": list(images), "cost_usd": "0.01"}


class World:
    """A service with pages of items, and a store whose objects are their own names."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages
        self.fetched: list[str] = []
        self.troubles: dict[str, list[httpx2.Response]] = {}

    def service(self, request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params.get("after", "0"))
        more = number + 1 < len(self.pages)
        return answer({"data": self.pages[number], "has_more": more, "last": str(number + 1)})

    def store(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.removeprefix("/")
        self.fetched.append(name)
        if self.troubles.get(name):
            return self.troubles[name].pop(0)
        return httpx2.Response(200, content=name.encode())

    async def run(self, folder: Path) -> Account:
        service, store = httpx2.MockTransport(self.service), httpx2.MockTransport(self.store)
        async with Client(SERVICE, service) as client, Downloads(store) as downloads:
            return await Download(client, downloads, job=JOB, folder=folder, say=print).run()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pause(_: float) -> None: ...

    monkeypatch.setattr(patience, "sleep", pause)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_all_pages_with_their_list(tmp_path: Path) -> None:
    first = [item("a", image("a/1.png", b"one"), image("a/2.r1.png", b"two")), item("b", state="running")]
    world = World(first, [item("c", state="blocked")])
    account = await world.run(tmp_path / "new/folder")
    assert files(tmp_path / "new/folder") == {"a/1.png", "a/2.r1.png", "results.jsonl"}
    assert (account.fetched, account.present, account.failed) == (2, 0, [])
    assert account.states == {"succeeded": 1, "blocked": 1}
    lines = [json.loads(line) for line in (tmp_path / "new/folder/results.jsonl").read_text().splitlines()]
    assert [line["custom_id"] for line in lines] == ["a", "c"]
    assert [each["file"] for each in lines[0]["images"]] == ["a/1.png", "a/2.r1.png"]
    assert "sign=1" not in json.dumps(lines)


async def test_only_what_is_missing_or_wrong_is_fetched(tmp_path: Path) -> None:
    world = World([item("a", image("1.png", b"one"), image("2.png", b"two"), image("3.png", b"three"))])
    (tmp_path / "1.png").write_bytes(b"one")
    (tmp_path / "2.png").write_bytes(b"twx")
    account = await world.run(tmp_path)
    assert sorted(world.fetched) == ["three", "two"]
    assert (account.fetched, account.present) == (2, 1)
    assert (tmp_path / "2.png").read_bytes() == b"two"


async def test_what_cannot_be_had_is_told_and_the_rest_fetched(tmp_path: Path) -> None:
    world = World(
        [
            item("gone", image("gone.png", b"gone")),
            item("bad", image("bad.png", b"bad", sha256="0" * 64)),
            item("long", image("long.png", b"long", bytes=2)),
            item("evil", image("../evil.png", b"evil")),
            item("good", image("good.png", b"good")),
        ]
    )
    world.troubles["gone"] = [httpx2.Response(403)]
    account = await world.run(tmp_path / "folder")
    why = {key.rsplit("/")[-1]: text for key, text in account.failed}
    assert len(account.failed) == len(why) == 4
    assert "403" in why["gone.png"]
    assert "SHA-256" in why["bad.png"]
    assert "larger than the 2 bytes" in why["long.png"]
    assert "no safe name" in why["evil.png"]
    assert files(tmp_path) == {"folder/good.png", "folder/results.jsonl"}
    assert "evil" not in world.fetched


async def test_a_store_that_stumbles(tmp_path: Path) -> None:
    world = World([item("a", image("1.png", b"one"))])
    world.troubles["one"] = [httpx2.Response(503), httpx2.Response(500)]
    assert (await world.run(tmp_path)).fetched == 1


async def test_an_unsafe_link_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").symlink_to(tmp_path / "outside")
    (tmp_path / "folder/2.png").symlink_to(tmp_path / "outside/2.png")
    world = World([item("a", image("a/1.png", b"one"), image("2.png", b"two"))])
    account = await world.run(tmp_path / "folder")
    assert [key for key, _ in account.failed] == [f"images/{JOB}/a/1.png"]
    assert files(tmp_path / "outside") == set()
    assert not (tmp_path / "folder/2.png").is_symlink()


async def test_names_that_collide_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    account = await World([item("a", image("a/1.png", b"one"))]).run(tmp_path)
    assert len(account.failed) == 1


async def test_no_folder_is_made_for_no_job(tmp_path: Path) -> None:
    async with Client(
        SERVICE, httpx2.MockTransport(lambda _: answer({"title": "There is no such thing"}, 404))
    ) as client:
        download = Download(client, Downloads(), job=JOB, folder=tmp_path / "new", say=print)
        with pytest.raises(Refused, match="no such thing"):
            await download.run()
    assert not (tmp_path / "new").exists()


async def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError, match="can't be written to"):
        await World([item("a")]).run(tmp_path / "file/below")
