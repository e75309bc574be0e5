"""The command line, typed against a service that is made up."""

from collections.abc import Callable
from functools import cache, partial

import httpx2
import pytest
from typer import testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli import patience, running
from cli.client import Client
from cli.main import app
from tests.unit.cli.answers import Script

ENVIRONMENT = {
    "IMAGEMILL_URL": "http://mill.test",
    "IMAGEMILL_API_KEY": "im_id_secret",
    "IMAGEMILL_ADMIN_KEY": "im_admin_secret",
    "COLUMNS": "200",
}
TREE = cache(get_command)
Type = Callable[..., tuple[Result, list[httpx2.Request]]]


@pytest.fixture(autouse=True)
def one_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree of commands is made once for all tests: it takes longer than most of them."""
    monkeypatch.setattr(testing, "_get_command", TREE)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types a command; gives what came of it, and what the service was asked."""

    async def pause(_: float) -> None: ...

    monkeypatch.setattr(patience, "sleep", pause)
    monkeypatch.delenv("IMAGEMILL_ASK_ABOVE_USD", raising=False)

    def run(
        *words: str, answers: list[httpx2.Response], stdin: str | None = None, **environment: str
    ) -> tuple[Result, list[httpx2.Request]]:
        script = Script(*answers)
        monkeypatch.setattr(running, "Client", partial(Client, transport=script.transport))
        result = CliRunner().invoke(app, list(words), input=stdin, env=ENVIRONMENT | environment)
        return result, script.requests

    return run
