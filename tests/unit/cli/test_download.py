import json
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer

from cli import patience
from cli.client import Client
from cli.download import Account, Download, Wanted
from cli.downloads import Downloads
from cli.errors import CliError, Refused
from cli.naming import Clash, Pattern
from cli.service import Service
from tests.unit.cli.answers import JOB, answer, ended, job

SERVICE = Service("http://mill.test", "im_id_secret")


def image(name: str, content: bytes, **changes: Any) -> dict[str, Any]:
    facts = {"key": f"images/{JOB}/{name}", "sha256": sha256(content).hexdigest(), "bytes": len(content)}
    return facts | {"url": f"http://store.test/{content.decode()}?sign=1", "width": 16} | changes


def item(
    name: str, *images: dict[str, Any], state: str = "succeeded", variant: str | None = None
) -> dict[str, Any]:
    return {"custom_id": name, "variant": variant, "state": state, "images": list(images), "cost_usd": "0.01"}


class World:
    """A service with pages of items, and a store whose objects are their own names."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages
        self.fetched: list[str] = []
        self.asked: list[str] = []
        self.away: list[Exception] = []
        self.rounds: list[tuple[dict[str, Any], tuple[list[dict[str, Any]], ...]]] = []
        self.troubles: dict[str, list[httpx2.Response]] = {}

    def service(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if "/images/" in request.url.path:
            name = request.url.path.split("/items/")[1].split("/")[0]
            rendition = request.url.params.get("rendition", "")
            ending = ".webp" if rendition else ""
            return httpx2.Response(
                302, headers={"Location": f"http://store.test/{name}{rendition}{ending}?sign=2"}
            )
        if self.away:
            raise self.away.pop(0)
        if not request.url.path.endswith("/items"):
            found, self.pages = self.rounds.pop(0)
            return answer(found)
        number = int(request.url.params.get("after", "0"))
        more = number + 1 < len(self.pages)
        return answer({"data": self.pages[number], "has_more": more, "last": str(number + 1)})

    def store(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.removeprefix("/")
        self.fetched.append(name)
        if self.troubles.get(name):
            return self.troubles[name].pop(0)
        tag = f'"{md5(name.encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            return httpx2.Response(304, headers={"ETag": tag})
        return httpx2.Response(200, content=name.encode(), headers={"ETag": tag})

    async def run(self, folder: Path, **wanted: Any) -> Account:
        service, store = httpx2.MockTransport(self.service), httpx2.MockTransport(self.store)
        async with Client(SERVICE, service) as client, Downloads(store) as downloads:
            return await Download(
                client, downloads, job=JOB, folder=folder, say=print, wanted=Wanted(**wanted)
            ).run()


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
    world.troubles["gone"] = [httpx2.Response(403), httpx2.Response(403)]
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


async def test_an_address_that_has_expired_is_asked_for_anew(tmp_path: Path) -> None:
    world = World([item("a", image("a/1.png", b"a"))])
    world.troubles["a"] = [httpx2.Response(403)]
    account = await world.run(tmp_path)
    assert (account.fetched, account.failed) == (1, [])
    assert world.asked[-1] == f"/v1/jobs/{JOB}/items/a/images/1"


async def test_names_by_a_pattern(tmp_path: Path) -> None:
    world = World(
        [item("a/b", image("x/1.webp", b"one", format="webp"), variant="wide")],
        [item("..", image("y/1.png", b"two", format="png"), image("y/2.png", b"three", format="png"))],
    )
    account = await world.run(tmp_path, pattern=Pattern("{index:03}/{sku}-{variant}-{n}.{ext}"))
    assert account.failed == []
    assert files(tmp_path) == {
        "001/a_b-wide-1.webp",
        "002/__-default-1.png",
        "002/__-default-2.png",
        "results.jsonl",
    }


async def test_two_images_of_one_name_are_told_before_anything_is_written(tmp_path: Path) -> None:
    one = item("a", image("1.png", b"one"), image("2.png", b"two"))
    world = World(
        [one], [item("b", image("3.png", b"three")), item("b", image("4.png", b"four"), variant="w")]
    )
    with pytest.raises(Clash) as caught:
        await world.run(tmp_path / "new", pattern=Pattern("{sku}.png"))
    assert str(caught.value).splitlines() == [
        "Nothing was written.",
        "  a.png would be the name of two images: --as needs {n}",
        "  b.png would be the name of two images: --as needs {variant}",
    ]
    assert not (tmp_path / "new").exists()
    assert world.fetched == []


async def test_a_pattern_leads_nowhere_else(tmp_path: Path) -> None:
    world = World([item("a", image("1.png", b"one"))])
    account = await world.run(tmp_path / "in", pattern=Pattern("../{sku}.png"))
    assert [why for _, why in account.failed] == ["'../a.png' is no safe name for a file"]
    assert files(tmp_path) == {"in/results.jsonl"}
    absolute = await world.run(tmp_path / "in", pattern=Pattern("/tmp/{sku}.png"))
    assert absolute.fetched == 1
    assert files(tmp_path) == {"in/results.jsonl", "in/tmp/a.png"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{skuu}/{n}.png", "there is no field {skuu}; there are {custom_id}, {sku}, {variant}"),
        ("{sku", "is no pattern"),
        ("{}.png", "there is no field {}"),
        ("{sku!r}.png", "can't be written that way"),
        ("{sku:>9}.png", "can't be written that way"),
        ("{n:x}", "can't be written that way"),
        ("image.png", "names every image alike"),
    ],
)
def test_patterns_that_are_none(text: str, words: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        Pattern(text)
    assert words in str(caught.value)


async def test_renditions_are_kept_by_the_store_s_own_hash(tmp_path: Path) -> None:
    world = World([item("a", image("a/1.png", b"a")), item("b", image("b/1.png", b"b"))])
    first = await world.run(tmp_path, rendition="thumbnail")
    again = await world.run(tmp_path, rendition="thumbnail")
    assert (first.fetched, again.fetched, again.present) == (2, 0, 2)
    assert files(tmp_path) == {"a/1.thumbnail.webp", "b/1.thumbnail.webp", "results.jsonl"}
    assert (tmp_path / "a/1.thumbnail.webp").read_bytes() == b"athumbnail.webp"
    (tmp_path / "a/1.thumbnail.webp").write_bytes(b"cut off")
    assert (await world.run(tmp_path, rendition="thumbnail")).fetched == 1


async def test_a_rendition_that_broke_off_is_not_kept(tmp_path: Path) -> None:
    world = World([item("a", image("a/1.png", b"a"))])
    tag = {"ETag": f'"{"0" * 32}"'}
    world.troubles["asmall.webp"] = [httpx2.Response(200, content=b"cut", headers=tag)]
    account = await world.run(tmp_path, rendition="small")
    assert [why for _, why in account.failed] == ["it is not what was stored: its MD5 differs"]
    assert files(tmp_path) == {"results.jsonl"}


async def test_a_job_is_followed_to_its_end(tmp_path: Path) -> None:
    one, two = item("a", image("a.png", b"one")), item("b", image("b.png", b"two"))
    world = World([])
    world.rounds = [
        (job(), ([one], [item("b", state="running")])),
        (job(), ([item("never asked again")], [item("b", state="running")])),
        (ended(), ([item("never asked again")], [two])),
    ]
    account = await world.run(tmp_path, follow=True)
    assert (sorted(world.fetched), account.states) == (["one", "two"], {"succeeded": 2})
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["custom_id"] for line in lines] == ["a", "b"]


async def test_an_image_that_failed_is_tried_again_while_the_job_is_followed(tmp_path: Path) -> None:
    one = item("a", image("a.png", b"one"))
    world = World([])
    world.rounds = [(job(), ([one],)), (ended(), ([one],))]
    world.troubles["one"] = [httpx2.Response(404)]
    account = await world.run(tmp_path, follow=True)
    assert (account.fetched, account.failed, account.states) == (1, [], {"succeeded": 1})


async def test_a_service_that_restarts_is_waited_for(tmp_path: Path) -> None:
    world = World([item("a", image("a.png", b"one"))])
    world.away = [httpx2.ConnectError("refused")] * 12
    assert (await world.run(tmp_path)).fetched == 1


def reused(name: str, content: bytes, variant: str | None = None) -> dict[str, Any]:
    """An item that an image of an earlier job answers, where it has another name."""
    earlier = image("", content) | {"key": "images/job_earlier/named/otherwise.webp"}
    return item(name, earlier, variant=variant) | {"reused_from": {"job": "job_earlier", "custom_id": "x"}}


@pytest.mark.parametrize("pattern", [None, "{custom_id}/{n}.{ext}"])
async def test_images_that_are_reused_are_fetched_for_each_of_their_items(
    tmp_path: Path, pattern: str | None
) -> None:
    world = World([item("a", image("a/1.webp", b"new")), reused("b", b"old"), reused("c", b"old")])
    account = await world.run(tmp_path, pattern=None if pattern is None else Pattern(pattern))

    assert account.failed == []
    assert files(tmp_path) == {"a/1.webp", "b/1.webp", "c/1.webp", "results.jsonl"}
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["images"][0]["file"] for line in lines] == ["a/1.webp", "b/1.webp", "c/1.webp"]


async def test_names_of_images_that_are_reused_are_safe_and_unlike(tmp_path: Path) -> None:
    names = ["..", "a/b", "a_b", "ä" * 200, "b"]
    world = World(
        [
            *(reused(name, b"old") for name in names),
            reused("b", b"old", "wide"),
            item("own", image("b/1.webp", b"new")),
        ]
    )
    account = await world.run(tmp_path / "folder")

    assert [key for key, _ in account.failed] == [f"images/{JOB}/b/1.webp"], "b/1.webp is taken"
    assert len(files(tmp_path / "folder")) == len(names) + 2
    assert files(tmp_path) == {f"folder/{name}" for name in files(tmp_path / "folder")}
    assert (tmp_path / "folder/b/wide-1.webp").read_bytes() == b"old"
