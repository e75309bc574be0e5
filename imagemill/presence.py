"""Is something in the store? For those who want to know no more of it than that."""

from imagemill.domain.errors import ObjectMissing
from imagemill.ports import ObjectStore


async def is_there(store: ObjectStore, key: str) -> bool:
    """Has the store an object of this key? Raises StoreError: it can't say."""
    try:
        await store.head(key)
    except ObjectMissing:
        return False
    return True
