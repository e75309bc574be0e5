"""The fake service as a test sees it: what is there, and how to make things happen."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from imagemill_client import AsyncImagemill, Imagemill
from imagemill_client._core.handle import Handle
from imagemill_client._core.jobs import usd
from imagemill_client.testing._answers import time
from imagemill_client.testing._events import FakeEvent, Secrets, events_due, make_event
from imagemill_client.testing._files import FakeUpload
from imagemill_client.testing._routes import FakeTransport
from imagemill_client.testing._world import FakeItem, FakeJob, Json

URL = "http://imagemill.fake"
IMAGES = "http://images.fake"
STUCK_SECONDS = 3600.0
"""Of the fake's own time: who waits so long for nothing waits for ever."""
ItemEnd = Literal["failed", "blocked", "skipped", "cancelled"]
Trouble = Literal["unreachable", "unanswered", "away", "limited"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the fake. Its key is left out."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class FakeImagemill:
    """An Imagemill in memory, for the tests of programs that use the client.

    The clients that it makes are the real ones; only what they send goes here instead of over a network.
    Nothing waits: the fake's own clock goes on instead.

        fake = FakeImagemill()
        with fake.client() as client:
            job = client.jobs.submit(items=[{"custom_id": "1", "prompt": "A chair"}], budget="1.00")
            job.wait()

    Args:
        per_poll: how many items end each time a job's status is asked for. 0: only what the test says
            happens, with `run`, `finish`, `hold` and so on.
        price: of an image. A job is held when its cap has no room for the next one.
        api_key: the only key that is taken.
        now: where the fake's clock begins.
    """

    def __init__(
        self,
        *,
        per_poll: int = 1,
        price: Decimal | str = "0.01",
        api_key: str = "im_fake_key",
        now: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[Received] = []
        """All that was asked of it, the oldest first."""
        self.events: list[FakeEvent] = []
        """What was told to the jobs' webhooks, signed; nothing is sent anywhere."""
        self.secrets = Secrets(now)
        self.filenames: dict[str, str] = {}
        self.uploads: dict[str, FakeUpload] = {}
        self.schedules: dict[str, Json] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.schedule_keys: dict[str, str] = {}
        self.per_poll = per_poll
        self.price = Decimal(price)
        self.api_key = api_key
        self.now = now
        self.lock = threading.RLock()
        self.troubles: deque[Trouble] = deque()
        self._begun = now
        self._changed = now
        self._on_submit: list[Callable[[FakeJob], None]] = []
        self._on_poll: list[Callable[[FakeJob], None]] = []
        self._ends: dict[str, tuple[str, str, str]] = {}

    # --- clients -----------------------------------------------------------------------------------

    def client(self, *, api_key: str | None = None, max_retries: int = 6) -> Imagemill:
        """A blocking client of this fake."""
        return Imagemill(
            URL,
            api_key or self.api_key,
            max_retries=max_retries,
            transport=FakeTransport(self),
            sleep=self.sleep,
            clock=self.clock,
        )

    def async_client(self, *, api_key: str | None = None, max_retries: int = 6) -> AsyncImagemill:
        """An asynchronous client of this fake."""

        async def sleep(seconds: float) -> None:
            self.sleep(seconds)

        return AsyncImagemill(
            URL,
            api_key or self.api_key,
            max_retries=max_retries,
            transport=FakeTransport(self),
            sleep=sleep,
            clock=self.clock,
        )

    def clock(self) -> float:
        """The fake's time, in seconds since it was made."""
        return (self.now - self._begun).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Let the fake's time go on.

        Raises:
            AssertionError: nothing has happened for an hour of it: the test waits for what never comes.
        """
        with self.lock:
            self.now += timedelta(seconds=seconds)
            if (self.now - self._changed).total_seconds() > STUCK_SECONDS:
                open_jobs = ", ".join(
                    f"{job.id} is {job.state}" for job in self.jobs.values() if not job.ended
                )
                raise AssertionError(
                    f"The code waits for something that never comes: {open_jobs or 'no job is open'}. "
                    "Let the test say what happens, as with fake.finish(job)."
                )

    # --- what happens to jobs ----------------------------------------------------------------------

    def job(self, job: "str | FakeJob | Handle") -> FakeJob:
        """A job, by its id or its handle."""
        return job if isinstance(job, FakeJob) else self.jobs[job if isinstance(job, str) else job.id]

    def on_submit(self, do: Callable[[FakeJob], None]) -> None:
        """Do something with each job when it is submitted."""
        self._on_submit.append(do)

    def on_poll(self, do: Callable[[FakeJob], None]) -> None:
        """Do something with a job each time before its status is told."""
        self._on_poll.append(do)

    def run(self, job: "str | FakeJob | Handle", items: int = 1) -> None:
        """Let the next items end: well, unless `fail_item` says otherwise, and as far as the cap goes."""
        found = self.job(job)
        with self.lock:
            if found.state in ("queued", "validating"):
                self.set_state(found, "running")
            for _ in range(items):
                if found.state == "running":
                    self._end_next(found)

    def finish(self, job: "str | FakeJob | Handle") -> None:
        """Let all items end, and with them the job, unless its cap holds it."""
        found = self.job(job)
        if found.state in ("paused", "held"):
            self.release(found)
        self.run(found, len(found.items))

    def fail_item(
        self,
        custom_id: str,
        *,
        state: ItemEnd = "failed",
        code: str = "server_error",
        detail: str = "The provider could not make the image.",
    ) -> None:
        """Let items of that id, in jobs that are there or will be, end otherwise than well."""
        self._ends[custom_id] = (state, code, detail)

    def hold(
        self,
        job: "str | FakeJob | Handle",
        code: str = "provider_account",
        detail: str = "The provider refuses the account.",
    ) -> None:
        """Hold a job, as the service does by itself; `release` or the caller's ``resume`` lets it go on."""
        found = self.job(job)
        found.hold = {
            "code": code, "detail": detail, "since": time(self.now), "next_probe": None,
            "smallest_usd": None, "likely_usd": None, "until": None,
        }  # fmt: skip
        self.set_state(found, "held")

    def release(self, job: "str | FakeJob | Handle") -> None:
        """Let a held or paused job go on."""
        found = self.job(job)
        found.hold = None
        self.set_state(found, "running")

    def fail(self, job: "str | FakeJob | Handle", code: str, detail: str = "It can't be run.") -> None:
        """Let a job fail before anything is bought."""
        found = self.job(job)
        found.failure = {"code": code, "detail": detail}
        self.set_state(found, "failed")

    def cancel(self, job: "str | FakeJob | Handle") -> None:
        """Cancel a job and what has not ended of it."""
        found = self.job(job)
        for item in found.waiting():
            item.state = "cancelled"
        found.hold = None
        self.set_state(found, "cancelled")

    # --- trouble -----------------------------------------------------------------------------------

    def trouble(self, kind: Trouble, times: int = 1) -> None:
        """Let the next requests go wrong.

        Args:
            kind: ``unreachable``: it never arrives; ``unanswered``: it is done, but its answer is lost;
                ``away``: 503; ``limited``: 429.
            times: how many of them.
        """
        self.troubles.extend([kind] * times)

    # --- webhooks ----------------------------------------------------------------------------------

    def event(self, job: "str | FakeJob | Handle", type: str = "job.completed") -> FakeEvent:  # noqa: A002
        """An event about a job as it is now, signed, to be given to a receiver under test."""
        return make_event(self.job(job), type, self.now, self.secrets)

    # --- for the routes ----------------------------------------------------------------------------

    def submitted(self, body: Json, items: list[FakeItem], retry_of: str | None = None) -> FakeJob:
        """A new job."""
        job = FakeJob(
            id=self.new_id("job", len(self.jobs)),
            body=body,
            items=items,
            created_at=self.now,
            limit=Decimal(usd(body["budget"]["limit_usd"])),
            price=self.price,
            priority=body.get("priority") or 3,
            retry_of=retry_of,
            webhook=body.get("webhook"),
        )
        self.jobs[job.id] = job
        self.changed(job)
        for do in self._on_submit:
            do(job)
        return job

    def remember(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> None:
        """A request has come."""
        self.requests.append(Received(method, path, query, headers, body))

    def later(self, seconds: float) -> datetime:
        """The fake's time in so many seconds."""
        return self.now + timedelta(seconds=seconds)

    def new_id(self, kind: str, number: int) -> str:
        """The same ids in the same order, whenever a test runs."""
        return f"{kind}_{number + 1:026d}"

    def polled(self, job: FakeJob) -> None:
        """A job's status is asked for: it goes on."""
        for do in self._on_poll:
            do(job)
        if not self.per_poll or job.ended:
            return
        if job.state == "queued":
            self.set_state(job, "running")
        elif job.state == "running":
            self.run(job, self.per_poll)

    def set_state(self, job: FakeJob, state: str) -> None:
        """A job is in another state, of which its webhook is told."""
        job.state = state
        if state == "running" and job.started_at is None:
            job.started_at = self.now
        if job.ended:
            job.ended_at = self.now
        self.changed(job)
        self.events += events_due(job, self.now, self.secrets)

    def changed(self, job: FakeJob) -> None:
        """Something of a job is another than before."""
        job.version += 1
        self._changed = self.now

    def _end_next(self, job: FakeJob) -> None:
        item = next(job.waiting(), None)
        if item is not None and not self._ended(job, item):
            return
        self.changed(job)
        if all(each.ended for each in job.items):
            bad = any(each.state != "succeeded" for each in job.items)
            self.set_state(job, "completed_with_errors" if bad else "completed")

    def _ended(self, job: FakeJob, item: FakeItem) -> bool:
        """Let one item end; False: the cap holds the job instead."""
        if item.custom_id in self._ends:
            item.state, item.code, item.detail = self._ends[item.custom_id]
        elif job.affords(item):
            item.state, item.cost = "succeeded", job.price * item.n
        elif job.body["budget"].get("on_exhausted") == "skip":
            item.state, item.code, item.detail = "skipped", "budget", "The cap leaves no money for it."
        else:
            self.hold(job, "budget", "The job's cap leaves no money for the next item; raise it.")
            return False
        return True
