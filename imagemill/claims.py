"""Being the first: one conditional put decides between any number of hosts."""

from imagemill.domain.errors import ObjectExists
from imagemill.ports import ObjectStore


async def claim(store: ObjectStore, key: str, mine: bytes) -> bool:
    """Put what nobody else would write, unless somebody was first. Says whether it is ours.

    A put whose answer was lost, and which the client tried again, finds its own object there.
    """
    try:
        await store.put_new(key, mine)
    except ObjectExists:
        return await store.get(key) == mine
    return True
