"""A job as it was read at one moment: unparsed, since most who poll only want to know whether it changed."""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from pydantic_core import from_json

from imagemill.domain.job import JobSummary, Progress
from imagemill.domain.job_states import ENDED

TAG_BYTES = 12
_numbers = count(1)


@dataclass(eq=False)
class Snapshot:
    """What the memos of a job and of its running chunks said, and which read of this process it was.

    Attributes:
        tag: an entity tag of all that they said. It is weak: the rate and the time left, which change
            while nothing happens, are not in it. It is the same in every process.
        number: reads are numbered in the order in which they began.
        body: the answer to who does not know it yet; made once, when it is first asked for.
        unchanged: the headers of the answer to who does; likewise.
    """

    job: str
    data: bytes
    facts: dict[str, Any]
    number: int
    chunks: list[bytes] = field(default_factory=list)
    body: bytes | None = None
    unchanged: list[tuple[bytes, bytes]] | None = None

    @cached_property
    def tag(self) -> str:
        """``W/"…"``, as it stands in a header."""
        digest = hashlib.blake2b(self.data, digest_size=TAG_BYTES)
        for chunk in self.chunks:
            digest.update(chunk)
        return f'W/"{base64.urlsafe_b64encode(digest.digest()).decode()}"'

    @property
    def tenant(self) -> str:
        """Whose job it is."""
        return str(self.facts["tenant"])

    @property
    def ended(self) -> bool:
        """Will nothing change any more?"""
        return self.facts["state"] in ENDED

    @property
    def open_chunks(self) -> list[int]:
        """The chunks that ran when the job was read."""
        return [int(chunk) for chunk in self.facts.get("open_chunks", ())]

    @cached_property
    def summary(self) -> JobSummary:
        """What the job said of itself."""
        return JobSummary.model_validate_json(self.data)

    @cached_property
    def progress(self) -> Progress:
        """The totals of the job, running chunks included."""
        return Progress.total(
            [self.summary.ended, *(Progress.model_validate_json(chunk) for chunk in self.chunks)]
        )


def next_number() -> int:
    """The number of a read that begins now."""
    return next(_numbers)


def read_facts(data: bytes) -> dict[str, Any]:
    """A memo, as far as it is looked at while nothing has changed."""
    facts: dict[str, Any] = from_json(data, cache_strings="keys")
    return facts
