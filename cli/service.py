"""Where the service is, and the key that it takes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli.errors import CliError
from sandbox.stack import Addresses, StackError

KEY = "IMAGEMILL_API_KEY"
ADMIN = "IMAGEMILL_ADMIN_KEY"
STACK_FILE = Path(".imagemill/stack.json")
NOWHERE = (
    "No service is known. Either start one on this machine with `imagemill dev`, and run this command in the "
    "same folder or below; or name one, with its address in --url or IMAGEMILL_URL, and its key in "
    "{variable}."
)


def _url(variable: str) -> Any:
    return typer.Option(
        "--url",
        envvar="IMAGEMILL_URL",
        help=f"Where the service is; its key is read from {variable}.",
        show_default="the stack that `imagemill dev` runs in this folder or one above",
    )


Url = Annotated[str | None, _url(KEY)]
OperatorUrl = Annotated[str | None, _url(ADMIN)]


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its base URL, and the key for it."""

    url: str
    api_key: str = field(repr=False)


def find_service(
    url: str | None,
    variable: str = KEY,
    *,
    start: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Service:
    """Finds the service.

    A URL that was given wins, with the key of the environment. Without one it is the local stack's, with the
    stack's own key, whatever key is in the environment: that one is for another service.

    Args:
        url: as given by option or environment.
        variable: where the key is in the environment; `ADMIN` is for the operator's.
        start: where to look for a local stack, there and above; by default the current directory.
        environment: by default the process's.

    Raises:
        CliError: there is none, or its key is missing.
    """
    stack = _running_stack(start or Path.cwd(), variable)
    if url is None:
        if stack is None:
            raise CliError(NOWHERE.format(variable=variable))
        return stack
    url = _checked(url)
    key = (os.environ if environment is None else environment).get(variable, "").strip()
    if key:
        return Service(url, _usable(key, variable))
    if stack is not None and stack.url == url:
        return stack
    raise CliError(f"The service at {url} wants a key: set {variable}.")


def _running_stack(start: Path, variable: str) -> Service | None:
    for folder in (start, *start.parents):
        try:
            found = Addresses.read(folder / STACK_FILE)
        except (StackError, OSError) as error:
            raise CliError(str(error)) from None
        key = found and (found.admin_key if variable == ADMIN else found.api_key)
        if found is not None and found.url and key:
            return Service(found.url, key)
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


def _usable(key: str, variable: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise CliError(f"{variable} holds characters that no key has.")  # and which are not repeated here
    return key
