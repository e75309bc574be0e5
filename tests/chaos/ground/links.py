"""Who talks to whom, and by which setting a part is told where the other is."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

HOST = "127.0.0.1"
SERVERS = ("temporal", "store", "image-api", "api", "sink")
DRIVER = "client"
"""Who uses the API's own address: the clients of a run, which are no part of the stack."""

_OF_WORKERS = ("temporal", "store", "image-api", "sink")
_OF_THE_API = ("temporal", "store")


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A client and the server that it calls."""

    client: str
    server: str

    def __str__(self) -> str:
        return f"{self.client} → {self.server}"


class UnknownLink(ValueError):
    """Nobody calls that server from there."""


def clients(workers: int) -> tuple[str, ...]:
    """The parts of a stack that call others."""
    return (*(f"worker-{number}" for number in range(1, workers + 1)), "api")


def links(workers: int) -> tuple[Link, ...]:
    """All of them."""
    of_workers = [Link(f"worker-{n}", server) for n in range(1, workers + 1) for server in _OF_WORKERS]
    return (*of_workers, *(Link("api", server) for server in _OF_THE_API), Link(DRIVER, "api"))


def settings_for(server: str, port: int) -> Mapping[str, str]:
    """The settings that send a part to another port for that server; webhooks carry their own address."""
    url = f"http://{HOST}:{port}"
    known: dict[str, Mapping[str, str]] = {
        "temporal": {"IMAGEMILL_TEMPORAL_ADDRESS": urlsplit(url).netloc},
        "store": {"IMAGEMILL_CONTROL_ENDPOINT": url, "IMAGEMILL_DELIVERY_ENDPOINT": url},
        "image-api": {"IMAGEMILL_PROVIDER_BASE_URL": f"{url}/v1"},
    }
    return known.get(server, {})
