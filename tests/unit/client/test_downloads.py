"""Images into a folder: whole or not at all, below it, and only once."""

import hashlib
import time
from pathlib import Path

import httpx2
import pytest

from imagemill_client import DownloadFailed, Imagemill, Job, StoreError, UnsafeName
from imagemill_client._core.core import configured
from imagemill_client._core.downloads import Downloader, Target
from imagemill_client.models import Image, Item
from imagemill_client.params import NewItem
from imagemill_client.testing import FakeImagemill
from imagemill_client.testing._routes import FakeTransport

ODD = ["../evil", "/etc/passwd", "a/../../b", "..", ".", "a//b", "a\\b", "a\nb", "a\x00b", ""]


def finished(fake: FakeImagemill, client: Imagemill, *names: str, n: int = 1) -> Job:
    items: list[NewItem] = [{"custom_id": name, "prompt": f"A chair, {name}", "n": n} for name in names]
    job = client.jobs.submit(items=items, budget="10.00")
    fake.finish(job)
    return job


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_image_lies_where_its_template_says(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, "shoes/red", "lamp", n=2)
        got = job.download(tmp_path, "{custom_id}/{variant}-{n}.{ext}")
        stored = job.item("lamp").images

    assert set(files(tmp_path)) == {
        "shoes/red/main-1.png", "shoes/red/main-2.png", "lamp/main-1.png", "lamp/main-2.png",
    }  # fmt: skip
    for image in stored:
        assert image.sha256 in {hashlib.sha256(data).hexdigest() for data in files(tmp_path).values()}
    assert [(each.custom_id, each.n, each.fetched) for each in got][:2] == [
        ("lamp", 1, True),
        ("lamp", 2, True),
    ]


def test_without_a_name_they_lie_as_in_the_bucket_and_a_function_may_name_them(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, "lamp")
        job.download(tmp_path / "as it is")
        job.download(tmp_path / "named", lambda item, n: f"{item.custom_id.upper()}_{n}")

    assert set(files(tmp_path)) == {"as it is/lamp/1.png", "named/LAMP_1"}


def test_what_is_there_is_not_fetched_again_and_what_is_not_whole_is(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, "a", "b", "c")
        job.download(tmp_path, "{custom_id}.{ext}")
        whole = files(tmp_path)
        (tmp_path / "b.png").write_bytes(whole["b.png"][:10])
        (tmp_path / "c.png").unlink()
        again = job.download(tmp_path, "{custom_id}.{ext}")

    assert [(each.custom_id, each.fetched) for each in again] == [("a", False), ("b", True), ("c", True)]
    assert files(tmp_path) == whole


def test_images_come_while_the_job_runs(tmp_path: Path) -> None:
    fake, seen = FakeImagemill(), []
    fake.on_poll(lambda job: seen.append(len(files(tmp_path))))
    with fake.client() as client:
        items: list[NewItem] = [{"custom_id": str(n), "prompt": "A chair"} for n in range(5)]
        job = client.jobs.submit(items=items, budget="1.00")
        job.download(tmp_path)

    assert seen == [0, 0, 1, 2, 3, 4]
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize("trouble", ["unreachable", "unanswered", "away"])
def test_a_lost_connection_is_made_again(trouble: str, tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, *map(str, range(10)))
        fake.trouble(trouble, 5)  # type: ignore[arg-type]
        job.download(tmp_path, at_once=3)

    assert len(files(tmp_path)) == 10


def test_an_address_that_has_run_out_is_asked_for_anew(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, "a", "b")
        old = list(job.items())
        fake.now = fake.later(4000)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("imagemill_client._core.downloads.follow", lambda *_: iter([given(old)]))
            job.download(tmp_path)

    assert len(files(tmp_path)) == 2


def given(items: object):  # type: ignore[no-untyped-def]
    return items
    yield


@pytest.mark.parametrize("custom_id", [name for name in ODD if name])
def test_no_id_leads_out_of_the_folder(custom_id: str, tmp_path: Path) -> None:
    fake, folder = FakeImagemill(), tmp_path / "images"
    with fake.client() as client:
        job = finished(fake, client, custom_id, "good")
        with pytest.raises(DownloadFailed, match="1 of 2 images") as met:
            job.download(folder, "{custom_id}")

    ((_, why),) = met.value.failed
    assert isinstance(why, UnsafeName)
    assert set(files(tmp_path)) == {"images/good"}


@pytest.mark.parametrize("name", ODD)
def test_no_function_names_a_file_outside(name: str, tmp_path: Path) -> None:
    fake, folder = FakeImagemill(), tmp_path / "images"
    with fake.client() as client, pytest.raises(DownloadFailed):
        finished(fake, client, "a").download(folder, lambda item, n: name)

    assert files(tmp_path) == {}


def test_a_link_in_the_folder_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a").symlink_to(tmp_path / "elsewhere")
    fake = FakeImagemill()
    with fake.client() as client, pytest.raises(DownloadFailed):
        finished(fake, client, "a").download(tmp_path / "images", "{custom_id}/{n}.{ext}")

    assert files(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize("name", ["{custom_id.__class__}", "{0}", "{}", "{n:>9}", "{n!r}", "{key}", "{"])
def test_a_template_has_only_the_fields_that_there_are(name: str, tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client, pytest.raises(UnsafeName):
        finished(fake, client, "a").download(tmp_path, name)


def test_two_images_do_not_take_one_place(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client, pytest.raises(DownloadFailed, match=r"put \{n\} in the name"):
        finished(fake, client, "a", n=2).download(tmp_path, "{custom_id}.{ext}")

    assert len(files(tmp_path)) == 1


class Liar(FakeTransport):
    """A store that gives something else."""

    def __init__(self, fake: FakeImagemill, data: bytes) -> None:
        super().__init__(fake)
        self._data = data

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        other = httpx2.Response(200, content=self._data, request=request)
        return other if request.url.host == "images.fake" else answer


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 100_000], ids=["nothing", "other", "more"])
def test_what_is_not_what_was_stored_is_not_kept(data: bytes, tmp_path: Path) -> None:
    fake = FakeImagemill()
    transport = Liar(fake, data)
    with Imagemill("http://imagemill.fake", fake.api_key, transport=transport, sleep=fake.sleep) as client:
        job = finished(fake, client, "a")
        with pytest.raises(DownloadFailed) as met:
            job.download(tmp_path)

    assert isinstance(met.value.failed[0][1], StoreError)
    assert files(tmp_path) == {}


def test_a_file_that_is_begun_anew_is_whole(tmp_path: Path) -> None:
    data = b"0123456789" * 3
    image = Image(
        key="k", sha256=hashlib.sha256(data).hexdigest(), bytes=30, width=1, height=1, format="png", url="u"
    )
    target = Target(tmp_path / "image.png", image)
    target.open()
    target.begin()
    target.take(data[:20])
    target.begin()
    target.take(data[:15])
    target.take(data[15:])
    target.keep()
    target.drop()

    assert files(tmp_path) == {"image.png": data}


def test_no_key_goes_to_the_store(tmp_path: Path) -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = finished(fake, client, "a")
        job.download(tmp_path)  # the fake's store refuses requests that have one
        assert job.image("a") == (tmp_path / "a" / "1.png").read_bytes()
        assert "images.fake" in job.image_url("a")
        assert "until=" not in repr(job.item("a"))


async def test_the_asynchronous_shell_downloads(tmp_path: Path) -> None:
    fake = FakeImagemill()
    async with fake.async_client() as client:
        items: list[NewItem] = [{"custom_id": str(n), "prompt": "A chair"} for n in range(12)]
        job = await client.jobs.submit(items=items, budget="1.00")
        fake.trouble("unanswered", 4)
        got = await job.download(tmp_path, "{custom_id}.{ext}", at_once=4)

    assert len(got) == len(files(tmp_path)) == 12


@pytest.mark.parametrize(
    ("custom_id", "variant", "name"),
    [
        ("lamp", None, "lamp/1.webp"),
        ("lamp", "wide", "lamp/wide-1.webp"),
        ("shoes/red", None, "shoes_red-1ae0cbba/1.webp"),
        ("..", None, "..-5ec1f7e7/1.webp"),
    ],
)
def test_an_image_that_is_reused_is_named_as_this_job_would_have_named_it(
    custom_id: str, variant: str | None, name: str, tmp_path: Path
) -> None:
    image = Image.model_validate(
        {"key": "images/job_earlier/x/9.webp", "sha256": "0" * 64, "bytes": 1, "url": "http://store.test/x",
         "width": 1, "height": 1, "format": "webp"}
    )  # fmt: skip
    item = Item.model_validate(
        {"custom_id": custom_id, "variant": variant, "state": "succeeded", "cost_usd": "0.00",
         "images": [image], "reused_from": {"job": "job_earlier", "custom_id": "x"}}
    )  # fmt: skip
    core = configured("http://mill.test", "im_id_secret", 1.0, 0, time.monotonic)

    assert Downloader(core, "job_now", tmp_path)._place(item, 1, image) == tmp_path / name
