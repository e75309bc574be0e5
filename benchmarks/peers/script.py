"""The plain script: asyncio, a semaphore, and boto3 in threads."""

import asyncio
import base64
import os

import boto3
from openai import AsyncOpenAI

from benchmarks.peers.turns import take_turns

BUCKET = os.environ["BUCKET"]
AT_ONCE = 32

client = AsyncOpenAI()
s3 = boto3.client("s3")


async def make(prompt: str, key: str, places: asyncio.Semaphore) -> None:
    """One image, from prompt to bucket."""
    async with places:
        answer = await client.images.generate(
            model="gpt-image-2.5-flare",
            prompt=prompt,
            size="1024x1024",
            quality="low",
            output_format="png",
        )
        assert answer.data
        image = base64.b64decode(answer.data[0].b64_json or "")
        await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key=key, Body=image, ContentType="image/png")


async def make_all(folder: str, images: int) -> None:
    """So many images."""
    places = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(
        *(make(f"A vase, number {number}", f"{folder}/{number}.png", places) for number in range(images))
    )


if __name__ == "__main__":
    asyncio.run(take_turns(make_all))
