"""Which of the caller's environment variables a child gets."""

import os
from collections.abc import Mapping

from sandbox.stack.ports import HOST


def inherited(*scrubbed: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without our own settings, and without others by their beginnings.

    A setting that happens to be exported in somebody's shell must not decide what a local stack does. The
    loopback address is added to the proxy exceptions: where a proxy is set, it cannot reach us.
    """
    source = os.environ if environment is None else environment
    kept = {name: value for name, value in source.items() if not name.startswith(("IMAGEMILL_", *scrubbed))}
    for name in ("no_proxy", "NO_PROXY"):
        exceptions = [each for each in kept.get(name, "").split(",") if each]
        kept[name] = ",".join([*exceptions, HOST, "localhost"])
    return kept
