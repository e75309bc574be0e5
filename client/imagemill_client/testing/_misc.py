"""What the fake answers about spending, models, webhooks and schedules."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from imagemill_client.testing._answers import status, time, usd
from imagemill_client.testing._events import FakeEvent
from imagemill_client.testing._http import Asked, Told, invalid, missing, page, told
from imagemill_client.testing._submissions import MODEL, faults, items_of
from imagemill_client.testing._world import FakeJob, Json

if TYPE_CHECKING:
    from imagemill_client.testing._fake import FakeImagemill

WEBHOOKS = r"/v1/webhooks"
DELIVERY = rf"{WEBHOOKS}/deliveries/(?P<event>[^/]+)"
SCHEDULES = r"/v1/schedules"
SCHEDULE = rf"{SCHEDULES}/(?P<schedule>[^/]+)"
SCHEDULE_FIELDS: Json = {
    "overlap": "skip", "catchup_seconds": 86_400, "note": None, "runs": None, "budget": None,
}  # fmt: skip


def note(fake: FakeImagemill, asked: Asked) -> None:
    """Remember a request, without its key."""
    headers = {name: value for name, value in asked.headers.items() if name != "authorization"}
    fake.remember(asked.method, asked.path, asked.query, headers, asked.body)


def usage(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/usage: all of it today."""
    models: defaultdict[str, Decimal] = defaultdict(Decimal)
    for job in fake.jobs.values():
        for item in job.items:
            models[item.model] += item.cost
    by_model = {name: _spend(cost) for name, cost in models.items()}
    total, today = _spend(sum(models.values(), Decimal(0))), fake.now.date()
    tomorrow = time(fake.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
    window = total | {"limit_usd": None, "left_usd": None, "ends_at": tomorrow}
    jobs = [
        {"id": job.id, "name": job.body.get("name"), "state": job.state} | _spend(job.spent)
        for job in fake.jobs.values()
    ]
    return told(
        total
        | {
            "object": "usage", "tenant": "fake", "as_of": time(fake.now), "time_zone": "UTC",
            "first": asked.query.get("from", str(today)), "last": asked.query.get("to", str(today)),
            "day": window, "month": window, "leased_usd": "0.00",
            "days": [total | {"date": str(today), "models": by_model}],
            "models": by_model, "jobs": list(reversed(jobs)),
        }
    )  # fmt: skip


def _spend(cost: Decimal) -> Json:
    return {"settled_usd": usd(cost), "written_off_usd": "0.00"}


def models(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/models: one of them."""
    return told({"object": "list", "data": [_model(fake)]})


def model(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/models/{model}."""
    if asked.names["model"] != MODEL:
        raise missing(f"model {asked.names['model']}")
    return told(_model(fake))


def _model(fake: FakeImagemill) -> Json:
    return {
        "id": MODEL, "object": "model", "created": 0, "owned_by": "imagemill", "bought_as": MODEL,
        "available": True, "shutdown": None, "successor": None,
        "pools": [{"name": "fake", "default": True, "prices": {"image_usd": usd(fake.price)}}],
        "limits": {"prompt_characters": 32_000, "n": 10, "images": 16},
        "qualities": ["low"], "sizes": None, "formats": ["png"], "backgrounds": ["auto"],
        "parameters": [], "uncertain": None,
    }  # fmt: skip


def deliveries(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/webhooks/deliveries."""
    wanted = asked.query.get("job"), asked.query.get("state")
    found = [each for each in reversed(fake.events) if wanted[0] in (None, each.job)]
    return page(found if wanted[1] in (None, "delivered") else [], asked, lambda each: each.id, _delivery)


def delivery(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/webhooks/deliveries/{event}."""
    return told(_delivery(_event(fake, asked)))


def redeliver(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/redeliver."""
    event = _event(fake, asked)
    fake.events.append(event)
    return told(_delivery(event) | {"state": "pending"}, 202)


def _event(fake: FakeImagemill, asked: Asked) -> FakeEvent:
    for event in fake.events:
        if event.id == asked.names["event"]:
            return event
    raise missing(f"event {asked.names['event']}")


def _delivery(event: FakeEvent) -> Json:
    at = time(event.at)
    return {
        "id": event.id, "object": "webhook_delivery", "job": event.job, "type": event.type,
        "state": "delivered", "host": "receiver.fake", "created_at": at, "next_attempt_at": None,
        "attempts": [{"at": at, "seconds": 0.0, "status": 204, "problem": None}],
    }  # fmt: skip


def disabled(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/webhooks/targets/disabled: none."""
    return told({"object": "list", "data": [], "has_more": False, "last": None})


def secret(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/webhooks/secret."""
    secrets = fake.secrets
    old = [time(fake.later(86_400))] * len(secrets.old)
    return told({"secret": secrets.current, "created_at": time(secrets.made_at), "old_expire_at": old})


def rotate(fake: FakeImagemill, asked: Asked) -> Told:
    """POST /v1/webhooks/secret/rotate."""
    body = asked.json()
    fake.secrets.rotate(body.get("secret"), keep=body.get("keep_old_hours", 24) > 0, now=fake.now)
    return secret(fake, asked)


def create_schedule(fake: FakeImagemill, asked: Asked) -> Told:
    """POST /v1/schedules; nothing runs by itself: a test triggers it."""
    body = asked.json()
    places = [(f"/{name}", "Field required") for name in ("name", "spec", "job") if name not in body]
    if places:
        raise invalid(places)
    key = asked.headers.get("idempotency-key")
    if key is not None and key in fake.schedule_keys:
        return told(_schedule(fake.schedules[fake.schedule_keys[key]]), idempotency_replayed="true")
    name = fake.new_id("sched", len(fake.schedules))
    fake.schedule_keys[key or name] = name
    fake.schedules[name] = {"id": name, "object": "schedule", "created_at": time(fake.now), "runs_list": []}
    _change(fake.schedules[name], SCHEDULE_FIELDS | {"paused": False} | body)
    return told(_schedule(fake.schedules[name]), 201)


def _change(schedule: Json, body: Json) -> None:
    said = dict(body)
    if (paused := said.pop("paused", None)) is not None:
        schedule["state"] = "paused" if paused else "active"
    if "runs" in said:
        schedule["runs_left"] = said.pop("runs")
    schedule |= said


def _schedule(schedule: Json) -> Json:
    runs = schedule["runs_list"]
    shown = {name: value for name, value in schedule.items() if name != "runs_list"}
    return shown | {"words": "", "next": [], "last_run": runs[-1] if runs else None}


def schedules(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/schedules."""
    return page(list(fake.schedules.values()), asked, lambda each: str(each["id"]), _schedule)


def schedule(fake: FakeImagemill, asked: Asked) -> Told:
    """GET /v1/schedules/{schedule}."""
    return told(_schedule(_found(fake, asked)))


def change_schedule(fake: FakeImagemill, asked: Asked) -> Told:
    """PATCH /v1/schedules/{schedule}."""
    _change(_found(fake, asked), asked.json())
    return schedule(fake, asked)


def delete_schedule(fake: FakeImagemill, asked: Asked) -> Told:
    """DELETE /v1/schedules/{schedule}."""
    del fake.schedules[_found(fake, asked)["id"]]
    return Told(204)


def pause(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/pause."""
    _change(_found(fake, asked), asked.json() | {"paused": True})
    return schedule(fake, asked)


def resume(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/resume."""
    _change(_found(fake, asked), asked.json() | {"paused": False})
    return schedule(fake, asked)


def trigger(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/trigger: a job, at once."""
    found = _found(fake, asked)
    body = found["job"]
    if places := faults(body, fake.files):
        raise invalid(places)
    job = fake.submitted(body, items_of(body, fake.files))
    run = _run(job, len(found["runs_list"]) + 1)
    found["runs_list"].append(run)
    return told({"object": "trigger", "at": run["at"], "job": job.id}, 202)


def _run(job: FakeJob, number: int) -> Json:
    said = status(job)
    return {
        "object": "run", "number": number, "at": said["created_at"], "job": job.id, "state": job.state,
        "hold": job.hold and job.hold["code"], "counts": said["items"],
        "settled_usd": said["cost"]["settled_usd"], "created_at": said["created_at"],
    }  # fmt: skip


def runs(fake: FakeImagemill, asked: Asked) -> Told:
    """GET …/runs, the newest first."""
    found = list(reversed(_found(fake, asked)["runs_list"]))
    return page(
        found, asked, lambda run: str(run["number"]), lambda run: _run(fake.jobs[run["job"]], run["number"])
    )


def backfill(fake: FakeImagemill, asked: Asked) -> Told:
    """POST …/backfill: it knows no calendar, so there is nothing to make."""
    _found(fake, asked)
    return told({"object": "backfill", "times": 0}, 202)


def preview(fake: FakeImagemill, asked: Asked) -> Told:
    """Neither does it know when a schedule runs."""
    return told({"object": "preview", "words": "", "times": [], "jitter_seconds": 0})


def _found(fake: FakeImagemill, asked: Asked) -> Json:
    if asked.names["schedule"] not in fake.schedules:
        raise missing(f"schedule {asked.names['schedule']}")
    return fake.schedules[asked.names["schedule"]]


ROUTES = (
    ("GET", r"/v1/usage", usage),
    ("GET", r"/v1/models", models),
    ("GET", r"/v1/models/(?P<model>[^/]+)", model),
    ("GET", rf"{WEBHOOKS}/deliveries", deliveries),
    ("GET", DELIVERY, delivery),
    ("POST", f"{DELIVERY}/redeliver", redeliver),
    ("GET", rf"{WEBHOOKS}/targets/disabled", disabled),
    ("GET", rf"{WEBHOOKS}/secret", secret),
    ("POST", rf"{WEBHOOKS}/secret/rotate", rotate),
    ("POST", SCHEDULES, create_schedule),
    ("GET", SCHEDULES, schedules),
    ("POST", f"{SCHEDULES}/preview", preview),
    ("GET", SCHEDULE, schedule),
    ("PATCH", SCHEDULE, change_schedule),
    ("DELETE", SCHEDULE, delete_schedule),
    ("POST", f"{SCHEDULE}/pause", pause),
    ("POST", f"{SCHEDULE}/resume", resume),
    ("POST", f"{SCHEDULE}/trigger", trigger),
    ("POST", f"{SCHEDULE}/backfill", backfill),
    ("GET", f"{SCHEDULE}/runs", runs),
    ("GET", f"{SCHEDULE}/preview", preview),
)
