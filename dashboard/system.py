"""The system page: is all there, who works, what waits, and how fast each pool goes."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.system import GroupAnswer, SystemAnswer, Viewer, WorkerAnswer, system_of
from dashboard.pages import page
from dashboard.viewer import Anybody, Parts
from imagemill.domain.messages import MAIN_QUEUE
from imagemill.domain.webhook_messages import WEBHOOK_QUEUE

router = APIRouter()

PARTS = {
    "engine": ("Engine", "Temporal: what is under way"),
    "control": ("Control bucket", "files, plans, records, reports"),
    "delivery": ("Delivery bucket", "the images"),
}


@router.get("/system")
async def system_page(request: Request, viewer: Anybody, parts: Parts) -> Response:
    """For a tenant its own pools; for the operator, or the only tenant, everything."""
    if not viewer.is_operator:
        viewer.require("read")
    whom = Viewer(None if viewer.is_operator else viewer.tenant)
    system = await system_of(parts, whom)
    return await page(
        request,
        "system.html",
        system=system,
        parts=PARTS,
        trouble=_trouble(system),
        role=_role,
        pace=_pace,
    )


def _trouble(system: SystemAnswer) -> list[str]:
    """What somebody should know before all else, in words."""
    away = [PARTS[part.name][0] for part in system.parts if part.state == "away"]
    said = [f"The {name.lower()} does not answer." for name in away]
    refused = [PARTS[part.name][0] for part in system.parts if part.state == "refused"]
    said += [f"The {name.lower()} refuses its keys, or they lack a permission." for name in refused]
    if system.workers is not None and "Engine" not in away and not any(w.alive for w in system.workers):
        said.append("No worker is alive: jobs are taken, and wait. Start one with: python worker.py")
    return said + [f"{text[:1].upper()}{text[1:]}." for text in system.warnings]


def _role(worker: WorkerAnswer) -> str:
    """What a worker does, by what it takes work from."""
    roles = [
        "workflows" if MAIN_QUEUE in worker.queues else "",
        "images" if any(queue.startswith("images.") for queue in worker.queues) else "",
        "webhooks" if WEBHOOK_QUEUE in worker.queues else "",
    ]
    return ", ".join(filter(None, roles))


def _pace(group: GroupAnswer) -> str:
    """How fast a group goes, in words."""
    if group.state == "unknown":
        return "—"
    if group.images_per_minute is None:
        return "as fast as the workers can"
    return f"{group.images_per_minute:,.0f} images a minute"
