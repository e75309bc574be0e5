"""Smaller copies of an image: its thumbnail, and what a job wants besides the original."""

from collections.abc import Container, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from imagemill.domain.places import rendition_key, thumbnail_key

Fit = Literal["inside", "cover", "contain"]
RenditionFormat = Literal["webp", "avif", "jpeg", "png"]

THUMBNAIL = "thumbnail"
"""The name that a thumbnail is asked for by; no rendition may have it."""
MOST_RENDITIONS = 10
MOST_BYTES = 100 * 1024 * 1024
"""Of an image that has copies. The provider sends none larger; who owns the bucket may put any there."""
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096
TALLEST = 16_383
"""What webp can have; of a rendition without a height."""
QUALITIES: dict[RenditionFormat, int] = {"webp": 80, "avif": 60, "jpeg": 85, "png": 100}
"""Where a rendition names none. PNG loses nothing, whatever its quality."""

Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE, strict=True)]


class Rendition(BaseModel):
    """One more copy of each image of a job: its size, how the image is fitted into it, and its format.

    ``inside``: as large as fits, never larger than the image is; without a height only the width bounds it.
    ``cover``: exactly this size, filled, what stands over is cut off at both ends alike. ``contain``:
    exactly this size, the whole image in its middle, with the background around it.
    """

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9-]+$", examples=["web"])]
    width: Side
    height: Side | None = Field(default=None, description="Required by cover and contain.")
    fit: Fit = "inside"
    format: RenditionFormat = "webp"
    quality: Annotated[int, Field(ge=1, le=100, strict=True)] | None = Field(
        default=None, description="Unset: 80 for webp, 85 for jpeg, 60 for avif. PNG loses nothing."
    )
    background: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#ffffff"])] | None = Field(
        default=None,
        description="What shows around the image, and through it. Unset: nothing, where the format can be "
        "transparent; white in jpeg.",
    )

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name == THUMBNAIL:
            raise ValueError(f"{THUMBNAIL!r} is the name of what every image has anyway; take another")
        return name

    @model_validator(mode="after")
    def _has_both_sides(self) -> "Rendition":
        if self.fit != "inside" and self.height is None:
            raise ValueError(f"fit {self.fit} makes images of exactly one size: give a height, too")
        return self

    @property
    def level(self) -> int:
        """The quality that it is made at."""
        return QUALITIES[self.format] if self.quality is None else self.quality

    def is_made_like(self, other: "Rendition") -> bool:
        """Does the other one ask for the very same copies?"""
        return self.model_copy(update={"quality": self.level}) == other.model_copy(
            update={"quality": other.level}
        )

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of this rendition of an image of so many pixels."""
        if self.fit != "inside" and self.height is not None:
            return self.width, self.height
        most_high = TALLEST if self.height is None else self.height
        scale = min(1.0, self.width / width, most_high / height)
        return max(1, round(width * scale)), max(1, round(height * scale))


THUMBNAIL_SIDE = 320
MOST_THUMBNAIL_BYTES = 1024 * 1024
"""Far above any of that size; hundreds of them are held at once for a gallery."""
THUMBNAIL_SPEC = Rendition.model_construct(
    name=THUMBNAIL, width=THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, fit="inside", format="webp", quality=75
)


class Copy(BaseModel):
    """A copy of an image: where it lies in the delivery bucket, and what it is."""

    key: str
    width: int
    height: int
    format: RenditionFormat


def all_specs(renditions: Sequence[Rendition], *, thumbnail: bool) -> list[Rendition]:
    """All copies that an image is to have."""
    return [*([THUMBNAIL_SPEC] if thumbnail else []), *renditions]


def copy_key(image: str, spec: Rendition) -> str:
    """Where a copy lies, by the image's whole key."""
    return thumbnail_key(image) if spec.name == THUMBNAIL else rendition_key(image, spec.name, spec.format)


def copy_warning(name: str, number: int, images: int) -> str:
    """What an item says of a copy that it lacks. Of several images it names the one, counted from 1."""
    said = "no_thumbnail" if name == THUMBNAIL else f"rendition_failed:{name}"
    return said if images == 1 else f"{said}:{number + 1}"


def copies_of(
    key: str, size: tuple[int, int], specs: Sequence[Rendition], lacking: Container[str]
) -> dict[str, Copy]:
    """The copies of an image, by name, but for those that are lacking."""
    found = {}
    for spec in specs:
        if spec.name not in lacking:
            width, height = spec.size_of(*size)
            found[spec.name] = Copy(key=copy_key(key, spec), width=width, height=height, format=spec.format)
    return found
