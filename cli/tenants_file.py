"""The file of tenants, as keys are put into it and taken out: nothing else of its text is touched."""

import copy
import fcntl
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cli.errors import Stopped

HEADER = re.compile(r"\s*\[.*\]\s*(#.*)?")
BY_HAND = (
    "{path} is written in a way that this command does not change safely; edit the keys of {tenant} by hand"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """What the file says of a key, but for its hash."""

    tenant: str
    id: str
    scopes: tuple[str, ...]
    expires: date | None = None
    name: str | None = None

    @property
    def expired(self) -> bool:
        """Does it open nothing any more? A date is its beginning, in UTC."""
        return self.expires is not None and moment(self.expires) <= datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Block:
    """A table of the file: its path, and its lines without those comments that belong to the next one."""

    path: tuple[str, ...]
    listed: bool
    first: int
    end: int


class TenantsFile:
    """The text of a file of tenants, and what it says."""

    def __init__(self, path: Path, text: str) -> None:
        """``path`` is for messages.

        Raises:
            Stopped: it is no such file.
        """
        self.path = path
        self.lines = text.splitlines(keepends=True)
        try:
            self._data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Stopped(f"{path} is no TOML: {error}") from None
        if not isinstance(self._data.get("tenants", {}), dict):
            raise Stopped(f"{path} has no tables such as [tenants.shop-1]")

    @classmethod
    def read(cls, path: Path, *, new: bool = False) -> "TenantsFile":
        """Read the file; with ``new`` it need not be there.

        Raises:
            Stopped: it can't be read.
        """
        try:
            return cls(path, path.read_bytes().decode())
        except FileNotFoundError:
            if new:
                return cls(path, "")
            raise Stopped(f"there is no file {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Stopped(f"{path} can't be read: {error}") from None

    @property
    def tenants(self) -> list[str]:
        """Those that it names."""
        return list(self._data.get("tenants", {}))

    def keys(self) -> Iterator[KeyEntry]:
        """All keys, in the order of the file.

        Raises:
            Stopped: one of them is none.
        """
        for tenant, place, key in self._entries():
            try:
                yield KeyEntry(
                    tenant=tenant,
                    id=str(key["id"]),
                    scopes=tuple(map(str, key.get("scopes", ()))),
                    expires=_expires(key.get("expires")),
                    name=key.get("name"),
                )
            except (KeyError, TypeError, ValueError):
                raise Stopped(f"{self.path}: tenants.{tenant}.keys.{place}: is no key") from None

    def _entries(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        for tenant, terms in self._data.get("tenants", {}).items():
            keys = terms.get("keys", []) if isinstance(terms, dict) else None
            if not isinstance(keys, list):
                raise Stopped(f"{self.path}: tenants.{tenant} is no table with [[tenants.{tenant}.keys]]")
            for place, key in enumerate(keys):
                yield tenant, place, key

    # --- changes ------------------------------------------------------------------------------

    def with_key(self, key: KeyEntry, sha256: str) -> str:
        """The text with one more key, after all else that it says of the tenant.

        Raises:
            Stopped: the text is written in a way that leaves no safe place.
        """
        wanted = copy.deepcopy(self._data)
        terms = wanted.setdefault("tenants", {}).setdefault(key.tenant, {})
        entry = _entry(key, sha256)
        terms.setdefault("keys", []).append(entry)
        own = [block.end for block in self._blocks() if block.path[:2] == ("tenants", key.tenant)]
        table = [f"[[tenants.{key.tenant}.keys]]\n", *(f"{n} = {_toml(v)}\n" for n, v in entry.items())]
        if not own and key.tenant not in self.tenants:
            table = [f"[tenants.{key.tenant}]\n", "\n", *table]
        place = max(own, default=len(self.lines))
        before, after = self.lines[:place], self.lines[place:]
        if before:
            before += ["\n"] if before[-1].endswith("\n") else ["\n", "\n"]
        return self._checked([*before, *table, *after], wanted, key.tenant)

    def without_key(self, key_id: str) -> tuple[str, str]:
        """The text without a key and the comment right above it; and whose key it was.

        Raises:
            Stopped: there is no such key, or it is written in a way that can't be taken out safely.
        """
        for tenant, place, key in self._entries():
            if isinstance(key, dict) and key.get("id") == key_id:
                return self._without(tenant, place), tenant
        raise Stopped(f"there is no key {key_id} in {self.path}; `imagemill keys list` shows those that are")

    def _without(self, tenant: str, place: int) -> str:
        wanted = copy.deepcopy(self._data)
        keys = wanted["tenants"][tenant]["keys"]
        del keys[place]
        if not keys:
            del wanted["tenants"][tenant]["keys"]
        listed = [each for each in self._blocks() if each.listed and each.path == ("tenants", tenant, "keys")]
        if place >= len(listed):
            raise Stopped(BY_HAND.format(path=self.path, tenant=tenant))
        first, end = listed[place].first, listed[place].end
        while first and self.lines[first - 1].lstrip().startswith("#"):
            first -= 1
        while end < len(self.lines) and not self.lines[end].strip():
            end += 1
        return self._checked(self.lines[:first] + self.lines[end:], wanted, tenant)

    def _checked(self, lines: list[str], wanted: dict[str, Any], tenant: str) -> str:
        """The lines as a text, if they say what they are to say."""
        text = "".join(lines)
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            found = {}
        if found != wanted:
            raise Stopped(BY_HAND.format(path=self.path, tenant=tenant))
        return text

    def _blocks(self) -> Iterator[Block]:
        heads = [(line, found) for line, text in enumerate(self.lines) if (found := _head(text))]
        for number, (line, (path, listed)) in enumerate(heads):
            end = heads[number + 1][0] if number + 1 < len(heads) else len(self.lines)
            while end > line + 1 and _says_nothing(self.lines[end - 1]):
                end -= 1
            yield Block(path, listed, line, end)


def _entry(key: KeyEntry, sha256: str) -> dict[str, object]:
    said = {
        "id": key.id,
        "sha256": sha256,
        "scopes": list(key.scopes),
        "expires": key.expires,
        "name": key.name,
    }
    return {name: value for name, value in said.items() if value is not None}


def _head(line: str) -> tuple[tuple[str, ...], bool] | None:
    """The path of a table that begins with this line, and whether it is one of a list."""
    if not HEADER.fullmatch(line.rstrip("\r\n")):
        return None
    try:
        found: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path = []
    while isinstance(found, dict) and found:
        [(name, found)] = found.items()
        path.append(name)
    return tuple(path), isinstance(found, list)


def _says_nothing(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _toml(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def _expires(said: object) -> date | None:
    if said is None or isinstance(said, date):
        return said
    return datetime.fromisoformat(str(said))


def moment(expires: date) -> datetime:
    """From when on a key opens nothing."""
    if not isinstance(expires, datetime):
        return datetime(expires.year, expires.month, expires.day, tzinfo=UTC)
    return expires if expires.tzinfo else expires.replace(tzinfo=UTC)


# --- the file itself -----------------------------------------------------------------------------


def change(path: Path, edit: Callable[[TenantsFile], str], *, new: bool = False) -> None:
    """Edit the file in one step: whoever reads it sees the old text or the new one.

    Two that edit at once wait for each other. With ``new`` the file need not be there; it is then readable
    for its owner alone. Owner and mode of one that is there are kept.

    Raises:
        Stopped: it can't be read or written, or edited.
    """
    path = path.resolve()
    try:
        with _alone(path.parent):
            _replace(path, edit(TenantsFile.read(path, new=new)))
    except OSError as error:
        raise Stopped(f"{path} can't be written: {error.strerror}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            _keep_owner_and_mode(path, file.fileno())
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _keep_owner_and_mode(path: Path, descriptor: int) -> None:
    if not path.exists():
        return
    old, own = path.stat(), os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o777)
