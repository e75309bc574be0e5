"""Manifests that are looked for at planning: what is found, what can't be had, what a job keeps."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.planning import Planning
from activities.sources import LARGEST_MANIFEST, Sources
from api.limits import FILE_BYTES
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import InvalidInput, NotSent, Refused, StoreRefused
from imagemill.domain.item import PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.manifests import FoundManifest, ManifestSource
from imagemill.domain.messages import Estimated, EstimateTask, Plan, PlanTask
from imagemill.domain.places import (
    estimate_key,
    facts_key,
    file_key,
    manifest_copy_key,
    plan_index_key,
    plan_key,
    request_key,
)
from imagemill.inputs.reference import Rules
from imagemill.templating.process import ProcessTemplating
from tests.fakes.store import MemoryStore

URL = "https://shop.example/feeds/today.csv?sig=very-secret"
RULES = Rules(buckets=("shop", "feeds/spring"))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FEED = {"format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}
ROWS = b"id,text\na,a chair\n"


class Web:
    """Implements `ManifestFetcher`: each ask gets the next answer, the last one for ever."""

    def __init__(self, *answers: bytes | Exception, **head: str) -> None:
        self.answers = list(answers)
        self.head = {name.replace("_", "-"): value for name, value in head.items()}
        self.asked: list[str] = []

    async def download(self, address: str, target: Path) -> Mapping[str, str]:
        self.asked.append(address)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        target.write_bytes(answer)  # noqa: ASYNC240 - a small file
        return self.head


class Desk:
    """Sources, with stores in memory."""

    def __init__(self, web: Web | None = None, most_bytes: int = 1000) -> None:
        self.control, self.shop, self.web = MemoryStore(), MemoryStore(), web or Web(ROWS)
        self.sources = Sources(
            self.control,
            self.web,
            {"shop": self.shop}.get,
            RULES,
            waits=(0, 0),
            most_bytes=most_bytes,
        )

    async def put(self, key: str, data: bytes, minutes: int) -> None:
        """An object of the shop's bucket that was changed so many minutes after noon."""
        await self.shop.put(key, data)
        self.shop.modified[key] = NOON + timedelta(minutes=minutes)

    async def upload(self, number: int, name: str, data: bytes) -> str:
        file_id = f"file_{number:026d}"
        await self.control.put(file_key("t", file_id), data)
        facts = {"id": file_id, "bytes": len(data), "filename": name, "content_type": "text/csv"}
        await self.control.put(facts_key("t", file_id), json.dumps(facts).encode())
        return file_id

    async def fetch(self, path: Path, **source: str) -> tuple[bytes, FoundManifest]:
        found = await self.sources.fetch("t", ManifestSource(**source), path)
        return path.read_bytes(), found  # noqa: ASYNC240 - a small file

    async def refusal(self, path: Path, **source: str) -> str:
        with pytest.raises(InvalidInput) as refused:
            await self.fetch(path, **source)
        ((where, what),) = refused.value.problems
        assert where == "manifest"
        assert "secret" not in what
        return what


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest"


# --- the newest of a prefix ----------------------------------------------------------------------


async def test_the_object_that_was_changed_last_is_read(path: Path) -> None:
    desk = Desk()
    await desk.put("feeds/z.csv", b"old", 1)
    await desk.put("feeds/a.csv", b"newest", 3)
    await desk.put("feeds/later/", b"", 9)  # a folder's marker
    await desk.put("other/b.csv", b"elsewhere", 5)
    data, found = await desk.fetch(path, newest="s3://shop/feeds/")

    assert data == b"newest"
    assert found == FoundManifest(
        place="s3://shop/feeds/a.csv",
        bytes=6,
        sha256=hashlib.sha256(b"newest").hexdigest(),
        modified_at=NOON + timedelta(minutes=3),
        etag=hashlib.md5(b"newest").hexdigest(),
    )


async def test_of_two_objects_of_the_same_moment_the_last_by_its_key_is_read(path: Path) -> None:
    desk = Desk()
    for key in ("feeds/2.csv", "feeds/3.csv", "feeds/1.csv"):
        await desk.put(key, key.encode(), 1)
    assert (await desk.fetch(path, newest="s3://shop/feeds/"))[0] == b"feeds/3.csv"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("s3://shop/none/", "there is no object under s3://shop/none/"),
        ("s3://elsewhere/feeds/", "may not be read here"),
        ("s3://feeds/springtime", "may not be read here"),
        ("s3://feeds/spring/", "may not be read by this service"),  # it is allowed, and there is none
        ("s3://shop/large/", "s3://shop/large/a.csv: it has more than"),
        ("shop/feeds", "write s3://bucket/prefix/"),
    ],
)
async def test_a_prefix_that_leads_to_nothing_is_told(path: Path, source: str, says: str) -> None:
    desk = Desk(most_bytes=10)
    await desk.put("large/a.csv", b"x" * 11, 1)
    assert says in await desk.refusal(path, newest=source)


async def test_a_bucket_that_its_keys_do_not_open_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()

    async def listed(prefix: str) -> Any:
        raise StoreRefused
        yield

    monkeypatch.setattr(desk.shop, "listed", listed)
    assert "may not be read by this service" in await desk.refusal(path, newest="s3://shop/feeds/")


async def test_a_bucket_that_is_away_is_tried_again_but_not_for_ever(path: Path) -> None:
    desk = Desk()
    await desk.put("feeds/a.csv", ROWS, 1)
    desk.shop.away = 2
    assert (await desk.fetch(path, newest="s3://shop/feeds/"))[0] == ROWS
    desk.shop.away = 3
    assert "could not be reached; it was tried 3 times" in await desk.refusal(path, newest="s3://shop/feeds/")


# --- the newest upload ---------------------------------------------------------------------------


async def test_the_file_that_was_uploaded_last_under_such_a_name_is_read(path: Path) -> None:
    desk = Desk()
    for number in range(40):
        await desk.upload(number, f"photo-{number}.png", b"x")
    await desk.upload(40, "feed-1.csv", b"old")
    second = await desk.upload(41, "feed-2.csv", b"new")
    await desk.upload(42, "my-feed-3.csv", b"other")
    data, found = await desk.fetch(path, newest_file="feed-")

    assert data == b"new"
    assert found.place == f"{second} (feed-2.csv)"
    assert "'nothing-'" in await desk.refusal(path, newest_file="nothing-")


async def test_another_tenant_s_files_are_not_looked_at(path: Path) -> None:
    desk = Desk()
    await desk.upload(1, "feed-1.csv", b"mine")
    with pytest.raises(InvalidInput):
        await desk.sources.fetch("other", ManifestSource(newest_file="feed-"), path)


# --- an address ----------------------------------------------------------------------------------


async def test_an_address_is_read_and_shown_without_what_grants_access(path: Path) -> None:
    head = {"etag": '"1"', "last_modified": "Fri, 01 May 2026 12:00:00 GMT"}
    data, found = await Desk(Web(ROWS, **head)).fetch(path, url=URL)

    assert data == ROWS
    assert found.place == "https://shop.example/feeds/today.csv"
    assert (found.modified_at, found.etag, found.bytes) == (NOON, '"1"', len(ROWS))


@pytest.mark.parametrize(
    "said",
    ["", "yesterday", "0", f"Fri, 01 May {'9' * 20} 12:00:00 GMT", f"Fri, 01 May 2026 12:00:00 +{'9' * 20}"],
)
async def test_a_date_that_is_none_is_left_out(path: Path, said: str) -> None:
    _, found = await Desk(Web(ROWS, last_modified=said)).fetch(path, url=URL)
    assert found.modified_at is None


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("input_missing", "there is nothing to be had there"),
        ("input_too_large", "it has more than 5,368,709,120 bytes"),
        ("input_address_refused", "private network"),
        ("input_not_an_image", "content-encoding"),
    ],
)
async def test_an_address_that_brings_no_manifest_is_told(path: Path, code: str, says: str) -> None:
    told = await Desk(Web(Refused(code))).refusal(path, url=URL)
    assert told.startswith("https://shop.example/feeds/today.csv: ")
    assert says in told


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/a.csv", "http://shop.example/a.csv", "ftp://shop.example/a"]
)
async def test_an_address_that_is_not_fetched_is_not_asked(path: Path, url: str) -> None:
    desk = Desk()
    await desk.refusal(path, url=url)
    assert not desk.web.asked


async def test_an_address_that_is_away_is_tried_again_but_not_for_ever(path: Path) -> None:
    away = NotSent("input_unreachable")
    assert (await Desk(Web(away, away, ROWS)).fetch(path, url=URL))[0] == ROWS
    desk = Desk(Web(away))
    assert "tried 3 times" in await desk.refusal(path, url=URL)
    assert len(desk.web.asked) == 3


def test_a_manifest_may_be_as_large_as_an_upload() -> None:
    assert LARGEST_MANIFEST == FILE_BYTES


# --- a job keeps what it was given ---------------------------------------------------------------


class Mill(Desk):
    """A desk whose jobs are planned."""

    def planning(self) -> Planning:
        return Planning(self.control, ProcessTemplating(), Catalogue.load(), RULES, sources=self.sources)

    def submission(self, job: str, **source: str) -> Submission:
        said = {"job": job, "tenant": "t", "submitted_at": NOON, "cap_nano": 10**12}
        defaults = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}
        return Submission.model_validate(said | {"defaults": defaults, "manifest": FEED | {"source": source}})

    async def plan(self, **source: str) -> Plan:
        body = self.submission("job_1", **source).model_dump_json().encode()
        await self.control.put(request_key("t", "job_1"), body)
        task = PlanTask(job="job_1", tenant="t", run="run")
        return await ActivityEnvironment().run(self.planning().plan, task)

    def prompts(self) -> list[str]:
        lines = self.control.data(plan_key("t", "job_1", 0)).splitlines()
        items = [PlannedItem.model_validate_json(line) for line in lines]
        return [item.request.prompt for item in items if item.request]


async def test_every_try_at_a_plan_reads_the_bytes_that_the_first_one_found() -> None:
    mill = Mill(Web(ROWS, b"id,text\na,another chair\n"))
    first = await mill.plan(url=URL)
    del mill.control.objects[plan_key("t", "job_1", 0)]  # as if it had died before
    again = await mill.plan(url=URL)

    assert first == again
    assert (mill.prompts(), len(mill.web.asked)) == (["a chair"], 1)
    assert first.manifest
    assert first.manifest.place == "https://shop.example/feeds/today.csv"
    digest = hashlib.sha256(ROWS).hexdigest()
    assert mill.control.data(manifest_copy_key("t", "job_1", digest)) == ROWS
    index = json.loads(mill.control.data(plan_index_key("t", "job_1")))
    assert index["manifest"]["sha256"] == digest


async def test_a_try_that_was_slower_reads_what_the_quicker_one_found() -> None:
    """Both found no pin; the other's is there when this one writes its own."""
    mill = Mill(Web(ROWS))
    quicker = Mill(Web(b"id,text\na,a lamp\n"))
    quicker.control = mill.control
    quicker.sources = Sources(mill.control, quicker.web, lambda _: None, RULES)

    class Slow(Web):
        async def download(self, address: str, target: Path) -> Mapping[str, str]:
            await quicker.sources.pinned("t", "job_1", ManifestSource(url=URL), target)
            target.write_bytes(ROWS)  # noqa: ASYNC240 - a small file
            return {}

    mill.sources = Sources(mill.control, Slow(ROWS), lambda _: None, RULES)
    await mill.plan(url=URL)

    assert mill.prompts() == ["a lamp"]


async def test_an_uploaded_file_is_not_copied_and_stays_the_job_s() -> None:
    mill = Mill()
    await mill.upload(1, "feed-1.csv", ROWS)
    first = await mill.plan(newest_file="feed-")
    await mill.upload(2, "feed-2.csv", b"id,text\na,a lamp\n")

    assert await mill.plan(newest_file="feed-") == first
    assert mill.prompts() == ["a chair"]
    assert not [key for key in mill.control.written if key.startswith("jobs/t/job_1/manifest/")]


async def test_a_file_that_is_deleted_between_two_tries_fails_the_job() -> None:
    mill = Mill()
    file_id = await mill.upload(1, "feed-1.csv", ROWS)
    await mill.plan(newest_file="feed-")
    await mill.control.delete(file_key("t", file_id))
    plan = await mill.plan(newest_file="feed-")

    assert plan.failure == "manifest_unreadable"
    assert plan.failure_detail == f"manifest: {file_id} (feed-1.csv) was deleted before it was read"


async def test_a_source_that_leads_to_nothing_fails_the_job_with_a_reason() -> None:
    plan = await Mill().plan(newest="s3://shop/feeds/")

    assert plan.failure == "manifest_unreadable"
    assert plan.failure_detail == "manifest: there is no object under s3://shop/feeds/"
    assert not plan.chunks


@pytest.mark.parametrize(
    ("data", "says"),
    [(b'{"id": "a"}\n', "looks like JSON"), (b"\x89PNG\r\n\x1a\n", ""), (b"", "")],
    ids=["JSON", "picture", "nothing"],
)
async def test_what_is_no_such_manifest_fails_the_job_and_says_where_it_came_from(
    data: bytes, says: str
) -> None:
    plan = await Mill(Web(data)).plan(url=URL)

    assert plan.failure == "manifest_unreadable"
    assert plan.failure_detail
    assert plan.failure_detail.startswith("manifest: https://shop.example/feeds/today.csv: ")
    assert says in plan.failure_detail


async def test_a_column_that_the_file_does_not_have_makes_its_rows_bad() -> None:
    plan = await Mill(Web(b"id,title\na,a chair\n")).plan(url=URL)

    assert (plan.failure, plan.invalid_rows) == ("no_valid_items", 1)


async def test_an_estimate_looks_and_keeps_nothing() -> None:
    mill = Mill()
    await mill.put("feeds/a.csv", ROWS, 1)
    body = mill.submission("validation_1", newest="s3://shop/feeds/").model_dump_json().encode()
    await mill.control.put(estimate_key("t", "validation_1"), body)
    before = mill.control.written
    task = EstimateTask(job="validation_1", tenant="t")
    found: Estimated = await ActivityEnvironment().run(mill.planning().estimate, task)

    assert found.plan.items == 1
    assert found.plan.manifest
    assert found.plan.manifest.place == "s3://shop/feeds/a.csv"
    assert mill.control.written == before
