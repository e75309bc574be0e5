"""What a gate and its pool tell each other, and when."""

import asyncio
from datetime import timedelta

import pytest

from imagemill.domain.errors import AccountTrouble, EngineUnavailable, NotBilled
from imagemill.domain.pace import Pace, PoolNews, PoolState, Told
from imagemill.domain.pool_messages import PoolStart
from imagemill.pacing.gate import Gate, InTrouble
from imagemill.pacing.link import OFTEN, SELDOM, Link
from tests.unit.pacing.simulated import gate, now, run, today

KEY = AccountTrouble("invalid_api_key")
LIMITED = Pace(images_per_minute=600, tokens_per_minute=9000)


def refusal(wait: float, over: str = "images") -> NotBilled:
    error = NotBilled("rate_limited", retry_after=wait)
    error.told = Told(wait=wait, over=over)
    return error


async def call(made: Gate, told: Told | None = None, images: int = 1) -> None:
    made.succeeded(await made.enter(images, 0), told)


@pytest.mark.parametrize(
    ("pace", "told", "is_news"),
    [
        (Pace(), None, False),
        (Pace(), Told(images_left=3), False),
        (Pace(), Told(images_limit=50), True),
        (Pace(), Told(tokens_limit=9000), True),
        (LIMITED, None, True),
    ],
)
def test_what_the_pool_would_learn_nothing_by_is_not_told(
    pace: Pace, told: Told | None, is_news: bool
) -> None:
    async def story() -> None:
        made = gate()
        made.adopt(pace)
        assert made.take_news() is None
        await call(made, told, images=4)
        news = made.take_news()
        assert (news is not None) is is_news
        if news:
            assert news == PoolNews(worker="w", calls=1, images=4, told=told)
            assert made.take_news() is None

    run(story())


def test_what_is_not_told_is_told_later() -> None:
    async def story() -> None:
        made = gate()
        await call(made, images=3)
        assert made.take_news() is None
        await call(made, Told(images_limit=50))
        news = made.take_news()
        assert news
        assert (news.calls, news.images) == (2, 4)

    run(story())


def test_a_refusal_and_trouble_are_told_whatever_is_known() -> None:
    async def story() -> None:
        made = gate()
        made.failed(await made.enter(2, 0), refusal(7))
        news = made.take_news()
        assert news == PoolNews(worker="w", calls=1, images=2, refused=1, told=Told(wait=7, over="images"))
        await asyncio.sleep(8)
        made.failed(await made.enter(1, 0), KEY)
        news = made.take_news()
        assert news
        assert news.trouble
        assert (news.trouble.code, news.trouble.wait) == ("invalid_api_key", 15)
        assert news.trouble.next_probe - news.trouble.since == timedelta(seconds=15)

    run(story())


def test_of_several_answers_the_newest_is_told_with_the_longest_wait() -> None:
    async def story() -> None:
        made = gate()
        tickets = [await made.enter(1, 0) for _ in range(4)]
        made.failed(tickets[0], refusal(30))
        made.failed(tickets[1], refusal(3))
        made.succeeded(tickets[2], Told(images_limit=50, images_left=1))
        made.succeeded(tickets[3], Told(images_limit=40, images_left=2))
        news = made.take_news()
        assert news
        assert news.refused == 2
        assert news.told
        assert (news.told.wait, news.told.images_limit, news.told.images_left) == (30, 40, 2)

    run(story())


def test_which_limit_refused_is_told_with_the_answers_after_it() -> None:
    # Otherwise the pool lowers the rate of images for a want of tokens.
    async def story() -> None:
        made = gate()
        tickets = [await made.enter(1, 0) for _ in range(2)]
        made.failed(tickets[0], refusal(1, "tokens"))
        made.succeeded(tickets[1], Told(images_limit=50))
        news = made.take_news()
        assert news
        assert news.told
        assert (news.told.wait, news.told.over) == (1, "tokens")

    run(story())


# --- news that could not be told -----------------------------------------------------------------


def test_kept_news_are_told_with_what_comes_after() -> None:
    async def story() -> None:
        made = gate()
        made.failed(await made.enter(2, 100), refusal(1))
        first = made.take_news()
        assert first
        await asyncio.sleep(2)
        made.succeeded(await made.enter(3, 50), None)
        made.keep_news(first)
        told = Told(wait=1, over="images")
        news = made.take_news()
        assert news == PoolNews(worker="w", calls=2, images=5, tokens=150, refused=1, told=told)
        assert made.take_news() is None

    run(story())


@pytest.mark.parametrize("mends_first", [False, True])
def test_of_kept_trouble_and_its_end_the_later_is_told(mends_first: bool) -> None:
    async def story() -> None:
        made = gate()
        made.failed(await made.enter(1, 0), KEY)
        if mends_first:
            made.take_news()
            made.succeeded(await made.enter(1, 0, insists=True), None)
        first = made.take_news()
        assert first
        ticket = await made.enter(1, 0, insists=True)
        if mends_first:
            made.failed(ticket, KEY)
        else:
            made.succeeded(ticket, None)
        made.keep_news(first)
        news = made.take_news()
        assert news
        assert (news.mended, news.trouble is not None) == (not mends_first, mends_first)

    run(story())


def test_a_kept_wait_is_told() -> None:
    async def story() -> None:
        made = gate()
        tickets = [await made.enter(1, 0) for _ in range(2)]
        made.failed(tickets[0], refusal(30))
        first = made.take_news()
        assert first
        made.succeeded(tickets[1], Told(images_limit=50))
        made.keep_news(first)
        news = made.take_news()
        assert news
        assert news.told
        assert news.refused == 1
        assert news.told.wait == 30

    run(story())


@pytest.mark.parametrize("mended", [False, True])
def test_what_the_pool_has_not_heard_is_not_overwritten_by_it(mended: bool) -> None:
    async def story() -> None:
        made = gate()
        made.failed(await made.enter(1, 0), KEY)
        news = made.take_news()
        assert news
        assert news.trouble
        if not mended:
            made.keep_news(news)
            made.adopt(Pace())
            with pytest.raises(InTrouble):
                await made.enter(1, 0)
            return
        made.succeeded(await made.enter(1, 0, insists=True), None)
        made.adopt(Pace(trouble=news.trouble))
        assert not (await made.enter(1, 0)).is_probe

    run(story())


# --- the link ------------------------------------------------------------------------------------


class SlowLine:
    """A pool that shows what it has heard only some seconds later, and may be away."""

    def __init__(self, lag: float = 0.0) -> None:
        self.state = PoolState.of("unlimited", None)
        self.heard: list[tuple[float, PoolNews]] = []
        self.openings: list[bool] = []
        self.looks: list[float] = []
        self.away = False
        self._lag = lag
        self._shown: list[tuple[float, Pace]] = []

    async def tell_pool(self, start: PoolStart, news: PoolNews, *, opening: bool = False) -> None:
        if self.away:
            raise EngineUnavailable
        self.heard.append((now(), news))
        self.openings.append(opening)
        self.state.hear(news, today())
        self._shown.append((now() + self._lag, self.state.pace(today())))

    async def pace(self, workflow_id: str) -> Pace | None:
        self.looks.append(now())
        if self.away:
            raise EngineUnavailable
        assert workflow_id == "pool/p/g"
        return next((pace for at, pace in reversed(self._shown) if at <= now()), None)


def link(made: Gate, line: SlowLine) -> Link:
    return Link(made, PoolStart(pool="p", group="g"), line)


def test_it_says_what_the_operator_states_when_it_opens_and_goes_by_the_answer() -> None:
    async def story() -> None:
        made, line = gate(), SlowLine()
        line.state = PoolState.of(60, None)
        await link(made, line).open()
        assert line.openings == [True]
        assert [news for _, news in line.heard] == [PoolNews(worker="w")]
        for _ in range(60):
            await made.enter(1, 0)
        assert now() > 0.5

    run(story())


def test_news_are_told_once_and_kept_while_the_pool_is_away() -> None:
    async def story() -> None:
        made, line = gate(), SlowLine()
        linking = asyncio.create_task(link(made, line).run())
        made.failed(await made.enter(1, 0), KEY)
        line.away = True
        await asyncio.sleep(5)
        line.away = False
        await asyncio.sleep(5)
        linking.cancel()
        assert len(line.heard) == 1
        assert line.heard[0][1].trouble

    run(story())


def test_it_looks_often_while_there_is_work_and_seldom_otherwise() -> None:
    async def story() -> None:
        made, line = gate(), SlowLine()
        made.adopt(LIMITED)
        linking = asyncio.create_task(link(made, line).run())
        await asyncio.sleep(100)
        idle = [later - earlier for earlier, later in zip(line.looks, line.looks[1:], strict=False)]
        assert idle[0] == pytest.approx(OFTEN, abs=0.01)
        assert idle[-1] == pytest.approx(SELDOM, abs=0.01)
        line.looks.clear()
        for _ in range(30):
            await call(made)
            await asyncio.sleep(1)
        linking.cancel()
        assert len(line.looks) >= 15

    run(story())


def test_trouble_that_was_just_told_is_not_forgotten_by_an_older_answer() -> None:
    async def story() -> None:
        made, line = gate(), SlowLine(lag=0.5)
        await link(made, line).open()
        await asyncio.sleep(1)
        linking = asyncio.create_task(link(made, line).run())
        made.failed(await made.enter(1, 0), KEY)
        kept_back = 0
        for _ in range(100):
            await asyncio.sleep(0.1)
            try:
                await made.enter(1, 0)
            except InTrouble:
                kept_back += 1
        linking.cancel()
        assert kept_back == 100

    run(story())
