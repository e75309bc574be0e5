"""The operator's file of tenants and their keys, as TOML."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from imagemill.domain.access import Roll, Terms
from imagemill.domain.errors import Misconfigured

PLAIN = {
    "extra_forbidden": "is no setting of this table",
    "missing": "is missing",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "model_type": "must be a table",
}
"""Where pydantic's words are Python's."""

TENANT = re.compile(r"[a-z0-9-]{1,64}")


def read_tenants(data: bytes, name: str) -> Roll:
    """The tenants of a file's text; ``name`` is what messages call the file.

    Raises:
        Misconfigured: says every fault that the file has, and where; never what stands there.
    """
    try:
        said = tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise Misconfigured(f"IMAGEMILL_TENANTS_FILE: {name}: is no text in UTF-8") from None
    except ValueError as error:
        raise Misconfigured(f"IMAGEMILL_TENANTS_FILE: {name}: {error}") from None
    problems = [*_shape(said)]
    tenants = {}
    for tenant, table in _tables(said):
        try:
            tenants[tenant] = _terms(tenant, table)
        except ValueError as error:
            problems += _faults(f"tenants.{tenant}", error)
    problems += _twice(tenants)
    if problems:
        raise Misconfigured(f"IMAGEMILL_TENANTS_FILE: {name}: " + "; ".join(problems))
    return Roll(tenants)


def _tables(said: Mapping[str, Any]) -> list[tuple[str, Any]]:
    tables = said.get("tenants", {})
    return list(tables.items()) if isinstance(tables, dict) else []


def _shape(said: Mapping[str, Any]) -> Iterator[str]:
    for key in said.keys() - {"tenants"}:
        yield f"{key}: unknown; the file has tenants alone"
    if not isinstance(said.get("tenants", {}), dict):
        yield "tenants: must be tables, such as [tenants.shop-1]"


def _terms(tenant: str, table: object) -> Terms:
    if not TENANT.fullmatch(tenant):
        raise ValueError("is no tenant; a name has small letters, digits and -, at most 64 of them")
    if not isinstance(table, dict):
        raise ValueError("must be a table")
    return Terms.model_validate(table)


def _twice(tenants: Mapping[str, Terms]) -> Iterator[str]:
    first: dict[str, str] = {}
    for tenant, terms in tenants.items():
        for place, key in enumerate(terms.keys):
            where = f"tenants.{tenant}.keys.{place}"
            if key.id in first:
                yield f"{where}.id: {first[key.id]} has this id already"
            first.setdefault(key.id, where)


def _faults(where: str, error: ValueError) -> list[str]:
    if not isinstance(error, ValidationError):
        return [f"{where}: {error}"]
    faults = error.errors(include_input=False, include_context=False)
    return [f"{'.'.join([where, *map(str, fault['loc'])])}: {_words(fault)}" for fault in faults]


def _words(fault: Mapping[str, Any]) -> str:
    return PLAIN.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
