"""A submission's body, from options or from JSON."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from cli.submit_options import Options

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PACKED = ".gz"
_VARIANT = re.compile(r"(?P<name>[\w-]+):(?P<size>auto|\d+x\d+)(?::(?P<quality>[a-z]+))?")
_RENDITION = re.compile(
    r"(?P<name>[a-z0-9-]+):(?P<width>\d+)(?:x(?P<height>\d+))?"
    r"(?::(?P<format>webp|avif|jpeg|png))?(?::(?P<quality>\d+))?(?::(?P<fit>inside|cover|contain))?"
)


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
        "images": list(options.images or ()) or None,
        "mask": options.mask,
        "markup": options.markup,
        "variants": [variant(text) for text in options.variants or ()] or None,
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
            "reuse": options.reuse,
            "webhook": None if options.webhook is None else {"url": options.webhook},
            "metadata": notes(options.metadata or ()) or None,
            "pools": list(options.pools or ()) or None,
            "renditions": [rendition(text) for text in options.renditions or ()] or None,
        }
    )


def variant(text: str | dict[str, Any]) -> dict[str, Any]:
    """Reads `name:size[:quality]`; a template may also have the variant itself."""
    if isinstance(text, dict):
        return text
    found = _VARIANT.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no variant; one looks like banner:1536x1024 or hero:auto:high")
    return _said(found.groupdict())


def rendition(text: str | dict[str, Any]) -> dict[str, Any]:
    """Reads `name:width[xheight][:format][:quality][:fit]`; a template may also have the rendition itself."""
    if isinstance(text, dict):
        return text
    found = _RENDITION.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no rendition; one looks like web:800x800:webp:80 or card:600x400:avif:60:cover"
        )
    said = _said(found.groupdict())
    return said | {name: int(said[name]) for name in ("width", "height", "quality") if name in said}


def notes(words: Iterable[str]) -> dict[str, str]:
    """Reads `KEY=VALUE`, any number of them."""
    found = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not key or not sign:
            raise typer.BadParameter(f"{word!r} is no note; one looks like season=spring")
        found[key] = value
    return found


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
