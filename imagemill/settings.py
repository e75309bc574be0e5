"""Settings, by concern, from environment variables; read at the entry points only.

Each docstring names default, edge case and precedence; ``docs/reference/settings.md`` is made of them.
"""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import Misconfigured
from imagemill.domain.messages import Times
from imagemill.domain.money import parse_usd
from imagemill.domain.pools import DEFAULT, Group, PerMinute, Pool, Pools
from imagemill.domain.tenant import Caps
from imagemill.domain.webhooks import WAITS
from imagemill.inputs.reference import Rules, read_buckets
from imagemill.pools_file import read_pools
from imagemill.tenants import Tenants
from imagemill.webhook_targets import TargetRules


class EngineSettings(BaseSettings):
    """The Temporal server."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_TEMPORAL_")

    address: str = Field(default="127.0.0.1:7233", description="Host and port of the Temporal frontend.")
    namespace: str = Field(default="default", description="The namespace that holds the jobs.")
    deployment: str = Field(
        default="imagemill",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="The name of the workers' deployment, where they have a build.",
    )
    build: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="The version of the workers' program, such as a release or a commit: another one for "
        "each change. With it a running job stays with the version that began it, and new jobs go to the one "
        "that was made current; unset: every worker takes all work. It is for workers, and for `imagemill "
        "doctor` on their hosts.",
    )


class BucketSettings(BaseSettings):
    """One S3-compatible bucket. Without keys, boto3's own chain is asked (role, profile, environment)."""

    bucket: str = Field(description="Name of the bucket. It must exist.")
    endpoint: str | None = Field(
        default=None, description="Address of the server; unset: the region's own at AWS."
    )
    region: str = Field(default="us-east-1", description="Region, which also signs the requests.")
    access_key: SecretStr | None = Field(default=None, description="Access key; unset: boto3's own chain.")
    secret_key: SecretStr | None = Field(default=None, description="Secret key; unset: boto3's own chain.")
    silence_seconds: float = Field(
        default=20,
        gt=0,
        description="A request on which the store says nothing for so long is made again, twice at most; "
        "its answer may be lost.",
    )


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

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_PROVIDER_", env_ignore_empty=True)

    base_url: str = Field(
        default="https://api.openai.com/v1",
        description="Address of the API, ending in /v1 with most providers.",
    )
    api_key: SecretStr = Field(description="The provider's API key.")
    free_5xx: bool = Field(
        default=False, description="The provider is known not to bill calls that it answers with 5xx."
    )
    images_per_minute: PerMinute | None = Field(
        default=None, description="The provider's limit on images a minute, or `unlimited`; unset: learnt."
    )
    tokens_per_minute: PerMinute | None = Field(
        default=None, description="The provider's limit on tokens a minute, or `unlimited`; unset: learnt."
    )

    def pool(self, factor: Decimal) -> Pool:
        """The same as a pool with one limit group."""
        limits = Group(images_per_minute=self.images_per_minute, tokens_per_minute=self.tokens_per_minute)
        return Pool(
            name=DEFAULT,
            base_url=self.base_url,
            api_key=self.api_key,
            free_5xx=self.free_5xx,
            price_factor=factor,
            groups={DEFAULT: limits},
        )


class PoolSettings(BaseSettings):
    """The provider accounts, where there are several. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_POOLS_")

    file: Path | None = Field(
        default=None,
        description="A TOML file of pools and aliases, instead of the settings of a single image API.",
    )

    def load(self, *, keys: bool = True) -> Pools:
        """The pools of the file, or the one of ``IMAGEMILL_PROVIDER_*``.

        Without ``keys`` their API keys are not read: the HTTP API needs none.

        Raises:
            Misconfigured: the file can't be used, or a setting is missing.
        """
        if self.file:
            return read_pools(self.file, os.environ, keys=keys)
        factor = read(PriceSettings).factor
        if keys:
            return Pools([read(ProviderSettings).pool(factor)])
        return Pools.single(factor)


class TenantSettings(BaseSettings):
    """Several tenants. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_TENANTS_")

    file: Path | None = Field(
        default=None,
        description="A TOML file of tenants, their API keys, and what each tenant may do. It is read again "
        "when it changes. What it says of a tenant wins over all settings; unset: there is one tenant, "
        "`IMAGEMILL_TENANT`.",
    )

    def load(self) -> Tenants:
        """The tenants of the file, if there is one.

        Raises:
            Misconfigured: the file can't be used.
        """
        return Tenants(self.file)


class WorkSettings(BaseSettings):
    """How much is done at once."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_WORK_")

    images_at_once: int = Field(default=64, ge=1, description="Calls under way in one image worker.")
    window: int = Field(default=100, ge=1, le=100, description="Items of one chunk under way at once.")
    account_updates: int = Field(
        default=1000, ge=10, description="Asks after which a tenant's account starts a new history."
    )
    estimate_seconds: float = Field(
        default=120, gt=0, description="How long a caller waits for an estimate at most."
    )
    gallery_seconds: float = Field(
        default=60,
        gt=0,
        description="How long a caller who shares a job waits at most for its gallery to be made.",
    )
    chunks_at_once: int = Field(default=4, ge=1, le=50, description="Chunks of one job under way at once.")
    tenant_weights: dict[str, Annotated[float, Field(ge=0.001, le=1000)]] = Field(
        default_factory=dict,
        description="Shares of tenants where they wait for the same provider, as JSON: "
        '{"acme": 2} gets twice as much as others, whose weight is 1.',
    )


class RenditionSettings(BaseSettings):
    """Thumbnails, renditions and contact sheets, which workers make in processes of their own."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_RENDITIONS_")

    thumbnails: bool = Field(
        default=True,
        description="Make a thumbnail of each image, 320 pixels at its longest side, beside it. It goes for "
        "jobs that are planned from then on.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes of one worker that make them, started when they are needed. One makes some "
        "twenty thumbnails a second; they give way to all other work.",
    )
    seconds: float = Field(
        default=30, gt=0, description="Time for one image's copies, or one sheet; then its process is killed."
    )
    wait_seconds: float = Field(
        default=60,
        gt=0,
        description="How long an item whose images are stored waits at most for its thumbnails and "
        "renditions to be made and stored. What is not there by then is a warning of the item. It adds "
        "to the time that a worker takes to shut down.",
    )
    memory_mb: int = Field(
        default=1024, ge=384, description="Memory that one process may take, in megabytes."
    )


class PriceSettings(BaseSettings):
    """What models cost. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_PRICES_")

    catalogue: Path | None = Field(
        default=None,
        description="A file of models and prices, laid over the own one: what it names replaces or adds.",
    )
    factor: Decimal = Field(
        default=Decimal(1),
        gt=0,
        le=100,
        description="The provider's prices are the listed ones times this; 0.8 at many resellers.",
    )

    def load(self) -> Catalogue:
        """The catalogue by these settings.

        Raises:
            Misconfigured: the file can't be used; the message names its line.
        """
        try:
            return Catalogue.load(self.catalogue, self.factor)
        except (OSError, ValueError) as error:
            raise Misconfigured(f"IMAGEMILL_PRICES_CATALOGUE: {error}") from None


def _a_cap(usd: str) -> str:
    if parse_usd(usd) == 0:
        raise PydanticCustomError("a_sum_above_0", "a sum above 0")
    return usd


Cap = Annotated[str, AfterValidator(_a_cap)]


class CapSettings(BaseSettings):
    """What a tenant may spend that no operator has set caps for. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_CAPS_")

    day_usd: Cap | None = Field(default=None, description="Cap by day, in US dollars; unset: none.")
    month_usd: Cap | None = Field(default=None, description="Cap by month, in US dollars; unset: none.")
    time_zone: str = Field(
        default="UTC", description="Whose midnight ends a day: a name such as Europe/Berlin, or +05:30."
    )
    allow_uncapped: bool = Field(
        default=False, description="Take jobs of tenants that have neither cap. If not, they are refused."
    )

    @property
    def defaults(self) -> Caps:
        """The same as the account's caps.

        Raises:
            Misconfigured: there is no such time zone.
        """
        try:
            return Caps(
                day_nano=self.day_usd and parse_usd(self.day_usd),
                month_nano=self.month_usd and parse_usd(self.month_usd),
                time_zone=self.time_zone,
            )
        except ValueError:
            raise Misconfigured(
                f"IMAGEMILL_CAPS_TIME_ZONE: {self.time_zone!r} is no time zone; "
                "give a name such as Europe/Berlin, or an offset such as +05:30"
            ) from None


def _buckets(text: str) -> str:
    try:
        read_buckets(text)
    except ValueError:
        raise PydanticCustomError("a_list_of_buckets", "a list of buckets") from None
    return text


class InputSettings(BaseSettings):
    """Input images. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_INPUTS_")

    buckets: Annotated[str, AfterValidator(_buckets)] = Field(
        default="",
        description="Buckets whose objects jobs may name as s3://bucket/key, or parts of them as "
        "bucket/prefix, with commas between or as a JSON list. They are read with the delivery bucket's "
        "endpoint and keys, for every tenant.",
    )
    allow_http: bool = Field(default=False, description="Fetch http:// addresses too, not only https://.")
    allow_private: bool = Field(
        default=False,
        description="Fetch from private addresses and any port too: for tests, or where the network itself "
        "is closed. With it, whoever submits jobs reaches what the workers reach.",
    )
    fetch_seconds: float = Field(
        default=60, gt=0, description="Time for fetching one address, redirects included."
    )
    most_bytes: int = Field(
        default=50 * 1024 * 1024, ge=1, description="An input image must have fewer bytes than this."
    )

    @property
    def rules(self) -> Rules:
        """What references may be."""
        return Rules(read_buckets(self.buckets), self.allow_http, self.allow_private)


class WebhookSettings(BaseSettings):
    """Webhooks. API and workers must be given the same."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_WEBHOOKS_")

    allow_http: bool = Field(
        default=False, description="Send events to http:// addresses too, not only https://."
    )
    allow_private: bool = Field(
        default=False,
        description="Send events to private addresses and any port too: for tests, or where the network "
        "itself is closed. With it, whoever submits jobs reaches what the workers reach.",
    )
    seconds: float = Field(
        default=20, gt=0, le=60, description="Time for one attempt, the lookup of the name included."
    )
    at_once: int = Field(default=64, ge=1, description="Attempts under way at once in one worker.")
    waits: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=50)] = Field(
        default_factory=lambda: list(WAITS),
        description="Seconds before each attempt at a delivery, as a JSON list; give or take a tenth.",
    )

    def rules(self, tenants: Tenants) -> TargetRules:
        """What targets may be, and which of them each tenant's."""

        async def may_call(tenant: str, host: str) -> bool:
            return tenants.may_call_host(tenant, host)

        return TargetRules(self.allow_http, self.allow_private, may_call)


class MetricsSettings(BaseSettings):
    """Metrics in Prometheus' format."""

    model_config = SettingsConfigDict(env_prefix="IMAGEMILL_METRICS_")

    address: str | None = Field(
        default=None,
        description="Host and port where the worker shows its metrics, as 127.0.0.1:9464; unset: nowhere.",
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

    api_key: Annotated[SecretStr, AfterValidator(_well_formed)] | None = Field(
        default=None,
        description="The key that callers send: im_<key id>_<secret>, 16 or more letters and digits. "
        "Required, unless there is a file of tenants; it works beside the file's keys.",
    )
    admin_key: Annotated[SecretStr, AfterValidator(_well_formed)] | None = Field(
        default=None,
        description="The operator's key, which may set tenants' caps; of the same form. Unset: nobody may, "
        "by HTTP.",
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
