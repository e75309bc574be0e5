"""Items: those of now, and all as they finish, each exactly once.

A page without a filter holds the same items whenever it is asked for. So what was handed out is known by
page and place in it, which two equal ids can't confuse, and a page whose items have all ended is asked for
no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imagemill_client._core.core import Core, Query, pages, said, segment
from imagemill_client._core.reading import read
from imagemill_client._core.steps import Call, Reply
from imagemill_client._core.watching import Watch
from imagemill_client.errors import Unusable
from imagemill_client.models import ENDED_ITEMS, Item, ItemPage, JobStatus

PAGE = 200


def results(
    core: Core, job: str, *, state: str | None = None, page_size: int = PAGE
) -> Iterator[Call[list[Item]]]:
    """The items that have ended by now, in the order of the manifest; does not wait for others."""
    query = said(state=state if state in ENDED_ITEMS else None, limit=page_size)

    def ended(page: ItemPage) -> tuple[Item, ...]:
        return tuple(item for item in page.data if item.ended and state in (None, item.state))

    return pages(core, ItemPage, f"{_path(job)}/items", ended, query)


def page(
    core: Core, job: str, *, after: str | None = None, limit: int = 100, state: str | None = None
) -> Call[ItemPage]:
    """One page of items, ended or not. ``goes_on_after`` of it is ``after`` of the next."""
    return core.get(ItemPage, f"{_path(job)}/items", query=said(after=after, limit=limit, state=state))


def item(core: Core, job: str, custom_id: str, *, variant: str | None = None) -> Call[Item]:
    """One item, with its attempts and what they cost."""
    return core.get(Item, _item(job, custom_id), query=said(variant=variant))


def image_url(
    core: Core,
    job: str,
    custom_id: str,
    n: int = 1,
    *,
    variant: str | None = None,
    rendition: str | None = None,
) -> Call[str]:
    """An address that shows an image for an hour, to whoever has it. ``n`` counts from 1."""
    query = said(variant=variant, rendition=rendition)
    reply = yield from core.ask("GET", f"{_item(job, custom_id)}/images/{n}", query=query)
    return location(reply)


def image(
    core: Core,
    job: str,
    custom_id: str,
    n: int = 1,
    *,
    variant: str | None = None,
    rendition: str | None = None,
) -> Call[bytes]:
    """The bytes of an image; ``rendition``: ``thumbnail``, or a name of the job's. ``n`` counts from 1."""
    url = yield from image_url(core, job, custom_id, n, variant=variant, rendition=rendition)
    return (yield from core.fetch(url)).content


def location(reply: Reply) -> str:
    """Where an answer leads.

    Raises:
        Unusable: nowhere.
    """
    url = reply.headers.get("location")
    if not url:
        raise Unusable("The answer does not lead to a file; is the address right?")
    return url


def follow(core: Core, job: str, timeout: float | None = None) -> Iterator[Call[list[Item]]]:
    """All items as they finish, each exactly once, until the job has ended.

    It outlasts lost connections and restarts of the service.

    Raises:
        WaitTimeout: the job has not ended within so many seconds.
    """
    follower = Follower(core, Watch(core, job, timeout))
    while not follower.finished:
        yield follower.step()


@dataclass(slots=True)
class _Open:
    """A page with items that have not been handed out."""

    after: str | None
    given: set[int] = field(default_factory=set)


class Follower:
    """Which items of one job have been handed out."""

    def __init__(self, core: Core, watch: Watch) -> None:
        self.finished = False
        self._core = core
        self._watch = watch
        self._open = [_Open(None)]
        self._given = 0
        self._status: JobStatus | None = None
        self._at: int | None = None
        """The open page that is read next; None: first something has to change."""

    def step(self) -> Call[list[Item]]:
        """The items of the next page that have ended since; maybe none."""
        if self._at is None:
            self._status = yield from self._watch.change()
            self._at = 0
            if not self._more():
                self._end_round()
                return []
        return (yield from self._read(self._at))

    def _read(self, at: int) -> Call[list[Item]]:
        here = self._open[at]
        found = yield from self._page(here.after)
        fresh = [
            (place, item) for place, item in enumerate(found.data) if item.ended and place not in here.given
        ]
        here.given.update(place for place, _ in fresh)
        self._given += len(fresh)
        if found.has_more and at == len(self._open) - 1:
            self._open.append(_Open(found.goes_on_after))
        if found.has_more and len(here.given) == len(found.data):
            del self._open[at]
        else:
            self._at = at + 1
        if self._at == len(self._open) or not self._more():
            self._end_round()
        return [item for _, item in fresh]

    def _page(self, after: str | None) -> Call[ItemPage]:
        query: Query = said(after=after, limit=PAGE)
        path = f"{_path(self._watch.job)}/items"
        reply = yield from self._core.ask("GET", path, query=query, retries=self._watch.retries)
        return read(ItemPage, reply)

    def _more(self) -> bool:
        """May there be items that have ended and were not handed out?"""
        assert self._status is not None  # noqa: S101 - a round begins with it
        return self._status.ended or self._given < self._status.items.done

    def _end_round(self) -> None:
        assert self._status is not None  # noqa: S101
        self._at, self.finished = None, self._status.ended


def _path(job: str) -> str:
    return f"/v1/jobs/{segment(job)}"


def _item(job: str, custom_id: str) -> str:
    return f"{_path(job)}/items/{segment(custom_id)}"
