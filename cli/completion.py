"""What the shell offers after Tab: ids from the service, at once or not at all."""

import os
from collections.abc import Iterator
from typing import Any

import httpx2

from cli.client import LOOPBACK
from cli.errors import CliError, harmless
from cli.service import find_service

SECONDS = 1.5
OFFERED = 50
Offers = list[tuple[str, str]]
TRANSPORT: httpx2.BaseTransport | None = None
"""Set by tests."""


def jobs(incomplete: str) -> Offers:
    """The newest jobs, with state and name."""
    return _offers("/v1/jobs", incomplete, "id", "state", "name")


def files(incomplete: str) -> Offers:
    """Files, with their names."""
    return _offers("/v1/files", incomplete, "id", "filename")


def events(incomplete: str) -> Offers:
    """Deliveries, with what they are about."""
    return _offers("/v1/webhooks/deliveries", incomplete, "id", "type", "state")


def schedules(incomplete: str) -> Offers:
    """Schedules, with state and name."""
    return _offers("/v1/schedules", incomplete, "id", "state", "name")


def models(incomplete: str) -> Offers:
    """Models of the service's catalogue."""
    return _offers("/v1/models", incomplete, "id")


def _offers(path: str, incomplete: str, *fields: str) -> Offers:
    """Nothing is said of what goes wrong: it would appear in the middle of what somebody types."""
    try:
        return [offer for offer in _listed(path, fields) if offer[0].startswith(incomplete)]
    except (
        CliError,
        httpx2.HTTPError,
        httpx2.InvalidURL,
        ValueError,
        OSError,
        AttributeError,
        LookupError,
        TypeError,
    ):
        return []


def _listed(path: str, fields: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    service = find_service(os.environ.get("IMAGEMILL_URL") or None)
    mounts: Any = None if TRANSPORT else dict.fromkeys(LOOPBACK)
    with httpx2.Client(timeout=SECONDS, transport=TRANSPORT, mounts=mounts) as http:
        answer = http.get(
            f"{service.url}{path}",
            params={"limit": str(OFFERED)} if path != "/v1/models" else {},
            headers={"Authorization": f"Bearer {service.api_key}"},
        )
    for entry in answer.json()["data"] if answer.is_success else []:
        words = [str(entry[name]) for name in fields[1:] if entry.get(name)]
        yield str(entry[fields[0]]), harmless(" ".join(words))
