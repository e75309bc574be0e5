"""Where in the service the points are."""

import re
from collections.abc import Callable
from typing import Any

import httpx2

from activities.delivery import Delivery
from activities.image import Images
from imagemill.engine import TemporalEngine
from imagemill.providers import openai_images
from imagemill.storage.s3 import S3Store
from imagemill.webhooks.sender import GuardedSender
from tests.chaos.programs.patching import Function, after, around, before
from tests.chaos.programs.points import Points

PUTS = {
    "plan-between-chunks": ("put_new", r"jobs/.*/plan/\d+\.jsonl"),
    "plan-after-index": ("put", r"jobs/.*/plan/index\.json"),
    "results-after-put": ("put", r"jobs/.*/results/\d+\.jsonl"),
    "report-after-put": ("put", r"jobs/.*/report\.json"),
    "account-saved": ("put", r"usage/.*/account\.json"),
    "event-written": ("put_new", r"webhooks/.*/events/.*\.json"),
}
"""Points after a put in control: which method of the store, and what the key is like."""

API_PUTS = {
    "api-after-request-put": ("put", r"jobs/.*/request\.json"),
    "api-after-idempotency-put": ("put_new", r"idempotency/.*"),
}

SENT = "http11.send_request_body.complete"
"""What the transport traces when the whole request has left."""


def mark_worker(points: Points) -> None:
    """Let a worker tell when it comes to a point."""
    before(Images, "_call", _tells(points, "before-call"))
    around(openai_images, "http_client", lambda made: _traced(made, points))
    before(Images, "_keep", _tells(points, "after-call"))
    after(Delivery, "_store_single", _tells(points, "after-put"))
    after(Delivery, "_put_one_of_set", _tells(points, "after-put"))
    after(Delivery, "_store_set", _tells(points, "after-record"))
    before(S3Store, "put", _tells(points, "results-before-put", PUTS["results-after-put"][1]))
    after(GuardedSender, "send", _tells(points, "event-sent"))
    for point, (method, key) in PUTS.items():
        after(S3Store, method, _tells(points, point, key))


def mark_api(points: Points) -> None:
    """Let an API tell likewise."""
    for point, (method, key) in API_PUTS.items():
        after(S3Store, method, _tells(points, point, key))
    after(TemporalEngine, "start_job", _tells(points, "api-before-answer"))


def _tells(points: Points, point: str, key: str = "") -> Callable[..., None]:
    """A step that comes to a point; of the store only for keys that are like this."""

    def step(_: object, *args: Any, **__: Any) -> None:
        if not key or re.fullmatch(key, args[0]):
            points.visit(point)

    return step


def _traced(made: Function, points: Points) -> Function:
    async def trace(name: str, _: object) -> None:
        if name == SENT:
            points.visit("request-sent")

    async def follow(request: httpx2.Request) -> None:
        if request.method == "POST":
            request.extensions["trace"] = trace

    def client(*args: Any, **kwargs: Any) -> httpx2.AsyncClient:
        http: httpx2.AsyncClient = made(*args, **kwargs)
        http.event_hooks = {"request": [follow], "response": []}
        return http

    return client
