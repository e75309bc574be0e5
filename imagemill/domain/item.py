"""An item: what its plan says, and what became of it."""

from typing import Literal

from pydantic import BaseModel, Field

from imagemill.domain.renditions import Copy, Rendition
from imagemill.domain.request import ImageRequest

ItemState = Literal["pending", "running", "succeeded", "blocked", "failed", "skipped", "cancelled"]
TERMINAL: tuple[ItemState, ...] = ("succeeded", "blocked", "failed", "skipped", "cancelled")


class Problem(BaseModel):
    """Why an item failed: a stable code, and a sentence for a person."""

    code: str
    detail: str


class ImageFacts(BaseModel):
    """What is known of one stored image from its bytes."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    c2pa: bool = False
    """Does it carry a provenance manifest (C2PA)?"""


class DeliveredImage(ImageFacts):
    """One image of a result: where it lies in the delivery bucket, and what it is."""

    key: str
    renditions: dict[str, Copy] = Field(default_factory=dict)
    """Its smaller copies by name, ``thumbnail`` among them."""


class ReusedFrom(BaseModel):
    """The item whose images stand for another one's: always the one that was paid for."""

    job: str
    custom_id: str
    variant: str | None = None


class EarlierItem(ReusedFrom):
    """An item that was bought before, and where its images lie."""

    images: list[DeliveredImage]
    made: list[Rendition] = Field(default_factory=list)
    """How the copies of its images were made, besides thumbnails."""


class PlannedItem(BaseModel):
    """One line of a chunk's plan: everything that is needed to buy this item, or why it can't be bought.

    ``names`` are the delivery names of its images within the job's prefix, one for each of n.
    """

    index: int
    custom_id: str
    variant: str | None = None
    line: int | None = None
    request: ImageRequest | None = None
    names: list[str] = Field(default_factory=list)
    maximum_nano: int = 0
    expected_nano: int = 0
    image_nano: int | None = None
    """The job's own price of an image, where the catalogue has none for the model."""
    thumbnail: bool = False
    """Is one made of each of its images?"""
    renditions: list[Rendition] = Field(default_factory=list)
    """The copies of each of its images that are made besides the thumbnail."""
    problem: Problem | None = None
    warnings: list[str] = Field(default_factory=list)
    """What was made of the request, where that is not quite what was said."""
    reused: EarlierItem | None = None
    """The earlier item that answers this one: nothing is bought for it."""


class CallRecord(BaseModel):
    """What one paid call brought, as its images' metadata or the item's record in control say it."""

    reservation: str
    call: str
    model: str
    pool: str | None = None
    """The provider account that was paid."""
    images: list[ImageFacts]
    cost_nano: int
    estimated: bool = False
    request_id: str | None = None
    as_set: bool = False
    """Its images carry the reservation in their names, since one conditional put can't name several."""
    request_sha256: str | None = None
    """What was sent, input images included, as ``imagemill.domain.reuse`` hashes it.

    In a history only where input images were sent: the rest of it is in the plan."""


class Attempt(BaseModel):
    """One reservation of an item and what became of it."""

    reservation: str
    outcome: Literal["settled", "released", "written_off", "recovered"]
    cost_nano: int = 0
    reserved_nano: int = 0
    """The most that it could cost; a cost above it is drift."""
    code: str | None = None
    request_id: str | None = None


class ItemRecord(BaseModel):
    """What became of one item, as it travels through a workflow: ids, counts, costs, hashes."""

    index: int
    state: ItemState = "pending"
    code: str | None = None
    where: str | None = None
    """Which part of the request the code speaks of, where it is one: ``images/2``, ``mask``."""
    call: CallRecord | None = None
    attempts: list[Attempt] = Field(default_factory=list)
    taken_back: int = 0
    """Reservations whose calls were taken back before they were made, and that are not among the attempts."""
    warnings: list[str] = Field(default_factory=list)
    cost_nano: int = 0
    reused: bool = False
    """An earlier item's images stand for its own, as its plan says; it has neither a call nor attempts."""

    @property
    def uncertain(self) -> bool:
        """Has it a call whose bill can't be known?"""
        return any(attempt.outcome == "written_off" for attempt in self.attempts)


class ItemResult(BaseModel):
    """One line of a chunk's results file."""

    index: int
    custom_id: str
    variant: str | None = None
    line: int | None = None
    state: ItemState
    model: str | None = None
    images: list[DeliveredImage] = Field(default_factory=list)
    cost_nano: int = 0
    estimated: bool = False
    problem: Problem | None = None
    warnings: list[str] = Field(default_factory=list)
    attempts: list[Attempt] = Field(default_factory=list)
    reused_from: ReusedFrom | None = None
    """Whose images these are, where they were not bought for it."""
