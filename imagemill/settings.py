"""Settings, by concern, from environment variables; read at the entry points only.

Each docstring names default, edge case and precedence; ``docs/reference/settings.md`` is made of them.
"""

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagemill.domain.errors import Misconfigured
from imagemill.domain.messages import Times


class EngineSettings(BaseSettings):
    """The Temporal server."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_TEMPORAL_")

    address: str = Field(default="127.0.0.1:7233", description="Host and port of the Temporal frontend.")
    namespace: str = Field(default="default", description="The namespace that holds the jobs.")


class BucketSettings(BaseSettings):
    """One S3-compatible bucket. Without keys, boto3's own chain is asked (role, profile, environment)."""

    bucket: str = Field(description="Name of the bucket. It must exist.")
    endpoint: str | None = Field(
        default=None, description="Address of the server; unset: the region's own at AWS."
    )
    region: str = Field(default="us-east-1", description="Region, which also signs the requests.")
    access_key: SecretStr | None = Field(default=None, description="Access key; unset: boto3's own chain.")
    secret_key: SecretStr | None = Field(default=None, description="Secret key; unset: boto3's own chain.")


class ControlSettings(BucketSettings):
    """The service's own bucket: files, plans, records, reports."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_CONTROL_")


class DeliverySettings(BucketSettings):
    """The bucket that the images are delivered to."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_DELIVERY_")

    prefix: str = Field(
        default="", description="Put before every image's name; empty: the job's id comes first."
    )


class ProviderSettings(BaseSettings):
    """The image API."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_PROVIDER_")

    base_url: str = Field(
        default="https://api.openai.com/v1",
        description="Address of the API, ending in /v1 with most providers.",
    )
    api_key: SecretStr = Field(description="The provider's API key.")
    free_5xx: bool = Field(
        default=False, description="The provider is known not to bill calls that it answers with 5xx."
    )


class WorkSettings(BaseSettings):
    """How much is done at once."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_WORK_")

    image_queue: str = Field(default="images.default.default", description="Queue of the image workers.")
    images_at_once: int = Field(default=64, ge=1, description="Calls under way in one image worker.")
    window: int = Field(default=100, ge=1, le=100, description="Items of one chunk under way at once.")
    chunks_at_once: int = Field(default=4, ge=1, le=50, description="Chunks of one job under way at once.")
    catalogue: Path | None = Field(
        default=None, description="A catalogue of models to use instead of the own one."
    )


class TimeSettings(BaseSettings, Times):
    """The times that decide what is known of a call, in seconds."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_TIMES_")


def _well_formed(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"im_[A-Za-z0-9]+_[A-Za-z0-9]{16,}", key.get_secret_value()):
        raise PydanticCustomError("not_of_the_form_im_id_secret", "not of the form im_<key id>_<secret>")
    return key


class ServiceSettings(BaseSettings):
    """The HTTP API."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_")

    api_key: Annotated[SecretStr, AfterValidator(_well_formed)] = Field(
        description="The key that callers send: im_<key id>_<secret>, 16 or more letters and digits."
    )
    tenant: str = Field(
        default="default", pattern=r"^[a-z0-9-]{1,64}$", description="Whose jobs that key sees."
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def read(kind: type[Settings]) -> Settings:
    """Read one group of settings from the environment.

    Raises:
        Misconfigured: names each variable that is missing or wrong, never its value.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        problems = [
            f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper() + f": {_say(problem['type'])}"
            for problem in error.errors()
        ]
        raise Misconfigured(
            f"{(kind.__doc__ or '').splitlines()[0]} Settings are missing or wrong: " + "; ".join(problems)
        ) from None


def _say(kind: str) -> str:
    return "is missing" if kind == "missing" else f"is not as it should be ({kind.replace('_', ' ')})"
