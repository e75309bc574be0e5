"""Names of downloaded images, by a pattern such as `{sku}/{variant}.webp`."""

import hashlib
import re
import string
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

import typer

from cli.answers import Image, Item
from cli.errors import CliError
from cli.places import RESULTS, UnsafeKey, is_plain

FIELDS = {
    "custom_id": "the item's custom_id",
    "sku": "the same, for catalogs",
    "variant": "the item's variant; `default` where the job has none",
    "n": "which of the item's images, from 1",
    "index": "the item's place in the job, from 1; {index:05} puts zeros before it",
    "ext": "png, jpg or webp, as the image's name in the bucket ends",
    "format": "png, jpeg or webp",
    "rendition": "the rendition's name; `original` for the image itself",
    "job": "the job's id",
}
NUMBERS = ("n", "index")
NO_VARIANT = "default"
LONGEST = 255
"""So many bytes a name may have in nearly every file system."""
LONGEST_FOLDER = 150

ENDINGS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".avif": "avif"}


class Clash(CliError):
    """Two images would have one name."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One image of an item, as far as its name is concerned."""

    job: str
    item: Item
    image: Image
    index: int
    n: int
    rendition: str | None = None
    ending: str | None = None
    """What its name ends with, if that is not what the image's name in the bucket ends with."""

    @property
    def suffix(self) -> str:
        """What its name ends with, as `.webp`."""
        return self.ending or PurePosixPath(self.image.key).suffix

    @property
    def identity(self) -> str:
        """What tells it from all others."""
        return identity(self.index, self.n)


def identity(index: int, n: int) -> str:
    """What tells the n-th image of an item from all others; both count from 1."""
    return f"{index}/{n}"


def usual_name(shot: Shot) -> PurePosixPath:
    """As images are named in the bucket where a job says nothing else.

    An image that is reused lies below the job that bought it, under the name that it had there.
    """
    folder = safe = _flat(shot.item.custom_id)
    if safe != shot.item.custom_id or len(safe.encode()) > LONGEST_FOLDER:
        short = hashlib.sha256(shot.item.custom_id.encode()).hexdigest()[:8]
        folder = f"{safe.encode()[:LONGEST_FOLDER].decode(errors='ignore')}-{short}"
    variant = f"{_flat(shot.item.variant)}-" if shot.item.variant else ""
    return PurePosixPath(folder, f"{variant}{shot.n}{shot.suffix}")


class Pattern:
    """A pattern of names.

    Raises:
        BadParameter: it has a field that nobody knows, or is no pattern.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is no pattern: {error}") from None
        for _, field, spec, conversion in self._parts:
            if field is not None:
                _check(field, spec or "", conversion)
        if all(field is None for _, field, _, _ in self._parts):
            raise typer.BadParameter(f"{text!r} names every image alike; there are {_known()}")

    @property
    def ending(self) -> str | None:
        """The format that its end promises, where it is not the image's own."""
        suffix = PurePosixPath(self.text).suffix.lower()
        return ENDINGS.get(suffix)

    def name(self, shot: Shot) -> PurePosixPath:
        """The image's name.

        Raises:
            UnsafeKey: it would be no name of a file below a folder.
        """
        values = _values(shot)
        text = "".join(
            literal + (format(values[field], spec or "") if field else "")
            for literal, field, spec, _ in self._parts
        )
        name = text.lstrip("/")
        if not all(map(is_plain, name.split("/"))) or any(
            len(part.encode()) > LONGEST for part in name.split("/")
        ):
            raise UnsafeKey(f"{name!r} is no safe name for a file")
        if name == RESULTS:
            raise UnsafeKey(f"{name!r} is the name of the list of results")
        return PurePosixPath(name)


class Names:
    """Which names are taken, and by which image: two images never share one."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._taken: dict[bytes, str] = {}

    def claim(self, shot: Shot) -> PurePosixPath:
        """The image's name, which is now its own.

        Raises:
            Clash: another image has it.
            UnsafeKey: it is none.
        """
        name = self._pattern.name(shot)
        # By a hash: there may be a million of them. A name that differs in case alone is another one.
        mark = hashlib.blake2b(str(name).encode(), digest_size=16).digest()
        owner = self._taken.setdefault(mark, shot.identity)
        if owner != shot.identity:
            raise Clash(f"{name} would be the name of two images: --as needs {_more(shot)}")
        return name


def _check(field: str, spec: str, conversion: str | None) -> None:
    if field not in FIELDS:
        raise typer.BadParameter(f"there is no field {{{field}}}; there are {_known()}")
    if conversion or (spec and not (field in NUMBERS and re.fullmatch(r"0?\d{1,2}", spec))):
        raise typer.BadParameter(f"{{{field}}} can't be written that way; numbers can, as {{index:05}}")


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in FIELDS)


def _more(shot: Shot) -> str:
    return "{n}" if shot.n > 1 else "{variant}" if shot.item.variant else "{custom_id} or {index}"


def _values(shot: Shot) -> dict[str, str | int]:
    custom_id = _flat(shot.item.custom_id)
    return {
        "custom_id": custom_id,
        "sku": custom_id,
        "variant": _flat(shot.item.variant or NO_VARIANT),
        "n": shot.n,
        "index": shot.index,
        "ext": _flat(shot.suffix.removeprefix(".") or shot.image.format or "bin"),
        "format": _flat(ENDINGS.get(shot.suffix) or shot.image.format or "bin"),
        "rendition": _flat(shot.rendition or "original"),
        "job": shot.job,
    }


def _flat(value: str) -> str:
    """A value that makes no folder of its own: what a name can't have becomes _."""
    text = "".join("_" if each in "/\\" or unicodedata.category(each) == "Cc" else each for each in value)
    return "_" * len(text) if text in (".", "..") else text or "_"
