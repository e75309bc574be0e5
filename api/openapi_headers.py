"""The headers of answers, as the OpenAPI document describes them."""

from typing import Any

HEADERS = {
    "ETag": "The version of what is shown. Sent as `If-None-Match`, it is answered 304 until that changes.",
    "Idempotency-Replayed": "`true`: nothing new was made; this is what the first such request has made.",
    "Imagemill-Stale": "`true`: no worker answers, so items of running chunks are left out.",
    "Location": "Where to find what was made.",
    "Retry-After": "Seconds after which asking again is worth it.",
    "Vary": "The header of the request that decides in which form it is answered.",
    "WWW-Authenticate": "How the API key is sent.",
    "x-should-retry": "`false`: the same request again will be answered alike.",
}
"""What each says, wherever it stands."""


def headers(*names: str) -> dict[str, Any]:
    """The part of an answer in a route's ``responses`` that describes these headers.

    Raises:
        KeyError: one of them is not described above.
    """
    return {"headers": {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in names}}
