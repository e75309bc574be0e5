"""Spend, webhooks and the system in a real browser: a tenant's own, and the operator's."""

from playwright.async_api import expect

from tests.acceptance.service import Service
from tests.browser.conftest import OTHER, READER, Open, Person

ITEMS = [{"custom_id": f"lamp-{n}", "prompt": f"Lamp {n}"} for n in range(3)]
HOOK = {"url": "https://hooks.nowhere.invalid/x", "events": ["job.completed"]}


async def log_in_as_operator(service: Service, open_page: Open) -> Person:
    somebody = await open_page()
    await somebody.page.goto("/login")
    await somebody.page.get_by_label("API key").fill(service.stack.credentials.admin_key)
    await somebody.page.keyboard.press("Enter")
    await somebody.page.wait_for_url("**/system")
    return somebody


async def test_what_was_spent_is_shown_by_day_model_and_job(
    service: Service, person: Person, open_page: Open
) -> None:
    await service.set_caps(day_usd="50.00", month_usd="400.00")
    job = await service.submit(name="Lamps to pay for", items=ITEMS)
    await service.finished(job)
    page = person.page
    await page.goto("/spend?window=30d")
    await expect(page.get_by_role("img", name="Dollars spent by day and model")).to_be_visible()
    await expect(page.locator("#by-model")).to_contain_text("gpt-image-2.5-flare")
    await expect(page.locator("#by-job")).to_contain_text("Lamps to pay for")
    await expect(page.get_by_text("left of $400.00")).to_be_visible()
    await page.get_by_text("These figures as a table").click()
    await expect(page.get_by_role("region", name="Dollars spent by day and model")).to_be_visible()
    await person.look("spend")
    await page.get_by_role("link", name="Lamps to pay for").first.click()
    await page.wait_for_url(f"**/jobs/{job}")

    other = await open_page(OTHER)
    await other.page.goto("/spend")
    await expect(other.page.get_by_text("Nothing was spent in these days")).to_be_visible()
    assert "Lamps" not in await other.page.content()


async def test_the_operator_sees_all_tenants_and_the_system(service: Service, open_page: Open) -> None:
    operator = await log_in_as_operator(service, open_page)
    page = operator.page
    await expect(page.locator("#workers").locator("..").locator("..")).to_contain_text("Alive")
    await expect(page.get_by_text("images.default.default", exact=True)).to_be_visible()
    await expect(page.get_by_text("No worker is alive")).to_have_count(0)
    await operator.look("system-operator")
    await page.goto("/spend")
    await expect(page.get_by_role("heading", name="Spend of all tenants")).to_be_visible()
    await operator.look("spend-tenants")
    await page.get_by_role("link", name="default").first.click()
    await expect(page.get_by_role("heading", name="Spend of default")).to_be_visible()


async def test_one_of_several_tenants_sees_its_pools_alone(open_page: Open) -> None:
    reader = await open_page(READER)
    await reader.page.goto("/system")

    await expect(reader.page.get_by_role("heading", name="Pools")).to_be_visible()
    await expect(reader.page.get_by_role("heading", name="Workers")).to_have_count(0)
    await reader.look("system")


async def test_events_are_listed_and_sent_again(service: Service, person: Person, open_page: Open) -> None:
    job = await service.submit(name="To be told", items=ITEMS[:1], webhook=HOOK)
    await service.finished(job)
    page = person.page
    event = page.get_by_role("link", name="job.completed")
    await page.goto(f"/webhooks?job={job}")
    for _ in range(100):
        if await event.count():
            break
        await page.reload()
    await expect(page.locator(".table")).to_contain_text("hooks.nowhere.invalid")
    await person.look("webhooks")
    await event.click()
    await expect(page.locator("pre")).to_contain_text(job)
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("on its way again")).to_be_visible()
    await person.look("webhook")
    await page.goto("/webhooks/secret")
    await page.get_by_text("Show the secret").click()
    await expect(page.get_by_text("whsec_")).to_be_visible()
    await person.look("webhook-secret")

    reader = await open_page(READER)
    await reader.page.goto(f"/webhooks?job={job}")
    await expect(reader.page.get_by_role("link", name="job.completed")).to_be_visible()
    await expect(reader.page.get_by_role("button", name="Send again")).to_have_count(0)
    other = await open_page(OTHER)
    await other.page.goto(f"/webhooks?job={job}")
    await expect(other.page.get_by_text("No event like that")).to_be_visible()
