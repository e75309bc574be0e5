"""Images into a folder: as they finish, several at once, each in one step and only if its hash is right.

What is there already is not fetched again, so a download that was broken off goes on with the same call.
"""

import hashlib
import string
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from imagemill_client._core.core import Core
from imagemill_client._core.items import follow, image_url
from imagemill_client._core.steps import Call, work
from imagemill_client._core.watching import Watch
from imagemill_client.errors import DownloadFailed, ImagemillError, ServiceError, StoreError, UnsafeName
from imagemill_client.models import Image, Item

NAMES = frozenset({"custom_id", "variant", "n", "ext"})
NO_VARIANT = "main"
"""What ``{variant}`` stands for in a job without variants."""
LONGEST_FOLDER = 150
"""Bytes."""
EXPIRED = (400, 401, 403, 404)
"""What stores answer at an address whose time is over."""
Folder: TypeAlias = str | Path
Name: TypeAlias = str | Callable[[Item, int], str] | None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """An image in its place. ``fetched`` is False where it was there already; ``n`` counts from 1."""

    path: Path
    custom_id: str
    variant: str | None
    n: int
    fetched: bool


class Downloader:
    """All images of one job, those that are still to come included.

    Args:
        folder: made if it is not there.
        name: the name of each image below it: a template of ``{custom_id}``, ``{variant}``, ``{n}`` and
            ``{ext}``, or a function of an item and a number; None: as in the delivery bucket.
        timeout: seconds within which the job must have ended.

    Raises:
        UnsafeName: the template has other fields.
    """

    def __init__(
        self,
        core: Core,
        job: str,
        folder: Folder,
        name: Name = None,
        *,
        timeout: float | None = None,
    ) -> None:
        if isinstance(name, str):
            check_template(name)
        self._core = core
        self._job = job
        self._folder = Path(folder)
        self._name = name
        self._timeout = timeout
        self._taken: dict[Path, str] = {}
        self._done: list[Downloaded] = []
        self._failed: list[tuple[str, Exception]] = []

    def batches(self) -> Iterator[Call[list[Call[None]]]]:
        """Some calls at a time, which can be made at once; none of them raises what it meets."""
        for found in follow(self._core, self._job, self._timeout):
            yield self._calls(found)

    def result(self) -> list[Downloaded]:
        """What there is, by path.

        Raises:
            DownloadFailed: some images could not be had.
        """
        if self._failed:
            key, why = self._failed[0]
            many = f"{len(self._failed)} of {len(self._failed) + len(self._done)} images"
            raise DownloadFailed(f"{many} could not be had; the first, {key}: {why}", self._failed)
        return sorted(self._done, key=lambda each: each.path)

    def _calls(self, items: Call[list[Item]]) -> Call[list[Call[None]]]:
        found = yield from items
        return [self._one(item, n, image) for item in found for n, image in enumerate(item.images, start=1)]

    def _one(self, item: Item, n: int, image: Image) -> Call[None]:
        try:
            place = self._place(item, n, image)
            fetched = not (yield from work(lambda: holds(place, image.sha256)))
            if fetched:
                yield from self._fetch(item, n, image, place)
        except (ImagemillError, OSError) as error:
            self._failed.append((image.key, error))
        else:
            self._done.append(Downloaded(place, item.custom_id, item.variant, n, fetched))

    def _place(self, item: Item, n: int, image: Image) -> Path:
        place = place_below(self._folder, self._named(item, n, image))
        if self._taken.setdefault(place, image.key) != image.key:
            raise UnsafeName(f"{place.name} is the name of {self._taken[place]} too; put {{n}} in the name")
        return place

    def _named(self, item: Item, n: int, image: Image) -> str:
        if self._name is None:
            return usual_name(item, n, image) if item.reused_from else image.key.partition(f"{self._job}/")[2]
        if callable(self._name):
            return self._name(item, n)
        extension = "jpg" if image.format == "jpeg" else image.format
        return self._name.format(
            custom_id=item.custom_id, variant=item.variant or NO_VARIANT, n=n, ext=extension
        )

    def _fetch(self, item: Item, n: int, image: Image, place: Path) -> Call[None]:
        target = Target(place, image)
        try:
            yield from work(target.open)
            try:
                yield from self._into(target, image.url)
            except ServiceError as error:
                if error.status not in EXPIRED:
                    raise StoreError(f"The store answered {error.status}.") from None
                yield from self._anew(target, item, n)
            yield from work(target.keep)
        finally:
            target.drop()

    def _anew(self, target: "Target", item: Item, n: int) -> Call[None]:
        """The address has run out, so the service is asked for another one."""
        url = yield from image_url(self._core, self._job, item.custom_id, n, variant=item.variant)
        try:
            yield from self._into(target, url)
        except ServiceError as error:
            raise StoreError(f"The store answered {error.status}.") from None

    def _into(self, target: "Target", url: str) -> Call[None]:
        retries = Watch(self._core, self._job).retries
        yield from self._core.fetch(url, sink=target, retries=retries)


class Target:
    """A file that takes its place only once it is whole."""

    def __init__(self, place: Path, image: Image) -> None:
        self._place = place
        self._image = image
        # Named by a hash: the name itself may be as long as names can be.
        short = hashlib.sha256(place.name.encode()).hexdigest()[:16]
        self._scratch = place.with_name(f".{short}.part")
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._bytes = 0

    def open(self) -> None:
        """Make the folder and an empty file in it, not through a link that lies there."""
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._scratch.unlink(missing_ok=True)
        self._file = self._scratch.open("xb")

    def begin(self) -> None:
        """The bytes come from the start."""
        assert self._file is not None  # noqa: S101
        self._file.seek(0)
        self._file.truncate()
        self._digest, self._bytes = hashlib.sha256(), 0

    def take(self, piece: bytes) -> None:
        """The next bytes.

        Raises:
            StoreError: they are more than were stored.
        """
        assert self._file is not None  # noqa: S101
        self._bytes += len(piece)
        if self._bytes > self._image.bytes:
            raise StoreError(f"It is larger than the {self._image.bytes:,} bytes that were stored.")
        self._digest.update(piece)
        self._file.write(piece)

    def keep(self) -> None:
        """Let it take its place.

        Raises:
            StoreError: it is not what was stored.
        """
        assert self._file is not None  # noqa: S101
        self._file.close()
        if self._digest.hexdigest() != self._image.sha256:
            raise StoreError("It is not what was stored: its SHA-256 differs.")
        self._scratch.replace(self._place)

    def drop(self) -> None:
        """Leave nothing behind that is not whole."""
        if self._file is not None:
            self._file.close()
            self._scratch.unlink(missing_ok=True)


def holds(place: Path, sha256: str) -> bool:
    """Whether the file is there, and is what it should be."""
    try:
        with place.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def usual_name(item: Item, n: int, image: Image) -> str:
    """As images are named in the bucket where a job says nothing else.

    An image that is reused lies below the job that bought it, under the name that it had there.
    """
    folder = safe = "".join(
        each if each.isalnum() or each in " ._,+@=()-" else "_" for each in item.custom_id
    )
    if safe != item.custom_id or not safe.strip(".") or len(safe.encode()) > LONGEST_FOLDER:
        short = hashlib.sha256(item.custom_id.encode()).hexdigest()[:8]
        folder = f"{safe.encode()[:LONGEST_FOLDER].decode(errors='ignore')}-{short}"
    variant = f"{item.variant}-" if item.variant else ""
    return f"{folder}/{variant}{n}{PurePosixPath(image.key).suffix}"


def check_template(template: str) -> None:
    """Whether a template has only the fields that there are, and does nothing with them.

    Raises:
        UnsafeName: it does not.
    """
    try:
        fields = [(name, how, turn) for _, name, how, turn in string.Formatter().parse(template)]
    except ValueError as error:
        raise UnsafeName(f"The name {template!r} is no template: {error}.") from None
    for name, how, turn in fields:
        if name is not None and (name not in NAMES or how or turn):
            known = ", ".join(f"{{{each}}}" for each in sorted(NAMES))
            raise UnsafeName(f"The name {template!r} has {{{name}}}; a name can have {known}, as they are.")


def place_below(folder: Path, name: str) -> Path:
    """The path of a file below a folder, following links that are there already.

    Raises:
        UnsafeName: it would lie elsewhere, or the name can't be a file's.
    """
    if not all(map(_is_plain, name.split("/"))):
        raise UnsafeName(f"{name!r} is no safe name for a file.")
    place = folder / PurePosixPath(name)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UnsafeName(f"{place.parent} leads out of {folder}.")
    return place


def _is_plain(segment: str) -> bool:
    odd = any(unicodedata.category(character) in ("Cc", "Cs") for character in segment)
    return segment not in ("", ".", "..") and "\\" not in segment and not odd
