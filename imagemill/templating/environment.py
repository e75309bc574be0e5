"""The Liquid of a manifest's templates: what catalog people know from their shop's themes."""

import html
import re

import liquid
from liquid import Environment
from liquid.filter import string_filter

TEMPLATE_CHARACTERS = 20_000
"""A longer template is refused."""


class BoundedEnvironment(Environment):
    """Loops, output and variables are limited, and a missing column is an error."""

    loop_iteration_limit = 10_000
    output_stream_limit = 200_000
    local_namespace_limit = 1_000_000
    block_nesting_limit = 20
    context_depth_limit = 20


_BLOCK_END = re.compile(r"(?i)<(?:script|style)\b.*?</(?:script|style)\s*>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_SPACES = re.compile(r"\s+")


@string_filter
def strip_html(text: str) -> str:
    """Text without its tags; words that only a tag kept apart stay apart, entities are decoded."""
    plain = _TAG.sub(" ", _BLOCK_END.sub(" ", text))
    return _SPACES.sub(" ", html.unescape(plain)).strip()


def make_environment() -> Environment:
    """The environment that templates are checked and rendered in."""
    environment = BoundedEnvironment(undefined=liquid.StrictUndefined, strict_filters=True)
    environment.filters["strip_html"] = strip_html
    for tag in ("include", "render"):
        environment.tags.pop(tag, None)  # there are no other templates to include
    return environment
