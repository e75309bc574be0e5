"""Which jobs are under way."""

from cli.client import Client
from cli.running import whisper

UNDER_WAY = ("queued", "validating", "running", "held", "pausing", "paused", "cancelling")
MOST = 200
"""So many jobs are watched at once."""


async def jobs_under_way(client: Client) -> list[str]:
    """The ids of all jobs that have not ended, oldest first, up to `MOST`; more are told of."""
    found: dict[str, None] = {}
    for state in UNDER_WAY:
        async for job in client.listed("/v1/jobs", {"state": state}, MOST + 1, whisper):
            found[str(job["id"])] = None
    jobs = sorted(found)
    if len(jobs) > MOST:
        whisper(f"More than {MOST} jobs are under way; these are the oldest.")
    return jobs[:MOST]
