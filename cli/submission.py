"""A submission's body, from options or from JSON."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PACKED = ".gz"
_VARIANT = re.compile(r"(?P<name>[\w-]+):(?P<size>auto|\d+x\d+)(?::(?P<quality>[a-z]+))?")


_RENDITION = re.compile(
    r"(?P<name>[a-z0-9-]+):(?P<width>\d+)(?:x(?P<height>\d+))?"
    r"(?::(?P<format>webp|avif|jpeg|png))?(?::(?P<quality>\d+))?(?::(?P<fit>inside|cover|contain))?"
)
_ONE_OF_MANY = {"variants": "variant", "images": "image", "pools": "pool", "renditions": "rendition"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `imagemill submit` can be told about a job of a manifest; None is left to the service."""

    id: str | None = None
    prompt: str | None = None
    where: str | None = None
    images: tuple[str, ...] = ()
    mask: str | None = None
    markup: str | None = None
    variants: tuple[str, ...] = ()
    model: str | None = None
    size: str | None = None
    quality: str | None = None
    format: str | None = None
    feed: str | None = None
    encoding: str | None = None
    n: int | None = None
    key: str | None = None
    limit_usd: str | None = None
    on_exhausted: str | None = None
    on_unknown: str | None = None
    name: str | None = None
    priority: int | None = None
    pools: tuple[str, ...] = ()
    renditions: tuple[str, ...] = ()

    @property
    def given(self) -> list[str]:
        """The options that were used, as they are typed."""
        names = [name for name in self.__dataclass_fields__ if getattr(self, name) not in (None, ())]
        return [f"--{_ONE_OF_MANY.get(name, name.replace('_', '-'))}" for name in names]

    def require(self, *names: str) -> None:
        """Raises `UsageError` unless all of these were used."""
        missing = sorted(set(names) - set(self.given), key=names.index)
        if missing:
            raise typer.BadParameter(f"a manifest also needs {', '.join(missing)}")


def manifest_format(path: Path, feed: str | None = None) -> str:
    """The format of a manifest: that of its feed, else by its name's end, packed or not."""
    if feed is not None:
        return feed
    name = Path(path.stem) if path.suffix.lower() == PACKED else path
    form = FORMATS.get(name.suffix.lower())
    if form is None:
        raise typer.BadParameter(
            f"{path.name}: a manifest's name ends with {', '.join(FORMATS)}, or with {PACKED} after that; "
            "for a feed, say which one with --feed"
        )
    return form


def manifest_body(options: Options, form: str) -> dict[str, Any]:
    """The submission of a manifest, but for its file's id."""
    manifest = {
        "format": form,
        "encoding": options.encoding,
        "id": options.id,
        "prompt": options.prompt,
        "where": options.where,
        "images": list(options.images) or None,
        "mask": options.mask,
        "markup": options.markup,
        "variants": [variant(text) for text in options.variants] or None,
    }
    defaults = {
        "model": options.model,
        "size": options.size,
        "quality": options.quality,
        "output_format": options.format,
        "n": options.n,
    }
    return _said(
        {
            "name": options.name,
            "defaults": _said(defaults),
            "manifest": _said(manifest),
            "output": None if options.key is None else {"key": options.key},
            "budget": _said({"limit_usd": options.limit_usd, "on_exhausted": options.on_exhausted}),
            "on_unknown": options.on_unknown,
            "priority": options.priority,
            "pools": list(options.pools) or None,
            "renditions": [rendition(text) for text in options.renditions] or None,
        }
    )


def variant(text: str) -> dict[str, str]:
    """Reads `name:size[:quality]`."""
    found = _VARIANT.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no variant; one looks like banner:1536x1024 or hero:auto:high")
    return _said(found.groupdict())


def rendition(text: str) -> dict[str, Any]:
    """Reads `name:width[xheight][:format][:quality][:fit]`."""
    found = _RENDITION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no rendition; one looks like web:800x800:webp:80 or card:600x400:avif:60:cover"
        )
    said = _said(found.groupdict())
    return said | {name: int(said[name]) for name in ("width", "height", "quality") if name in said}


def read_job(source: str) -> dict[str, Any]:
    """A whole submission, from a JSON file, or from standard input for `-`."""
    try:
        body = json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{source} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(f"the submission is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise typer.BadParameter("the submission is JSON, but no object")
    return body


def with_file(body: dict[str, Any], file_id: str) -> dict[str, Any]:
    """The submission with the uploaded file as its manifest."""
    return body | {"manifest": body["manifest"] | {"file_id": file_id}}


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
