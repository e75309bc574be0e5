"""Evidence of a run that never was: green as it is told here, and easily doctored before it is written."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sandbox.image_api import picture
from tests.chaos.checker.money import nano

Json = dict[str, Any]
BEGAN = 1_800_000_000.0
COST, RESERVED = "0.00513", "0.00598"
SIDES = (512, 512)
ENDS = ("succeeded", "blocked", "failed", "skipped", "cancelled")


def sha(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()


@lru_cache(maxsize=64)
def drawn(prompt: str, number: int = 0, output_format: str = "jpeg") -> bytes:
    width, height = SIDES
    return picture.draw(
        prompt, width=width, height=height, number=number, output_format=output_format, compression=70
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A call's id at the provider, and when it was billed."""

    id: str
    time: float


@dataclass
class Story:
    """The files of a folder, as lists that tests can change. Times are seconds after the run began."""

    scenario: Json = field(default_factory=dict)
    faults: list[Json] = field(default_factory=list)
    clients: list[Json] = field(default_factory=list)
    sink: list[Json] = field(default_factory=list)
    provider: list[Json] = field(default_factory=list)
    processes: list[Json] = field(default_factory=list)
    histories: list[Json] = field(default_factory=list)
    objects: dict[tuple[str, str], tuple[bytes, Json]] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    engine: bytes = b"SQLite format 3\0 nothing of interest"

    def write(self, folder: Path) -> Path:
        """As a run leaves it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scenario.json").write_text(json.dumps(self.scenario))
        for name in ("faults", "clients", "sink", "provider", "processes", "histories"):
            _write(folder / f"{name}.jsonl", getattr(self, name))
        bucket = folder / "bucket"
        bucket.mkdir()
        lines = []
        for number, ((where, key), (data, more)) in enumerate(self.objects.items()):
            (bucket / f"{number:05d}").write_bytes(data)
            said = {"bucket": where, "key": key, "size": len(data), "file": f"{number:05d}"}
            lines.append(said | {"etag": hashlib.md5(data).hexdigest(), "metadata": {}} | more)
        _write(bucket / "objects.jsonl", lines)
        for folder_name in ("logs", "engine"):
            (folder / folder_name).mkdir()
        for name, data in self.logs.items():
            (folder / "logs" / f"{name}.log").write_bytes(data)
        (folder / "engine" / "temporal.db").write_bytes(self.engine)
        return folder

    # --- what clients do -----------------------------------------------------------------------

    def call(self, name: str, at: float, /, **said: Any) -> Json:
        """A call that is begun; the line can be changed. It has no end yet."""
        op = sum(line["event"] == "begun" for line in self.clients) + 1
        line = {"op": op, "client": "owner", "time": BEGAN + at, "event": "begun", "name": name, **said}
        self.clients.append(line)
        return line

    def ended(self, name: str, at: float, answer: Any, /, status: Any = 200, **said: Any) -> Json:
        """A call that is answered within a tenth of a second; gives the line of its end."""
        begun = self.call(name, at, **said)
        line = {
            "op": begun["op"],
            "time": BEGAN + at + 0.1,
            "event": "ended",
            "status": status,
            "body": answer,
        }
        self.clients.append(line)
        return line

    def failed(self, name: str, at: float, status: int, /, **said: Any) -> Json:
        """A call that is refused; gives the line of its end."""
        line = self.ended(name, at, {"type": "about:blank"}, status=status, **said)
        line["event"] = "failed"
        return line

    def end_of(self, name: str, job: str | None = None, nth: int = 0) -> Json:
        """The second line of a call."""
        begins = [
            line
            for line in self.clients
            if line.get("name") == name and (job is None or line.get("job") == job)
        ]
        return next(line for line in self.clients if line["op"] == begins[nth]["op"] and "name" not in line)

    # --- what the provider does ----------------------------------------------------------------

    def bill(self, prompt: str, at: float, **more: Any) -> Request:
        """A call that is billed and answered."""
        request = f"req_{sum(line['event'] == 'billed' for line in self.provider):04d}"
        said = {"event": "billed", "time": BEGAN + at, "request_id": request, "model": "gpt-image-2.5-flare"}
        costs = {"billed_nano": nano(COST), "n": 1, "images": 1, "prompt_sha256": sha(prompt), "fault": None}
        self.provider.append(said | costs | more)
        self.provider.append(
            {"event": "answered", "time": BEGAN + at + 0.2, "request_id": request, "outcome": "answered"}
        )
        return Request(request, at)

    def refuse(self, prompt: str, at: float, status: int, code: str | None, **more: Any) -> None:
        """A call that is turned away."""
        number = sum(line["event"] == "refused" for line in self.provider)
        said = {"event": "refused", "time": BEGAN + at, "request_id": f"req_r{number:03d}", "n": 1}
        said |= {"model": "gpt-image-2.5-flare", "prompt_sha256": sha(prompt), "status": status, "code": code}
        self.provider.append(said | {"retry_after": None, "fault": None} | more)

    # --- what is stored ------------------------------------------------------------------------

    def put(self, bucket: str, key: str, data: bytes, at: float = 0.0, **metadata: str) -> None:
        """An object."""
        self.objects[bucket, key] = (data, {"modified": float(int(BEGAN + at)), "metadata": metadata})


@dataclass
class Item:
    """One item of a job: what is asked for, and what becomes of it."""

    custom_id: str
    prompt: str
    state: str = "succeeded"
    n: int = 1
    attempts: list[Json] = field(default_factory=list)
    images: list[Json] = field(default_factory=list)
    error: Json | None = None
    warnings: list[str] = field(default_factory=list)

    def row(self, *, images: bool = True) -> Json:
        """As results tell it; the report leaves out the images."""
        lost = [each for each in self.attempts if each["outcome"] == "written_off"]
        said: Json = {
            "custom_id": self.custom_id, "variant": None, "state": self.state, "model": "gpt-image-2.5-flare",
            "cost_usd": _sum(self.attempts), "uncertain_usd": _sum(lost),
            "estimated": False, "error": self.error, "warnings": self.warnings, "attempts": self.attempts,
            "reused_from": None,
        }  # fmt: skip
        return said | ({"images": self.images} if images else {})


@dataclass
class Work:
    """One job of a story, with its items."""

    story: Story
    id: str
    tenant: str
    items: list[Item]
    cap: str = "1.00"
    events: list[str] = field(default_factory=list)
    deliveries: list[Json] = field(default_factory=list)

    def body(self) -> Json:
        """The submission."""
        items = [{"custom_id": each.custom_id, "prompt": each.prompt, "n": each.n} for each in self.items]
        said: Json = {"items": items, "budget": {"limit_usd": self.cap, "on_exhausted": "hold"}}
        return said | ({"webhook": {"url": "http://sink", "events": self.events}} if self.events else {})

    def buy(self, item: Item, at: float) -> None:
        """A call, and its images in the bucket."""
        number = len(item.attempts)
        request = self.story.bill(item.prompt, at, n=item.n, images=item.n)
        reservation = f"{self.tenant}-{item.custom_id}-{number}"
        item.attempts.append(attempt(reservation, "settled", request.id))
        for n in range(item.n):
            data = drawn(item.prompt, n)
            mark = "" if item.n == 1 else f".{reservation}"
            key = f"{self.id}/{item.custom_id}/{n + 1}{mark}.jpg"
            about = {"imagemill-reservation": reservation} if item.n == 1 else {"sha256": "x"}
            self.story.put("delivery", key, data, at + 0.3, **about)
            width, height = SIDES
            item.images.append(
                {"key": key, "url": "http://store/x", "sha256": hashlib.sha256(data).hexdigest(),
                 "bytes": len(data), "format": "jpeg", "width": width, "height": height}
            )  # fmt: skip

    def tell(self, kind: str, state: str, at: float, answer: int | None = 204) -> None:
        """An event that comes; the receiver reads what it speaks of, and answers."""
        story, status = self.story, self.status(state)
        event, delivery = f"evt_{self.tenant}_{kind}", 1 + sum(s["event"] == "received" for s in story.sink)
        body = {"type": kind, "data": {"id": self.id, "state": state, "items": status["items"]}}
        line = {"delivery": delivery, "id": event, "type": kind, "tenant": self.tenant, "verified": True}
        story.sink.append({"time": BEGAN + at, "event": "received", "body": body, **line})
        said = {"client": "sink", "tenant": self.tenant, "job": self.id, "delivery": delivery}
        story.ended("status", at + 0.1, self.status(state), **said)
        story.ended("results", at + 0.2, self.results(), **said)
        answered = {"event": "answered", "delivery": delivery, "status": answer}
        story.sink.append({"time": BEGAN + at + 0.4, **answered})
        listed = {
            "id": event,
            "type": kind,
            "job": self.id,
            "state": "delivered" if answer == 204 else "failed",
        }
        if listed not in self.deliveries:
            self.deliveries.append(listed)
            story.put("control", f"webhooks/{self.tenant}/events/{event}.json", b"{}", at)

    def status(self, state: str, ended: int | None = None, **more: Any) -> Json:
        """Its status when so many of its items have ended; None: all."""
        done = self.items if ended is None else self.items[:ended]
        states = Counter(item.state for item in done)
        waiting = len(self.items) - len(done)
        counts = {name: states[name] for name in ENDS} | {"total": len(self.items), "pending": waiting}
        spent = [a for item in done for a in item.attempts]
        return {
            "id": self.id, "state": state, "items": counts | {"running": 0, "reused": 0}, "hold": None,
            "failure": None, "images": sum(len(item.images) for item in done), "cost": self._cost(spent),
        } | more  # fmt: skip

    def _cost(self, spent: list[Json]) -> Json:
        lost = _sum([a for a in spent if a["outcome"] == "written_off"])
        paid = _sum([a for a in spent if a["outcome"] in ("settled", "recovered")])
        # What is leased to chunks is ahead of the bill.
        most = sum(nano(a["cost_usd"]) for item in self.items for a in item.attempts)
        return {"settled_usd": paid, "written_off_usd": lost, "reserved_usd": "0.00", "limit_usd": self.cap,
                "committed_usd": f"{most / 10**9:.9f}"}  # fmt: skip

    def report(self, state: str) -> Json:
        """The receipt."""
        status = self.status(state)
        return {
            "job": self.id, "state": state, "items": status["items"],
            "data": [item.row(images=False) for item in self.items],
            **{name: status["cost"][name] for name in ("settled_usd", "written_off_usd", "limit_usd")},
            "vanished_usd": "0.00",
        }  # fmt: skip

    def results(self, ended: int | None = None) -> list[Json]:
        """What results tell when so many items have ended."""
        return [item.row() for item in self.items[:ended]]

    def finals(self, at: float, state: str, other: str) -> None:
        """What the judge reads after the drain."""
        said = {"client": "judge", "tenant": self.tenant, "job": self.id}
        self.story.ended("final-status", at, self.status(state), **said)
        self.story.ended("final-report", at, self.report(state), **said)
        self.story.ended("final-results", at, self.results(), **said)
        self.story.ended("final-deliveries", at, {"data": self.deliveries}, **said)
        for what in ("status", "results", "report"):
            self.story.failed(f"foreign-{what}", at, 404, **(said | {"tenant": other}))


def attempt(reservation: str, outcome: str, request: str | None, code: str | None = None) -> Json:
    """What an item tells of one reservation."""
    cost = {"settled": COST, "recovered": COST, "written_off": RESERVED, "released": "0.00"}[outcome]
    return {"reservation": reservation, "outcome": outcome, "reserved_usd": RESERVED, "cost_usd": cost,
            "drift_usd": "0.00", "code": code, "request_id": request}  # fmt: skip


def _sum(attempts: list[Json]) -> str:
    return f"{sum(nano(each['cost_usd']) for each in attempts) / 10**9:.9f}"


def _write(path: Path, lines: list[Json]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
