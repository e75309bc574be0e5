"""Requests to the service, and what all calls of one client share."""

import json as plain_json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from imagemill_client._core.reading import Model, read
from imagemill_client._core.retrying import Retries, answered
from imagemill_client._core.steps import Call, Reply, Request, Sink, T
from imagemill_client.errors import NotConfigured
from imagemill_client.models import Page

URL = "IMAGEMILL_URL"
KEY = "IMAGEMILL_API_KEY"
AGENT = "imagemill-client/0.1.0"
Query = Mapping[str, object]
PageT = TypeVar("PageT", bound=Page)


@dataclass(frozen=True, slots=True)
class Core:
    """Where the service is, who asks, and how patiently."""

    url: str
    api_key: str = field(repr=False)
    timeout: float = 30.0
    retries: Retries = field(default_factory=Retries)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        repeatable: bool | None = None,
        retries: Retries | None = None,
    ) -> Call[Reply]:
        """One call of the service. What is not said to be repeatable is so by its method."""
        sent = {"authorization": f"Bearer {self.api_key}", "user-agent": AGENT} | dict(headers or {})
        if json is not None:
            content, sent["content-type"] = encoded(json), "application/json"
        request = Request(
            method=method,
            url=self.url + path + _query(query or {}),
            headers=sent,
            content=content,
            timeout=timeout or self.timeout,
            repeatable=method in ("GET", "PUT", "DELETE") if repeatable is None else repeatable,
        )
        return answered(request, retries or self.retries)

    def get(self, model: type[Model], path: str, *, query: Query | None = None) -> Call[Model]:
        """What is there, as a model."""
        return read(model, (yield from self.ask("GET", path, query=query)))

    def post(
        self,
        model: type[Model],
        path: str,
        *,
        json: object = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
        timeout: float | None = None,
    ) -> Call[Model]:
        """What a change is answered with, as a model."""
        reply = yield from self.ask(
            "POST", path, json=json, query=query, headers=headers, repeatable=repeatable, timeout=timeout
        )
        return read(model, reply)

    def fetch(self, url: str, *, sink: Sink | None = None, retries: Retries | None = None) -> Call[Reply]:
        """What lies at a signed address, which gets no key of ours.

        Raises:
            ServiceError: the store says no.
        """
        request = Request("GET", url, {"user-agent": AGENT}, None, self.timeout, repeatable=True, sink=sink)
        return answered(request, retries or self.retries)


def configured(
    base_url: str | None, api_key: str | None, timeout: float, max_retries: int, clock: Callable[[], float]
) -> Core:
    """What the caller gave, else what the environment says.

    Raises:
        NotConfigured: neither says it.
    """
    url, key = base_url or os.environ.get(URL), api_key or os.environ.get(KEY)
    if not url:
        raise NotConfigured(f"Where is the service? Give base_url, or set {URL}.")
    if not key:
        raise NotConfigured(f"With which key? Give api_key, or set {KEY}.")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotConfigured("base_url is an address such as https://imagemill.example.com, without /v1.")
    if not key.isascii() or not key.isprintable():
        raise NotConfigured("The API key has characters that no key has; was it copied whole?")
    url = url.rstrip("/").removesuffix("/v1")
    return Core(url, key, timeout=timeout, retries=Retries(most=max_retries), clock=clock)


def encoded(body: object) -> bytes:
    """JSON in which sums are decimal strings and times are RFC 3339."""
    return plain_json.dumps(body, default=_plain, ensure_ascii=False).encode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be sent")


def rfc3339(moment: datetime) -> str:
    """A moment as the service reads it; one without a zone is taken as this machine's."""
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()


def segment(text: str) -> str:
    """One segment of a path, its slashes percent-encoded too."""
    return quote(text, safe="")


def said(**fields: object) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _query(query: Query) -> str:
    pairs = [(name, _text(value)) for name, value in query.items() if value is not None]
    return f"?{urlencode(pairs)}" if pairs else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def pages(
    core: Core, page: type[PageT], path: str, items: Callable[[PageT], tuple[T, ...]], query: Query
) -> Iterator[Call[list[T]]]:
    """A list as calls, one a page, each asked for only when it is wanted."""
    cursor: dict[str, object] = dict(query)
    more = True

    def next_page() -> Call[list[T]]:
        nonlocal more
        found = yield from core.get(page, path, query=cursor)
        more = found.goes_on_after is not None
        cursor["after"] = found.goes_on_after
        return list(items(found))

    while more:
        yield next_page()
