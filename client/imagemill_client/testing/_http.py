"""Requests and answers as the fake's routes see them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from imagemill_client.testing._world import Json

T = TypeVar("T")


@dataclass(slots=True)
class Asked:
    """A request; `names` are those in its path."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    names: dict[str, str] = field(default_factory=dict)

    def json(self) -> Json:
        """The body."""
        said = json.loads(self.body or b"{}")
        if not isinstance(said, dict):
            raise invalid([("/", "should be an object")])
        return said

    @property
    def limit(self) -> int:
        """How long a page may be."""
        return int(self.query.get("limit", "100"))


@dataclass(slots=True)
class Told:
    """An answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class ApiProblem(Exception):
    """Answered as a problem document."""

    def __init__(
        self, slug: str, status: int, title: str, detail: str, places: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
        if places:
            self.body["errors"] = [{"pointer": where, "detail": what} for where, what in places]

    def told(self) -> Told:
        """The answer."""
        headers = {"content-type": "application/problem+json", "x-should-retry": "false"}
        return Told(self.status, json.dumps(self.body).encode(), headers)


def invalid(places: Sequence[tuple[str, str]]) -> ApiProblem:
    """A body that is wrong in some places."""
    where, what = places[0]
    detail = f"{len(places)} thing(s) are wrong with the request; the first: {where}: {what}"
    return ApiProblem("invalid-request", 422, "The request is not as it should be", detail, places)


def missing(what: str) -> ApiProblem:
    """There is no such thing."""
    return ApiProblem("not-found", 404, "There is no such thing", f"there is no {what}")


def told(body: object, status: int = 200, **headers: str) -> Told:
    """An answer as JSON; an underscore in a header's name is a dash."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Told(status, json.dumps(body).encode(), {"content-type": "application/json"} | named)


def page(found: Sequence[T], asked: Asked, name: Callable[[T], str], shown: Callable[[T], Json]) -> Told:
    """A page of a list, by the names of its things."""
    names = [name(one) for one in found]
    after = asked.query.get("after")
    start = names.index(after) + 1 if after in names else 0
    data = found[start : start + asked.limit]
    more = len(found) > start + len(data)
    last = name(data[-1]) if data else None
    return told({"object": "list", "data": [shown(one) for one in data], "has_more": more, "last": last})
