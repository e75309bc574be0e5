"""The health question that HTTP servers are asked."""

import asyncio
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

from sandbox.stack.ports import HOST

TIMEOUT = 2.0


async def answers_ok(port: int, path: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET is answered with 200."""
    return await asyncio.to_thread(_get, port, path, headers or {}) == 200


def _get(port: int, path: str, headers: Mapping[str, str]) -> int | None:
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
