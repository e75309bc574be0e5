"""What is asked of the image API for one item, and the settings that an item can leave to its job."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PROMPT_CHARACTERS = 32_000
"""The provider's limit on a prompt."""

OutputFormat = Literal["png", "jpeg", "webp"]
Size = Annotated[str, Field(pattern=r"^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$", examples=["1024x1024"])]
EXTENSIONS: dict[str, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
MOST_IMAGES = 16
"""The provider's limit on the images that a request is given."""

Reference = Annotated[
    str,
    Field(min_length=1, max_length=2048, examples=["file_01JABCDEFGHJKMNPQRSTVWXYZ0"]),
]
"""An image that a request is given: an uploaded file's id, an ``https://`` address, or ``s3://bucket/key``."""


class ImageSettings(BaseModel):
    """How the images of an item are to be made; what is None is left to the job's defaults."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(default=None, max_length=100, examples=["gpt-image-2.5-flare"])
    size: Size | None = None
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto"] | None = None
    output_format: OutputFormat | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["auto", "low"] | None = None
    n: int | None = Field(default=None, ge=1, le=10)
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

    def over(self, other: "ImageSettings") -> "ImageSettings":
        """These settings, with what they leave open taken from the other ones."""
        return ImageSettings(**(other._said() | self._said()))

    def _said(self) -> dict[str, object]:
        names = ImageSettings.model_fields
        return {name: value for name in names if (value := getattr(self, name)) is not None}


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

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every image that the call is given, mask and markup included."""
        return (*self.images, *(extra for extra in (self.mask, self.markup) if extra))

    @property
    def extension(self) -> str:
        """The file name's extension for the format that is asked for."""
        return EXTENSIONS[self.output_format]
