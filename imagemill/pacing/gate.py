"""The gate before the paid calls of one limit group: no call before its time, and none into known trouble.

The queue's rate is the coarse brake; this is the fine one. It counts what is left by what the answers say,
waits as long as a 429 tells, and stops calling when the account is in trouble or one call after the other
fails, but for a probe now and then.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from imagemill.domain.errors import AccountTrouble, CallError, NotBilled, NotSent, OutcomeUnknown
from imagemill.domain.pace import Pace, PoolNews, Told, Trouble
from imagemill.pacing.bucket import Bucket
from imagemill.pacing.lately import Lately

FAILURES_IN_A_ROW = 8
"""So many calls that were not answered, and none that was between them, are the provider's trouble."""

ONE_MODELS = ("model_not_found", "not_found")
"""Trouble of the model that was asked for: the others of its group are served as before."""

PROVIDER_FAILING = "provider_failing"
LONGEST_SLEEP = 1.0
A_MOMENT = 60.0
"""Who was answered within these seconds speaks for the provider, if another job fails."""

HEARD_AFTER = 3.0
"""Seconds after which the pool has surely heard what it was told, and its word counts again."""


class InTrouble(AccountTrouble):
    """The call was not made: the account is known to be in trouble.

    Attributes:
        wait: seconds until one is tried again.
    """

    def __init__(self, code: str, wait: float) -> None:
        super().__init__(code)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was let through."""

    at: float
    images: int
    tokens: int
    job: str = ""
    model: str | None = None
    is_probe: bool = False
    """It was let through to see whether the trouble is over."""


class Gate:
    """One a limit group and worker.

    Args:
        worker: this worker's name, by which the pool knows it.
        probes: seconds until the first probe of an account in trouble, and the most between two.
        clock: seconds since the epoch, going evenly: a step back would hold calls up, one forward would let
            them go before a Retry-After has passed.
    """

    def __init__(self, worker: str, probes: tuple[float, float], clock: Callable[[], float]) -> None:
        self.worker = worker
        self._first_probe, self._last_probe = probes
        self._clock = clock
        self._images, self._tokens = Bucket(), Bucket()
        self._pace = Pace()
        self._paused_until = 0.0
        self._trouble: Trouble | None = None
        self._in_a_row: list[str] = []
        self._lately = Lately(A_MOMENT)
        self._turn = asyncio.Lock()
        self._news = PoolNews(worker=worker)
        self._urgent = False
        self._unheard_until = 0.0

    # --- the call -----------------------------------------------------------------------------

    async def enter(
        self,
        images: int,
        tokens: int,
        *,
        job: str = "",
        model: str | None = None,
        patience: float = float("inf"),
        stopping: Callable[[], bool] = lambda: False,
        insists: bool = False,
    ) -> Ticket:
        """Wait until the call may be made, one caller after the other, for as long as patience lasts.

        Who ``insists`` is let through as a probe whatever is known of the account's trouble.

        Raises:
            InTrouble: it would fail; nothing is sent.
            NotSent: this worker is told to stop.
            NotBilled: it has to wait for longer; says how long at least. Nothing is sent.
        """
        try:
            async with asyncio.timeout(None if patience == float("inf") else patience):
                ticket = await self._enter(images, tokens, stopping, insists=insists)
                return replace(ticket, job=job, model=model)
        except TimeoutError:
            wait = max(1.0, self._wait(images, tokens))
            raise NotBilled("kept_back", retry_after=wait) from None

    async def _enter(
        self, images: int, tokens: int, stopping: Callable[[], bool], *, insists: bool
    ) -> Ticket:
        async with self._turn:
            is_probe = self._mind_trouble(insists=insists)
            while (wait := self._wait(images, tokens)) > 0:
                if stopping():
                    raise NotSent("worker_stopping")
                await asyncio.sleep(min(wait, LONGEST_SLEEP))
                is_probe = is_probe or self._mind_trouble(insists=insists)
            now = self._clock()
            self._images.take(images, now)
            self._tokens.take(tokens, now)
            self._news.calls += 1
            self._news.images += images
            self._news.tokens += tokens
            return Ticket(now, images, tokens, is_probe=is_probe)

    def give_back(self, ticket: Ticket) -> None:
        """The call was not made after all."""
        self._images.give_back(ticket.images)
        self._tokens.give_back(ticket.tokens)

    def succeeded(self, ticket: Ticket, told: Told | None) -> None:
        """The provider has answered with images, or has refused them for what they are."""
        self._in_a_row.clear()
        self._lately.note(ticket.job, self._clock())
        if self._trouble and ticket.at >= self._trouble.since.timestamp():
            self._trouble, self._news.mended, self._news.trouble = None, True, None
            self._urgent = True
        self._hear(ticket, told)

    def failed(self, ticket: Ticket, error: CallError) -> None:
        """The call brought nothing; the error says what that means for the next ones."""
        told = error.told
        if isinstance(error, AccountTrouble):
            if error.code not in ONE_MODELS:
                self._open(error.code, ticket)
        elif isinstance(error, NotBilled) and error.code == "rate_limited":
            told = (told or Told()).model_copy(update={"wait": error.retry_after})
            self._back_off(ticket, told)
        elif isinstance(error, NotBilled) and error.retry_after:
            self._paused_until = max(self._paused_until, self._clock() + error.retry_after)
        if isinstance(error, NotSent):
            self.give_back(ticket)
        if isinstance(error, OutcomeUnknown | NotSent) or (
            isinstance(error, NotBilled) and error.code != "rate_limited"
        ):
            self._count_failure(ticket)
        self._hear(ticket, told)

    # --- the pool -----------------------------------------------------------------------------

    def adopt(self, pace: Pace) -> None:
        """Go by what the pool knows."""
        now = self._clock()
        self._pace = pace
        self._images.set_limit(pace.images_per_minute, pace.workers, now)
        self._tokens.set_limit(pace.tokens_per_minute, pace.workers, now)
        if pace.paused_until:
            self._paused_until = max(self._paused_until, pace.paused_until.timestamp())
        if self._news.trouble or self._news.mended or now < self._unheard_until:
            return  # it has not heard of ours yet
        if self._trouble and pace.trouble is None:
            self._in_a_row.clear()
        if pace.trouble is None or not self._trouble or pace.trouble.next_probe > self._trouble.next_probe:
            self._trouble = pace.trouble

    def take_news(self) -> PoolNews | None:
        """What the pool is to be told; None where it would learn nothing by it."""
        news = self._news
        limited = self._pace.images_per_minute is not None or self._pace.tokens_per_minute is not None
        if not (self._urgent or self._is_news(news.told) or (limited and news.calls)):
            return None
        if news.trouble or news.mended:
            self._unheard_until = self._clock() + HEARD_AFTER
        self._news, self._urgent = PoolNews(worker=self.worker), False
        return news

    def keep_news(self, news: PoolNews) -> None:
        """The pool could not be told: tell it with what comes after."""
        now = self._news
        self._news = news.model_copy(
            update={
                "calls": news.calls + now.calls,
                "images": news.images + now.images,
                "tokens": news.tokens + now.tokens,
                "refused": news.refused + now.refused,
                "told": _newer(news.told, now.told),
                "trouble": now.trouble or (None if now.mended else news.trouble),
                "mended": now.mended or (news.mended and not now.trouble),
            }
        )
        self._urgent = True

    @property
    def busy(self) -> bool:
        """Has a call gone out since the pool was told, or does one wait?"""
        return self._turn.locked() or self._news.calls > 0

    def _is_news(self, told: Told | None) -> bool:
        if told is None:
            return False
        pace = self._pace
        new_images = told.images_limit is not None and (
            pace.images_per_minute is None or told.images_limit < pace.images_per_minute
        )
        new_tokens = told.tokens_limit is not None and told.tokens_limit != pace.tokens_per_minute
        return new_images or new_tokens

    # --- inside -------------------------------------------------------------------------------

    def _wait(self, images: int, tokens: int) -> float:
        now = self._clock()
        return max(
            self._paused_until - now,
            self._images.wait_for(images, now),
            self._tokens.wait_for(tokens, now),
        )

    def _mind_trouble(self, *, insists: bool = False) -> bool:
        """In trouble only a probe goes through, and the next one has to wait. Is this a probe?"""
        trouble = self._trouble
        if not trouble:
            return False
        left = trouble.next_probe.timestamp() - self._clock()
        if left > 0 and insists:
            return False  # it shows whether the trouble is over, and takes nobody's turn
        if left > 0:
            raise InTrouble(trouble.code, left)
        self._trouble = trouble.model_copy(update={"next_probe": self._in(trouble.wait)})
        return True

    def _count_failure(self, ticket: Ticket) -> None:
        """Is it the provider? Not if it is one job that fails, and others were answered a moment ago."""
        self._in_a_row.append(ticket.job)
        failing = set(self._in_a_row)
        blamed = len(failing) > 1 or not self._lately.others(failing, self._clock())
        if (len(self._in_a_row) >= FAILURES_IN_A_ROW and blamed) or (ticket.is_probe and self._trouble):
            self._open(PROVIDER_FAILING, ticket)

    def _open(self, code: str, ticket: Ticket) -> None:
        """The account is in trouble; or still is, if a probe says so."""
        before = self._trouble
        if before and not ticket.is_probe:
            return  # it was under way when the trouble began
        wait = min(self._last_probe, before.wait * 2) if before else self._first_probe
        since = before.since if before else self._in(0)
        self._trouble = Trouble(code=code, since=since, next_probe=self._in(wait), wait=wait)
        self._news.trouble, self._news.mended = self._trouble, False
        self._urgent = True

    def _back_off(self, ticket: Ticket, told: Told) -> None:
        now, wait = self._clock(), told.wait or 0.0
        self._paused_until = max(self._paused_until, now + wait)
        if told.over == "tokens":
            self._tokens.empty(ticket.tokens, wait, now)
        else:
            self._images.empty(ticket.images, wait, now)
        self._news.refused += 1
        self._urgent = True

    def _hear(self, ticket: Ticket, told: Told | None) -> None:
        if told is None:
            return
        now = self._clock()
        if told.images_left is not None:
            self._images.tell(told.images_left, ticket.at, now)
        if told.tokens_left is not None:
            self._tokens.tell(told.tokens_left, ticket.at, now)
        self._news.told = _newer(self._news.told, told.model_copy(update={"model": ticket.model}))

    def _in(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=seconds)


def _newer(before: Told | None, now: Told | None) -> Told | None:
    """The newer word, with the longest wait of both, and which limit it was that refused."""
    if before is None or now is None:
        return now or before
    longest = max(before.wait or 0.0, now.wait or 0.0) or None
    return now.model_copy(update={"wait": longest, "over": now.over or before.over})
