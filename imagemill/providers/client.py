"""The SDK's client for an account.

Its own retries are off, since the provider has no idempotency for these calls: every retry is ours to
decide. Redirects are not followed: a redirected purchase is a second request. There is no read timeout,
which bounds nothing if the server drips; the caller's deadline does.
"""

from typing import Any
from urllib.parse import quote

import httpx2
import openai

from imagemill.domain.pools import Pool

NEVER_SENT: tuple[type[Exception], ...] = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""What ``httpx2``'s own transport raises only before a request leaves.

Of this transport alone: others raise the same names for other things. The one over ``aiohttp`` reports a
connection that was reset after sending as a ConnectTimeout.
"""
TIMEOUT = httpx2.Timeout(None, connect=10.0, pool=10.0)
_OPENAI_ONLY = ("OpenAI-Organization", "OpenAI-Project")


def http_client(connections: int) -> httpx2.AsyncClient:
    """The HTTP client of an account, for so many calls at once; what it fetches besides needs a few more."""
    return httpx2.AsyncClient(
        timeout=TIMEOUT,
        limits=httpx2.Limits(max_connections=connections + 4, max_keepalive_connections=connections),
        follow_redirects=False,
    )


def sdk_client(account: Pool, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """The SDK's client; nothing is sent yet."""
    return openai.AsyncOpenAI(
        api_key=account.api_key.get_secret_value(),
        base_url=account.base_url,
        default_query=dict(account.query),
        max_retries=0,
        timeout=TIMEOUT,
        http_client=http,
    )


def for_model(client: openai.AsyncOpenAI, account: Pool, model: str) -> openai.AsyncOpenAI:
    """The client for calls of a model: of kind ``azure``, its deployment is in the address."""
    if account.kind != "azure":
        return client
    deployment = quote(account.deployments.get(model, model), safe="")
    return client.with_options(base_url=f"{account.base_url.rstrip('/')}/openai/deployments/{deployment}")


def headers(account: Pool) -> dict[str, Any]:
    """The headers of every request: the key, where the provider wants it.

    The SDK adds what it finds in the environment for the original provider (``OPENAI_ORG_ID``,
    ``OPENAI_PROJECT_ID``, an authorization among ``OPENAI_CUSTOM_HEADERS``); that is nobody else's business.
    Only the headers of a request, not those of a client, can take all of it away.
    """
    key = account.api_key.get_secret_value()
    if account.kind == "azure" or account.auth == "api-key":
        own: dict[str, Any] = {"api-key": key, "Authorization": openai.Omit()}
    else:
        own = {"Authorization": f"Bearer {key}"}
    return own | {name: openai.Omit() for name in _OPENAI_ONLY}
