"""What is to happen in one run: who submits what, and which faults strike when. Enough to do it again."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from tests.chaos.evidence import Json

DRAIN_LIMIT = 60.0
"""Seconds after the last fault within which everything has to be over; longer on a slow machine."""
SINK = "{sink}"
"""Stands in webhook addresses for the receiver, whose port is known when it runs."""


class TenantPlan(BaseModel):
    """One of the tenants, and its caps."""

    id: str
    word: str
    """In all of its prompts, and nowhere else."""
    day_usd: str | None = None
    month_usd: str | None = None
    weight: float = 1.0


class Action(BaseModel):
    """What the owner of a job does to it: so many seconds after it was accepted, or once it is in a state."""

    do: Literal["pause", "resume", "cancel", "set-budget", "retry"]
    at: float = 0.0
    once: Literal["accepted", "running", "held", "paused", "ended"] = "accepted"
    body: Json | None = None


class Manifest(BaseModel):
    """A file that is uploaded before the submission, which names it."""

    filename: str
    text: str


class JobPlan(BaseModel):
    """One job, and what its clients do."""

    tenant: str
    key: str
    """The idempotency key; the same word may be another tenant's too."""
    at: float
    body: Json
    manifest: Manifest | None = None
    submitters: int = 1
    """So many clients submit it at once with the same key."""
    impostor: bool = False
    """Another client comes with the same key and another content, and has to be refused."""
    pollers: int = 1
    actions: list[Action] = Field(default_factory=list)
    at_drain: Literal["raise", "cancel"] = "raise"
    """What its owner does if it is still held once all faults are over."""
    most_usd: str
    """A cap that lets all of it be bought, whatever is written off."""


class FaultPlan(BaseModel):
    """A fault: its fields beyond these are those of its kind."""

    model_config = ConfigDict(extra="allow")

    at: float
    lasts: float = Field(alias="for", serialization_alias="for")
    kind: str

    @property
    def details(self) -> Json:
        """The fields of its kind."""
        return dict(self.model_extra or {})

    @property
    def as_said(self) -> Json:
        """Its kind and the fields of that."""
        return {"kind": self.kind, **self.details}


class Scenario(BaseModel):
    """One run, from its beginning to what is allowed for its end."""

    seed: int
    story: str
    word: str
    """In all prompts of the run."""
    speed: float = 0.03
    settings: dict[str, str]
    limits: dict[str, int | None]
    tenants: list[TenantPlan]
    jobs: list[JobPlan]
    timeline: list[FaultPlan]
    chunk_items: int | None = None
    """So many items make a chunk, where it is not the service's own number, which no small job reaches."""
    roles: dict[str, Literal["workflows", "images"]] = Field(default_factory=dict)
    """Workers that run only a part of what there is to run; all others run everything."""
    defects: dict[Literal["worker", "api"], str] = Field(default_factory=dict)
    """What the service's programs are given, to try the checker; none in an honest run."""
    drain_limit_s: float = DRAIN_LIMIT
    told_within_s: float = 25.0
    """After the drain, for the webhooks that are still under way."""
    judged_within_s: float = 60.0
    """For reading everything once more."""
    began: float | None = None
    network_isolated: bool = False
    ground: dict[str, str] = Field(default_factory=dict)
    """What the machine allowed of the faults of network, disks and clocks, in words."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """A kept one."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def as_json(self) -> Any:
        """As it is kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=False)

    def tenant(self, name: str) -> TenantPlan:
        """One of the tenants."""
        return next(tenant for tenant in self.tenants if tenant.id == name)
