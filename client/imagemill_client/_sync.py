"""The blocking shell: carries out what the core asks for, one step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx2

from imagemill_client._core import downloads
from imagemill_client._core import files as file_calls
from imagemill_client._core import items as item_calls
from imagemill_client._core import jobs as job_calls
from imagemill_client._core import others as other_calls
from imagemill_client._core import schedules as schedule_calls
from imagemill_client._core import watching as watch_calls
from imagemill_client._core.core import Core, configured
from imagemill_client._core.handle import Handle
from imagemill_client._core.methods import dressed
from imagemill_client._core.steps import Call
from imagemill_client._runners import Runner
from imagemill_client.models import JobStatus

P = ParamSpec("P")
T = TypeVar("T")


class Resource:
    """Calls of one kind."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner


def _value(call: Callable[Concatenate[Core, P], Call[T]]) -> Callable[Concatenate[Resource, P], T]:
    """A call of the core as a method."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._runner.run(call(self._runner.core, *args, **kwargs))

    return dressed(method, call)


def _each(
    calls: Callable[Concatenate[Core, P], Iterator[Call[list[T]]]],
) -> Callable[Concatenate[Resource, P], Iterator[T]]:
    """Calls that bring some things each, as a method that brings them one by one."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        for call in calls(self._runner.core, *args, **kwargs):
            yield from self._runner.run(call)

    return dressed(method, calls)


def _job(
    call: Callable[Concatenate[Core, P], Call[JobStatus]],
) -> Callable[Concatenate[Resource, P], Job]:
    """A call that answers with a job's status, as a method that gives its handle."""

    def method(self: Resource, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        return Job(self._runner, self._runner.run(call(self._runner.core, *args, **kwargs)))

    return dressed(method, call)


def _of_job(
    call: Callable[Concatenate[Core, str, P], Call[T]],
) -> Callable[Concatenate[Job, P], T]:
    """A call about a job, as a method of its handle."""

    def method(self: Job, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._runner.run(call(self._runner.core, self.id, *args, **kwargs))

    return dressed(method, call, of_job=True)


def _each_of_job(
    calls: Callable[Concatenate[Core, str, P], Iterator[Call[list[T]]]],
) -> Callable[Concatenate[Job, P], Iterator[T]]:
    """Calls about a job that bring some things each, as a method of its handle."""

    def method(self: Job, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        for call in calls(self._runner.core, self.id, *args, **kwargs):
            yield from self._runner.run(call)

    return dressed(method, calls, of_job=True)


def _told(
    call: Callable[Concatenate[Core, str, P], Call[JobStatus]],
) -> Callable[Concatenate[Job, P], Job]:
    """A call that answers with the job's status, which the handle then shows."""

    def method(self: Job, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        self.status = self._runner.run(call(self._runner.core, self.id, *args, **kwargs))
        return self

    return dressed(method, call, of_job=True)


def _child(
    call: Callable[Concatenate[Core, str, P], Call[JobStatus]],
) -> Callable[Concatenate[Job, P], Job]:
    """A call that makes another job of this one, as a method that gives its handle."""

    def method(self: Job, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        return Job(self._runner, self._runner.run(call(self._runner.core, self.id, *args, **kwargs)))

    return dressed(method, call, of_job=True)


AT_ONCE = 8


def _download(runner: Runner, work: downloads.Downloader, at_once: int) -> list[downloads.Downloaded]:
    with ThreadPoolExecutor(at_once) as pool:
        for batch in work.batches():
            list(pool.map(runner.run, runner.run(batch)))
    return work.result()


class Job(Handle):
    """A job: what `Jobs` does for an id, for this one. Calls that change it update ``status``."""

    def __init__(self, runner: Runner, status: JobStatus) -> None:
        super().__init__(status)
        self._runner = runner

    refresh = _told(job_calls.get)
    wait = _told(watch_calls.wait)
    pause = _told(job_calls.pause)
    resume = _told(job_calls.resume)
    cancel = _told(job_calls.cancel)
    update = _told(job_calls.update)
    events = _each_of_job(watch_calls.events)
    items = _each_of_job(item_calls.follow)
    results = _each_of_job(item_calls.results)
    page = _of_job(item_calls.page)
    item = _of_job(item_calls.item)
    image = _of_job(item_calls.image)
    image_url = _of_job(item_calls.image_url)
    report = _of_job(job_calls.report)
    share = _of_job(job_calls.share)
    retry = _child(job_calls.retry)

    def download(
        self,
        folder: downloads.Folder,
        name: downloads.Name = None,
        *,
        timeout: float | None = None,
        at_once: int = AT_ONCE,
    ) -> list[downloads.Downloaded]:
        """Each image into a folder as soon as it is there, until the job has ended; see `Downloader`.

        Raises:
            DownloadFailed: some images could not be had; the same call again fetches the rest.
            WaitTimeout: the job has not ended within so many seconds.
        """
        work = downloads.Downloader(self._runner.core, self.id, folder, name, timeout=timeout)
        return _download(self._runner, work, at_once)


class Jobs(Resource):
    """Submit jobs and find them again."""

    submit = _job(job_calls.submit)
    validate = _value(job_calls.validate)
    estimate = _value(job_calls.validate)
    get = _job(job_calls.get)
    list = _each(job_calls.list_jobs)
    wait = _job(watch_calls.wait)
    pause = _job(job_calls.pause)
    resume = _job(job_calls.resume)
    cancel = _job(job_calls.cancel)
    update = _job(job_calls.update)
    retry = _job(job_calls.retry)
    report = _value(job_calls.report)
    share = _value(job_calls.share)
    events = _each(watch_calls.events)
    items = _each(item_calls.follow)
    results = _each(item_calls.results)
    page = _value(item_calls.page)
    item = _value(item_calls.item)
    image = _value(item_calls.image)
    image_url = _value(item_calls.image_url)


class Files(Resource):
    """Upload once, name in many jobs."""

    upload = _value(file_calls.upload)
    get = _value(file_calls.get)
    list = _each(file_calls.list_files)
    content = _value(file_calls.content)
    delete = _value(file_calls.delete)


class Schedules(Resource):
    """Submissions that are made again and again."""

    create = _value(schedule_calls.create)
    get = _value(schedule_calls.get)
    list = _each(schedule_calls.list_schedules)
    update = _value(schedule_calls.update)
    delete = _value(schedule_calls.delete)
    pause = _value(schedule_calls.pause)
    resume = _value(schedule_calls.resume)
    trigger = _value(schedule_calls.trigger)
    backfill = _value(schedule_calls.backfill)
    runs = _each(schedule_calls.runs)
    preview = _value(schedule_calls.preview)
    preview_spec = _value(schedule_calls.preview_spec)


class Webhooks(Resource):
    """What became of events, and the secret that signs them."""

    deliveries = _each(other_calls.deliveries)
    delivery = _value(other_calls.delivery)
    redeliver = _value(other_calls.redeliver)
    disabled = _each(other_calls.disabled)
    secret = _value(other_calls.secret)
    rotate_secret = _value(other_calls.rotate_secret)


class Models(Resource):
    """What images can be bought from."""

    list = _value(other_calls.models)
    get = _value(other_calls.model)


class Imagemill(Resource):
    """A blocking client. It may be used by several threads, and is to be closed, or used with ``with``.

    Args:
        base_url: the service's address, without ``/v1``; by default ``IMAGEMILL_URL``.
        api_key: by default ``IMAGEMILL_API_KEY``.
        timeout: seconds without a sign of the answer to one request.
        max_retries: how often a request is sent again that is harmless to repeat.
        transport: what requests are sent through, for tests and proxies of your own.
        sleep: how to wait, and ``clock`` by what, for tests.

    Raises:
        NotConfigured: the address or the key is missing or no address.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        max_retries: int = 6,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        core = configured(base_url, api_key, timeout, max_retries, clock)
        super().__init__(Runner(core, transport, sleep))
        self.jobs = Jobs(self._runner)
        self.files = Files(self._runner)
        self.schedules = Schedules(self._runner)
        self.webhooks = Webhooks(self._runner)
        self.models = Models(self._runner)

    usage = _value(other_calls.usage)

    def close(self) -> None:
        """Close the connections."""
        self._runner.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._runner.core.url}>"
