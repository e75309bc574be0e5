"""Is the store what the service needs? Asked at start, not at the first image."""

from imagemill.domain.errors import Misconfigured, ObjectExists, StoreError
from imagemill.ports import ObjectStore

PROBE_KEY = ".imagemill-probe"


async def require_conditional_puts(store: ObjectStore, what: str) -> None:
    """Try that a second conditional put of one key is refused: what keeps an image from being lost.

    Raises:
        Misconfigured: the bucket can't be used, or takes the second put; the message says which.
    """
    try:
        await _put(store)
        if await _put(store):
            raise Misconfigured(
                f"the {what} store took two conditional puts (If-None-Match: *) of one key; "
                "it must answer the second with 412, or images could overwrite each other"
            )
    except StoreError as error:
        raise Misconfigured(f"the {what} bucket can't be used: {error}") from None


async def _put(store: ObjectStore) -> bool:
    try:
        await store.put_new(PROBE_KEY, b"imagemill", content_type="text/plain")
    except ObjectExists:
        return False
    return True
