"""A whole stack, and a real browser that looks at it.

Without Chromium these tests are skipped, but never where ``CI`` is set: there it must be installed.
"""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    FloatRect,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.service import Service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECRET = "0123456789abcdef"
READER = f"im_reader_{SECRET}"
OTHER = f"im_other_{SECRET}"
WIDE, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)

EVERYTHING = {"resultTypes": ["violations"]}
CONTRAST = EVERYTHING | {"runOnly": ["color-contrast"]}
"""The same page in other colours: only what depends on them."""

PATIENCE = 15_000
"""Milliseconds until something that should be on a page is missed."""

SNAPPED = 1600
"""Pixels of height in a picture."""

VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""
Open = Callable[..., Awaitable["Person"]]


@dataclass
class Person:
    """Somebody in front of a page.

    Attributes:
        troubles: what the browser complained of: errors of scripts, and what a policy refused.
        expected: parts of complaints that the test is about.
    """

    page: Page
    folder: Path | None
    troubles: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    async def look(self, name: str) -> None:
        """Look at the page as it is, in light and dark and on a phone: can everybody read it?

        With ``--screenshots`` there are pictures of it afterwards.
        """
        for theme in ("light", "dark"):
            await self._show(theme, WIDE)
            await self._snap(f"{name}-{theme}")
            await self._check(f"{name}, {theme}", CONTRAST if theme == "dark" else EVERYTHING)
        await self._show("light", PHONE)
        await self._snap(f"{name}-phone")
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{name} is {width} pixels wide on a phone"
        await self._show("light", WIDE)

    async def _show(self, theme: Literal["light", "dark"], size: ViewportSize) -> None:
        await self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await self.page.set_viewport_size(size)

    async def _check(self, what: str, options: dict[str, Any]) -> None:
        found = await Axe().run(self.page, options=options)
        serious = [
            f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}"
            for each in found.response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert not serious, f"{what}:\n" + "\n".join(serious)

    async def _snap(self, name: str) -> None:
        """A picture of the page's upper part, so that it fits on a screen that is turned."""
        if self.folder:
            width, height = await self.page.evaluate(
                "scrollTo(0, 0); [innerWidth, document.documentElement.scrollHeight]"
            )
            clip = FloatRect(x=0, y=0, width=width, height=min(height, SNAPPED))
            await self.page.screenshot(path=self.folder / f"{name}.png", full_page=True, clip=clip)


@pytest.fixture(scope="session")
def program() -> str:
    """Where Chromium is."""
    if CHROMIUM is None:
        why = "no Chromium is installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return CHROMIUM


@pytest.fixture(scope="session")
async def service(
    program: str, tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[Service]:
    """A stack whose provider answers at once, with a second tenant and a key that may only look."""
    folder = tmp_path_factory.mktemp("stack")
    tenants = folder / "tenants.toml"
    tenants.write_text(_key("default", READER, "read") + _key("other", OTHER, "read submit admin"))
    env = {"IMAGEMILL_TENANTS_FILE": str(tenants)}
    async with LocalStack(StackOptions(data_dir=folder / "data", speed=0.0, extra_env=env)) as stack:
        yield Service(stack, http)


def _key(tenant: str, key: str, scopes: str) -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()
    id_ = key.split("_")[1]
    return f'[[tenants.{tenant}.keys]]\nid = "{id_}"\nsha256 = "{digest}"\nscopes = {scopes.split()}\n'


@pytest.fixture(scope="session")
async def chromium(program: str) -> AsyncIterator[Browser]:
    """The browser, and as much patience for what it shows as for what it does."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """Where pictures of pages are put; None: nowhere."""
    folder: Path | None = request.config.getoption("--screenshots")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def open_page(pictures: Path | None, service: Service, chromium: Browser) -> AsyncIterator[Open]:
    """Opens pages for people; at the end none of their browsers may have complained."""
    people: list[Person] = []

    async def opened(key: str | None = None, **options: Any) -> Person:
        context = await chromium.new_context(
            base_url=str(service.stack.addresses.url), viewport=WIDE, reduced_motion="reduce", **options
        )
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(VIOLATIONS)
        person = Person(await context.new_page(), pictures)
        people.append(person)
        person.page.on("console", lambda message: _note(person, message))
        person.page.on("pageerror", lambda error: person.troubles.append(str(error)))
        if key:
            await log_in(person.page, key)
        return person

    yield opened
    for person in people:
        await person.page.context.close()
    troubles = [
        trouble
        for person in people
        for trouble in person.troubles
        if not any(each in trouble for each in person.expected)
    ]
    assert not troubles


def _note(person: Person, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        person.troubles.append(f"{message.text} at {message.location.get('url')}")


async def log_in(page: Page, key: str) -> None:
    """Enter a key."""
    await page.goto("/login")
    await page.get_by_label("API key").fill(key)
    await page.locator("main").get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/jobs")


@pytest.fixture
def key(service: Service) -> str:
    """A key that may do everything for the tenant."""
    return str(service.stack.addresses.api_key)


@pytest.fixture
async def person(open_page: Open, key: str) -> Person:
    """Somebody who is logged in with it."""
    return await open_page(key)
