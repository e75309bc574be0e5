"""A fake Imagemill in memory, for the tests of programs that use the client."""

from imagemill_client.testing._events import FakeEvent, Secrets
from imagemill_client.testing._fake import FakeImagemill, Received
from imagemill_client.testing._png import png
from imagemill_client.testing._world import FakeItem, FakeJob

__all__ = ["FakeEvent", "FakeImagemill", "FakeItem", "FakeJob", "Received", "Secrets", "png"]
