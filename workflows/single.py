"""What a job says to the one item that it runs itself, by the names of the signals that a chunk would get."""

from collections.abc import Callable
from typing import Any

from imagemill.domain.messages import (
    CANCEL,
    EXHAUST,
    GRANT,
    PAUSE_ITEMS,
    RECALL,
    RESUME,
    SET_PRIORITY,
    STOP,
    GrantSignal,
)
from workflows.generation import Generation


def tell_generation(generation: Generation, name: str, *arguments: Any) -> None:
    """The same words as a chunk's signal handlers."""
    words: dict[str, Callable[..., None]] = {
        CANCEL: generation.cancel,
        EXHAUST: generation.exhaust,
        RESUME: generation.resume,
        STOP: generation.stop,
        GRANT: lambda grant: _grant(generation, grant),
        RECALL: generation.recall,
        PAUSE_ITEMS: generation.pause,
        SET_PRIORITY: generation.set_priority,
    }
    words[name](*arguments)


def _grant(generation: Generation, grant: GrantSignal) -> None:
    generation.learn(grant.trust)
    generation.grant(grant.granted)
