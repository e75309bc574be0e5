"""Somebody who follows a page of the tutorial in a browser, word by word.

What they press, fill in and choose must stand on the page, in the step that they are at; and all that this
step has in bold must be seen in the browser by its end. So the page can't drift from what it tells of.
"""

import io
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import FloatRect, Locator, Page, expect

from tests.pages import DOCS

TUTORIAL = DOCS / "tutorial"
SCALE = 2
"""Pixels of a screen for one of the page, where pictures are taken."""

MARGIN = 16
HEAVY = 80_000
"""Bytes of a picture, at most."""

STEP = re.compile(r"^## (\d+\. .+)$", re.MULTILINE)
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]+\]\(images/([\w-]+)\.webp\)")
READ = """() => [
  document.body.innerText,
  ...[...document.querySelectorAll("input, textarea, option")].map((each) => each.value || each.textContent),
].join("\\n")"""
SETTLE = """() => {
  scrollTo(0, 0);
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  return Promise.all(images.map((image) => image.decode().catch(() => null)));
}"""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a page, as it is written."""

    title: str
    text: str

    @property
    def blocks(self) -> list[str]:
        """What is to be copied."""
        return FENCE.findall(self.text)

    @property
    def prose(self) -> str:
        """All but that."""
        return _line(FENCE.sub("", self.text))

    @property
    def names(self) -> list[str]:
        """What can be seen on the page, in bold."""
        return re.findall(r"\*\*(.+?)\*\*", self.prose)

    @property
    def typed(self) -> set[str]:
        """What can be typed or chosen: blocks, code, and bold words."""
        return {*(block.strip() for block in self.blocks), *re.findall(r"`(.+?)`", self.prose), *self.names}

    @property
    def pictures(self) -> list[str]:
        """Those that it shows, by their names."""
        return PICTURE.findall(self.text)


def steps(page: Path) -> list[Step]:
    """The numbered steps of a page."""
    _, *parts = STEP.split(page.read_text(encoding="utf-8").split("\n## What next")[0])
    return [Step(title, text) for title, text in zip(parts[::2], parts[1::2], strict=True)]


class Reader:
    """Follows a page of the tutorial.

    Args:
        page: what they look at.
        written: the steps, in their order; `step` takes the next one.
        folder: where pictures go; None: none is taken.
    """

    def __init__(self, page: Page, written: Iterable[Step], folder: Path | None) -> None:
        self.page = page
        self.left = list(written)
        self.now = Step("", "")
        self._folder = folder
        self._seen = ""
        self._shown: list[str] = []

    @asynccontextmanager
    async def step(self, title: str) -> AsyncIterator[Step]:
        """The next step, which has this title."""
        self.now, self._seen, self._shown = self.left.pop(0), "", []
        assert self.now.title == title
        yield self.now
        await self.look()
        assert [name for name in self.now.names if name not in self._seen] == [], f"not seen at: {title}"
        assert self._shown == self.now.pictures, f"pictures of: {title}"

    async def look(self) -> None:
        """Read what is there."""
        self._seen += "\n" + _line(await self.page.evaluate(READ))

    async def press(self, name: str, within: Locator | None = None) -> None:
        """A button, a link, or what opens more."""
        assert name in self.now.names, f"{name} is not in bold at: {self.now.title}"
        await self.look()
        around = within or self.page.locator("body")
        exact = re.compile(rf"^\s*{re.escape(name)}\s*$")
        await around.locator("a, button, summary").filter(has_text=exact, visible=True).first.click()

    async def fill(self, label: str, value: str, within: Locator | None = None) -> None:
        """A field, with what the step says."""
        assert value.strip() in self.now.typed, f"{value} is not at: {self.now.title}"
        await self.enter(label, value, within)

    async def enter(self, label: str, value: str, within: Locator | None = None) -> None:
        """A field, with what is everybody's own: a key, a date."""
        await self.field(label, within).fill(value)

    async def choose(self, label: str, option: str) -> None:
        """One of a list."""
        assert option in self.now.typed, f"{option} is not at: {self.now.title}"
        await self.field(label).select_option(label=option)

    def field(self, label: str, within: Locator | None = None) -> Locator:
        """A field that the step names."""
        assert label in self.now.names, f"{label} is not in bold at: {self.now.title}"
        around = within or self.page.locator("main")
        return around.get_by_label(label, exact=True).filter(visible=True).last

    async def picture(self, name: str, *of: Locator, tallest: int = 900) -> None:
        """What a picture of the step shows: all of these parts of the page."""
        self._shown.append(name)
        await self.look()
        for part in of:
            await expect(part).to_be_visible()
        if self._folder:
            await self.page.evaluate(SETTLE)
            clip = _around([box for part in of if (box := await part.bounding_box())], tallest)
            shot = await self.page.screenshot(full_page=True, clip=clip, animations="disabled")
            (self._folder / f"{name}.webp").write_bytes(_small(shot))


def _around(boxes: Iterable[FloatRect], tallest: int) -> FloatRect:
    """The part of a page that has all of these in it."""
    found = list(boxes)
    left = max(0.0, min(box["x"] for box in found) - MARGIN)
    top = max(0.0, min(box["y"] for box in found) - MARGIN)
    right = min(1280.0, max(box["x"] + box["width"] for box in found) + MARGIN)
    bottom = max(box["y"] + box["height"] for box in found) + MARGIN
    return FloatRect(x=left, y=top, width=right - left, height=min(bottom - top, tallest))


def _small(shot: bytes) -> bytes:
    """The sharpest copy that is not heavy."""
    with Image.open(io.BytesIO(shot)) as image:
        for scale, quality in ((1.5, 85), (1.5, 70), (1.25, 70), (1.0, 70), (1.0, 50), (0.8, 50)):
            size = (round(image.width * scale / SCALE), round(image.height * scale / SCALE))
            made = io.BytesIO()
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(
                made, "WEBP", quality=quality, method=6
            )
            if made.tell() <= HEAVY:
                break
    return made.getvalue()


def _line(text: str) -> str:
    return " ".join(text.split())
