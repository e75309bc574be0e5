"""Putting something around a function of the service, from outside."""

import functools
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def around(owner: Any, name: str, make: Callable[[Function], Function]) -> None:
    """Replace a method of a class, or a function of a module, by what `make` makes of it.

    Raises:
        AttributeError: there is none of that name; it was renamed, and whoever names it here has to follow.
    """
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))


def before(owner: Any, name: str, step: Callable[..., None]) -> None:
    """Let a step be taken before each call of an `async` function, with the call's arguments."""

    def make(original: Function) -> Function:
        async def stepped(*args: Any, **kwargs: Any) -> Any:
            step(*args, **kwargs)
            return await original(*args, **kwargs)

        return stepped

    around(owner, name, make)


def after(owner: Any, name: str, step: Callable[..., None]) -> None:
    """Likewise, once the call has come back with an answer."""

    def make(original: Function) -> Function:
        async def stepped(*args: Any, **kwargs: Any) -> Any:
            answer = await original(*args, **kwargs)
            step(*args, **kwargs)
            return answer

        return stepped

    around(owner, name, make)
