"""The submit page and schedules in a real browser: from a feed to its images, and what runs by itself."""

import re
from decimal import Decimal

from playwright.async_api import Page, expect

from sandbox.demo import shop
from tests.acceptance.service import Service
from tests.browser.conftest import OTHER, READER, Open, Person

MARKUP = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
SCHEDULE = re.compile(r".*/schedules/sched_\w+")
JOB = re.compile(r".*/jobs/(job_\w+)")


async def choose_the_feed(page: Page) -> None:
    """Upload the shop's export, and read it as plain rows, as its templates do."""
    await page.goto("/submit")
    await page.get_by_label("Upload a feed").set_input_files(shop.MANIFEST)
    await expect(page.locator("#columns")).to_be_visible()
    await expect(page.get_by_label("What it is")).to_have_value("shopify-products")
    await page.get_by_label("What it is").select_option("csv")
    await expect(page.get_by_label("What it is")).to_have_value("csv")
    await expect(page.locator("#columns")).to_be_visible()


async def write(page: Page, prompt: str = shop.PROMPT) -> None:
    await page.get_by_label("Prompt", exact=True).fill(prompt)
    await page.get_by_label("Id of an item").fill(shop.SKU)
    await page.get_by_label("Only rows where").fill(shop.WHERE)


async def settle(page: Page, cap: str) -> None:
    await page.get_by_label("Model").select_option("gpt-image-2.5-flare")
    await page.locator("#size").fill("816x816")
    await page.locator("#quality").select_option("low")
    await page.get_by_label("Cap, in US dollars", exact=True).fill(cap)


async def test_a_feed_is_submitted_through_the_page_and_drawn(service: Service, person: Person) -> None:
    page = person.page
    await page.goto("/submit")
    await person.look("submit-empty")
    await choose_the_feed(page)

    await page.get_by_label("Prompt", exact=True).fill("Photo of ")
    await page.get_by_role("button", name="Vendor").click()
    await expect(page.get_by_label("Prompt", exact=True)).to_have_value("Photo of {{ row.Vendor }}")
    await write(page)
    await expect(page.locator("#preview")).to_contain_text("Speckled Stoneware Mug by")
    await expect(page.locator("#preview")).to_contain_text(re.compile(r"where leaves \d+ out"))
    await settle(page, "0.001")

    await page.get_by_role("button", name="Estimate").click()
    await expect(page.locator(".estimate")).to_contain_text("expected for")
    await expect(page.locator(".estimate")).to_contain_text("not enough for all items")
    await page.get_by_role("button", name="the most").click()
    cap = page.get_by_label("Cap, in US dollars", exact=True)
    await expect(page.locator(".estimate")).to_contain_text("even if each costs the most")
    assert Decimal(await cap.input_value()) > Decimal("0.001")

    await page.get_by_role("button", name="Price one item").click()
    await expect(page.locator("#trial")).to_contain_text("at most $")
    await page.get_by_role("button", name="Buy this item").click()
    await expect(page.locator("#trial .badge")).to_contain_text("Succeeded", timeout=30_000)
    assert await page.locator("#trial img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    await person.look("submit-tried")

    await page.get_by_label("Name", exact=True).last.fill("From the page")
    await page.get_by_role("button", name="Submit the job").click()
    await page.wait_for_url(JOB)
    await expect(page.get_by_text("The job is submitted.")).to_be_visible()
    await expect(page.locator("[data-job-state]")).to_contain_text("Completed", timeout=60_000)
    found = JOB.match(page.url)
    assert found
    status = await service.finished(found[1])
    assert (status["state"], status["name"]) == ("completed", "From the page")
    assert status["items"]["succeeded"] == len(shop.products())


async def test_a_double_click_makes_one_job(service: Service, person: Person) -> None:
    page = person.page
    await page.goto("/submit")
    await page.get_by_label("Items, listed here").check()
    await page.get_by_label("Items", exact=True).fill("twice\tA vase")
    await settle(page, "1.00")
    await page.get_by_label("Name", exact=True).last.fill("Clicked twice")
    await page.get_by_role("button", name="Submit the job").dblclick()
    await page.wait_for_url(JOB)
    found = (await service.ask("GET", "/v1/jobs", params={"name": "Clicked twice"})).json()

    assert [page.url.endswith(job["id"]) for job in found["data"]] == [True]


async def test_what_is_wrong_stands_beside_its_field(person: Person) -> None:
    person.expected = ("status of 422",)
    page = person.page
    await choose_the_feed(page)
    await write(page, "Photo of {{ row.Titel }}")
    await expect(page.locator("#preview")).to_contain_text("did you mean 'Title'?")
    await page.get_by_role("button", name="Submit the job").click()

    alert = page.locator("#faults")
    await expect(alert).to_be_focused()
    await expect(alert).to_contain_text("set a cap")
    await expect(page.get_by_label("Prompt", exact=True)).to_have_value("Photo of {{ row.Titel }}")
    await expect(page.get_by_label("Cap, in US dollars", exact=True)).to_have_accessible_description(
        re.compile("set a cap")
    )
    await person.look("submit-wrong")


async def test_markup_in_a_feed_is_text(person: Person) -> None:
    page = person.page
    feed = f'id,title\n1,"{MARKUP}"\n'.encode()
    await page.goto("/submit")
    await page.get_by_label("Upload a feed").set_input_files(
        {"name": f"{MARKUP[:30]}.csv", "mimeType": "text/csv", "buffer": feed}
    )
    await expect(page.locator("#columns")).to_contain_text("<script>")
    await page.get_by_label("Prompt", exact=True).fill("{{ row.title }}")
    await page.get_by_label("Id of an item").fill("{{ row.id }}")
    await expect(page.locator("#preview")).to_contain_text(MARKUP)

    assert await page.evaluate("window.ran") is None


async def test_the_page_works_without_scripts(open_page: Open, key: str) -> None:
    somebody = await open_page(java_script_enabled=False)
    page = somebody.page
    await page.goto("/login")
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/jobs")
    await page.goto("/submit")
    await page.get_by_label("Upload a feed").set_input_files(shop.MANIFEST)
    await page.get_by_label("What it is").select_option("csv")
    await page.get_by_role("button", name="Read the columns").click()
    await expect(page.locator("#columns")).to_contain_text("Vendor")
    await write(page)
    await page.locator(".beside").get_by_role("button", name="Preview").click()

    await expect(page.locator("#preview")).to_contain_text("Speckled Stoneware Mug by")
    await expect(page.get_by_label("Id of an item")).to_have_value(shop.SKU)


async def test_a_schedule_is_made_previewed_run_and_deleted(service: Service, person: Person) -> None:
    page = person.page
    await page.goto("/schedules")
    await expect(page.get_by_text("No schedule yet")).to_be_visible()
    await page.get_by_role("link", name="New schedule").click()
    await page.get_by_label("Items, listed here").check()
    await page.get_by_label("Items", exact=True).fill("banner\tA banner, run {{ run.number }}")
    await settle(page, "1.00")
    await page.get_by_label("On", exact=True).select_option("Friday")
    await page.get_by_label("At", exact=True).fill("06:30")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await expect(page.locator("[data-times] li")).to_have_count(10)
    await expect(page.locator("[data-times]")).to_contain_text(re.compile(r"Fri \d+ \w+ \d{4}, 06:30 CES?T"))
    await page.get_by_label("Cap of a month").fill("20")
    await page.get_by_label("Name of the schedule").fill(MARKUP[:60])
    await page.get_by_role("button", name="Make the schedule").click()
    await page.wait_for_url(SCHEDULE)
    await expect(page.get_by_text("The schedule is made.")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(MARKUP[:60])

    await page.get_by_role("button", name="Run now").click()
    run = page.get_by_role("link", name="No. 1")
    async with page.expect_navigation():
        await page.reload()
    for _ in range(50):
        if await run.count():
            break
        await page.reload()
    await expect(run).to_be_visible()
    await person.look("schedule")
    await run.click()
    await expect(page.locator("[data-job-state]")).to_contain_text("Completed", timeout=30_000)
    await page.go_back()

    await page.get_by_label("At", exact=True).fill("07:45")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The schedule is changed.")).to_be_visible()
    await expect(page.get_by_text("at 07:45").first).to_be_visible()
    await page.get_by_label("Why").fill("until the photos are there")
    await page.get_by_role("button", name="Pause the schedule").click()
    await expect(page.get_by_text("until the photos are there")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("goes on with its next time")).to_be_visible()

    await page.goto("/schedules")
    await person.look("schedules")
    assert await page.evaluate("window.ran") is None
    await page.get_by_role("link", name=MARKUP[:60]).click()
    await page.get_by_role("link", name="Delete…").click()
    await page.get_by_role("button", name="Delete the schedule").click()
    await expect(page.get_by_text("The schedule is deleted.")).to_be_visible()


async def test_who_may_only_look_can_t_submit(open_page: Open) -> None:
    reader = await open_page(READER)
    reader.expected = ("status of 403",)
    page = reader.page
    await expect(page.get_by_role("link", name="Submit")).to_have_count(0)
    await page.goto("/submit")
    await expect(page.get_by_text("this key has: read")).to_be_visible()
    await page.goto("/schedules")
    await expect(page.get_by_role("link", name="New schedule")).to_have_count(0)


async def test_another_tenant_sees_no_feed_and_no_schedule(service: Service, open_page: Open) -> None:
    file_id = await service.upload("not-for-others.csv", b"id,title\n1,Secret\n")
    other = await open_page(OTHER)
    other.expected = ("status of 422", "status of 404")
    page = other.page
    await page.goto("/schedules")
    await expect(page.get_by_text("No schedule yet")).to_be_visible()
    await page.goto(f"/submit?file={file_id}")

    await expect(page.locator("#columns")).to_have_count(0)
    assert "not-for-others" not in await page.content()
    assert "Secret" not in await page.content()
