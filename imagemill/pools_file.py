"""The operator's file of pools and aliases, as TOML."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from imagemill.domain.errors import Misconfigured
from imagemill.domain.pools import Alias, Pool, Pools

KEY_SOURCES = ("api_key_env", "api_key_file")


def read_pools(path: Path, environment: Mapping[str, str], *, keys: bool = True) -> Pools:
    """The pools of a file; their API keys come from where the file says, unless none are wanted.

    Raises:
        Misconfigured: says every fault that the file has, and where; never a key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"IMAGEMILL_POOLS_FILE: {path.name}: {error}") from None
    problems = [*_shape(data)]
    pools = []
    for name, table in _tables(data, "pools"):
        try:
            pools.append(_pool(name, table, environment, keys=keys))
        except ValueError as error:
            problems += _said(f"pools.{name}", error)
    aliases = {}
    named = {name for name, _ in _tables(data, "pools")}
    for model, said in _tables(data, "aliases"):
        try:
            aliases[model] = _alias(model, said, named)
        except ValueError as error:
            problems += _said(f"aliases.{model}", error)
    if problems:
        raise Misconfigured(f"IMAGEMILL_POOLS_FILE: {path.name}: " + "; ".join(problems))
    return Pools(pools, aliases)


def _tables(data: Mapping[str, Any], kind: str) -> list[tuple[str, Any]]:
    tables = data.get(kind, {})
    return list(tables.items()) if isinstance(tables, dict) else []


def _shape(data: Mapping[str, Any]) -> Iterator[str]:
    for key in data.keys() - {"pools", "aliases"}:
        yield f"{key}: unknown; the file has pools and aliases"
    if not isinstance(data.get("pools"), dict) or not data["pools"]:
        yield "pools: it needs one at least, such as [pools.original]"
    if not isinstance(data.get("aliases", {}), dict):
        yield 'aliases: must be a table, such as [aliases] "gpt-image-1" = "gpt-image-2.5-flare"'


def _pool(name: str, table: object, environment: Mapping[str, str], *, keys: bool) -> Pool:
    if not isinstance(table, dict):
        raise ValueError("must be a table")
    said = {key: value for key, value in table.items() if key not in KEY_SOURCES}
    if "api_key" in said:
        raise ValueError("api_key: a key does not belong in this file; name api_key_env or api_key_file")
    missing: ValueError | None = None
    key = ""
    if keys:
        try:
            key = _key(table, environment)
        except ValueError as error:
            missing = error
    try:
        pool = Pool.model_validate(said | {"name": name, "api_key": key})
    except ValidationError as error:
        raise (Faults(_said("", error), missing) if missing else error) from None
    if missing:
        raise missing
    return pool


class Faults(ValueError):
    """Several things that are wrong with a table."""

    def __init__(self, said: list[str], other: ValueError) -> None:
        super().__init__("; ".join([*(each.lstrip(".") for each in said), str(other)]))


def _key(table: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    sources = [source for source in KEY_SOURCES if source in table]
    if len(sources) != 1:
        raise ValueError("it needs api_key_env or api_key_file, one of them")
    place = str(table[sources[0]])
    if sources[0] == "api_key_env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", place):
        raise ValueError("api_key_env: is no name of a variable; the key itself does not belong in this file")
    if sources[0] == "api_key_env":
        key = environment.get(place, "")
    else:
        try:
            key = Path(place).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ValueError(f"api_key_file: {place}: {type(error).__name__}") from None
    if not key:
        raise ValueError(f"{sources[0]}: {place} is empty or not set")
    return key


def _alias(model: str, said: object, pools: set[str]) -> Alias:
    if isinstance(said, str) and said:
        return Alias(said)
    if isinstance(said, dict) and said.keys() == {"pool"}:
        pool = said["pool"]
        if not (isinstance(pool, str) and pool in pools):
            raise ValueError(f"there is no pool {pool!r}; there are: {', '.join(sorted(pools))}")
        return Alias(model, pool)
    raise ValueError('must be a model, or { pool = "…" } that still serves it')


def _said(where: str, error: ValueError) -> list[str]:
    if not isinstance(error, ValidationError):
        return [f"{where}: {error}"]
    faults = error.errors(include_input=False, include_context=False)
    return [
        f"{'.'.join([where, *(str(part) for part in fault['loc'])])}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in faults
    ]
