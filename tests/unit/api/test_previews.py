"""Previews: the first rows of a feed, whatever it is, rendered for people who wait, within bounds."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence

import pytest

from api import previews
from api.previews import Previews, PreviewsBusy, feed_of, guessed, read_feed, sample
from imagemill.domain.errors import InvalidInput
from imagemill.domain.places import file_key
from imagemill.manifest import HEAD_BYTES, Row
from imagemill.ports import Rendered, TemplateRenderer
from imagemill.templating.process import ProcessTemplating
from tests.fakes.store import MemoryStore

CSV = b"sku,name\n1,Chair\n2,Table\n3,Lamp\n"
SHOP = b"Handle,Title,Body (HTML)\nchair,Chair,<p>Red</p>\nchair,,\nlamp,Lamp,\n"
XML = (
    b'<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>1</g:id>'
    b"<title>Chair</title></item></channel></rss>"
)
ROWS = [Row(2, {"name": "Chair"}), Row(3, {"name": "Table"}), Row(4, None, "has too few cells")]


class StuckRenderer:
    """Renders nothing until it is let go."""

    def __init__(self, going: asyncio.Event) -> None:
        self.going = going
        self.closed = False

    async def render(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Rendered]:
        await self.going.wait()
        return [Rendered(texts={}) for _ in rows]

    async def close(self) -> None:
        self.closed = True


class StuckTemplating:
    """Makes renderers that are stuck; keeps them."""

    def __init__(self) -> None:
        self.going = asyncio.Event()
        self.made: list[StuckRenderer] = []
        self._count = asyncio.Semaphore(0)

    async def start(self, templates: Mapping[str, str], where: str | None) -> TemplateRenderer:
        self.made.append(StuckRenderer(self.going))
        self._count.release()
        return self.made[-1]

    async def made_so_many(self, number: int) -> None:
        for _ in range(number):
            await self._count.acquire()


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (CSV, "csv"),
        (SHOP, "shopify-products"),
        (XML, "merchant-xml"),
        (b"id\ttitle\n1\tChair\n", "merchant-tsv"),
        (b'{"sku": 1}\n', "jsonl"),
        (gzip.compress(SHOP, mtime=0), "shopify-products"),
        (b"", "csv"),
    ],
)
def test_what_a_file_is_can_be_seen(data: bytes, form: str) -> None:
    assert guessed(data) == form


def test_the_first_rows_and_the_columns_of_a_feed() -> None:
    feed = read_feed(CSV, None, "auto", 2)

    assert (feed.format, feed.seen) == ("csv", ["sku", "name"])
    assert [(row.line, row.values) for row in feed.rows] == [
        (2, {"sku": "1", "name": "Chair"}),
        (3, {"sku": "2", "name": "Table"}),
    ]


def test_rows_that_differ_tell_their_own_columns() -> None:
    feed = read_feed(b'{"a": 1}\n{"b": [1, "x"]}\n', None, "auto", 5)

    assert feed.columns is None
    assert feed.seen == ["a", "b"]
    assert sample(feed.rows) == {"a": "1", "b": "1, x"}


def test_a_row_that_the_head_cuts_off_is_not_shown() -> None:
    head = (b"name\n" + b"x" * (HEAD_BYTES - 20) + b"\ncut off here" + b"!" * 100)[:HEAD_BYTES]

    assert [row.line for row in read_feed(head, "csv", "auto", 5).rows] == [2]


def test_a_file_that_is_none_of_that_format_is_refused_with_what_it_looks_like() -> None:
    with pytest.raises(InvalidInput, match="looks like XML"):
        read_feed(XML, "csv", "auto", 5)


async def test_another_tenants_file_is_not_there() -> None:
    store = MemoryStore()
    await store.put(file_key("t", "file_1"), CSV)

    assert (await feed_of(store, "t", "file_1")).format == "csv"
    with pytest.raises(InvalidInput):
        await feed_of(store, "other", "file_1")


async def test_rows_are_rendered_in_a_process_of_their_own() -> None:
    shown = await Previews(ProcessTemplating()).rendered(
        "t", ROWS, {"prompt": " A {{ row.name | downcase }} "}, "{% if row.name != 'Table' %}1{% endif %}"
    )

    assert [(row.line, row.texts, row.problem) for row in shown] == [
        (2, {"prompt": "A chair"}, None),
        (3, None, None),
        (4, None, "has too few cells"),
    ]


async def test_a_template_that_takes_too_long_ends_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.01)
    stuck = StuckTemplating()
    shown = await Previews(stuck).rendered("t", ROWS, {"prompt": "x"}, None)

    assert "take more than" in str(shown[0].problem)
    assert stuck.made[0].closed


async def test_only_so_many_render_at_once_and_who_waits_too_long_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(previews, "PATIENCE", 0.01)
    stuck = StuckTemplating()
    page = Previews(stuck)
    running = [asyncio.create_task(page.rendered(name, ROWS, {}, None)) for name in ("a", "b")]
    await stuck.made_so_many(2)

    with pytest.raises(PreviewsBusy):
        await page.rendered("c", ROWS, {}, None)
    stuck.going.set()
    await asyncio.gather(*running)
    assert await page.rendered("c", ROWS, {}, None)


async def test_one_tenant_does_not_queue_up_before_the_others() -> None:
    stuck = StuckTemplating()
    page = Previews(stuck)
    running = [asyncio.create_task(page.rendered("a", ROWS, {}, None)) for _ in range(2)]
    await stuck.made_so_many(2)

    with pytest.raises(PreviewsBusy):
        await page.rendered("a", ROWS, {}, None)
    stuck.going.set()
    await asyncio.gather(*running)
