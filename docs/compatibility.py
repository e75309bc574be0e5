"""Would the HTTP API as it is now break a client of the last release?

Clients are written against ``docs/reference/openapi-v1.json``, the document of the last release. Whatever
they send must still be taken, and whatever they read must still come:

- a path, an operation, a status, a media type or a property of an answer may be added, not removed;
- a request may lose a condition, not gain one: a required property or parameter, a narrower type, fewer
  values, tighter bounds, another pattern;
- an answer keeps its types and what it always has. Its enumerations may grow, since new states and codes
  come with new features: clients have to expect values that they don't know.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

BASELINE = "docs/reference/openapi-v1.json"
Json = Mapping[str, Any]
Way = Literal["sent", "answered"]

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EXACT = ("pattern", "format", "multipleOf")


def breaks(old: Json, new: Json) -> list[str]:
    """What of the new document breaks a client of the old one: where, and what."""
    return list(_Comparison(old, new).found())


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: Json
    new: Json

    def found(self) -> Iterator[str]:
        """All of it, in the order of the old document."""
        for path, operations in self.old["paths"].items():
            there = self.new["paths"].get(path, {})
            for method, operation in operations.items():
                where = f"{method.upper()} {path}"
                if method not in there:
                    yield f"{where}: is gone"
                else:
                    yield from self._operation(where, operation, there[method])

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{where}: operationId was {old.get('operationId')}"
        yield from self._parameters(where, old.get("parameters", ()), new.get("parameters", ()))
        yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            if status not in new["responses"]:
                yield f"{where}: {status} is answered no more"
            else:
                yield from self._answer(f"{where}: {status}", answer, new["responses"][status])

    def _parameters(self, where: str, old: Sequence[Json], new: Sequence[Json]) -> Iterator[str]:
        before = {(each["in"], each["name"].lower()): each for each in old}
        after = {(each["in"], each["name"].lower()): each for each in new}
        for key, parameter in before.items():
            name = f"{where}: {parameter['in']} parameter {parameter['name']}"
            if key not in after:
                yield f"{name}: is taken no more"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{name}: is required now"
            yield from self._schema(name, parameter["schema"], after[key]["schema"], "sent")
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield f"{where}: {key[0]} parameter {after[key]['name']}: is new, and required"

    def _body(self, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None:
            if new and new.get("required"):
                yield f"{where}: a body is required now"
            return
        if new is None:
            yield f"{where}: a body is taken no more"
            return
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body is required now"
        yield from self._contents(f"{where}: body", old["content"], new["content"], "sent")

    def _answer(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for name in sorted(old.get("headers", {}).keys() - new.get("headers", {}).keys()):
            yield f"{where}: header {name} is gone"
        for slug in sorted(set(old.get("x-problems", ())) - set(new.get("x-problems", ()))):
            yield f"{where}: problem {slug} is gone"
        yield from self._contents(where, old.get("content", {}), new.get("content", {}), "answered")

    def _contents(self, where: str, old: Json, new: Json, way: Way) -> Iterator[str]:
        for media, content in old.items():
            if media not in new:
                yield f"{where}: {media} is gone"
            else:
                yield from self._schema(where, content.get("schema", {}), new[media].get("schema", {}), way)

    # --- schemas ------------------------------------------------------------------------------

    def _schema(
        self, where: str, old: Json, new: Json, way: Way, seen: tuple[str, ...] = ()
    ) -> Iterator[str]:
        if "$ref" in old:
            if (key := f"{old['$ref']} {new.get('$ref')}") in seen:
                return  # a schema that holds itself
            seen = (*seen, key)
        old, new = _resolved(self.old, old), _resolved(self.new, new)
        olds, news = _choices(self.old, old), _choices(self.new, new)
        if len(olds) == len(news) == 1:
            yield from self._one(where, olds[0], news[0], way, seen)
        else:
            yield from self._several(where, olds, news, way, seen)

    def _several(
        self, where: str, olds: Sequence[Json], news: Sequence[Json], way: Way, seen: tuple[str, ...]
    ) -> Iterator[str]:
        """What was sent must fit one of the new choices; what is answered must be one of the old ones."""
        sources, targets = (olds, news) if way == "sent" else (news, olds)
        for source in sources:
            tried = [
                list(self._one(where, *((source, target) if way == "sent" else (target, source)), way, seen))
                for target in targets
            ]
            if all(tried):
                yield min(tried, key=len)[0]

    def _one(self, where: str, old: Json, new: Json, way: Way, seen: tuple[str, ...]) -> Iterator[str]:
        yield from _types(where, old, new, way)
        yield from _values(where, old, new, way)
        yield from _bounds(where, old, new, way)
        yield from self._properties(where, old, new, way, seen)
        for key, place in (("items", "[]"), ("additionalProperties", ".*")):
            before, after = old.get(key, True), new.get(key, True)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self._schema(f"{where}{place}", before, after, way, seen)
            elif way == "sent" and after is False and before is not False:
                yield f"{where}: unknown properties are refused now"

    def _properties(self, where: str, old: Json, new: Json, way: Way, seen: tuple[str, ...]) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: is gone"
            else:
                yield from self._schema(f"{where}.{name}", schema, after[name], way, seen)
        needed, still = set(old.get("required", ())), set(new.get("required", ()))
        if way == "sent":
            yield from (f"{where}.{name}: is required now" for name in sorted(still - needed))
        else:
            lost = sorted((needed - still) & after.keys())
            yield from (f"{where}.{name}: may be missing now" for name in lost)


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _choices(document: Json, schema: Json) -> list[Json]:
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return [one for each in schema[key] for one in _choices(document, _resolved(document, each))]
    return [schema]


def _types(where: str, old: Json, new: Json, way: Way) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    widened = way == "sent" and (after is None or (before, after) == ("integer", "number"))
    narrowed = way == "answered" and (before is None or (before, after) == ("number", "integer"))
    if before != after and not widened and not narrowed:
        yield f"{where}: was {before or 'anything'}, is {after or 'anything'}"


def _values(where: str, old: Json, new: Json, way: Way) -> Iterator[str]:
    """Of what is sent, the values that were taken; of what is answered, new ones may come."""
    if way == "answered":
        if "const" in old and old["const"] != new.get("const"):
            yield f"{where}: was always {old['const']}"
        return
    before, after = (each.get("enum", [each["const"]] if "const" in each else None) for each in (old, new))
    if after is not None:
        lost = [value for value in before or () if value not in after]
        if before is None:
            yield f"{where}: takes only {', '.join(map(str, after))} now"
        elif lost:
            yield f"{where}: takes {', '.join(map(str, lost))} no more"


def _bounds(where: str, old: Json, new: Json, way: Way) -> Iterator[str]:
    """Bounds of what is sent; of what is answered, only how it is written."""
    for key in EXACT:
        counts = key in new if way == "sent" else key == "format" and key in old
        if counts and old.get(key) != new.get(key):
            yield f"{where}: {key} was {old.get(key)}, is {new.get(key)}"
    if way == "sent":
        if "default" in old and old["default"] != new.get("default"):
            yield f"{where}: default was {old['default']}, is {new.get('default')}"
        for keys, tighter in ((LOWER, 1), (UPPER, -1)):
            for key in keys:
                before, after = old.get(key), new.get(key)
                if after is not None and (before is None or (after - before) * tighter > 0):
                    yield f"{where}: {key} was {before}, is {after}"


def broken_clients(root: Path, generated: str) -> list[str]:
    """What the generated document breaks of the release's; nothing where there was no release yet."""
    path = root / BASELINE
    if not path.is_file():
        return []
    found = breaks(json.loads(path.read_text(encoding="utf-8")), json.loads(generated))
    return [f"{BASELINE}: would break clients: {each}" for each in found]
