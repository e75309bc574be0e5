"""Renditions as they are asked for and found, and shares of jobs that have ended."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from api.context import Context
from imagemill.domain.item import CallRecord, ImageFacts, ItemRecord, PlannedItem
from imagemill.domain.job import JobSummary, Submission
from imagemill.domain.lines import to_lines
from imagemill.domain.places import gallery_key, request_key, results_key
from imagemill.domain.renditions import Rendition
from imagemill.domain.results import result_of
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY

JOB = "job_1"
WEB = {"name": "web", "width": 100}


async def submit(http: httpx2.AsyncClient, *renditions: Any) -> httpx2.Response:
    return await http.post("/v1/jobs", json=BODY | {"renditions": list(renditions)})


@pytest.mark.parametrize(
    ("wrong", "where", "says"),
    [
        ({"name": "Web"}, "name", "a-z"),
        ({"name": "thumbnail"}, "name", "every image has anyway"),
        ({"width": 15}, "width", "16"),
        ({"width": 4097}, "width", "4096"),
        ({"height": 1}, "height", "16"),
        ({"fit": "cover"}, "", "give a height"),
        ({"fit": "stretch"}, "fit", "inside"),
        ({"format": "gif"}, "format", "webp"),
        ({"quality": 0}, "quality", "1"),
        ({"quality": 101}, "quality", "100"),
        ({"background": "red"}, "background", "#"),
        ({"size": "1x1"}, "size", "not"),
    ],
)
async def test_what_is_wrong_with_a_rendition_is_said_at_its_place(
    http: httpx2.AsyncClient, control: MemoryStore, wrong: Any, where: str, says: str
) -> None:
    answer = await submit(http, WEB | {"name": "ok"}, WEB | wrong)

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/renditions/1" + (f"/{where}" if where else "")
    assert says in error["detail"]
    assert control.written == []


async def test_two_renditions_can_not_have_one_name(http: httpx2.AsyncClient) -> None:
    answer = await submit(http, WEB, WEB | {"width": 50})
    assert answer.json()["errors"] == [
        {
            "pointer": "/renditions/1/name",
            "detail": "'web' is the name of /renditions/0 already; take another",
        }
    ]


async def test_there_are_ten_renditions_at_most(http: httpx2.AsyncClient) -> None:
    answers = [await submit(http, *(WEB | {"name": f"w{n}"} for n in range(many))) for many in (10, 11)]
    assert [answer.status_code for answer in answers] == [202, 422]


async def test_what_was_asked_for_is_written_down(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    job = (await submit(http, WEB)).json()["id"]
    stored = Submission.model_validate_json(control.data(request_key("t", job)))
    assert stored.renditions == [Rendition(name="web", width=100)]


# --- finding them --------------------------------------------------------------------------------


def ended(engine: MemoryEngine, **more: Any) -> JobSummary:
    plain: dict[str, Any] = {"tenant": "t", "state": "completed", "submitted_at": datetime.now(UTC)}
    engine.summaries[JOB] = JobSummary(**plain | {"cap_nano": 1, "items": 1, "chunks": 1} | more)
    return engine.summaries[JOB]


async def put_result(control: MemoryStore, *warnings: str) -> None:
    item = PlannedItem(
        index=0,
        custom_id="a",
        names=["a/1.png"],
        thumbnail=True,
        renditions=[Rendition(name="web", width=100), Rendition(name="big", width=4000, format="avif")],
    )
    facts = ImageFacts(sha256="0" * 64, bytes=9, width=400, height=300, format="png")
    call = CallRecord(reservation="r", call="c", model="m", images=[facts], cost_nano=5)
    record = ItemRecord(index=0, state="succeeded", call=call, warnings=list(warnings))
    await control.put(results_key("t", JOB, 0), to_lines([result_of(item, record, "", JOB)]))


async def led_to(http: httpx2.AsyncClient, rendition: str) -> str:
    answer = await http.get(f"/v1/jobs/{JOB}/items/a/images/1?rendition={rendition}")
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    return unquote(answer.headers["location"]).removeprefix("memory://").partition("?")[0]


async def test_a_rendition_is_led_to_and_an_unknown_one_names_those_that_there_are(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ended(engine)
    await put_result(control, "rendition_failed:big")

    assert await led_to(http, "web") == f"{JOB}/_renditions/web/a/1.png.webp"
    for name in ("big", "other", "../x"):
        answer = await http.get(f"/v1/jobs/{JOB}/items/a/images/1", params={"rendition": name})
        assert answer.status_code == 404
        assert answer.json()["detail"].endswith("it has: thumbnail, web")


@pytest.mark.parametrize("warnings", [[], ["no_thumbnail"]])
async def test_without_a_thumbnail_the_image_itself_is_led_to(
    parts: Context, http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore, warnings: list[str]
) -> None:
    ended(engine)
    await put_result(control, *warnings)
    thumbnail = f"{JOB}/_thumbnails/a/1.png.webp"

    assert await led_to(http, "thumbnail") == f"{JOB}/a/1.png"
    await parts.delivery.put(thumbnail, b"made later")
    assert await led_to(http, "thumbnail") == thumbnail


async def test_an_item_tells_of_its_copies(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ended(engine)
    await put_result(control)
    [image] = (await http.get(f"/v1/jobs/{JOB}/items/a")).json()["images"]

    assert image["renditions"]["big"] == {
        "key": f"{JOB}/_renditions/big/a/1.png.avif", "width": 400, "height": 300, "format": "avif"
    }  # fmt: skip
    assert list(image["renditions"]) == ["thumbnail", "web", "big"]


# --- sharing -------------------------------------------------------------------------------------


async def share(http: httpx2.AsyncClient, **body: Any) -> httpx2.Response:
    return await http.post(f"/v1/jobs/{JOB}/share", json=body)


async def test_a_share_is_made_by_who_asks_first(
    http: httpx2.AsyncClient, engine: MemoryEngine, control: MemoryStore
) -> None:
    ended(engine)
    first = (await share(http, expires_seconds=3600)).json()
    assert engine.galleries == [JOB]
    await control.put(gallery_key("t", JOB), b"page")
    again = (await http.post(f"/v1/jobs/{JOB}/share")).json()

    assert engine.galleries == [JOB]
    assert first["gallery_url"] == f"memory://jobs/t/{JOB}/gallery.html?expires=3600"
    assert first["contact_sheet_url"] == f"memory://jobs/t/{JOB}/contact-sheet.webp?expires=3600"
    left = datetime.fromisoformat(again["expires_at"]) - datetime.now(UTC)
    assert 604_700 < left.total_seconds() <= 604_800
    assert again["object"] == "share"


@pytest.mark.parametrize("state", ["queued", "running", "held", "cancelling"])
async def test_a_job_that_has_not_ended_is_not_shared(
    http: httpx2.AsyncClient, engine: MemoryEngine, state: str
) -> None:
    ended(engine, state=state)
    answer = await share(http)

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "job-not-ended")
    assert engine.galleries == []


async def test_a_gallery_that_takes_long_is_to_be_asked_for_again(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    ended(engine)
    engine.makes_galleries = False
    answer = await share(http)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["type"].endswith("gallery-not-ready")


@pytest.mark.parametrize("seconds", [0, 59, 604_801, "60", None])
async def test_links_work_for_a_week_at_most(
    http: httpx2.AsyncClient, engine: MemoryEngine, seconds: Any
) -> None:
    ended(engine)
    answer = await share(http, expires_seconds=seconds)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/expires_seconds"


async def test_anothers_job_is_not_shared(http: httpx2.AsyncClient, engine: MemoryEngine) -> None:
    ended(engine, tenant="other")
    assert (await share(http)).status_code == 404
