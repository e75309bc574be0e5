"""Waiting for a job: long polls that a restart of the service does not end."""

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from imagemill_client._core.core import Core, segment
from imagemill_client._core.reading import read
from imagemill_client._core.retrying import Retries, asked_wait
from imagemill_client._core.steps import Call, Reply, sleep
from imagemill_client.errors import (
    ConnectionFailed,
    JobStopped,
    RateLimited,
    ServiceUnavailable,
    WaitTimeout,
)
from imagemill_client.models import JobStatus

LONG_POLL = 25
"""Seconds that the service is asked to keep the answer back for, while nothing changes."""
PATIENT_TRIES = 60
"""Some six minutes without any answer; then the service is not just being restarted."""
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
AWAY = (ConnectionFailed, ServiceUnavailable, RateLimited)


class Watch:
    """One job, and what is known of it.

    Args:
        seconds: after which a wait is over; None: it may last for ever.
    """

    def __init__(self, core: Core, job: str, seconds: float | None = None) -> None:
        self.job = job
        self._core = core
        self._given = seconds
        self._ends = math.inf if seconds is None else core.clock() + seconds
        self._tag: str | None = None
        self._pause = 0.0

    @property
    def retries(self) -> Retries:
        """How patiently the service is asked, within the time that is left."""
        own = self._core.retries
        return replace(own, most=max(own.most, PATIENT_TRIES), left=self.left)

    def left(self) -> float:
        """The seconds that are left."""
        return self._ends - self._core.clock()

    def change(self) -> Call[JobStatus]:
        """The job as it is when first asked; then once it is another than before.

        Raises:
            WaitTimeout: the time is over.
        """
        while True:
            yield from sleep(min(self._pause, max(0.0, self.left())))
            # What changes all the time is not asked for all the time.
            self._pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, 2 * self._pause))
            if self._tag and self.left() <= 0:
                raise self.late()
            reply = yield from self._poll()
            if reply.status == 200:
                self._tag = reply.headers.get("etag")
                return read(JobStatus, reply)
            if "preference-applied" not in reply.headers:
                yield from sleep(min(asked_wait(reply) or LONGEST_PAUSE, max(0.0, self.left())))

    def _poll(self) -> Call[Reply]:
        wait = int(max(0, min(LONG_POLL, self.left()))) if self._tag else 0
        headers = {"if-none-match": self._tag} if self._tag else {}
        if wait:
            headers["prefer"] = f"wait={wait}"
        path = f"/v1/jobs/{segment(self.job)}"
        timeout = self._core.timeout + wait
        try:
            return (
                yield from self._core.ask("GET", path, headers=headers, timeout=timeout, retries=self.retries)
            )
        except AWAY as error:
            if self._given is None or self.left() > LONGEST_PAUSE * 8:
                raise
            yield from sleep(max(0.0, self.left()))
            raise self.late() from error

    def late(self) -> WaitTimeout:
        """The error that the time is over."""
        return WaitTimeout(f"Job {self.job} has not ended within {self._given:g} seconds; it goes on.")


def wait(
    core: Core, job: str, timeout: float | None = None, *, raise_on: Collection[str] = ()
) -> Call[JobStatus]:
    """Wait until a job has ended. A held job is waited for, since it goes on when its hold is mended.

    ``timeout`` is in seconds; None: for as long as it takes. ``raise_on`` names the states that are an error:
    ``held``, ``paused``, ``failed``, ``cancelled``, ``completed_with_errors``.

    Raises:
        JobStopped: it is in one of these states.
        WaitTimeout: the time is over; the job goes on.
    """
    watch = Watch(core, job, timeout)
    while True:
        status = yield from watch.change()
        if status.state in raise_on:
            raise stopped(status)
        if status.ended:
            return status


def events(core: Core, job: str, timeout: float | None = None) -> Iterator[Call[list[JobStatus]]]:
    """The job now, and then each time it has changed, until it has ended."""
    watch = Watch(core, job, timeout)
    ended = False

    def next_change() -> Call[list[JobStatus]]:
        nonlocal ended
        status = yield from watch.change()
        ended = status.ended
        return [status]

    while not ended:
        yield next_change()


def stopped(status: JobStatus) -> JobStopped:
    """The error that a job is in a state which the caller did not want."""
    why = status.hold or status.failure
    text = f"Job {status.id} is {status.state}" + (f" ({why.code}): {why.detail}" if why else ".")
    return JobStopped(text, job=status.id, state=status.state)
