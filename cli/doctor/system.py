"""What `GET /v1/system` tells: buckets, workers, pools, queues."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from cli.client import Client
from cli.doctor.check import Check, bad, doubt, fine, unknown

OLD_SECONDS = 300
WORKER = "start one with `imagemill worker`, or look why it ended in its log"


async def look_at_system(client: Client) -> AsyncIterator[Check]:
    """Nothing where the service has no such answer, or does not give it to this key."""
    answer = await client.look("/v1/system")
    if not answer.is_success:
        yield unknown("workers", "this service, or this key, does not tell of them")
        return
    for check in checks_of(answer.json()):
        yield check


def checks_of(system: dict[str, Any]) -> Iterator[Check]:
    """What the answer means."""
    for part in system.get("parts", []):
        if part["name"] != "engine":
            yield _bucket(part)
    yield from _workers(system.get("workers"))
    for pool in system.get("pools", []):
        for group in pool["groups"]:
            yield _group(pool["name"], group)
    yield from _queues(system.get("queues"))
    for warning in system.get("warnings", []):
        yield doubt("warning", str(warning), "the API's log says more")


def _bucket(part: dict[str, Any]) -> Check:
    name = f"{part['name']} bucket"
    if part["state"] == "ok":
        return fine(name, "answers")
    said = "refuses the API's keys" if part["state"] == "refused" else "does not answer"
    return bad(name, said, f"see IMAGEMILL_{part['name'].upper()}_* and the bucket's permissions")


def _workers(workers: list[dict[str, Any]] | None) -> Iterator[Check]:
    if workers is None:
        yield unknown("workers", "only the operator's key is told")
        return
    alive = [worker for worker in workers if worker["alive"]]
    if alive:
        yield fine("workers", f"{len(alive)} alive")
    else:
        yield bad("workers", "none is alive: jobs are accepted, and nothing happens", WORKER)


def _group(pool: str, group: dict[str, Any]) -> Check:
    name = f"pool {pool}" if group["name"] == "default" else f"pool {pool}/{group['name']}"
    if trouble := group.get("trouble"):
        return bad(name, str(trouble["detail"]), "mend the account; an item is tried by itself now and then")
    if group["state"] == "paused":
        return doubt(name, f"the provider asks to wait until {group['paused_until']}", "wait, or add a pool")
    pace = group.get("images_per_minute")
    return fine(name, "not used yet" if group["state"] == "unknown" else _pace(pace))


def _pace(pace: float | None) -> str:
    return "as fast as the workers can" if pace is None else f"{pace:,.0f} images a minute"


def _queues(queues: list[dict[str, Any]] | None) -> Iterator[Check]:
    """Work that nobody takes."""
    for queue in queues or []:
        if queue["backlog"] and not queue["pollers"]:
            yield bad(
                "queue", f"{queue['backlog']:,} tasks wait in {queue['name']}, and no worker asks", WORKER
            )
        elif queue["backlog"] and queue["oldest_seconds"] > OLD_SECONDS:
            since = f"{queue['oldest_seconds'] / 60:,.0f} min"
            yield doubt("queue", f"the first in {queue['name']} has waited for {since}", "start more workers")
