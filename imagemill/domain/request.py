"""What is asked of the image API for one item, and the settings that an item can leave to its job."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

MOST_KEYS = 100
"""Fields of one object; so many that are wrong are named one by one."""
PROMPT_CHARACTERS = 32_000
"""The provider's limit on a prompt."""

OutputFormat = Literal["png", "jpeg", "webp"]
Size = Annotated[str, Field(pattern=r"^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$", examples=["1024x1024"])]
Quality = Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"]
EXTENSIONS: dict[str, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
MOST_IMAGES = 16
"""The provider's limit on the images that a request is given."""

OLD_QUALITIES = {"standard": "medium", "hd": "high"}
"""Qualities of models that were shut down, and what they mean for those that follow."""

NOT_TAKEN = {
    "style": "style was a parameter of dall-e-3, which was shut down; say it in the prompt",
    "response_format": "the images are stored in the delivery bucket; their encoding is output_format",
    "user": "is called end_user here; the provider is told a hash of it",
}
"""Parameters that a caller may know from elsewhere, and why they are refused."""


NO_DATA = "an image within the request is not taken; upload it to /v1/files and name its id"
LONGEST_REFERENCE = 2048


def _no_data(text: object) -> object:
    if isinstance(text, str) and is_data(text):
        raise PydanticCustomError("data_url", "{why}", {"why": NO_DATA})
    return text


def is_data(text: str) -> bool:
    """Does a text hold an image itself, instead of naming one?"""
    return text[:5].lower() == "data:"


Reference = Annotated[
    str,
    BeforeValidator(_no_data),
    Field(min_length=1, max_length=LONGEST_REFERENCE, examples=["file_01JABCDEFGHJKMNPQRSTVWXYZ0"]),
]
"""An image that a request is given: an uploaded file's id, an ``https://`` address, or ``s3://bucket/key``."""


class ImageSettings(BaseModel):
    """How the images of an item are to be made; what is None is left to the job's defaults."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(default=None, max_length=100, examples=["gpt-image-2.5-flare"])
    size: Size | None = None
    quality: Quality | None = None
    """``standard`` and ``hd`` are old spellings of ``medium`` and ``high``."""
    output_format: OutputFormat | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100, strict=True)
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["auto", "low"] | None = None
    n: int | None = Field(default=None, ge=1, le=10, strict=True)
    input_fidelity: Literal["low", "high"] | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    end_user: str | None = Field(default=None, min_length=1, max_length=256)
    """Whose request it is, in the tenant's own words; the provider is told a hash of it."""
    images: list[Reference] | None = Field(default=None, max_length=MOST_IMAGES)
    """What is to be edited, or put together: with any, the call is an edit."""
    mask: Reference | None = None
    """A PNG of the first image's size; where it is transparent, the image is edited."""
    markup: Reference | None = None
    """A transparent PNG of the first image's size, laid over it to guide the edit; not with a mask."""

    @model_validator(mode="before")
    @classmethod
    def _explain_what_is_not_taken(cls, said: Any) -> Any:
        if isinstance(said, dict) and len(said) > MOST_KEYS:
            raise ValueError(f"has {len(said):,} fields, which are more than there are")
        named = [name for name in NOT_TAKEN if isinstance(said, dict) and said.get(name) is not None]
        if named:
            faults = [_fault(name) for name in named]
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return said

    def over(self, other: "ImageSettings") -> "ImageSettings":
        """These settings, with what they leave open taken from the other ones."""
        return ImageSettings(**(other._said() | self._said()))

    @property
    def named(self) -> list[tuple[str, str]]:
        """Each reference, with its place: ``images/2``, ``mask``."""
        return named(self.images or (), self.mask, self.markup)

    def _said(self) -> dict[str, Any]:
        names = ImageSettings.model_fields
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def named(images: Sequence[str], mask: str | None, markup: str | None) -> list[tuple[str, str]]:
    """Each reference, with its place: ``images/2``, ``mask``."""
    extras = (("mask", mask), ("markup", markup))
    return [
        *((f"images/{number}", reference) for number, reference in enumerate(images)),
        *((place, reference) for place, reference in extras if reference),
    ]


def _fault(name: str) -> InitErrorDetails:
    why = PydanticCustomError("not_taken", "{why}", {"why": NOT_TAKEN[name]})
    return InitErrorDetails(type=why, loc=(name,), input=None)


def safety_identifier(tenant: str, end_user: str) -> str:
    """What the provider is told of an end user: the same for each request, and nobody's name."""
    return hashlib.sha256(f"{tenant}\0{end_user}".encode()).hexdigest()


class ImageRequest(BaseModel):
    """One paid call: a prompt and every setting resolved. What is None is not sent."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    model: str
    size: str = "auto"
    quality: str = "auto"
    output_format: OutputFormat = "png"
    output_compression: int | None = None
    background: str | None = None
    moderation: str | None = None
    n: int = 1
    input_fidelity: str | None = None
    complexity: str | None = None
    safety_identifier: str | None = None
    """A hash of the tenant and its end user."""
    images: tuple[Reference, ...] = ()
    mask: Reference | None = None
    markup: Reference | None = None

    @classmethod
    def of(cls, prompt: str, settings: ImageSettings, tenant: str) -> "ImageRequest":
        """The request of these settings; a model must be among them. Its end user is hashed."""
        said = settings.model_dump(include=set(ImageSettings.model_fields), exclude_none=True)
        who = said.pop("end_user", None)
        return cls(prompt=prompt, safety_identifier=who and safety_identifier(tenant, who), **said)

    @field_validator("quality", mode="before")
    @classmethod
    def _in_new_words(cls, quality: Any) -> Any:
        return OLD_QUALITIES.get(quality, quality) if isinstance(quality, str) else quality

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every image that the call is given, mask and markup included."""
        return tuple(reference for _, reference in self.named)

    @property
    def named(self) -> list[tuple[str, str]]:
        """Each reference, with its place: ``images/2``, ``mask``."""
        return named(self.images, self.mask, self.markup)

    @property
    def extension(self) -> str:
        """The file name's extension for the format that is asked for."""
        return EXTENSIONS[self.output_format]
