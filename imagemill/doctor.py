"""``python -m imagemill.doctor``: tries what the settings of this environment name, for `imagemill doctor`.

Writes a line of JSON for each thing that it looked at: ``name``, ``found`` (fine, doubt, bad), ``detail``,
``mend``. Exits with 1 if one is bad. It buys nothing; into each bucket it puts the object that the service
itself puts there when it starts. Keys are neither printed nor part of what is printed.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
from temporalio.service import RPCError

from imagemill import settings
from imagemill.deployments import versions
from imagemill.domain.errors import ImagemillError, Misconfigured
from imagemill.domain.pools import Pool, Pools
from imagemill.engine import connect
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts

SECONDS = 15.0
Said = dict[str, str]
Look = Callable[[], Awaitable[str]]


async def look(threads: ThreadPoolExecutor) -> list[Said]:
    """Everything, side by side."""
    looks: list[tuple[str, Look, str]] = [
        ("engine (host)", _engine, "start Temporal, or mend IMAGEMILL_TEMPORAL_ADDRESS and _NAMESPACE"),
        (
            "versions (host)",
            _versions,
            "make one current, start workers of the version that is waited for, or move what waits; "
            "docs/howto/deploy-a-new-version.md",
        ),
        (
            "control (host)",
            lambda: _bucket(settings.ControlSettings, "control", threads),
            "mend IMAGEMILL_CONTROL_*, or the bucket's permissions; docs/howto/use-your-bucket.md",
        ),
        (
            "delivery (host)",
            lambda: _bucket(settings.DeliverySettings, "delivery", threads),
            "mend IMAGEMILL_DELIVERY_*, or the bucket's permissions; docs/howto/use-your-bucket.md",
        ),
    ]
    try:
        pools = settings.read(settings.PoolSettings).load()
    except Misconfigured as error:
        told = [_bad("pools (host)", str(error), "mend IMAGEMILL_POOLS_FILE, or IMAGEMILL_PROVIDER_*")]
        pools = Pools([])
    else:
        told = []
    mend = "mend its key and address; docs/howto/use-the-real-provider.md"
    async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as http:
        looks += [(f"pool {pool.name}", _asking(http, pool), mend) for pool in pools]
        return told + list(await asyncio.gather(*(_tried(*each) for each in looks)))


async def _tried(name: str, look: Look, mend: str) -> Said:
    try:
        async with asyncio.timeout(SECONDS):
            return {"name": name, "found": "fine", "detail": await look(), "mend": ""}
    except TimeoutError:
        return _bad(name, f"no answer within {SECONDS:g} s", mend)
    except ImagemillError as error:
        return _bad(name, str(error), mend)


def _bad(name: str, detail: str, mend: str) -> Said:
    return {"name": name, "found": "bad", "detail": detail, "mend": mend}


async def _engine() -> str:
    where = settings.read(settings.EngineSettings)
    client = await connect(where)
    try:
        await client.count_workflows()
    except RPCError as error:
        raise Misconfigured(f"{where.address}, namespace {where.namespace}: {error}") from None
    return f"{where.address} answers, namespace {where.namespace}"


async def _versions() -> str:
    where = settings.read(settings.EngineSettings)
    try:
        found = await versions(await connect(where), where.deployment)
    except RPCError as error:
        raise Misconfigured(f"{where.address}, namespace {where.namespace}: {error}") from None
    if found is None and where.build:
        raise Misconfigured(f"no worker of deployment {where.deployment} has polled yet")
    if found is None:
        return "the workers have none"
    if found.problems:
        raise Misconfigured("; ".join(found.problems))
    return str(found)


async def _bucket(kind: type[settings.BucketSettings], what: str, threads: ThreadPoolExecutor) -> str:
    bucket = settings.read(kind)
    await require_conditional_puts(S3Store.connect(bucket, threads), what)
    return f"{bucket.bucket} can be written, and refuses a second conditional put"


def _asking(http: httpx2.AsyncClient, pool: Pool) -> Look:
    return lambda: provider(http, pool)


async def provider(http: httpx2.AsyncClient, pool: Pool) -> str:
    """Asks an account for its list of models, which costs nothing.

    Raises:
        Misconfigured: the key is refused, or nothing answers.
    """
    try:
        answer = await http.get(_address(pool), headers=_headers(pool), params=dict(pool.query))
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise Misconfigured(f"{pool.base_url} does not answer ({type(error).__name__})") from None
    if answer.status_code in (401, 403):
        raise Misconfigured(f"{pool.base_url} refuses the key ({answer.status_code})")
    if answer.is_server_error:
        raise Misconfigured(f"{pool.base_url} answers {answer.status_code}")
    if answer.is_success:
        return f"{pool.base_url} takes the key"
    return (
        f"{pool.base_url} answers {answer.status_code} to a list of models; whether it takes the key is open"
    )


def _address(pool: Pool) -> str:
    base = pool.base_url.rstrip("/")
    return f"{base}/openai/models" if pool.kind == "azure" else f"{base}/models"


def _headers(pool: Pool) -> Mapping[str, str]:
    key = pool.api_key.get_secret_value()
    if pool.kind == "azure" or pool.auth == "api-key":
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}


def main() -> int:
    """Look at everything, and say it; returns the exit code."""
    with ThreadPoolExecutor(4) as threads:
        said: list[Any] = asyncio.run(look(threads))
    for each in said:
        print(json.dumps(each))  # noqa: T201
    return 1 if any(each["found"] == "bad" for each in said) else 0


if __name__ == "__main__":
    sys.exit(main())
