"""What jobs can be found by in the engine's list, for whoever starts one."""

import hashlib
import re

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from imagemill.domain.job import JobSummary

TENANT = SearchAttributeKey.for_keyword("ImagemillTenant")
STATE = SearchAttributeKey.for_keyword("ImagemillState")
NAME = SearchAttributeKey.for_keyword("ImagemillName")
METADATA = SearchAttributeKey.for_keyword_list("ImagemillMetadata")

_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+= -]{1,100}")
"""Sixteen words of this length, quoted, fit into the 2 KB that an attribute may have."""


def attributes(summary: JobSummary) -> TypedSearchAttributes:
    """What a job can be found by from its start on."""
    pairs: list[SearchAttributePair] = [  # type: ignore[type-arg]
        SearchAttributePair(TENANT, summary.tenant),
        SearchAttributePair(STATE, summary.state),
    ]
    if summary.name:
        pairs.append(SearchAttributePair(NAME, summary.name))
    if summary.metadata:
        pairs.append(SearchAttributePair(METADATA, [word(*pair) for pair in summary.metadata.items()]))
    return TypedSearchAttributes(pairs)


def word(key: str, value: str) -> str:
    """A pair of metadata as the engine keeps it: ``key=value``, or its hash where that is long or odd.

    On SQLite the engine finds words by full-text search, whose own signs (a double quote) make it fail.
    """
    plain = f"{key}={value}"
    if _PLAIN.fullmatch(plain):
        return plain
    return "sha256:" + hashlib.sha256(plain.encode()).hexdigest()
