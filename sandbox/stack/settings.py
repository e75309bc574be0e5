"""The environment variables by which the service finds the parts of a stack."""

from sandbox.stack.credentials import Credentials
from sandbox.stack.services import ImageApi
from sandbox.stack.store import CONTROL, DELIVERY, REGION, Store
from sandbox.stack.temporal import NAMESPACE, Temporal

DELIVERY_PREFIX = "images"


def temporal_settings(temporal: Temporal) -> dict[str, str]:
    """Where the engine is."""
    return {"IMAGEMILL_TEMPORAL_ADDRESS": temporal.target, "IMAGEMILL_TEMPORAL_NAMESPACE": NAMESPACE}


def store_settings(store: Store, credentials: Credentials) -> dict[str, str]:
    """The two places in the store, which share one server here."""
    control = _bucket("IMAGEMILL_CONTROL", CONTROL, store, credentials)
    delivery = _bucket("IMAGEMILL_DELIVERY", DELIVERY, store, credentials)
    return control | delivery | {"IMAGEMILL_DELIVERY_PREFIX": DELIVERY_PREFIX}


def image_api_settings(image_api: ImageApi, credentials: Credentials) -> dict[str, str]:
    """Who draws."""
    return {
        "IMAGEMILL_PROVIDER_BASE_URL": image_api.url,
        "IMAGEMILL_PROVIDER_API_KEY": credentials.image_api_key,
        # It has no limit unless it is given one, and tells it then.
        "IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE": "unlimited",
        "IMAGEMILL_PROVIDER_TOKENS_PER_MINUTE": "unlimited",
    }


def api_settings(credentials: Credentials) -> dict[str, str]:
    """Who may call, and what may be spent: at home it is play money, but caps are to be seen."""
    return {
        "IMAGEMILL_API_KEY": credentials.api_key,
        "IMAGEMILL_ADMIN_KEY": credentials.admin_key,
        "IMAGEMILL_CAPS_DAY_USD": "1000.00",
        "IMAGEMILL_CAPS_MONTH_USD": "10000.00",
    }


def _bucket(prefix: str, bucket: str, store: Store, credentials: Credentials) -> dict[str, str]:
    return {
        f"{prefix}_BUCKET": bucket,
        f"{prefix}_ENDPOINT": store.url,
        f"{prefix}_ACCESS_KEY": credentials.store_access_key,
        f"{prefix}_SECRET_KEY": credentials.store_secret_key,
        f"{prefix}_REGION": REGION,
    }
