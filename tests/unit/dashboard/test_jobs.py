"""The list of jobs, and one job: what is shown, to whom, and what can be done."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from api.context import Context
from api.events import event_id
from api.polling import now
from imagemill.domain.item import Problem
from imagemill.domain.job import Counts, Hold
from imagemill.domain.lines import to_lines
from imagemill.domain.places import file_key, results_key, thumbnail_key
from imagemill.domain.renditions import Copy
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import HOST, Browser
from tests.unit.dashboard.conftest import KEYS
from tests.unit.dashboard.jobs_made import (
    JOB,
    NOW,
    PICTURE,
    ended_job,
    keep,
    planned,
    progress,
    result,
    summary,
)

MARKUP = "<script>alert(1)</script>\"'&{{7*7}}"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{7*7}}"
BY_BUDGET = Hold(code="budget", since=NOW, smallest_nano=5 * 10**6, likely_nano=1_234_500_001)


# --- the list ------------------------------------------------------------------------------------


async def test_jobs_that_run_have_their_counts_and_money(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(items=100, open_chunks={0: 0})
    engine.chunks[JOB, 0] = progress(succeeded=42, failed=1)
    text = (await browser.get("/jobs")).text

    assert "43 of 100" in text
    assert "1 failed" in text
    assert '<span class="money">$0.42</span> <span class="of muted">of $1.00</span>' in text


async def test_no_more_statuses_are_read_than_there_are_rows(browser: Browser, engine: MemoryEngine) -> None:
    for number in range(60):
        made = NOW - timedelta(minutes=number)
        engine.summaries[f"job_{number:026}"] = summary(name=f"number {number}", submitted_at=made)
    first = await browser.get("/jobs")
    link = re.search(r'href="(/jobs\?after=[^"]+)" rel="next"', first.text)

    assert first.text.count("<tr data-job=") == 25
    assert link
    second = await browser.get(link.group(1))
    assert "number 25<" in second.text
    assert "number 24<" not in second.text


async def test_a_status_that_can_t_be_told_leaves_the_list_as_it_is(
    browser: Browser, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.summaries[JOB] = summary()
    monkeypatch.setattr(engine, "job_memo", _away(engine))

    assert "Spring" in (await browser.get("/jobs")).text


def _away(engine: MemoryEngine) -> object:
    async def job_memo(_: str) -> None:
        engine.away = 1
        engine._arrive()

    return job_memo


async def test_jobs_are_found_by_state_name_and_metadata(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(metadata={"shop": "berlin"})
    engine.summaries[JOB[:-1] + "H"] = summary("paused", name="Autumn")

    async def names(query: str) -> set[str]:
        return set(re.findall(r'class="job-name"[^>]*>([^<]*)<', (await browser.get(f"/jobs?{query}")).text))

    assert await names("") == {"Spring", "Autumn"}
    assert await names("state=paused") == {"Autumn"}
    assert await names("name=Spr") == {"Spring"}
    assert await names("metadata=shop%3Dberlin") == {"Spring"}
    assert await names("state=nonsense") == {"Spring", "Autumn"}
    assert "write each as key=value" in (await browser.get("/jobs?metadata=nonsense")).text


async def test_the_script_asks_for_some_rows(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary()
    answer = await browser.get(f"/jobs-live?job={JOB}&job=job_unknown&job=..%2F")

    assert re.findall(r'<tr data-job="([^"]*)" data-runs', answer.text) == [JOB]
    assert (await browser.get("/jobs-live?" + "&".join(["job=job_1"] * 26))).status_code == 422


# --- a job ---------------------------------------------------------------------------------------


async def test_dollars_are_told_apart(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary(
        ended=progress(succeeded=30).model_copy(
            update={"written_off_nano": 5 * 10**7, "reserved_nano": 10**8}
        )
    )
    text = (await browser.get(f"/jobs/{JOB}")).text

    for said in (
        "Spent</span> <strong>$0.30",
        "Written off</span> <strong>$0.05",
        "under way</span> <strong>$0.10",
    ):
        assert said in text
    assert "Left of the cap</span> <strong>$0.55" in text
    widths = [
        float(each)
        for each in re.findall(
            r'class="bar-(?:settled|written|reserved)" x="[\d.]+" y="0" width="([\d.]+)"', text
        )
    ]
    assert widths == [300.0, 50.0, 100.0]


async def test_a_hold_says_why_and_offers_what_ends_it(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary("held", hold=BY_BUDGET)
    text = (await browser.get(f"/jobs/{JOB}")).text

    assert "leaves no money for the next item" in text
    assert 'value="2.24"' in text, "the cap, and what all items need, up to the next cent"
    assert "Raise the cap and go on" in text
    assert "/resume" not in text

    engine.summaries[JOB] = summary("held", hold=Hold(code="insufficient_quota", since=NOW))
    text = (await browser.get(f"/jobs/{JOB}")).text
    assert "out of credit" in text
    assert f'action="/jobs/{JOB}/resume"' in text
    assert "Raise the cap and go on" not in text


async def test_who_may_only_look_is_offered_nothing_and_can_t(
    reader: Browser, engine: MemoryEngine, delivery: MemoryStore
) -> None:
    engine.summaries[JOB] = summary("held", hold=BY_BUDGET)
    text = (await reader.get(f"/jobs/{JOB}")).text
    assert "leaves no money" in text
    assert set(re.findall(r'<form method="post" action="([^"]*)"', text)) == {"/theme", "/logout"}
    assert "/submit" not in text

    for action in ("pause", "resume", "cancel", "cap", "priority", "retry"):
        answer = await reader.send(
            f"/jobs/{JOB}/{action}", {"limit_usd": "5", "priority": "1", "states": "failed"}
        )
        assert answer.status_code == 403, action
        assert "the scope &#39;submit&#39;" in answer.text
    assert [engine.paused, engine.resumed, engine.cancelled] == [[], [], []]
    assert [engine.budgets, engine.priorities] == [[], []]


async def test_a_person_pauses_resumes_and_cancels(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary()
    for action in ("pause", "resume", "cancel"):
        answer = await browser.send(f"/jobs/{JOB}/{action}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{JOB}")

    assert (engine.paused, engine.resumed, engine.cancelled) == ([JOB], [JOB], [JOB])
    assert "The job is being cancelled" in (await browser.get(f"/jobs/{JOB}")).text


@pytest.mark.parametrize(("said", "nano"), [("2.24", 2_240_000_000), (" $1,500 ", 1_500 * 10**9)])
async def test_the_cap_is_raised(browser: Browser, engine: MemoryEngine, said: str, nano: int) -> None:
    engine.summaries[JOB] = summary()
    await browser.send(f"/jobs/{JOB}/cap", {"limit_usd": said})

    [(job, change)] = engine.budgets
    assert (job, change.cap_nano) == (JOB, nano)
    assert "The cap is now $" in (await browser.get(f"/jobs/{JOB}")).text


@pytest.mark.parametrize("said", ["", "0", "-1", "much", "1e400", "NaN", "12,50", "1.250,00", MARKUP])
async def test_a_cap_that_is_none_is_told_so(browser: Browser, engine: MemoryEngine, said: str) -> None:
    engine.summaries[JOB] = summary()
    await browser.send(f"/jobs/{JOB}/cap", {"limit_usd": said})
    text = (await browser.get(f"/jobs/{JOB}")).text

    assert not engine.budgets
    assert "Nothing was changed: " in text
    assert MARKUP not in text


async def test_what_has_ended_is_told_so(browser: Browser, engine: MemoryEngine) -> None:
    engine.summaries[JOB] = summary("completed", ended_at=NOW)
    await browser.send(f"/jobs/{JOB}/pause")

    assert "Nothing was changed: job" in (await browser.get(f"/jobs/{JOB}")).text
    assert f'action="/jobs/{JOB}/pause"' not in (await browser.get(f"/jobs/{JOB}")).text


async def test_another_tenant_s_job_is_not_there(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "mug")
    engine.summaries[JOB] = engine.summaries[JOB].model_copy(update={"tenant": "other"})
    token = re.search(r"of=([^&\"]+)", (await browser.get("/jobs")).text)
    assert token is None

    for path in (
        "",
        "/live",
        "/events",
        "/cancel",
        "/retry",
        "/report",
        "/results.csv",
        "/items/mug",
        "/items/mug/images/1",
    ):
        answer = await browser.get(f"/jobs/{JOB}{path}")
        assert answer.status_code == 404, path
        assert "Spring" not in answer.text
    assert (await browser.send(f"/jobs/{JOB}/cancel")).status_code == 404
    assert JOB not in (await browser.get("/jobs")).text
    assert not engine.cancelled


async def test_names_and_words_of_strangers_are_text(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    item = planned(0, MARKUP, prompt=MARKUP, variant="banner")
    failed = result(item, "failed").model_copy(update={"problem": Problem(code="x", detail=MARKUP)})
    keep(control, delivery, [item], [failed.model_copy(update={"warnings": [MARKUP]})])
    engine.summaries[JOB] = summary(
        "paused", name=MARKUP, metadata={MARKUP: MARKUP}, warnings=[MARKUP], items=1, chunks=1,
        ended=progress(failed=1),
    )  # fmt: skip

    page = await browser.get(f"/jobs/{JOB}")
    link = re.search(r'class="tile [^"]*" href="([^"]*)"', page.text)
    assert link
    for answer in (page, await browser.get("/jobs"), await browser.get(link.group(1).replace("&amp;", "&"))):
        assert answer.status_code == 200
        assert ESCAPED in answer.text
        assert "<script>alert" not in answer.text


# --- pictures ------------------------------------------------------------------------------------


async def test_a_page_of_a_huge_job_reads_one_chunk(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, *(f"mug-{n}" for n in range(1200)))
    control.calls.clear()
    text = (await browser.get(f"/jobs/{JOB}")).text
    read = [key for method, key in control.calls if method == "get"]

    assert text.count("data-tile=") == 48
    assert read == [f"jobs/t/{JOB}/results/0.jsonl"]
    assert "More pictures" in text


async def test_images_come_from_the_dashboard_and_can_do_nothing(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "a/b c", "<b>")
    text = (await browser.get(f"/jobs/{JOB}")).text
    sources = [each.replace("&amp;", "&") for each in re.findall(r'<img src="(/jobs/[^"]*)"', text)]
    control.calls.clear()
    answer = await browser.get(sources[0].removesuffix("&size=thumbnail"))

    assert len(sources) == 2
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert not control.calls, "nothing has to be looked up"
    said = answer.headers
    assert said["content-type"] == "image/png", "whatever the bucket says"
    assert said["cache-control"] == "private, max-age=31536000, immutable"
    assert said["x-content-type-options"] == "nosniff"
    assert "sandbox" in said["content-security-policy"]
    assert (await browser.get(sources[0].partition("?")[0])).content == PICTURE


async def test_a_thumbnail_is_shown_as_soon_as_there_is_one(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    [made] = ended_job(engine, control, delivery, "mug")
    [source] = re.findall(r'<img src="(/jobs/[^"]*)"', (await browser.get(f"/jobs/{JOB}")).text)
    source = source.replace("&amp;", "&")
    before = await browser.get(source)
    delivery._keep(thumbnail_key(made.images[0].key), b"small", "text/html", {})
    after = await browser.get(source)
    whole = await browser.get(source.removesuffix("&size=thumbnail"))

    assert (before.content, before.headers["cache-control"]) == (PICTURE, "private, max-age=60")
    assert (after.content, after.headers["content-type"]) == (b"small", "image/webp")
    assert after.headers["cache-control"].endswith("immutable")
    assert whole.content == PICTURE


async def test_an_ended_job_is_known_by_its_first_picture(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    items = [planned(0, "mug"), planned(1, "jug")]
    results = [result(items[0], "blocked"), result(items[1])]
    keep(control, delivery, items, results)
    cover = f"/jobs/{JOB}/cover"
    before = await browser.get(cover)
    delivery._keep(thumbnail_key(results[1].images[0].key), b"small", "text/html", {})
    after = await browser.get(cover)
    control._keep(results_key("t", JOB, 0), to_lines(results[:1]), "text/html", {})

    assert (before.status_code, before.headers["cache-control"]) == (204, "private, max-age=60")
    assert (after.content, after.headers["content-type"]) == (b"small", "image/webp")
    assert after.headers["cache-control"].endswith("immutable")
    assert (await browser.get(cover)).status_code == 204, "none of its items has a picture"
    assert (await browser.get("/jobs/job_of_nobody/cover")).status_code == 204


async def test_the_list_shows_what_ended_jobs_are_known_by(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    engine.summaries[JOB] = summary("running", ended=progress(succeeded=1))
    assert "/cover" not in (await browser.get("/jobs")).text
    ended_job(engine, control, delivery, "mug")
    assert f'src="/jobs/{JOB}/cover"' in (await browser.get(f"/jobs-live?job={JOB}")).text


async def test_the_word_of_an_image_opens_it_to_its_tenant_alone(
    browser: Browser, stranger: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "mug")
    [source] = re.findall(r'<img src="(/jobs/[^"]*)"', (await browser.get(f"/jobs/{JOB}")).text)
    source = source.replace("&amp;", "&")
    await browser.send("/logout")
    assert (await stranger.get(source)).headers["location"].startswith("/login")
    await browser.log_in(KEYS["other"])
    assert (await browser.get(source)).status_code == 404
    await browser.log_in(KEYS["both"])
    assert (await browser.get(re.sub("of=.{8}", "of=AAAAAAAA", source))).content == PICTURE, (
        "looked up instead"
    )
    delivery.objects.clear()
    assert (await browser.get(source)).status_code == 404


async def test_an_input_is_shown_where_it_is_a_file_of_the_tenant(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    picture, page = "file_" + "1" * 26, "file_" + "2" * 26
    secret = "https://shop.example/vase.png?signature=secret"
    item = planned(0, "vase", images=[picture, page, secret])
    keep(control, delivery, [item], [result(item)])
    control._keep(file_key("t", picture), PICTURE, "text/html", {})
    control._keep(file_key("t", page), b"<script>alert(1)</script>", "text/html", {})
    engine.summaries[JOB] = summary("completed", items=1, chunks=1, ended=progress(succeeded=1))
    text = (await browser.get(f"/jobs/{JOB}/items/vase")).text
    answers = [await browser.get(f"/jobs/{JOB}/items/vase/inputs/{n}") for n in (1, 2, 3, 4)]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 404]
    assert (answers[0].headers["content-type"], answers[0].content) == ("image/png", PICTURE)
    assert "shop.example/vase.png" in text
    assert "signature" not in text


async def test_an_item_s_copies_are_links(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    item = planned(0, "mug")
    made = result(item)
    made.images[0].renditions["shop"] = Copy(key="shop.webp", width=4, height=4, format="webp")
    keep(control, delivery, [item], [made])
    delivery._keep("shop.webp", b"small", "text/html", {})
    engine.summaries[JOB] = summary("completed", items=1, chunks=1, ended=progress(succeeded=1))
    text = (await browser.get(f"/jobs/{JOB}/items/mug")).text
    link = re.search(r'<a href="([^"]*)">shop</a> \(4 × 4, webp\)', text)  # noqa: RUF001 - as it is printed

    assert link
    answer = await browser.get(link.group(1).replace("&amp;", "&"))
    assert (answer.content, answer.headers["content-type"]) == (b"small", "image/webp")


async def test_an_item_has_its_neighbours(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, *(f"mug-{n}" for n in range(501)))
    last = await browser.get(f"/jobs/{JOB}/items/?at=1.0")
    text = (await browser.get(last.headers["location"])).text

    assert last.headers["location"] == f"/jobs/{JOB}/items/mug-500?at=1.0"
    assert 'rel="next"' not in text
    before = re.search(r'rel="prev" href="([^"]*)"', text)
    assert before
    assert (await browser.get(before.group(1))).headers["location"].endswith("/items/mug-499?at=0.499")
    assert (await browser.get(f"/jobs/{JOB}/items/?at=9.9")).status_code == 404
    assert (await browser.get(f"/jobs/{JOB}/items/mug-3?at=1.0")).status_code == 200, "found elsewhere"


# --- live ----------------------------------------------------------------------------------------


async def test_the_fragment_leaves_out_pictures_that_stay(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "mug")
    control.calls.clear()
    whole, still = await browser.get(f"/jobs/{JOB}/live"), await browser.get(f"/jobs/{JOB}/live?still=true")

    assert ("data-tile=" in whole.text, "data-tile=" in still.text) == (True, False)
    assert "<html" not in whole.text
    assert len([1 for method, _ in control.calls if method == "get"]) == 1


async def test_events_come_by_the_cookie_and_end_with_the_job(
    browser: Browser, parts: Context, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "mug")
    answer = await browser.get(f"/jobs/{JOB}/events")
    seen = event_id(await now(parts, "t", JOB))

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert f"event: end\nid: {seen}\n" in answer.text
    assert (await browser.get(f"/jobs/{JOB}/events?seen={seen}")).status_code == 204
    assert (await browser.get(f"/jobs/{JOB}/events", headers={"last-event-id": seen})).status_code == 204


async def test_results_are_a_file_to_keep(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, "mug")
    csv, lines = (
        await browser.get(f"/jobs/{JOB}/results.csv"),
        await browser.get(f"/jobs/{JOB}/results.jsonl"),
    )

    assert csv.headers["content-disposition"] == f'attachment; filename="{JOB}.csv"'
    assert csv.text.startswith("custom_id,")
    assert lines.headers["content-disposition"] == f'attachment; filename="{JOB}.jsonl"'


@pytest.mark.parametrize("said", ["nothing", "12,50"])
async def test_retrying_asks_for_a_cap(browser: Browser, engine: MemoryEngine, said: str) -> None:
    done = Counts(succeeded=1, failed=2)
    engine.summaries[JOB] = summary(
        "completed_with_errors", items=3, ended=progress().model_copy(update={"counts": done})
    )
    text = (await browser.get(f"/jobs/{JOB}/retry")).text
    answer = await browser.send(f"/jobs/{JOB}/retry", {"states": "failed", "limit_usd": said})

    assert re.findall(r'name="states" value="(\w+)"( checked)?', text) == [("failed", " checked")]
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "is not a decimal number" in answer.text
    assert (await browser.http.post(f"/jobs/{JOB}/retry", headers={"origin": HOST})).status_code == 403
    assert datetime.now(UTC) > NOW


ODD = ["x/images/1", "x/inputs/1", "..", ".", "%2F", "a b?c#d", "/", "//evil", "a%00", "50%25", "ünï"]


async def test_an_item_is_found_whatever_its_id_is(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, delivery: MemoryStore
) -> None:
    ended_job(engine, control, delivery, *ODD)
    page = (await browser.get(f"/jobs/{JOB}")).text
    tiles = re.findall(r'class="tile[^"]*" href="([^"]*)".*?<img src="([^"]*)"', page, re.S)

    assert len(tiles) == len(ODD)
    for custom_id, addresses in zip(ODD, tiles, strict=True):
        item, image = [await browser.get(html.unescape(each)) for each in addresses]
        assert f"<h1>{custom_id}</h1>" in item.text, custom_id
        assert image.content == PICTURE, custom_id
    assert (await browser.get(f"/jobs/{JOB}/items/?at=0.{len(ODD)}")).status_code == 404


@pytest.mark.parametrize("value", ["west berlin, 2", 'a "b" c', "C:\\feeds", "c=d", MARKUP, "", " \t"])
async def test_a_tag_leads_to_the_jobs_that_have_it(
    browser: Browser, engine: MemoryEngine, value: str
) -> None:
    engine.summaries[JOB] = summary(metadata={"feed no": value})
    page = (await browser.get(f"/jobs/{JOB}")).text
    [tag] = re.findall(r'class="tag" href="([^"]*)"', page)
    found = (await browser.get(html.unescape(tag))).text

    assert f'data-job="{JOB}"' in found
    engine.summaries[JOB] = summary(metadata={"feed no": f"{value}?"})
    assert f'data-job="{JOB}"' not in (await browser.get(html.unescape(tag))).text
