"""The gallery of a finished job: one HTML file that needs nothing else, and runs nothing."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from imagemill.domain.gallery import MOST_PICTURES
from imagemill.domain.job import JobSummary
from imagemill.domain.money import format_usd

CONTENT_TYPE = "text/html; charset=utf-8"
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the job as it is shown: its caption, its shape, and its thumbnail, where there is one."""

    caption: str
    width: int
    height: int
    thumbnail: bytes | None

    @property
    def source(self) -> str:
        """The thumbnail as a ``data:`` address."""
        return "data:image/webp;base64," + base64.b64encode(self.thumbnail or b"").decode()

    @property
    def ratio(self) -> str:
        """Width by height, within what fits into a row."""
        return f"{min(3.0, max(0.4, self.width / max(1, self.height))):.3f}"


def page(job: str, summary: JobSummary, pictures: Sequence[Picture]) -> bytes:
    """The gallery as HTML. It says nothing of prompts."""
    text = _TEMPLATES.get_template("page.html").render(
        job=job,
        title=heading(job, summary),
        facts=facts(summary, len(pictures)),
        pictures=pictures,
        more=left_out(summary, len(pictures)),
    )
    return text.encode()


def heading(job: str, summary: JobSummary) -> str:
    """The job's name, or its id."""
    return summary.name or job


def facts(summary: JobSummary, shown: int) -> list[str]:
    """How many pictures of how many items, what they cost, and when: short enough for one line.

    A job may show more pictures than it has bought.
    """
    counts, ended = summary.ended.counts, summary.ended
    items = summary.items or 0
    whole = counts.succeeded == items
    spent = ended.settled_nano + ended.written_off_nano + summary.vanished_nano
    return [
        _count(max(counts.images, shown), "picture"),
        _count(items, "item") if whole else f"{counts.succeeded:,} of {_count(items, 'item')}",
        _dollars(spent),
        *([_day(summary.ended_at)] if summary.ended_at else []),
    ]


def left_out(summary: JobSummary, shown: int) -> str | None:
    """What is said where there are more pictures than are shown."""
    if shown < MOST_PICTURES or summary.ended.counts.images <= shown:
        return None
    return f"The first {shown:,} of {summary.ended.counts.images:,} pictures."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _dollars(nano: int) -> str:
    """To the cent, and exactly below one."""
    cents = round(nano / 10**7)
    return f"${cents // 100:,}.{cents % 100:02}" if cents else f"${format_usd(nano)}"


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"
