"""What both shells say to `httpx2`, and what its errors mean."""

import httpx2

from imagemill_client._core.steps import Lost, Request

CONNECT_SECONDS = 5.0
LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""A proxy that the environment names can't reach this machine's own addresses."""


def timeout_of(request: Request) -> httpx2.Timeout:
    """Seconds between two pieces of an answer; a connection is made sooner, or not at all."""
    return httpx2.Timeout(request.timeout, connect=min(CONNECT_SECONDS, request.timeout))


def lost(error: httpx2.RequestError | httpx2.InvalidURL) -> Lost:
    """What an error of the transport means. Its own text may have an address in it, which may be signed."""
    never_left = (
        httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout,
        httpx2.UnsupportedProtocol, httpx2.InvalidURL,
    )  # fmt: skip
    return Lost(
        type(error).__name__,
        sent=not isinstance(error, never_left),
        in_time=not isinstance(error, httpx2.TimeoutException),
    )
