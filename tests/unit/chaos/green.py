"""The story in which every promise holds: two tenants, a job each, and one killed worker."""

from dataclasses import dataclass

from tests.unit.chaos.story import BEGAN, Item, Story, Work, attempt

WORD = "harbour"


@dataclass
class Green:
    """The story, and its two jobs."""

    story: Story
    acme: Work
    beta: Work


def green() -> Green:
    """As it went: submissions, calls and polls, a kill, a pause, a drain, a judge's readings."""
    story = Story()
    told = Green(story, _acme(story), _beta(story))
    _set_the_scene(story)
    _submit(told)
    _work(told)
    _judge(told)
    return told


def _acme(story: Story) -> Work:
    items = [Item(f"item-{n}", f"A jug, {WORD} anchor number {n}") for n in range(3)]
    items[1].n = 2
    items.append(Item("item-3", f"A jug, {WORD} anchor number 3 forbidden-input", "blocked"))
    return Work(story, "job_01ACME00000000000000000000", "acme", items, events=["job.completed"])


def _beta(story: Story) -> Work:
    items = [Item(f"item-{n}", f"A jug, {WORD} bridge number {n}") for n in range(2)]
    return Work(story, "job_01BETA00000000000000000000", "beta", items)


def _set_the_scene(story: Story) -> None:
    story.scenario = {
        "seed": 1, "story": "green", "word": WORD, "began": BEGAN, "speed": 0.02, "drain_limit_s": 60,
        "settings": {"IMAGEMILL_WORK_IMAGES_AT_ONCE": "6"}, "limits": {"images_per_minute": None},
        "tenants": [{"id": "acme", "word": "anchor", "day_usd": "5.00", "month_usd": None},
                    {"id": "beta", "word": "bridge", "day_usd": None, "month_usd": None}],
        "secrets": ["im_abc_secretsecret", "sandbox-key-123"], "jobs": [], "timeline": [],
    }  # fmt: skip
    story.faults = [
        {"time": BEGAN + 2, "event": "begin", "fault": 0, "kind": "kill", "target": "worker-1"},
        {"time": BEGAN + 3, "event": "end", "fault": 0, "kind": "kill", "target": "worker-1"},
        {"time": BEGAN + 12, "event": "healed"},
        {"time": BEGAN + 20, "event": "drained"},
    ]
    story.processes = [
        {"time": BEGAN + at, "part": part, "pid": 10, "rss_bytes": 150_000_000, "fds": 40, "threads": 12}
        for at in range(10)
        for part in ("api", "worker-1", "worker-2")
    ]
    story.logs = dict.fromkeys(("api", "worker-1", "worker-2", "temporal"), b'{"event": "started"}\n')


def _submit(told: Green) -> None:
    for number, work in enumerate((told.acme, told.beta)):
        said = {"tenant": work.tenant, "body": work.body(), "headers": {"Idempotency-Key": "daily"}}
        told.story.ended("submit", 0.1 + number, work.status("queued", 0), status=202, **said)
        told.story.ended("submit", 0.5 + number, work.status("queued", 0), **said)


def _work(told: Green) -> None:
    story, acme, beta = told.story, told.acme, told.beta
    first = story.bill(acme.items[0].prompt, 1.8)
    story.provider[-1] |= {"event": "outcome", "outcome": "disconnected"}
    lost = attempt("ACME-item-0-lost", "written_off", None, "worker_lost")
    acme.items[0].attempts.append(lost)
    assert first
    acme.buy(acme.items[0], 4.0)
    acme.buy(acme.items[1], 4.2)
    for item, at in zip(beta.items, (5.0, 5.2), strict=True):
        beta.buy(item, at)
    story.ended("pause", 6.0, acme.status("pausing", 2), status=202, tenant="acme", job=acme.id)
    for at in (6.5, 7.5):
        story.ended("status", at, acme.status("paused", 2), tenant="acme", job=acme.id)
    story.ended("results", 7.0, acme.results(2), tenant="acme", job=acme.id)
    story.ended("resume", 8.0, acme.status("running", 2), status=202, tenant="acme", job=acme.id)
    acme.buy(acme.items[2], 8.5)
    _block(told)
    story.ended("status", 10.0, acme.status("completed_with_errors"), tenant="acme", job=acme.id)
    acme.tell("job.completed", "completed_with_errors", 10.2)
    story.ended("status", 10.0, beta.status("completed"), tenant="beta", job=beta.id)


def _block(told: Green) -> None:
    item = told.acme.items[3]
    told.story.refuse(item.prompt, 8.7, 400, "moderation_blocked")
    item.attempts.append(attempt("ACME-item-3-0", "released", "req_r000", "moderation_blocked"))
    item.error = {"code": "moderation_blocked", "detail": "The provider's moderation refused it."}


def _judge(told: Green) -> None:
    told.acme.finals(21, "completed_with_errors", "beta")
    told.beta.finals(21, "completed", "acme")
    for work, state in ((told.acme, "completed_with_errors"), (told.beta, "completed")):
        said = {"client": "judge", "tenant": work.tenant, "body": work.body()}
        headers = {"Idempotency-Key": "daily"}
        told.story.ended("final-resubmit", 22, work.status(state), headers=headers, **said)
        run = {"workflow": work.id, "type": "imagemill.job", "run": "r", "status": "COMPLETED"}
        told.story.histories.append(run | {"events": 80, "bytes": 20_000})
