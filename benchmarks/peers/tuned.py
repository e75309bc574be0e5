"""The script with every trick that the service uses: its own adapters, without anything durable around them.

It calls as the service calls and puts as the service puts, once and with the same condition. It plans,
reserves, records and remembers nothing.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import uvloop
from pydantic import SecretStr

from benchmarks.canned import REQUEST
from benchmarks.peers.turns import take_turns
from imagemill.domain.pools import DEFAULT, Group, Pool
from imagemill.domain.request import ImageRequest
from imagemill.providers.openai_images import OpenAIImages
from imagemill.settings import DeliverySettings, read
from imagemill.storage.s3 import S3Store

AT_ONCE = 32
DEADLINE = 600.0


class Script:
    """The clients, kept for as long as it runs."""

    def __init__(self) -> None:
        account = Pool(
            name=DEFAULT,
            base_url=os.environ["OPENAI_BASE_URL"],
            api_key=SecretStr(os.environ["OPENAI_API_KEY"]),
            groups={DEFAULT: Group()},
        )
        self._provider = OpenAIImages.connect(account, connections=AT_ONCE)
        self._store = S3Store.connect(read(DeliverySettings), ThreadPoolExecutor(AT_ONCE))
        self._places = asyncio.Semaphore(AT_ONCE)

    async def make_all(self, folder: str, images: int) -> None:
        """So many images."""
        await asyncio.gather(
            *(self._make(f"A vase, number {number}", f"{folder}/{number}.png") for number in range(images))
        )

    async def _make(self, prompt: str, key: str) -> None:
        async with self._places:
            request = ImageRequest(prompt=prompt, **REQUEST)
            generated = await self._provider.generate(request, deadline=DEADLINE)
            await self._store.put_new(key, generated.images[0], content_type="image/png")


async def main() -> None:
    """Take turns."""
    await take_turns(Script().make_all)


if __name__ == "__main__":
    uvloop.run(main())
