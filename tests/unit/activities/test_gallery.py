"""What a finished job is shown by: which pictures, in which order, and what is missing made."""

from datetime import UTC, datetime

import pytest
from temporalio.testing import ActivityEnvironment

from activities import gallery
from activities.copies import Copies
from activities.gallery import Galleries, NoSheet
from imagemill.domain.item import DeliveredImage, ItemResult
from imagemill.domain.job import Counts, JobSummary, Progress
from imagemill.domain.lines import to_lines
from imagemill.domain.messages import GalleryTask
from imagemill.domain.places import contact_sheet_key, gallery_key, results_key, thumbnail_key
from imagemill.gallery import Picture, page
from tests.fakes.imaging import FakeImaging
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 21, tzinfo=UTC)
JOB = "job_1"
PAGE, SHEET = gallery_key("t", JOB), contact_sheet_key("t", JOB)


def summary(*, chunks: int = 1, images: int = 3, name: str | None = "Spring") -> JobSummary:
    ended = Progress(counts=Counts(succeeded=2, failed=1, images=images), settled_nano=1_234_500_000)
    return JobSummary(
        tenant="t", name=name, submitted_at=NOW, ended_at=NOW, items=3, chunks=chunks, cap_nano=1, ended=ended
    )


class Hall:
    """A job's results and images, and what makes its gallery."""

    def __init__(self) -> None:
        self.control, self.delivered, self.imaging = MemoryStore(), MemoryStore(), FakeImaging()
        copies = Copies(self.delivered, self.imaging, "")
        self.galleries = Galleries(self.control, copies, self.imaging)

    async def chunk(self, number: int, *items: ItemResult) -> None:
        await self.control.put(results_key("t", JOB, number), to_lines(items))

    async def make(self, *, chunks: int = 1, images: int = 3) -> str:
        task = GalleryTask(tenant="t", job=JOB, summary=summary(chunks=chunks, images=images))
        await ActivityEnvironment().run(self.galleries.make, task)
        return self.control.data(PAGE).decode()


def result(custom_id: str, *images: str, variant: str | None = None) -> ItemResult:
    return ItemResult(
        index=0,
        custom_id=custom_id,
        variant=variant,
        state="succeeded" if images else "failed",
        images=[
            DeliveredImage(key=key, sha256="", bytes=1, width=300, height=200, format="png") for key in images
        ],
    )


async def test_the_pictures_are_in_the_order_of_the_plan_and_what_is_missing_is_made() -> None:
    hall = Hall()
    await hall.chunk(0, result("a", f"{JOB}/a.png", variant="banner"), result("bad"))
    await hall.chunk(2, result("b", f"{JOB}/b1.png", f"{JOB}/b2.png"))
    await hall.delivered.put(thumbnail_key(f"{JOB}/a.png"), b"thumbnail")
    await hall.delivered.put(f"{JOB}/b1.png", b"image")
    html = await hall.make(chunks=3)

    places = [html.index(caption) for caption in ("a · banner", "b (1)", "b (2)")]
    assert places == sorted(places)
    assert html.count("data:image/webp") == 2
    assert html.count("no preview") == 1  # b2 is gone
    assert hall.imaging.asked == [["thumbnail"]]
    assert thumbnail_key(f"{JOB}/b1.png") in hall.delivered.written
    assert hall.imaging.sheets[0][0].captions == ["a · banner", "b (1)"]
    assert "3 pictures" in html
    assert "2 of 3 items" in html
    assert "$1.23" in html


async def test_the_page_is_written_last_and_is_html() -> None:
    hall = Hall()
    await hall.make()

    assert [key for method, key in hall.control.calls if method == "put"] == [SHEET, PAGE]
    assert (await hall.control.head(PAGE)).content_type == "text/html; charset=utf-8"
    assert (await hall.control.head(SHEET)).content_type == "image/webp"


async def test_without_a_contact_sheet_there_is_no_page() -> None:
    hall = Hall()
    hall.imaging.draws = False

    with pytest.raises(NoSheet):
        await hall.make()
    assert hall.control.written == []


async def test_of_many_pictures_the_first_are_shown_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "MOST_PICTURES", 2)
    monkeypatch.setattr("imagemill.gallery.MOST_PICTURES", 2)
    hall = Hall()
    await hall.chunk(0, *(result(name, f"{JOB}/{name}.png") for name in ("a", "b", "c")))
    for name in ("a", "b", "c"):
        await hall.delivered.put(f"{JOB}/{name}.png", b"image")
    html = await hall.make(images=5000)

    assert html.count("<img") == 2
    assert "The first 2 of 5,000 pictures." in html
    assert hall.imaging.sheets[0][0].note == "The first 2 of 5,000 pictures."


HOSTILE = "<script>alert(1)</script>\"'><img src=http://x onerror=y>{{ 7 * 7 }}"


def test_names_are_text() -> None:
    picture = Picture(HOSTILE, 3, 2, b"x")
    html = page(JOB, summary(name=HOSTILE), [picture]).decode()

    assert "<script" not in html
    assert html.count("<img") == 1
    assert "49" not in html
    assert html.count("&lt;script&gt;") == 5  # title, heading, and three times with the picture


def test_pictures_that_the_job_has_not_bought_are_counted() -> None:
    html = page(JOB, summary(images=0), [Picture("a", 1, 1, b"x"), Picture("b", 1, 1, b"x")]).decode()
    assert "2 pictures" in html


def test_a_job_without_pictures_says_so() -> None:
    assert "no pictures" in page(JOB, summary(name=None), []).decode()
