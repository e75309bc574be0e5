"""What is sent to the application."""

from typing import Any

KEY = "im_test_0123456789abcdef"
ADMIN = "im_boss_0123456789abcdef"
FILE = "file_" + "0" * 26
ITEM = {"custom_id": "a", "prompt": "a red chair"}
BODY: dict[str, Any] = {
    "defaults": {"model": "gpt-image-2.5-flare", "size": "1024x1024"},
    "items": [ITEM],
    "budget": {"limit_usd": "5.00"},
}

SCHEDULE = "sched_" + "1" * 26
"""An id: what is none is no address, key or not."""


def filled(path: str) -> str:
    """A path of the document with something in the place of each parameter."""
    return path.replace("{schedule}", SCHEDULE).replace("{", "").replace("}", "")
