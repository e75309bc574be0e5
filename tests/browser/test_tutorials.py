"""The tutorial's pages, followed step by step; with ``--screenshots`` this makes their pictures."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import FilePayload, Page, expect

from sandbox.demo import shop
from tests.acceptance.service import Service
from tests.browser.conftest import Open, log_in
from tests.browser.tutorials import SCALE, TUTORIAL, Reader, steps

SOME_AT_ONCE = {"kind": "delay", "seconds": 5.0, "match": "", "skip": 14}
"""So a job is seen while it is drawn: with pictures that are there, and others that are under way."""


async def reader_of(name: str, open_page: Open, pictures: Path | None) -> Reader:
    person = await open_page(color_scheme="light", device_scale_factor=SCALE if pictures else 1)
    # Where a part is busy, a page says so, and the reader loads it again.
    person.expected = ("status of 503",)
    return Reader(person.page, steps(TUTORIAL / f"{name}.md"), pictures)


async def test_a_feed_through_the_page(
    service: Service, open_page: Open, key: str, pictures: Path | None
) -> None:
    reader = await reader_of("a-feed-through-the-page", open_page, pictures)
    page = reader.page
    await page.goto("/")
    async with reader.step("1. Log in"):
        await reader.enter("API key", key)
        await reader.picture("feed-log-in", page.locator(".top"), page.locator(".login"))
        await reader.press("Log in")
        await page.wait_for_url("**/jobs")
    async with reader.step("2. Hand over the feed"):
        await reader.press("Submit")
        await page.wait_for_url("**/submit")
        await reader.field("Upload a feed").set_input_files(shop.MANIFEST)
        await expect(reader.field("What it is")).to_have_value("shopify-products")
        await reader.picture("feed-columns", page.locator("#feed"))
    async with reader.step("3. Say what to draw") as step:
        await reader.fill("Prompt", step.blocks[0].strip())
        await expect(page.locator("#preview")).to_contain_text(
            "Stoneware Mug by Tern & Tallow, on a linen cloth"
        )
        await reader.picture("feed-prompts", page.locator("#say"))
    async with reader.step("4. Say how to draw it"):
        await reader.press("Several pictures of each row")
        row = page.locator("#variant fieldset")
        await reader.fill("Name", "square", row.first)
        await reader.fill("Size", "1024x1024", row.first)
        await reader.press("Another variant")
        await expect(row.nth(1)).to_be_visible()
        await reader.fill("Name", "banner", row.nth(1))
        await reader.fill("Size", "1536x1024", row.nth(1))
        await reader.choose("Model", "gpt-image-2.5-flare")
        await reader.choose("Quality", "Medium")
        await expect(page.locator("#preview .chip").get_by_text("banner").first).to_be_visible()
        await reader.picture("feed-variants", page.locator("#variant"))
    async with reader.step("5. Ask what it costs"):
        await reader.press("Estimate")
        await expect(page.locator(".estimate")).to_contain_text("48 items")
        await reader.picture("feed-estimate", page.locator("#estimate").locator(".."))
    async with reader.step("6. Try one item"):
        await reader.press("Price one item")
        await expect(page.locator("#trial")).to_contain_text("at most")
        await reader.press("Buy this item")
        await expect(page.locator("#trial [data-ended]")).to_be_visible()
        await reader.picture("feed-trial", page.locator("#trial"))
    async with service.faults(SOME_AT_ONCE):
        async with reader.step("7. Set the cap, and go"):
            await reader.fill("Cap, in US dollars", "0.30")
            await reader.fill("Name", "Autumn catalog", page.locator("#go"))
            await reader.picture("feed-go", page.locator("#go"))
            await reader.press("Submit the job")
            await page.wait_for_url("**/jobs/job_*")
        async with reader.step("8. Watch the pictures arrive"):
            await expect(page.locator(".tile-succeeded img").nth(11)).to_be_visible()
            await reader.picture(
                "feed-running", page.locator(".crumbs"), page.locator("#pictures"), tallest=970
            )
    async with reader.step("9. Raise the cap"):
        await expect(page.locator(".hold")).to_be_visible()
        await reader.picture("feed-held", page.locator(".crumbs"), page.locator(".job-cards .card").first)
        await reader.press("Raise the cap and go on")
        await expect(page.locator("[data-job-state]")).to_contain_text("Completed")
    async with reader.step("10. Look closely"):
        await page.locator(".tile", has_text="banner").first.click()
        await reader.picture("feed-item", page.locator(".crumbs"), page.locator(".item"))
        await reader.press("Next")
        await expect(page.get_by_text("Item 3 of 48")).to_be_visible()
    async with reader.step("11. Share the gallery"):
        await reader.press("Autumn catalog")
        await reader.look()
        await reader.press("Share…")
        await reader.press("Open the gallery")
        await expect(page.locator("img")).to_have_count(48)
        await reader.picture("feed-gallery", page.locator("body"))
    assert reader.left == []


async def test_a_schedule_for_next_month(open_page: Open, key: str, pictures: Path | None) -> None:
    reader = await reader_of("a-schedule-for-next-month", open_page, pictures)
    page = reader.page
    await log_in(page, key)
    async with reader.step("1. Write down what is needed") as step:
        campaign = step.blocks[0].encode()
    async with reader.step("2. Begin a schedule"):
        await reader.press("Schedules")
        await reader.press("New schedule")
        await page.wait_for_url("**/submit?**")
        feed = FilePayload(name="campaign.csv", mimeType="text/csv", buffer=campaign)
        await reader.field("Upload a feed").set_input_files(feed)
        await expect(reader.field("What it is")).to_have_value("csv")
        await reader.picture("schedule-feed", page.locator("#feed"))
    async with reader.step("3. Put the date into the words") as step:
        await reader.fill("Prompt", step.blocks[0].strip())
        await reader.fill("Id of an item", "{{ row.asset }}")
        await expect(page.locator("#preview")).to_contain_text(re.compile(r"says: New on 20\d\d-\d\d-\d\d"))
        await expect(page.locator("#preview")).to_contain_text("hero-banner")
        await reader.picture("schedule-prompt", page.locator("#say"))
    async with reader.step("4. Say how to draw it, and with how much money"):
        await reader.choose("Model", "gpt-image-2.5-flare")
        await reader.fill("Size", "1536x1024")
        await reader.choose("Quality", "High")
        await reader.press("Estimate")
        await expect(page.locator(".estimate")).to_contain_text("4 items")
        await reader.fill("Cap, in US dollars", "0.50")
        await reader.fill("Name", "shop window", page.locator("#go > .step-in > .pair"))
        await reader.choose("What was drawn before", "Take it from earlier runs of the schedule")
        await reader.picture("schedule-cap", page.locator("#cost"), page.locator("#go > .step-in > .pair"))
    async with reader.step("5. Say when"):
        await reader.choose("How often", "Every week")
        await reader.choose("On", "Monday")
        await reader.fill("At", "06:00")
        await reader.fill("Time zone", "Europe/Berlin")
        await expect(page.locator("[data-times]")).to_contain_text("Every Monday at 06:00, Europe/Berlin")
        await reader.fill("Cap of a month, in US dollars", "2.00")
        await reader.fill("Name of the schedule", "weekly shop window")
        await reader.picture("schedule-times", page.locator("#instead"))
        await reader.press("Make the schedule")
        await page.wait_for_url("**/schedules/sched_*")
    async with reader.step("6. Run it once, now"):
        await reader.press("Run now")
        await run_ended(page, 1)
        await reader.picture("schedule-run", page.locator(".crumbs"), page.locator("#runs").locator("../.."))
        await reader.press("No. 1")
        await expect(page.locator(".tile-succeeded img")).to_have_count(4)
        await reader.picture("schedule-job", page.locator(".crumbs"), page.locator("#pictures"))
    async with reader.step("7. Fill in weeks that have passed"):
        await reader.press("Schedules")
        await reader.press("weekly shop window")
        today = datetime.now(UTC).replace(hour=0, minute=0)
        await reader.enter("From, in Europe/Berlin", f"{today - timedelta(days=29):%Y-%m-%dT%H:%M}")
        await reader.enter("To", f"{today - timedelta(days=1):%Y-%m-%dT%H:%M}")
        await reader.press("Run these times")
        await run_ended(page, 5)
        await reader.picture("schedule-backfill", page.locator("#runs").locator("../.."))
    async with reader.step("8. See where a picture came from"):
        await reader.press("No. 5")
        await expect(page.get_by_text("2 of them were answered before, and cost nothing")).to_be_visible()
        await reader.look()
        await page.locator(".tile", has_text="gift-cards").click()
        await expect(page.get_by_text("Answered before")).to_be_visible()
        await reader.picture("schedule-reused", page.locator(".crumbs"), page.locator(".item"))
    async with reader.step("9. Pause it, and say why"):
        await reader.press("Schedules")
        await reader.press("weekly shop window")
        await reader.fill("Why", "until the new photos are there")
        await reader.press("Pause the schedule")
        await expect(page.get_by_text("Paused").first).to_be_visible()
        await reader.picture("schedule-paused", page.locator(".note"), page.locator("#next").locator(".."))
    assert reader.left == []


async def run_ended(page: Page, number: int) -> None:
    """Load a schedule's page again until that run has ended."""
    run = page.get_by_role("row").filter(has=page.get_by_role("link", name=f"No. {number}", exact=True))
    async with asyncio.timeout(60):
        while not await run.filter(has_text="Completed").count():
            await page.reload()
