"""What has to be known of a provider account to buy images from it."""

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import SecretStr

from imagemill.domain.pools import DEFAULT, Pool
from imagemill.settings import ProviderSettings


class Account(Protocol):
    """How one account is reached. ``imagemill.domain.pools.Pool`` is one."""

    @property
    def name(self) -> str:
        """What the operator calls it."""

    @property
    def kind(self) -> Literal["openai", "azure"]:
        """How its addresses are made: ``azure`` has the deployment in them."""

    @property
    def base_url(self) -> str:
        """What ``/images/generations`` is added to; of kind ``azure``, the resource's own address."""

    @property
    def api_key(self) -> SecretStr:
        """Never logged, never in an error."""

    @property
    def auth(self) -> Literal["bearer", "api-key"]:
        """The header that the key goes into; of kind ``azure`` it is always ``api-key``."""

    @property
    def query(self) -> Mapping[str, str]:
        """Put after every address."""

    @property
    def deployments(self) -> Mapping[str, str]:
        """Of kind ``azure``: the deployment of each model; others are deployed under the model's name."""

    @property
    def free_5xx(self) -> bool:
        """Calls that it answers with 5xx are known not to be billed."""

    @property
    def size_as(self) -> Literal["size", "aspect_ratio", "nothing"]:
        """How it wants to be told the size."""


def account_of(settings: ProviderSettings) -> Account:
    """The account that the settings of a single provider describe."""
    return Pool(
        name=DEFAULT, base_url=settings.base_url, api_key=settings.api_key, free_5xx=settings.free_5xx
    )
