"""The Celery worker: one task an image, with Redis as broker and for results.

celery -A benchmarks.peers.celery_app worker --pool threads --concurrency 32
"""

import base64
import os

import boto3
from celery import Celery
from openai import OpenAI

BUCKET = os.environ["BUCKET"]

app = Celery("peers", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
client = OpenAI()
s3 = boto3.client("s3")


@app.task  # type: ignore[untyped-decorator]
def make(prompt: str, key: str) -> str:
    """One image, from prompt to bucket."""
    answer = client.images.generate(
        model="gpt-image-2.5-flare",
        prompt=prompt,
        size="1024x1024",
        quality="low",
        output_format="png",
    )
    assert answer.data
    image = base64.b64decode(answer.data[0].b64_json or "")
    s3.put_object(Bucket=BUCKET, Key=key, Body=image, ContentType="image/png")
    return key
