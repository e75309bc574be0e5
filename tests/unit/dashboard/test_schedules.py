"""The pages of schedules: made from the submit form, previewed, changed, paused, run, backfilled, deleted."""

import html
import re
from dataclasses import replace

import pytest

from api.context import Context
from dashboard.keeping import with_kept
from tests.fakes.schedules import MemorySchedules
from tests.unit.dashboard.browser import HOST, Browser
from tests.unit.dashboard.conftest import KEYS

EVIL = "<script>alert(1)</script>"
TYPED = {
    "once": "a-key-of-this-form-0001",
    "source": "items",
    "items": "banner\tA banner for {{ run.month }}",
    "model": "gpt-image-2.5-flare",
    "size": "1024x1024",
    "limit_usd": "5.00",
    "s_every": "weekly",
    "s_weekday": "1",
    "s_at": "06:00",
    "s_zone": "Europe/Berlin",
    "s_overlap": "skip",
    "s_name": f"weekly {EVIL}",
    "s_month_usd": "40",
}
EDIT = {name: value for name, value in TYPED.items() if name.startswith("s_")}


@pytest.fixture
def kept() -> MemorySchedules:
    return MemorySchedules()


@pytest.fixture
def parts(parts: Context, kept: MemorySchedules) -> Context:
    return replace(parts, schedules=kept)


@pytest.fixture
async def schedule(browser: Browser) -> str:
    """One that was made by the form."""
    answer = await browser.send("/submit", {**TYPED, "do": "schedule"})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/schedules/")


async def test_a_schedule_is_made_once_and_shows_when_it_runs(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    again = await browser.send("/submit", {**TYPED, "do": "schedule"})
    page = (await browser.get(f"/schedules/{schedule}")).text

    assert again.headers["location"] == f"/schedules/{schedule}"
    assert list(kept.kept) == [schedule]
    assert kept.kept[schedule].spec.cron == ["0 6 * * 1"]
    assert "Every Monday at 06:00" in page
    assert len(re.findall(r"<li><time", page)) == 10
    assert re.search(r"\d 06:00</time> <span[^>]*>CES?T<", page.replace(", ", " "))
    assert EVIL not in page
    assert html.escape(EVIL) in page


async def test_schedules_are_listed(browser: Browser, schedule: str) -> None:
    page = (await browser.get("/schedules")).text

    assert f'href="/schedules/{schedule}"' in page
    assert "$40.00" in page
    assert EVIL not in page


async def test_the_next_times_are_shown_before_anything_is_made(
    browser: Browser, kept: MemorySchedules
) -> None:
    answer = await browser.send("/submit", {**TYPED, "do": "times"})
    headers = {"x-csrf-token": await browser.word(), "origin": HOST}
    fragment = (await browser.http.post("/schedules/times", data=EDIT, headers=headers)).text

    assert "Every Monday at 06:00" in answer.text
    assert "A banner for {{ run.month }}" in answer.text
    assert "Every Monday at 06:00" in fragment
    assert "<html" not in fragment
    assert not kept.kept


async def test_what_is_wrong_with_a_schedule_is_said_and_nothing_is_made(
    browser: Browser, kept: MemorySchedules
) -> None:
    wrong = {"s_zone": "Mars/Base", "items": "a\tA {{ run.moon }} {{ row.x }}", "do": "schedule"}
    answer = await browser.send("/submit", {**TYPED, **wrong})

    assert answer.status_code == 422
    assert 'href="#s_zone"' in answer.text
    answer = await browser.send("/submit", {**TYPED, **wrong, "s_zone": "UTC"})
    assert "unknown variable" in html.unescape(answer.text)
    assert not kept.kept


async def test_its_times_and_bounds_can_be_changed(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    form = {**EDIT, "s_every": "daily", "s_at": "07:15", "s_month_usd": "", "s_overlap": "buffer_one"}
    shown = await browser.send(f"/schedules/{schedule}", {**form, "do": "times"})
    assert kept.kept[schedule].spec.cron == ["0 6 * * 1"]
    answer = await browser.send(f"/schedules/{schedule}", {**form, "do": "save"})

    assert "Every day at 07:15" in shown.text
    assert answer.status_code == 303
    found = kept.kept[schedule]
    assert (found.spec.cron, found.month_nano, found.overlap) == (["15 7 * * *"], None, "buffer_one")


def fields_of(page: str) -> dict[str, str]:
    """The form that changes a schedule, as a browser would send it unchanged."""
    form = page[page.index("data-times-form") :]
    form = form[: form.index("</form>")]
    typed = dict(re.findall(r'<input[^>]* name="(s_\w+)"[^>]* value="([^"]*)"', form))
    for name, options in re.findall(r'<select[^>]* name="(s_\w+)".*?>(.*?)</select>', form, re.S):
        typed |= [(name, value) for value in re.findall(r'value="([^"]*)" selected', options)]
    return {name: html.unescape(value) for name, value in typed.items()}


@pytest.mark.parametrize("left", [0, 4])
async def test_another_name_brings_no_more_runs_and_moves_no_month(
    browser: Browser, schedule: str, kept: MemorySchedules, left: int
) -> None:
    await browser.send(f"/schedules/{schedule}", {**EDIT, "s_runs": "5", "do": "save"})
    budget = {"budget": {"month_usd": "40", "time_zone": "Asia/Tokyo"}}
    bearer = {"authorization": f"Bearer {KEYS['both']}"}
    await browser.http.patch(f"/v1/schedules/{schedule}", json=budget, headers=bearer)
    form = fields_of((await browser.get(f"/schedules/{schedule}")).text)
    kept.facts[schedule] = replace(kept.facts[schedule], runs_left=left)  # some began meanwhile
    for typed in (form, fields_of((await browser.get(f"/schedules/{schedule}")).text)):
        answer = await browser.send(f"/schedules/{schedule}", {**typed, "s_name": "other", "do": "save"})
        assert answer.status_code == 303, answer.text

    assert form["s_runs"] == "5"
    assert kept.facts[schedule].runs_left == left
    assert (kept.kept[schedule].name, kept.kept[schedule].budget_zone) == ("other", "Asia/Tokyo")
    await browser.send(f"/schedules/{schedule}", {**form, "s_month_usd": "50", "do": "save"})
    assert (kept.kept[schedule].month_nano, kept.kept[schedule].budget_zone) == (50 * 10**9, "Asia/Tokyo")


async def test_no_runs_are_not_runs_without_end(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    answer = await browser.send(f"/schedules/{schedule}", {**EDIT, "s_runs": "0", "do": "save"})

    assert answer.status_code == 422
    assert 'href="#s_runs"' in answer.text


async def test_a_wrong_change_is_said_and_what_was_typed_is_kept(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    answer = await browser.send(f"/schedules/{schedule}", {**EDIT, "s_name": "other", "s_month_usd": "lots"})

    assert answer.status_code == 422
    assert 'value="lots"' in answer.text
    assert 'value="other"' in answer.text
    assert kept.kept[schedule].month_nano == 40 * 10**9


async def test_what_it_submits_can_be_changed(browser: Browser, schedule: str, kept: MemorySchedules) -> None:
    page = html.unescape((await browser.get(f"/submit?schedule={schedule}")).text)
    assert "A banner for {{ run.month }}" in page
    assert "Save to the schedule" in page

    form = {**TYPED, "schedule": schedule, "s_every": "kept", "limit_usd": "9.00", "do": "save"}
    answer = await browser.send("/submit", form)
    assert answer.headers["location"] == f"/schedules/{schedule}"
    assert kept.kept[schedule].job["budget"]["limit_usd"] == "9.00"


async def test_what_the_form_has_no_field_for_is_kept(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    job = {
        "defaults": {"model": "gpt-image-2.5-flare", "size": "1024x1024", "moderation": "low"},
        "items": [{"custom_id": "banner", "prompt": "A banner"}],
        "budget": {"limit_usd": "5.00"},
        "prices": {"a-model-of-ours": {"image_usd": "0.05"}},
        "metadata": {"shop": "berlin"},
        "renditions": [{"name": "web", "width": 800, "format": "webp", "quality": 55}],
    }
    bearer = {"authorization": f"Bearer {KEYS['both']}"}
    answer = await browser.http.patch(f"/v1/schedules/{schedule}", json={"job": job}, headers=bearer)
    assert answer.status_code == 200, answer.text
    form = {**TYPED, "items": "banner\tA banner", "schedule": schedule, "s_every": "kept", "do": "save"}
    form |= {"rendition-0-name": "web", "rendition-0-width": "400", "rendition-0-format": "webp"}
    answer = await browser.send("/submit", {**form, "limit_usd": "9.00"})
    assert answer.status_code == 303, answer.text

    made = kept.kept[schedule].job
    assert made["budget"]["limit_usd"] == "9.00"
    assert made["defaults"]["moderation"] == "low"
    assert (made["prices"], made["metadata"]) == (job["prices"], job["metadata"])
    assert made["renditions"] == [{"name": "web", "width": 400, "format": "webp", "quality": 55}]


def test_rows_of_the_same_name_are_the_same_and_a_matrix_stays_until_variants_are_typed() -> None:
    matrix = {"manifest": {"format": "csv", "matrix": {"sizes": ["1024x1024"]}}, "pools": ["a", "b"]}
    variants = [{"name": "wide", "size": "1536x1024", "n": 2}, {"name": "tall", "n": 3}]
    rows = {"manifest": {"format": "csv", "variants": variants}, "webhook": {"url": "x", "events": ["e"]}}
    typed = {"manifest": {"format": "csv", "variants": [{"name": "wide"}]}, "webhook": {"url": "y"}}
    told = with_kept(typed, rows)

    assert with_kept({"manifest": {"format": "csv"}, "pools": ["a"]}, matrix) == {**matrix, "defaults": {}}
    assert "matrix" not in with_kept(typed, matrix)["manifest"]
    assert told["manifest"]["variants"] == [{"name": "wide", "n": 2}]
    assert told["webhook"] == {"url": "y", "events": ["e"]}
    assert "webhook" not in with_kept({}, rows)
    assert with_kept({"pools": ["c"]}, matrix)["pools"] == ["c"]


async def test_it_is_paused_with_a_note_and_resumed(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    await browser.send(f"/schedules/{schedule}/pause", {"note": f"until {EVIL}"})
    page = (await browser.get(f"/schedules/{schedule}")).text

    assert kept.facts[schedule].paused
    assert "None while it is paused" in page
    assert EVIL not in page
    await browser.send(f"/schedules/{schedule}/resume")
    assert not kept.facts[schedule].paused


async def test_it_is_run_now(browser: Browser, schedule: str, kept: MemorySchedules) -> None:
    answer = await browser.send(f"/schedules/{schedule}/trigger")

    assert answer.status_code == 303
    assert [name for name, _ in kept.triggered] == [schedule]


async def test_a_range_is_backfilled_by_the_schedules_clock(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    form = {"b_start": "2026-06-01T00:00", "b_end": "2026-06-30T00:00"}
    answer = await browser.send(f"/schedules/{schedule}/backfill", form)

    assert answer.status_code == 303
    ((_, start, end, _),) = kept.backfilled
    assert (start.isoformat(), end.isoformat()) == ("2026-05-31T22:00:00+00:00", "2026-06-29T22:00:00+00:00")


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("", "2026-06-30T00:00", "choose a time"),
        ("2026-06-30T00:00", "2026-06-01T00:00", "ends before it starts"),
        ("2026-06-01T00:00", "2090-06-01T00:00", "has not come yet"),
        ("2026-06-02T00:00", "2026-06-03T00:00", "names no time in this range"),
    ],
)
async def test_a_range_that_can_t_be_run_is_refused(
    *, browser: Browser, schedule: str, kept: MemorySchedules, start: str, end: str, says: str
) -> None:
    answer = await browser.send(f"/schedules/{schedule}/backfill", {"b_start": start, "b_end": end})

    assert answer.status_code == 422
    assert says in answer.text
    assert not kept.backfilled


async def test_it_is_deleted_once_that_is_confirmed(
    browser: Browser, schedule: str, kept: MemorySchedules
) -> None:
    assert "Keep it" in (await browser.get(f"/schedules/{schedule}/delete")).text
    assert kept.kept
    await browser.send(f"/schedules/{schedule}/delete")

    assert not kept.kept
    assert (await browser.get(f"/schedules/{schedule}")).status_code == 404
    assert "No schedule yet" in (await browser.get("/schedules")).text


async def test_who_may_only_look_sees_no_form_and_is_refused(
    schedule: str, reader: Browser, kept: MemorySchedules
) -> None:
    page = (await reader.get(f"/schedules/{schedule}")).text

    assert "Every Monday" in page
    assert f'action="/schedules/{schedule}' not in page
    for path in ("", "/pause", "/resume", "/trigger", "/backfill", "/delete"):
        assert (await reader.send(f"/schedules/{schedule}{path}", EDIT)).status_code == 403
    assert schedule in kept.kept
    assert not kept.triggered


async def test_another_tenant_sees_nothing(browser: Browser, schedule: str, kept: MemorySchedules) -> None:
    await browser.send("/logout")
    await browser.log_in(KEYS["other"])

    assert schedule not in (await browser.get("/schedules")).text
    for path in ("", "/delete"):
        assert (await browser.get(f"/schedules/{schedule}{path}")).status_code == 404
    for path in ("", "/pause", "/resume", "/trigger", "/backfill", "/delete"):
        assert (await browser.send(f"/schedules/{schedule}{path}", EDIT)).status_code == 404
    assert (await browser.get(f"/submit?schedule={schedule}")).status_code == 404
    assert schedule in kept.kept
