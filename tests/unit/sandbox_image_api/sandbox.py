"""The sandbox image API as a process, for the tests to talk to."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI

KEY = "key-of-the-tests"
# All models of the catalog are served on this day.
TODAY = "2026-11-21"
DEADLINE_SECONDS = 10.0


class Sandbox:
    """A running sandbox; `stop` ends it."""

    def __init__(self, ledger: Path, *options: str) -> None:
        command = [sys.executable, "-m", "sandbox.image_api", "--api-key", KEY, "--ledger", str(ledger)]
        self.process = subprocess.Popen(
            [*command, "--speed", "0", "--today", TODAY, *options],
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        self.url = self.greeting.split()[-1]
        self.http = httpx2.Client(
            base_url=self.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def client(self, *, key: str = KEY, timeout: float = DEADLINE_SECONDS) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=key, base_url=f"{self.url}/v1", max_retries=0, timeout=timeout)

    def generate(self, prompt: str, **fields: Any) -> httpx2.Response:
        body = {"model": "gpt-image-2", "quality": "low", "prompt": prompt, **fields}
        return self.http.post("/v1/images/generations", json=body)

    def edit(self, prompt: str, files: Sequence[tuple[str, Any]], /, **fields: Any) -> httpx2.Response:
        """Send a form; each file is (parameter, (name, bytes, MIME type))."""
        form = {"model": "gpt-image-2.5-flare", "quality": "low", "prompt": prompt, **fields}
        return self.http.post("/v1/images/edits", data=form, files=list(files))

    def order_faults(self, *faults: dict[str, Any]) -> Any:
        return self.http.post("/_sandbox/faults", json=faults).raise_for_status().json()

    def ledger(self, since: int = 0) -> dict[str, Any]:
        answer = self.http.get("/_sandbox/ledger", params={"since": since})
        report: dict[str, Any] = answer.raise_for_status().json()
        return report

    def billed(self, prompt: str) -> list[dict[str, Any]]:
        """What was billed for a prompt."""
        return self.entries(prompt, "billed")

    def entries(self, prompt: str, event: str) -> list[dict[str, Any]]:
        """The ledger's lines of one kind for a prompt."""
        wanted = sha256(prompt.encode()).hexdigest()
        entries = [entry for entry in self.ledger()["entries"] if entry["event"] == event]
        return [entry for entry in entries if entry["prompt_sha256"] == wanted]

    def outcomes(self, prompt: str) -> list[str]:
        """What became of a prompt's billed calls."""
        calls = {entry["request_id"] for entry in self.billed(prompt)}
        entries = [entry for entry in self.ledger()["entries"] if entry["request_id"] in calls]
        return [entry["outcome"] for entry in entries if entry["event"] != "billed"]

    def stop(self) -> int:
        self.http.close()
        self.process.terminate()
        status = self.process.wait(DEADLINE_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return status

    def kill(self) -> None:
        self.process.kill()
        self.stop()


def until(condition: Callable[[], bool]) -> None:
    """Ask again until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"


def lines(path: Path) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
