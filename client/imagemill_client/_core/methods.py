"""Calls of the core look like methods of the shells, to those who ask for help with them."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def dressed(method: Method, call: Callable[..., Any], *, of_job: bool = False) -> Method:
    """A method with the name, the text and the parameters of its call, but for those that it fills in."""
    method.__name__ = call.__name__
    method.__doc__ = call.__doc__
    signature = inspect.signature(call)
    own = list(signature.parameters.values())[2 if of_job else 1 :]
    shown = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *own]
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=shown, return_annotation=inspect.signature(method).return_annotation
    )
    return method
