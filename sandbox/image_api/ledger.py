"""What the provider would put on the bill: an append-only file of JSON lines.

A call is billed when it is accepted, whatever becomes of its answer; what becomes of it is a line of its
own, later. A call that is not billed has a line too, so that the file shows all calls and when they came.
Lines are written before anything is answered, so they outlive a killed process.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.image_api.order import Order


class Ledger:
    """The bill of all calls since the file began; and since the start, what else came of calls.

    `seen` counts all calls to the image endpoints, `refused` those answered with an error, by status and by
    code. These counts, and those of open calls, begin anew with the process.
    """

    def __init__(self, path: Path) -> None:
        self.total_nano = 0
        self.in_flight = 0
        self.peak_in_flight = 0
        self.seen = 0
        self.refused: Counter[str] = Counter()
        self.refused_codes: Counter[str] = Counter()
        self.by_prompt: Counter[str] = Counter()
        self._lines: list[bytes] = []
        for line in _complete_lines(path):
            self._remember(line)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._is_open = True
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    @property
    def calls(self) -> int:
        """How many calls were billed."""
        return self.by_prompt.total()

    def bill(self, request_id: str, order: Order, *, asked: int, fault: str | None = None) -> None:
        """Charge an accepted call for the images of `order`, of `asked` that were asked for."""
        usage, inputs = order.usage, order.inputs
        self._append(
            {
                "event": "billed",
                "time": time.time(),
                "request_id": request_id,
                "endpoint": order.endpoint,
                "model": order.model.id,
                "n": asked,
                "images": order.n,
                "size": order.size,
                "quality": order.quality,
                "output_format": order.output_format,
                "prompt_sha256": order.prompt_sha256,
                "inputs": [image.sha256 for image in inputs.images] if inputs else [],
                "mask": inputs.mask.sha256 if inputs and inputs.mask else None,
                "markup": inputs.markup.sha256 if inputs and inputs.markup else None,
                "input_tokens": usage.input,
                "image_tokens": usage.image_in,
                "output_tokens": usage.output,
                "billed_nano": order.cost_nano,
                "fault": fault,
            }
        )

    def close_call(self, request_id: str, outcome: str) -> None:
        """Note what became of a billed call: `answered`, `disconnected`, or the name of a failure."""
        event = "answered" if outcome == "answered" else "outcome"
        self._append({"event": event, "time": time.time(), "request_id": request_id, "outcome": outcome})

    def turn_away(
        self,
        request_id: str,
        order: Order | None,
        *,
        status: int | None,
        code: str | None,
        retry_after: float | None,
        fault: str | None,
    ) -> None:
        """Note a call that came and is not billed.

        `order` is None where the request could not be read, `status` where the connection is reset;
        `retry_after` is how many seconds the answer asks to wait.
        """
        self._append(
            {
                "event": "refused",
                "time": time.time(),
                "request_id": request_id,
                "model": order.model.id if order else None,
                "n": order.n if order else None,
                "prompt_sha256": order.prompt_sha256 if order else None,
                "status": status,
                "code": code,
                "retry_after": retry_after,
                "fault": fault,
            }
        )

    def enter(self) -> None:
        """A call has come in."""
        self.seen += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def leave(self) -> None:
        """A call is over."""
        self.in_flight -= 1

    def refuse(self, status: int, code: str | None) -> None:
        """A call was answered with an error; `code` is what the error says, if it says anything."""
        self.refused[str(status)] += 1
        if code:
            self.refused_codes[code] += 1

    def report(self, since: int = 0) -> bytes:
        """Totals and the entries from number `since` on, as JSON; `next` is the `since` to go on with."""
        summary = {
            "total_nano": self.total_nano,
            "calls": self.calls,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "seen": self.seen,
            "refused": self.refused,
            "refused_codes": self.refused_codes,
            "next": len(self._lines),
            "by_prompt": self.by_prompt,
        }
        # The entries are kept as they were written, and are put into the text without being parsed.
        return json.dumps(summary)[:-1].encode() + b', "entries": [' + b",".join(self._lines[since:]) + b"]}"

    def close(self) -> None:
        """Close the file; what happens to calls after that is not noted any more."""
        self._is_open = False
        os.close(self._file)

    def _append(self, entry: dict[str, Any]) -> None:
        if not self._is_open:
            return
        line = json.dumps(entry, separators=(",", ":")).encode()
        os.write(self._file, line + b"\n")
        self._remember(line)

    def _remember(self, line: bytes) -> None:
        entry = json.loads(line)
        self._lines.append(line)
        if entry["event"] == "billed":
            self.total_nano += entry["billed_nano"]
            self.by_prompt[entry["prompt_sha256"]] += 1


def _complete_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file; what a killed process left of its last one is cut off."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    yield from content[:whole].splitlines()
