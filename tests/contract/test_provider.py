"""What every image provider must do, tried on the scripted one and on the sandbox's real server.

The sandbox is run in each of the ways in which compatible providers differ.
"""

import asyncio
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest
from PIL import Image
from pydantic import SecretStr

from imagemill.domain.errors import AccountTrouble, NotBilled, NotSent, OutcomeUnknown, Refused
from imagemill.domain.ids import new_id
from imagemill.domain.pace import Told
from imagemill.domain.pools import Pool
from imagemill.domain.request import ImageRequest
from imagemill.ports import GeneratedImages, ImageProvider, SentImage, SentInputs
from imagemill.providers.openai_images import OpenAIImages
from imagemill.sniff import facts_of
from sandbox.image_api.profiles import PROFILES
from tests.fakes.provider import ScriptedProvider, generated, picture
from tests.unit.sandbox_image_api.sandbox import KEY, Sandbox

DEADLINE = 20.0
SIZE = (1024, 1024)
LIMIT = 100

DRAWS = sorted(set(PROFILES) - {"async-task"})
AZURE = {"kind": "azure", "query": {"api-version": "2025-04-01-preview"}}
ACCOUNTS: dict[str, dict[str, Any]] = {"azure": AZURE, "no-size": {"size_as": "aspect_ratio"}}
UNCOUNTED = {"zero-usage", "no-usage"}


class Bench(Protocol):
    """A provider that can be told how the next call ends."""

    @property
    def counts(self) -> bool:
        """Does it send usage?"""

    @property
    def provider(self) -> ImageProvider: ...

    def with_wrong_key(self) -> ImageProvider: ...

    def next_call(self, ends: str, **said: Any) -> None: ...

    def paid(self, prompt: str) -> int:
        """How often a prompt was billed."""


@dataclass
class Scripted:
    """The provider of the tests."""

    counts: bool = True
    provider: ScriptedProvider = field(default_factory=ScriptedProvider)

    def with_wrong_key(self) -> ImageProvider:
        return ScriptedProvider(AccountTrouble("invalid_api_key", "req_1"))

    def next_call(self, ends: str, **said: Any) -> None:
        wait = said.get("seconds")
        limited = NotBilled("rate_limited", "req_1", wait)
        limited.told = Told(wait=wait, over="images")
        ways: dict[str, Callable[[], GeneratedImages | Exception]] = {
            "pictures": lambda: generated(
                *[picture(size=SIZE) for _ in range(said.get("n", 1))],
                told=Told(images_limit=LIMIT, images_left=LIMIT - 1),
            ),
            "rate_limit": lambda: limited,
            "request_too_large": lambda: Refused("request_above_limit", "req_1"),
            "error_500_billed": lambda: OutcomeUnknown("http_500", "req_1"),
            "truncate": lambda: OutcomeUnknown("connection_lost"),
            "empty_data": lambda: OutcomeUnknown("no_images", "req_1"),
            "unverified_org": lambda: AccountTrouble("unverified_organization", "req_1"),
            "insufficient_quota": lambda: AccountTrouble("insufficient_quota", "req_1"),
            "moderation_input": lambda: Refused("blocked", "req_1", blocked=True),
            "moderation_output": lambda: Refused("blocked", "req_1", blocked=True, maybe_billed=True),
            "hang": generated,
        }
        if ends == "hang":
            self.provider.gate.clear()
        self.provider.script(ways[ends]())

    def paid(self, prompt: str) -> int:
        return sum(request.prompt == prompt for request, _ in self.provider.calls)


@dataclass
class Real:
    """The sandbox as one of its kinds of provider, asked by the adapter of production."""

    name: str
    server: Sandbox
    http: httpx2.AsyncClient

    @property
    def counts(self) -> bool:
        return self.name not in UNCOUNTED

    @property
    def provider(self) -> OpenAIImages:
        return self._connected(KEY)

    def with_wrong_key(self) -> ImageProvider:
        return self._connected("another key")

    def next_call(self, ends: str, **said: Any) -> None:
        said.pop("n", None)
        self.server.order_faults(*([] if ends == "pictures" else [{"kind": ends, **said}]))

    def paid(self, prompt: str) -> int:
        return len(self.server.billed(prompt))

    def _connected(self, key: str) -> OpenAIImages:
        account = ACCOUNTS.get(self.name, {})
        base = self.server.url if account.get("kind") == "azure" else f"{self.server.url}/v1"
        pool = Pool(name=self.name, base_url=base, api_key=SecretStr(key), **account)
        return OpenAIImages(pool, self.http)


@contextmanager
def running(name: str, folder: Path) -> Iterator[Sandbox]:
    server = Sandbox(
        folder / "ledger.jsonl", "--profile", name, "--images-per-minute", str(LIMIT), "--drawers", "1"
    )
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=["scripted", *DRAWS])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "scripted":
        yield None
        return
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield request.param, server


@pytest.fixture
def bench(served: tuple[str, Sandbox] | None, http: httpx2.AsyncClient) -> Bench:
    if served is None:
        return Scripted()
    bench = Real(*served, http)
    bench.next_call("pictures")
    return bench


def asked(prompt: str = "", **said: Any) -> ImageRequest:
    """A request whose prompt no other test uses."""
    return ImageRequest.model_validate(
        {
            "prompt": f"{prompt} {new_id('prompt')}",
            "model": "gpt-image-2",
            "size": f"{SIZE[0]}x{SIZE[1]}",
            "quality": "low",
        }
        | said
    )


def pixels(images: Sequence[bytes]) -> list[tuple[int, int]]:
    """The sizes of images, every pixel of which can be read."""
    sizes = []
    for data in images:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            sizes.append(image.size)
    return sizes


async def test_a_picture_comes_and_decodes(bench: Bench) -> None:
    bench.next_call("pictures")
    request = asked()
    answer = await bench.provider.generate(request, deadline=DEADLINE)

    assert pixels(answer.images) == [SIZE]
    assert facts_of(answer.images[0]).format == "png"
    assert answer.request_id
    assert bench.paid(request.prompt) == 1


async def test_as_many_come_as_are_asked_for(bench: Bench) -> None:
    bench.next_call("pictures", n=3)
    answer = await bench.provider.generate(asked(n=3), deadline=DEADLINE)

    assert pixels(answer.images) == [SIZE] * 3


async def test_usage_is_counted_or_none(bench: Bench) -> None:
    bench.next_call("pictures")
    usage = (await bench.provider.generate(asked(), deadline=DEADLINE)).usage

    if bench.counts:
        assert usage
        assert usage.text_in > 0
        assert usage.image_out > 0
    else:
        assert usage is None


async def test_the_limits_are_told(bench: Bench) -> None:
    bench.next_call("pictures")
    told = (await bench.provider.generate(asked(), deadline=DEADLINE)).told

    assert told
    assert told.images_limit == LIMIT
    assert told.images_left is not None
    assert told.images_left < LIMIT
    assert (told.wait, told.over) == (None, None)


async def test_an_edit_with_a_mask(bench: Bench) -> None:
    bench.next_call("pictures")
    mask = io.BytesIO()
    Image.new("RGBA", SIZE, (0, 0, 0, 0)).save(mask, "PNG")
    inputs = SentInputs(
        [SentImage(picture(size=SIZE), "png"), SentImage(picture("blue", "JPEG"), "jpeg")],
        mask=SentImage(mask.getvalue(), "png"),
    )
    request = asked(moderation="low", output_format="png")
    answer = await bench.provider.generate(request, deadline=DEADLINE, inputs=inputs)

    assert pixels(answer.images) == [SIZE]
    assert bench.paid(request.prompt) == 1
    if bench.counts and isinstance(bench, Real):
        assert answer.usage
        assert answer.usage.image_in > 0


async def test_a_wrong_key_is_trouble_with_the_account(bench: Bench) -> None:
    request = asked()
    with pytest.raises(AccountTrouble) as caught:
        await bench.with_wrong_key().generate(request, deadline=DEADLINE)

    assert caught.value.code == "invalid_api_key"
    assert bench.paid(request.prompt) == 0


@pytest.mark.parametrize("code", ["unverified_organization", "insufficient_quota"])
async def test_other_trouble_with_the_account(bench: Bench, code: str) -> None:
    bench.next_call("unverified_org" if code == "unverified_organization" else code)
    with pytest.raises(AccountTrouble) as caught:
        await bench.provider.generate(asked(), deadline=DEADLINE)

    assert caught.value.code == code


@pytest.mark.parametrize("stage", ["input", "output"])
async def test_a_blocked_prompt(bench: Bench, stage: str) -> None:
    bench.next_call(f"moderation_{stage}")
    request = asked()
    with pytest.raises(Refused) as caught:
        await bench.provider.generate(request, deadline=DEADLINE)

    assert (caught.value.code, caught.value.blocked) == ("blocked", True)
    assert caught.value.maybe_billed == (stage == "output")
    assert caught.value.request_id
    assert request.prompt not in str(caught.value)


async def test_a_rate_limit_says_how_long_to_wait(bench: Bench) -> None:
    bench.next_call("rate_limit", seconds=12.5)
    request = asked()
    with pytest.raises(NotBilled) as caught:
        await bench.provider.generate(request, deadline=DEADLINE)

    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 12.5)
    assert caught.value.told
    assert (caught.value.told.wait, caught.value.told.over) == (12.5, "images")


async def test_a_request_above_the_limit_is_refused(bench: Bench) -> None:
    bench.next_call("request_too_large")
    with pytest.raises(Refused) as caught:
        await bench.provider.generate(asked(n=2), deadline=DEADLINE)

    assert (caught.value.code, caught.value.blocked) == ("request_above_limit", False)


@pytest.mark.parametrize("ends", ["error_500_billed", "truncate", "empty_data"])
async def test_what_may_have_been_billed_is_of_unknown_outcome(bench: Bench, ends: str) -> None:
    bench.next_call(ends)
    request = asked()
    with pytest.raises(OutcomeUnknown):
        await bench.provider.generate(request, deadline=DEADLINE)

    assert bench.paid(request.prompt) == 1


async def test_the_deadline_bounds_the_call(bench: Bench) -> None:
    bench.next_call("hang")
    provider = bench.provider
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(OutcomeUnknown) as caught:
            await provider.generate(asked(), deadline=0.5)

    assert caught.value.code == "deadline_passed"


# --- the real ones alone --------------------------------------------------------------------------


async def test_an_answer_with_a_task_is_not_supported(tmp_path: Path, http: httpx2.AsyncClient) -> None:
    with running("async-task", tmp_path) as server:
        request = asked()
        with pytest.raises(OutcomeUnknown) as caught:
            await Real("async-task", server, http).provider.generate(request, deadline=DEADLINE)

        assert caught.value.code == "asynchronous_answer"
        assert len(server.billed(request.prompt)) == 1


async def test_where_nobody_listens_nothing_is_sent(tmp_path: Path) -> None:
    with running("openai", tmp_path) as server:
        url = server.url
    pool = Pool(name="gone", base_url=f"{url}/v1", api_key=SecretStr(KEY))
    provider = OpenAIImages.connect(pool, connections=1)

    with pytest.raises(NotSent):
        await provider.generate(asked(), deadline=DEADLINE)
    await provider.close()
