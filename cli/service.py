"""Where the service is, and the key that it takes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli.errors import CliError
from sandbox.stack import Addresses, StackError

KEY = "IMAGEMILL_API_KEY"
STACK_FILE = Path(".imagemill/stack.json")
NOWHERE = (
    "No service is known. Either start one on this machine with `imagemill dev`, and run this command in the "
    "same folder or below; or name one, with its address in --url or IMAGEMILL_URL, and its key in "
    "IMAGEMILL_API_KEY."
)

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="IMAGEMILL_URL",
        help="Where the service is; its key is read from IMAGEMILL_API_KEY.",
        show_default="the stack that `imagemill dev` runs in this folder or one above",
    ),
]


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its base URL, and the key for it."""

    url: str
    api_key: str = field(repr=False)


def find_service(
    url: str | None, *, start: Path | None = None, environment: Mapping[str, str] | None = None
) -> Service:
    """Finds the service.

    A URL that was given wins, with the key of the environment. Without one it is the local stack's, with the
    stack's own key, whatever key is in the environment: that one is for another service.

    Args:
        url: as given by option or environment.
        start: where to look for a local stack, there and above; by default the current directory.
        environment: by default the process's.

    Raises:
        CliError: there is none, or its key is missing.
    """
    stack = _running_stack(start or Path.cwd())
    if url is None:
        if stack is None:
            raise CliError(NOWHERE)
        return stack
    url = _checked(url)
    key = (os.environ if environment is None else environment).get(KEY, "").strip()
    if key:
        return Service(url, _usable(key))
    if stack is not None and stack.url == url:
        return stack
    raise CliError(f"The service at {url} wants a key: set {KEY}.")


def _running_stack(start: Path) -> Service | None:
    for folder in (start, *start.parents):
        try:
            found = Addresses.read(folder / STACK_FILE)
        except (StackError, OSError) as error:
            raise CliError(str(error)) from None
        if found is not None and found.url and found.api_key:
            return Service(found.url, found.api_key)
    return None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    except ValueError:
        usable = False
    if not usable:
        raise CliError(f"{url!r} is no address of a service; one looks like http://127.0.0.1:8000")
    return url.rstrip("/")


def _usable(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise CliError(f"{KEY} holds characters that no key has.")  # and which are not repeated here
    return key
