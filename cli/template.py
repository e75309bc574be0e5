"""A template: what a job of a manifest is like, kept in a file of TOML or JSON.

    id = "{{ row.Handle }}"
    prompt = "Studio photo of {{ row.Title }}"
    variants = ["square:1024x1024", "banner:1536x1024:high"]
    model = "gpt-image-2.5-flare"
    cap = "25.00"

    [defaults]
    background = "transparent"

Its keys are the options of `imagemill submit`, with _ for -; beside them it may have the sections of a
submission, as the HTTP API takes them, for what has no option.
"""

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from cli.submit_options import Options

SECTIONS = ("defaults", "manifest", "output", "budget", "webhook", "metadata", "prices")
_ALIASES = {
    "variant": "variants",
    "image": "images",
    "pool": "pools",
    "rendition": "renditions",
    "cap": "limit_usd",
}
_LISTS = ("variants", "images", "pools", "renditions")


@dataclass(frozen=True, slots=True)
class Template:
    """What a file of a template says.

    Attributes:
        options: the options in it.
        sections: parts of the submission itself.
    """

    options: dict[str, Any]
    sections: dict[str, Any]

    def under(self, options: Options) -> Options:
        """All options: what was typed wins over what the template says."""
        return replace(
            options, **{name: said for name, said in self.options.items() if name not in options.used}
        )


def read_template(path: Path) -> Template:
    """Reads a template.

    Raises:
        BadParameter: it can't be read, is neither TOML nor JSON, or has a key that nobody knows.
    """
    options: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for key, value in _content(path).items():
        name = _ALIASES.get(key, key).replace("-", "_")
        if name in SECTIONS and isinstance(value, dict):
            sections[name] = value
        elif name in Options.__dataclass_fields__:
            options[name] = _value(path, name, value)
        else:
            known = ", ".join(sorted({*Options.__dataclass_fields__, *SECTIONS, "cap"}))
            raise typer.BadParameter(f"{path.name}: nothing is named {key!r}; there are {known}")
    return Template(options, sections)


def merged(body: dict[str, Any], sections: dict[str, Any]) -> dict[str, Any]:
    """A submission with the sections of a template, over which it wins."""
    whole = dict(sections)
    for name, value in body.items():
        below = whole.get(name)
        whole[name] = below | value if isinstance(below, dict) and isinstance(value, dict) else value
    return whole


def _content(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise typer.BadParameter(f"{path.name} is no {kind}: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path.name} is JSON, but no object")
    return found


def _value(path: Path, name: str, value: Any) -> Any:
    if name in _LISTS:
        if not isinstance(value, list):
            raise typer.BadParameter(f'{path.name}: {name} is a list, such as ["…"]')
        return value
    if name in ("priority", "n"):
        return value
    if isinstance(value, dict | list):
        raise typer.BadParameter(f"{path.name}: {name} is one value, not several")
    return str(value)
