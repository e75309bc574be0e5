"""Stacks to look at, and small programs in the places of the worker and the API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.stack import LocalStack, StackOptions, services

WORKER = """
import os, pathlib, signal, sys
if os.environ.get("FAKE_WORKER") == "broken":
    print("no engine at that address", flush=True)
    sys.exit(3)
if os.environ.get("FAKE_WORKER") == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("at work", flush=True)
pathlib.Path(sys.argv[2]).write_text("\\n".join(sorted(os.environ)))
signal.pause()
"""
API = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
http.server.HTTPServer((sys.argv[2], int(sys.argv[4])), Handler).serve_forever()
"""


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """The engine and the store, for tests that only look and add."""
    options = StackOptions(data_dir=tmp_path_factory.mktemp("stack"), parts={"temporal", "store"})
    async with LocalStack(options) as running:
        yield running


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a worker and an API that do nothing but live."""
    root = tmp_path_factory.mktemp("programs")
    (root / "worker.py").write_text(WORKER)
    (root / "api.py").write_text(API)
    return root


@pytest.fixture
def fake_programs(programs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(services, "ROOT", programs)
    return programs
