"""Jobs, a job and an item in a real browser: what they show, what happens live, and what never runs."""

import io
import json
import re
from typing import Any

from PIL import Image
from playwright.async_api import expect

from sandbox.demo import shop
from tests.acceptance.service import SMALL, Service
from tests.browser.conftest import OTHER, READER, Open, Person, log_in

MARKUP = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
HOSTILE = f'{MARKUP} "quotes" & {{{{ 7 * 7 }}}} {{% raw %}} \u202e javascript:alert(1)'
LITTLE = {"limit_usd": "0.012"}
"""Enough for one or two items of eight."""
ITEMS = [{"custom_id": f"mug-{n:02}", "prompt": f"Mug number {n} on a wooden table"} for n in range(8)]


async def feed(service: Service, name: str, cap: str = "3.00") -> str:
    """A job of the shop's export."""
    file_id = await service.upload("products.csv", shop.MANIFEST.read_bytes())
    more: dict[str, Any] = {"name": name, "budget": {"limit_usd": cap}, "metadata": {"shop": "berlin"}}
    said = shop.submission(file_id) | more
    return await service.submit(**(said | {"defaults": SMALL | {"n": 1}}))


async def test_logging_in_and_out(open_page: Open, key: str) -> None:
    somebody = await open_page()
    page = somebody.page
    somebody.expected = ("status of 401",)
    await page.goto("/jobs?state=held")
    await expect(page).to_have_url(
        "**/login?next=%2Fjobs%3Fstate%3Dheld".replace("**", str(page.url).split("/login")[0])
    )
    await somebody.look("login")

    await page.get_by_label("API key").fill("im_wrong_0123456789abcdef")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("This API key is not known.")).to_be_visible()
    await expect(page.get_by_label("API key")).to_have_accessible_description("This API key is not known.")

    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/jobs?state=held")
    cookie = next(each for each in await page.context.cookies() if each["name"] == "imagemill_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")

    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are logged out.")).to_be_visible()
    await page.goto("/jobs")
    await page.wait_for_url("**/login?next=**")


async def test_a_feed_is_drawn_while_somebody_watches(service: Service, person: Person) -> None:
    async with service.faults({"kind": "delay", "seconds": 1.5, "match": ""}):
        job = await feed(service, "Spring catalogue")
        await person.page.goto(f"/jobs/{job}")
        marked = "window.same = 1"
        await person.page.evaluate(marked)
        await expect(person.page.locator("[data-job-state]")).to_contain_text("Completed", timeout=60_000)

    assert await person.page.evaluate("window.same") == 1, "the page was loaded again instead of kept fresh"
    await expect(person.page.locator(".tile-succeeded img")).to_have_count(48)
    await expect(person.page.locator(".big").first).to_contain_text("48 of 48 items")
    await expect(person.page.get_by_role("link", name="Report")).to_be_visible()
    await person.page.locator(".gallery img").last.scroll_into_view_if_needed()
    await person.look("job-ended")
    await person.page.get_by_role("button", name="Share…").click()
    await expect(person.page.get_by_label("Gallery, a page of all pictures")).to_have_value(
        re.compile("^http")
    )
    await person.look("share")
    await person.page.get_by_role("link", name="Back to the job").click()
    await person.page.get_by_role("link", name="Report").click()
    await expect(person.page.get_by_role("heading", name="Report")).to_be_visible()
    await person.look("report")


async def test_a_job_that_its_cap_holds_goes_on_once_it_is_raised(
    service: Service, open_page: Open, key: str
) -> None:
    job = await feed(service, "Autumn banners", cap="0.10")
    await service.until(job, lambda status: status["state"] == "held")
    one, other = await open_page(key), await open_page(key)
    for each in (one, other):
        await each.page.goto(f"/jobs/{job}")
        await expect(each.page.get_by_text("leaves no money for the next item")).to_be_visible()
    await one.look("job-held")
    suggested = float(await one.page.locator("#raise").input_value())
    assert suggested > 0.10

    await one.page.get_by_role("button", name="Raise the cap and go on").click()
    await expect(one.page.get_by_text("The cap is now $")).to_be_visible()
    await expect(other.page.locator("[data-job-state]")).to_contain_text("Completed", timeout=60_000)
    await expect(other.page.get_by_text("leaves no money")).to_have_count(0)
    assert float((await service.status(job))["cost"]["limit_usd"]) == suggested


async def test_the_list_keeps_running_jobs_fresh(service: Service, person: Person) -> None:
    job = await service.submit(name="Held for the list", items=ITEMS, budget=LITTLE)
    await service.until(job, lambda status: status["state"] == "held")
    await person.page.goto("/jobs?name=Held for the list")
    row = person.page.locator(f'[data-job="{job}"]')
    await expect(row).to_contain_text("Held")
    await service.set_budget(job, limit_usd="5.00")

    await expect(row).to_contain_text("Completed", timeout=30_000)
    await person.page.goto("/jobs")
    await person.look("jobs")
    await person.page.get_by_label("State").select_option("failed")
    await person.page.get_by_role("button", name="Find").click()
    await expect(person.page.get_by_text("No job fits")).to_be_visible()


async def test_a_job_is_paused_resumed_and_cancelled(service: Service, person: Person) -> None:
    job = await service.submit(name="To be stopped", items=ITEMS, budget=LITTLE)
    await service.until(job, lambda status: status["state"] == "held")
    page = person.page
    await page.goto(f"/jobs/{job}")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("[data-job-state]")).to_contain_text("Paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("[data-job-state]")).to_contain_text("Held")
    await page.get_by_role("link", name="Cancel…").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_role("button", name="Let it go on").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("link", name="Cancel…").click()
    await page.get_by_role("button", name="Cancel the job").click()
    await expect(page.locator("[data-job-state]")).to_contain_text("Cancelled")
    await page.get_by_role("link", name="Try again…").click()
    await person.look("retry")
    await page.get_by_label("Cancelled").check()
    await page.get_by_label("Cap of the new job").fill("5.00")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("This job tries the items again.")).to_be_visible()
    await expect(page.locator("[data-job-state]")).to_contain_text("Completed")


async def test_an_edit_shows_what_was_given_and_what_came(service: Service, person: Person) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (1024, 1024), "#d8cbb4").save(picture, "PNG")
    file_id = await service.upload("vase.png", picture.getvalue())
    items = [
        {"custom_id": f"vase-{n}", "prompt": f"The vase on white, {n}", "images": [file_id]} for n in range(2)
    ]
    job = await service.submit(name="Vases", items=items)
    await service.finished(job)
    page = person.page
    await page.goto(f"/jobs/{job}")
    await page.get_by_role("link", name="vase-0").click()
    await expect(page.get_by_role("heading", name="vase-0")).to_be_visible()
    for image in await page.locator("main img").all():
        assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    await page.get_by_role("button", name="One over the other").click()
    await page.get_by_role("slider").press("ArrowRight")
    await person.look("item")
    await page.get_by_role("link", name="Next").click()
    await expect(page.get_by_role("heading", name="vase-1")).to_be_visible()
    await expect(page.get_by_role("link", name="Next")).to_have_count(0)


async def test_what_strangers_wrote_is_text(service: Service, person: Person) -> None:
    items = [{"custom_id": MARKUP, "prompt": HOSTILE}, {"custom_id": "a/b?c#d%2F../x", "prompt": "plain"}]
    job = await service.submit(name=MARKUP, items=items, metadata={'k"><b>': MARKUP})
    await service.finished(job)
    page = person.page
    for path in ("/jobs", f"/jobs/{job}", f"/jobs/{job}/report"):
        await page.goto(path)
        await expect(page.get_by_text(MARKUP).first).to_be_visible()
    await page.goto(f"/jobs/{job}")
    for number in range(2):
        await page.goto(f"/jobs/{job}")
        await page.locator(".tile").nth(number).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(items[number]["custom_id"])
        assert await page.locator(".prompt").inner_text() == items[number]["prompt"]
        assert await page.locator(".shot img").evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
    assert await page.evaluate("window.ran") is None


async def test_a_tenant_sees_nothing_of_another_s(service: Service, open_page: Open) -> None:
    job = await service.submit(name="Not for others", items=ITEMS[:1])
    await service.finished(job)
    [result] = await service.results(job)
    other = await open_page(OTHER)
    other.expected = ("status of 404",)

    await expect(other.page.get_by_text("No jobs yet")).to_be_visible()
    for path in (
        "",
        "/report",
        "/results.csv",
        "/live",
        "/events",
        "/items/mug-00",
        "/items/mug-00/images/1",
    ):
        answer = await other.page.request.get(f"/jobs/{job}{path}", headers={"accept": "text/html"})
        assert answer.status == 404, path
        body = await answer.text()
        assert "Not for others" not in body, path
        assert result["images"][0]["sha256"] not in body, path
    await other.page.goto(f"/jobs/{job}")
    await expect(other.page.get_by_role("heading", name="There is no such thing")).to_be_visible()
    await other.look("problem")


async def test_who_may_only_look_has_no_buttons(service: Service, open_page: Open) -> None:
    job = await service.submit(name="To look at", items=ITEMS, budget=LITTLE)
    await service.until(job, lambda status: status["state"] == "held")
    reader = await open_page(READER)
    await reader.page.goto(f"/jobs/{job}")
    await expect(reader.page.get_by_text("leaves no money")).to_be_visible()

    names = [await each.inner_text() for each in await reader.page.locator("button:visible").all()]
    assert names == ["Dark colours", "Log out"]
    assert await reader.page.get_by_role("link", name="Submit").count() == 0


async def test_everything_can_be_read_and_done_without_scripts(
    service: Service, open_page: Open, key: str
) -> None:
    job = await service.submit(name="Without scripts", items=ITEMS, budget=LITTLE)
    await service.until(job, lambda status: status["state"] == "held")
    plain = (await open_page(java_script_enabled=False)).page
    await log_in(plain, key)
    await plain.goto(f"/jobs/{job}")
    await expect(plain.get_by_text("leaves no money")).to_be_visible()
    await plain.get_by_role("link", name="Cancel…").click()
    await expect(plain.get_by_role("heading", name="Cancel this job?")).to_be_visible()
    await plain.get_by_role("button", name="Cancel the job").click()
    await expect(plain.get_by_text("The job is being cancelled")).to_be_visible()
    await plain.get_by_role("button", name="Dark colours").click()
    assert await plain.locator("html").get_attribute("data-theme") == "dark"


async def test_a_page_can_be_walked_by_keyboard(service: Service, person: Person) -> None:
    page = person.page
    await page.goto("/jobs")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    assert (
        json.loads(
            await page.evaluate("JSON.stringify([...document.querySelectorAll('main, nav, header')].length)")
        )
        >= 3
    )


HIDE = """
Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
document.dispatchEvent(new Event("visibilitychange"));
"""
SHOW = """
delete document.hidden;
document.dispatchEvent(new Event("visibilitychange"));
"""


async def test_tabs_that_nobody_looks_at_leave_the_connections_to_the_one_that_is(
    service: Service, person: Person
) -> None:
    job = await service.submit(name="Many tabs", items=ITEMS, budget=LITTLE)
    await service.until(job, lambda status: status["state"] == "held")
    tabs = []
    for _ in range(7):  # a browser has six connections to a host
        page = await person.page.context.new_page()
        tabs.append(page)
        async with page.expect_response(f"**/jobs/{job}/events?**"):
            await page.goto(f"/jobs/{job}")
        await page.evaluate(HIDE)

    async with tabs[0].expect_response(f"**/jobs/{job}/events?**"):
        await tabs[0].evaluate(SHOW)
    await service.ask("POST", f"/v1/jobs/{job}/cancel")
    await expect(tabs[0].locator("[data-job-state]")).to_contain_text("Cancelled")
    async with tabs[1].expect_response(f"**/jobs/{job}/live?**"):
        await tabs[1].evaluate(SHOW)
    await expect(tabs[1].locator("[data-job-state]")).to_contain_text("Cancelled")
    await expect(tabs[2].locator("[data-job-state]")).not_to_contain_text("Cancelled")
