"""Gates and their pool against a provider that refuses what is above its limits, in simulated time.

The provider's own bucket judges: it holds a minute's worth, so that after a rest more than that can go
through within a minute.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from imagemill.domain.pace import PoolState
from tests.unit.pacing.simulated import Provider, Works, run, today

WARM, END = 180.0, 780.0
TOKENS = 1756
"""Of an image of 1024x1024 in medium quality."""


@dataclass(frozen=True)
class Case:
    """So many gates at a limit of images a minute, with calls of these sizes."""

    limit: int
    gates: int
    sizes: tuple[int, ...]
    tokens: int | None = None
    provider: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        tokens = f"-{self.tokens}-tokens" if self.tokens else ""
        return f"{self.gates}-gates-{self.limit}-images{tokens}-n-{'-'.join(map(str, self.sizes))}"

    @property
    def possible(self) -> float:
        """Images a minute that the provider allows."""
        return min(self.limit, self.tokens / TOKENS) if self.tokens else self.limit


ONE = [
    Case(5, 1, (1,)),
    Case(50, 1, (1,)),
    Case(250, 1, (1,)),
    Case(50, 1, (4,)),
    Case(250, 1, (10,)),
    Case(20, 1, (10,)),
    Case(50, 1, (1, 10)),
    Case(250, 1, (1, 4, 10)),
]
THREE = [Case(50, 3, (1,)), Case(250, 3, (1,)), Case(250, 3, (1, 4, 10))]
CROWDED = [Case(50, 3, (4,))]
"""A call is so large for a gate's share that gates come into each other's way."""
TOKENS_ONE = [Case(250, 1, (1,), 100_000), Case(250, 1, (1, 2, 4), 300_000)]
TOKENS_THREE = [Case(250, 3, (1,), 100_000)]
LARGE = [Case(20, 3, (10,)), Case(50, 3, (1, 10))]
"""A call is larger than a gate's share: the gates can't know of each other's, and some are refused."""


def play(case: Case, *, evenly: bool) -> Provider:
    async def story() -> Provider:
        provider = Provider(case.limit, case.tokens, **case.provider)
        works = Works(provider, case.gates, PoolState.of(None, None))
        chance = random.Random(1)

        def call() -> tuple[int, int]:
            images = chance.choice(case.sizes)
            return images, images * TOKENS if case.tokens else 0

        for gate in works.gates:
            gate.adopt(works.state.pace(today()))
        async with works.linked():
            await (works.dispatch if evenly else works.besiege)(END, call)
        return provider

    return run(story())


def check_throughput(case: Case, provider: Provider, share: float = 0.95) -> None:
    bought = provider.images_between(WARM, END)

    assert bought >= share * case.possible * (END - WARM) / 60 - max(case.sizes)


def check(case: Case, provider: Provider) -> None:
    calls, refused = provider.calls_between(WARM, END), provider.refused_between(WARM, END)

    check_throughput(case, provider)
    assert refused <= 0.01 * (calls + refused)


@pytest.mark.parametrize(
    "case",
    [*ONE, *THREE, *CROWDED, *TOKENS_ONE, *TOKENS_THREE],
    ids=str,
)
def test_what_the_queue_hands_out_evenly_is_hardly_ever_refused(case: Case) -> None:
    check(case, play(case, evenly=True))


@pytest.mark.parametrize(
    "case",
    [
        *ONE,
        *THREE[:2],
        *CROWDED,
        *TOKENS_ONE,
        *TOKENS_THREE,
    ],
    ids=str,
)
def test_where_only_the_gates_hold_calls_back_they_are_hardly_ever_refused(case: Case) -> None:
    provider = play(case, evenly=False)

    check(case, provider)
    if not case.tokens and len(case.sizes) == 1:
        assert provider.most_in_a_minute(WARM, END) <= 1.03 * case.limit + max(case.sizes)


@pytest.mark.parametrize("evenly", [True, False])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_calls_that_are_large_for_the_limit_still_use_it(case: Case, evenly: bool) -> None:
    check_throughput(case, play(case, evenly=evenly), share=0.8)


@pytest.mark.parametrize("case", [Case(60, 1, (1,))], ids=str)
def test_after_a_rest_a_burst_is_within_what_the_provider_holds(case: Case) -> None:
    """Of one gate; several can't know of each other's, which is what the queue's rate is for."""

    async def story() -> None:
        provider = Provider(case.limit)
        works = Works(provider, case.gates, PoolState.of(case.limit, None))
        async with works.linked():
            await works.dispatch(60, lambda: (1, 0))
            await asyncio.sleep(45)
            before = len(provider.refused)
            await works.burst(case.limit, lambda: (1, 0))
            await asyncio.sleep(120)
        assert len(provider.refused) - before <= 0.01 * case.limit * case.gates

    run(story())
