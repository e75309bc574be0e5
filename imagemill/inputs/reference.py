"""What a reference may be: an uploaded file's id, an address, or an object of a bucket that is allowed.

Only its form is looked at; whether there is an image is found out by fetching it. A reference may be an
address that grants access by itself, so no message holds one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ssrfguard import Policy, SSRFGuardError

from imagemill.domain.errors import ImagemillError
from imagemill.domain.request import LONGEST_REFERENCE, NO_DATA, is_data

Kind = Literal["file", "address", "object"]
MOST_REDIRECTS = 3

_FILE = re.compile(r"file_[0-9A-Z]{26}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_NOT_PRINTED = re.compile(r"[\s\x00-\x1f\x7f]")
_WHAT_IS = "give the id of an uploaded file (file_…), an https:// address, or s3://bucket/key"


class NoReference(ImagemillError):
    """A text is no reference that can be fetched.

    Attributes:
        code: what an item is refused with that has it all the same.
        problem: what is wrong with it, and what would be right; without the text itself.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(code)
        self.code = code
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference that was understood; bucket and key are those of an object."""

    kind: Kind
    text: str = field(repr=False)
    bucket: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Rules:
    """What an operator lets references be.

    ``buckets`` are names, or ``name/prefix`` for a part of one. ``allow_private`` is for tests and networks
    that are closed all around: any address and any port can then be fetched.
    """

    buckets: tuple[str, ...] = ()
    allow_http: bool = False
    allow_private: bool = False

    @cached_property
    def policy(self) -> Policy:
        """Which addresses may be connected to, redirects included."""
        schemes = frozenset({"https", "http"} if self.allow_http else {"https"})
        if not self.allow_private:
            return Policy(allowed_schemes=schemes, max_redirects=MOST_REDIRECTS)
        return Policy(
            allowed_schemes=schemes,
            max_redirects=MOST_REDIRECTS,
            allowed_networks=("0.0.0.0/0", "::/0"),  # type: ignore[arg-type] # it reads them as networks
            allowed_ports=frozenset(range(1, 65536)),
        )

    def read(self, text: str) -> Reference:
        """Understand a reference.

        Raises:
            NoReference: it is none, or one that is not allowed.
        """
        if is_data(text):
            raise NoReference("input_missing", NO_DATA)
        if len(text) > LONGEST_REFERENCE:
            problem = f"has {len(text)} characters; at most {LONGEST_REFERENCE} are taken"
            raise NoReference("input_missing", problem)
        if _NOT_PRINTED.search(text):
            raise NoReference("input_missing", f"holds white space or a control character; {_WHAT_IS}")
        if _FILE.fullmatch(text):
            return Reference("file", text)
        scheme, colon, _ = text.partition("://")
        match scheme.lower() if colon else "":
            case "s3":
                return self._object(text)
            case "https" | "http":
                return self._address(text)
        raise NoReference("input_missing", f"is no reference to an image; {_WHAT_IS}")

    def read_prefix(self, text: str) -> Reference:
        """Understand ``s3://bucket/prefix``, which may be a part of a name, or empty.

        Raises:
            NoReference: it is none, or one that is not allowed.
        """
        scheme, _, rest = text.partition("://")
        bucket, _, prefix = rest.partition("/")
        parts = prefix.split("/")
        whole = scheme.lower() == "s3" and _BUCKET.fullmatch(bucket) and len(text) <= LONGEST_REFERENCE
        if not whole or "" in parts[:-1] or {".", ".."} & set(parts) or _NOT_PRINTED.search(text):
            raise NoReference("input_missing", "is no prefix; write s3://bucket/prefix/, without empty parts")
        if not any(_within(f"{bucket}/{prefix}", allowed) for allowed in self.buckets):
            raise NoReference("input_bucket_not_allowed", _bucket_problem(bucket))
        return Reference("object", text, bucket, prefix)

    def problem(self, text: str) -> str | None:
        """What is wrong with a text as a reference, or None where it is one."""
        try:
            self.read(text)
        except NoReference as error:
            return error.problem
        return None

    def first_problem(self, named: Iterable[tuple[str, str]]) -> str | None:
        """What is wrong with the first bad one of some references, and its place; None where none is bad."""
        return next((f"{place}: {what}" for place, text in named if (what := self.problem(text))), None)

    def _address(self, text: str) -> Reference:
        if text.lower().startswith("http://") and not self.allow_http:
            raise NoReference("input_address_refused", "an http:// address is not fetched; use https://")
        try:
            self.policy.check_url(text)
        except (SSRFGuardError, ValueError):
            raise NoReference(
                "input_address_refused",
                "is no address that is fetched; it needs a public host, the usual port, and no user or "
                "password",
            ) from None
        return Reference("address", text)

    def _object(self, text: str) -> Reference:
        bucket, _, key = text[len("s3://") :].partition("/")
        if not _BUCKET.fullmatch(bucket) or any(part in ("", ".", "..") for part in key.split("/")):
            raise NoReference("input_missing", "is no object; write s3://bucket/key, without empty parts")
        if not any(_within(f"{bucket}/{key}", allowed) for allowed in self.buckets):
            raise NoReference("input_bucket_not_allowed", _bucket_problem(bucket))
        return Reference("object", text, bucket, key)


def read_buckets(text: str) -> tuple[str, ...]:
    """Read a list of buckets, or of parts of them: JSON, or with commas between.

    Raises:
        ValueError: one of them is no bucket's name.
    """
    entries = [entry.strip(' "') for entry in text.strip().removeprefix("[").removesuffix("]").split(",")]
    named = tuple(entry.strip("/") for entry in entries if entry)
    for entry in named:
        bucket, _, prefix = entry.partition("/")
        if not _BUCKET.fullmatch(bucket) or (prefix and "" in prefix.split("/")):
            raise ValueError("is no list of buckets")
    return named


def _within(path: str, allowed: str) -> bool:
    return path.startswith(allowed.rstrip("/") + "/")


def is_file(text: str) -> bool:
    """Is it the id of an uploaded file?"""
    return bool(_FILE.fullmatch(text))


def _bucket_problem(bucket: str) -> str:
    return f"objects of the bucket {bucket!r} may not be read here; an operator allows it, or upload the file"
