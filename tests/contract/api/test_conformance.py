"""The API against its own document: whatever is sent, it answers what the document says."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from api.app import make_app
from api.context import Context
from tests.contract.api.world import OURS, world

CONFIG = Path(__file__).with_name("schemathesis.toml")


@contextmanager
def served(context: Context) -> Iterator[str]:
    """The application on a port of its own."""
    config = uvicorn.Config(make_app(context), port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    sock = config.bind_socket()
    running = threading.Thread(target=server.run, args=([sock],))
    running.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        running.join()
        sock.close()


def test_whatever_is_sent_is_answered_as_the_document_says(tmp_path: Path) -> None:
    """Examples, boundaries, random requests and sequences of them; each run sends the same."""
    with served(asyncio.run(world()).ours) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
        done = subprocess.run(
            [*command, f"{url}/openapi.json", "--wait-for-schema", "30"],
            env=os.environ | {"API_KEY": OURS},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout
