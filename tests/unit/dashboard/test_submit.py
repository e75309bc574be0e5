"""The submit page, button by button: nothing that was typed is lost, and nothing is bought by accident."""

import html
import re
from collections.abc import Mapping

import pytest
from fastapi import FastAPI

from api.models import InvalidRow
from api.problems import UPLOADS_BUSY
from api.receiving import Slots
from dashboard.drafts import Draft
from imagemill.domain.messages import Estimated, Plan
from imagemill.domain.places import bad_rows_key, request_key
from imagemill.domain.pricing import Estimate
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import HOST, Browser
from tests.unit.dashboard.conftest import KEYS

FEED = b"sku,title\n1,Chair <script>alert(1)</script>\n2,Table\n"
TYPED = {
    "once": "a-key-of-this-form-0001",
    "source": "items",
    "items": "c-1\tA red chair\nc-2\tA table",
    "model": "gpt-image-2.5-flare",
    "size": "1024x1024",
    "limit_usd": "5.00",
}


async def press(
    browser: Browser, do: str, typed: Mapping[str, str] = TYPED, feed: bytes | None = None
) -> str:
    """The page that a button brings."""
    data = {**typed, "do": do, "csrf": await browser.word()}
    files = {"file": ("shop.csv", feed, "text/csv")} if feed is not None else {"x": ("", b"")}
    answer = await browser.http.post("/submit", data=data, files=files, headers={"origin": HOST})
    assert answer.status_code in (200, 422, 503), answer.text
    return answer.text


def file_in(page: str) -> str:
    """The feed that the form names."""
    found = re.search(r'<option value="(file_\w+)" selected', page)
    assert found
    return found[1]


async def test_a_feed_is_stored_and_its_columns_are_shown(browser: Browser) -> None:
    page = await press(browser, "read", {"source": "file", "prompt": "Photo of {{ row.title }}"}, FEED)

    assert 'data-insert="{{ row.sku }}"' in page
    assert "Photo of {{ row.title }}" in page
    assert "<script>alert" not in page
    assert '<option value="csv" selected' in page
    assert file_in(page)


async def test_the_first_rows_are_rendered_and_shown_as_text(browser: Browser) -> None:
    typed = {"source": "file", "prompt": "Photo of {{ row.title }}", "id": "{{ row.sku }}"}
    page = await press(browser, "preview", typed, FEED)

    assert "Photo of Chair &lt;script&gt;" in page
    assert "Photo of Table" in page


async def test_a_wrong_template_is_said_at_its_field_and_kept(browser: Browser) -> None:
    typed = {"source": "file", "prompt": "Photo of {{ row.titel }}", "id": "{{ row.sku }}"}
    page = html.unescape(await press(browser, "preview", typed, FEED))

    assert "there is no column 'titel'; did you mean 'title'?" in page
    assert "Photo of {{ row.titel }}" in page


async def test_the_script_gets_the_prompts_alone(browser: Browser) -> None:
    page = await press(browser, "read", {"source": "file"}, FEED)
    data = {"source": "file", "file_id": file_in(page), "prompt": "A {{ row.title }}", "id": "{{ row.sku }}"}
    headers = {"origin": HOST, "x-csrf-token": await browser.word()}
    answer = await browser.http.post("/submit/preview", data=data, headers=headers)

    assert "A Table" in answer.text
    assert "<html" not in answer.text
    refused = await browser.http.post("/submit/preview", data=data, headers={"origin": HOST})
    assert refused.status_code == 403


async def test_a_job_is_submitted_once_however_often_the_form_is_sent(
    browser: Browser, engine: MemoryEngine
) -> None:
    data = {**TYPED, "do": "go"}
    first = await browser.send("/submit", data)
    again = await browser.send("/submit", data)

    assert first.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert len(engine.starts) == 1
    assert first.headers["location"] == f"/jobs/{engine.starts[0].place.job}"


async def test_a_form_that_has_changed_since_makes_another_job_only_when_it_is_meant(
    browser: Browser, engine: MemoryEngine
) -> None:
    await browser.send("/submit", {**TYPED, "do": "go"})
    page = await press(browser, "go", {**TYPED, "limit_usd": "6.00"})
    key = re.search(r'name="once" value="([^"]+)"', page)

    assert "has been sent before" in page
    assert len(engine.starts) == 1
    assert key
    assert key[1] != TYPED["once"]


async def test_what_is_wrong_is_said_and_nothing_is_started(browser: Browser, engine: MemoryEngine) -> None:
    page = await press(browser, "go", {**TYPED, "model": "", "limit_usd": ""})

    assert 'href="#limit_usd"' in page
    assert "A red chair" in page
    assert not engine.starts


async def test_what_is_wrong_with_templates_is_told_together_with_the_rest(browser: Browser) -> None:
    typed = {"source": "file", "prompt": "Photo of {{ row.titel }}", "id": "{{ row.sku }}"}
    page = html.unescape(await press(browser, "go", typed, FEED))

    assert "there is no column 'titel'" in page
    assert "set a cap" in page


async def test_the_enter_key_presses_what_costs_nothing(browser: Browser) -> None:
    page = (await browser.get("/submit")).text
    first = re.search(r'<button name="do" value="(\w+)"', page)

    assert first
    assert first[1] == "preview"


async def test_an_estimate_tells_the_band_the_bad_rows_and_whether_the_cap_will_do(
    browser: Browser, engine: MemoryEngine, control: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = InvalidRow(line=7, custom_id="<b>", detail="the prompt is empty")
    plan = Plan(
        items=2,
        invalid_rows=1,
        estimate=Estimate(low_nano=10**9, expected_nano=2 * 10**9, high_nano=9 * 10**9),
    )
    monkeypatch.setattr("api.estimates.new_id", lambda kind: f"{kind}_1")
    await control.put(bad_rows_key("t", "validation_1"), bad.model_dump_json().encode() + b"\n")
    engine.estimated = Estimated(plan=plan, problems=[])
    page = await press(browser, "estimate")

    assert "expected for 2 items" in page
    assert "$9.00" in page
    assert "at what they are expected to cost" in page
    assert "&lt;b&gt;" in page
    assert "the prompt is empty" in page
    assert not engine.starts


@pytest.mark.parametrize(("every", "said"), [("weekly", "expected for 2 items"), ("", "unknown variable")])
async def test_an_estimate_of_a_schedule_knows_its_run(
    every: str, said: str, browser: Browser, engine: MemoryEngine
) -> None:
    engine.estimated = Estimated(plan=Plan(items=2), problems=[])
    feed = {"source": "file", "prompt": "{{ row.title }}, {{ run.date }}", "id": "{{ row.sku }}"}
    page = await press(browser, "estimate", TYPED | feed | {"s_every": every}, FEED)

    assert said in page


async def test_a_cap_can_be_taken_from_the_estimate(browser: Browser, engine: MemoryEngine) -> None:
    engine.estimated = Estimated(plan=Plan(items=2, estimate=Estimate(high_nano=9)), problems=[])
    page = await press(browser, "cap:7.25")

    assert re.search(r'name="limit_usd"[^>]*value="7.25"', page)


async def test_one_item_is_priced_first_and_bought_under_a_cap_of_its_own(
    browser: Browser, engine: MemoryEngine, control: MemoryStore
) -> None:
    priced = await press(browser, "try", {**TYPED, "try_line": "2"})
    assert "Buy this item" in priced
    assert not engine.starts

    page = await press(browser, "buy", {**TYPED, "try_line": "2"})
    await press(browser, "buy", {**TYPED, "try_line": "2"})
    (start,) = engine.starts
    request = (await control.get(request_key("t", start.place.job))).decode()

    assert f'data-trial="/submit/trial/{start.place.job}"' in page
    assert start.summary.items == 1
    assert 0 < start.summary.cap_nano < 10**9
    assert '"A table"' in request
    assert "A red chair" not in request


async def test_a_row_of_a_feed_is_tried_with_its_first_variant(
    browser: Browser, engine: MemoryEngine
) -> None:
    typed = {**TYPED, "source": "file", "prompt": "Photo of {{ row.title }}", "id": "{{ row.sku }}"}
    more = {
        "variant-0-name": "beach",
        "variant-0-words": "on a beach",
        "where": "{{ row.title | remove: 'Table' }}",
    }
    page = await press(browser, "try", typed | more, FEED)

    assert "Photo of Chair &lt;script&gt;alert(1)&lt;/script&gt; on a beach" in page
    assert "the row is not chosen" in await press(browser, "try", typed | more | {"try_line": "3"}, FEED)


async def test_an_engine_that_is_away_loses_nothing_that_was_typed(
    browser: Browser, engine: MemoryEngine
) -> None:
    engine.starts_away = 1
    page = await press(browser, "go")

    assert "Nothing that you typed is lost" in page
    assert f'value="{TYPED["once"]}"' in page
    assert (await browser.send("/submit", {**TYPED, "do": "go"})).status_code == 303


async def test_more_rows_for_variants_can_be_had_without_a_script(browser: Browser) -> None:
    page = await press(browser, "more:variant", {**TYPED, "variant-0-name": "a", "variant-rows": "1"})

    assert 'name="variant-2-name"' in page
    assert 'name="variant-3-name"' not in page


async def test_another_feed_than_the_one_that_was_read_is_looked_at_anew(browser: Browser) -> None:
    page = await press(browser, "read", {"source": "file"}, FEED)
    typed = {"source": "file", "format": "csv", "read_format": "csv", "read_id": file_in(page)}
    page = await press(browser, "read", typed, b"Handle,Title\nchair,Chair\n")

    assert '<option value="shopify-products" selected' in page


@pytest.mark.parametrize(
    ("typed", "do"),
    [
        ({"variant-rows": "²"}, "more:variant"),
        ({"s_jitter": "²", "s_every": "daily", "s_at": "06:00"}, "times"),
        ({"items": '{"custom_id": "a", "prompt": "\\ud800"}'}, "preview"),
        ({"items": '{"custom_id": "a", "prompt": "\\ud800"}'}, "go"),
    ],
)
async def test_what_only_looks_like_a_number_or_a_letter_is_shown_again(
    browser: Browser, engine: MemoryEngine, typed: dict[str, str], do: str
) -> None:
    page = html.unescape(await press(browser, do, {**TYPED, **typed}))

    assert not engine.starts
    assert TYPED["items"] in page or typed["items"] in page
    if "items" in typed:
        assert "line 1 has half of a surrogate pair" in page


async def test_only_so_many_large_forms_come_in_at_once(browser: Browser, app: FastAPI) -> None:
    app.state.slots = Slots(most=1)
    headers = {"origin": HOST, "x-csrf-token": await browser.word()}
    large = {"file": ("shop.csv", b"x" * 1_100_000, "text/csv")}
    with app.state.slots.one("another"):
        refused = await browser.http.post("/submit/preview", data=TYPED, files=large, headers=headers)
        small = await browser.http.post("/submit/preview", data=TYPED, headers=headers)
    answer = await browser.http.post("/submit/preview", data=TYPED, files=large, headers=headers)

    assert refused.status_code == UPLOADS_BUSY.status
    assert (small.status_code, answer.status_code) == (200, 200)


async def test_who_may_only_look_has_no_form_and_is_refused(reader: Browser, engine: MemoryEngine) -> None:
    assert (await reader.get("/submit")).status_code == 403
    assert (await reader.send("/submit", {**TYPED, "do": "go"})).status_code == 403
    assert (await reader.send("/submit/preview", dict(TYPED))).status_code == 403
    assert not engine.starts


async def test_another_tenants_feed_is_not_there(browser: Browser, stranger: Browser) -> None:
    page = await press(browser, "read", {"source": "file"}, FEED)
    await browser.send("/logout")
    await browser.log_in(KEYS["other"])
    seen = html.unescape(
        await press(browser, "preview", {"source": "file", "file_id": file_in(page), "prompt": "x"})
    )

    assert "data-insert" not in seen
    assert "shop.csv" not in seen


@pytest.mark.parametrize("file_id", ["../other/file_" + "0" * 26, "file_../x", "x"])
async def test_what_is_no_id_of_a_file_is_asked_of_no_store(
    browser: Browser, control: MemoryStore, file_id: str
) -> None:
    await control.put(f"files/t/{file_id}", FEED)
    page = await press(browser, "preview", {"source": "file", "file_id": file_id, "prompt": "x", "id": "y"})

    assert "there is no such file" in page
    assert "data-insert" not in page


def test_a_new_form_has_a_key() -> None:
    assert len(Draft.new().text("once")) >= 16
