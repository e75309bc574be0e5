"""The reference of the command line, from the command line itself."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer

from cli.exits import MEANINGS
from cli.main import app
from cli.naming import FIELDS

INTRO = """\
Commands find the stack that `imagemill dev` runs in this folder or one above, or the service of `--url` or
`IMAGEMILL_URL`, whose key is read from `IMAGEMILL_API_KEY`. The how-to "From the command line"
shows them at work."""
OUTPUT = """\
## Output

Standard output has what was asked for, and nothing else: the id that `submit` prints can be read by a script.
Progress, questions and sentences go to standard error. With `--json`, standard output has one JSON document,
as the service answered it; lists, and what is watched, have one document a line. What is awaited and retried
is said on standard error there too. The commands that become a program, `dev`, `worker`, `api` and `demo`,
have no `--json`; `jobs export` writes JSONL or CSV as it is."""
NAMES = """\
What `imagemill results --as` takes, with anything that a path can have between. What a value has of `/`
becomes `_`: only the pattern makes folders. A field that is not here is an error, and so are two images of
one name, before anything is written."""
COMPLETION = """\
## Completion

`imagemill --install-completion` teaches the shell commands and options, and the ids of jobs, files, events
and schedules: they are asked of the service, within a second and a half or not at all."""


def cli_page(generated: str) -> str:
    """The page."""
    root: Any = typer.main.get_command(app)
    commands = list(_commands(root, ("imagemill",)))
    parts = [
        generated,
        "# Command line",
        INTRO,
        OUTPUT,
        "## Exit codes",
        _table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in MEANINGS.items()]),
        COMPLETION,
        "## Names of downloaded images",
        NAMES,
        _table(("field", "what it is"), [(f"`{{{name}}}`", text) for name, text in FIELDS.items()]),
        "## Commands",
        *("\n\n".join(_command(words, command)) for words, command in commands),
    ]
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that are not hidden, a family's after it."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _command(words: tuple[str, ...], command: Any) -> Iterator[str]:
    yield f"### {' '.join(words)}"
    yield _about(inspect.cleandoc(command.help or ""))
    options = [each for each in command.params if each.name != "help"]
    if options:
        yield _table(("", "what it does"), [(_name(each), _said(each)) for each in options])


def _about(text: str) -> str:
    """The help, its examples as blocks."""
    paragraphs = text.replace("\f", "").split("\n\n")
    return "\n\n".join(
        f"```sh\n{re.sub(chr(10) + ' *', ' ', each.removeprefix('Example: '))}\n```"
        if each.startswith("Example: ")
        else each
        for each in paragraphs
    )


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    names = ", ".join(f"`{each}`" for each in (*param.opts, *param.secondary_opts))
    return names if param.is_flag else f"{names} `{param.metavar or _kind(_annotation(param))}`"


def _annotation(param: Any) -> Any:
    """What its value becomes; of one that may be repeated, each of them."""
    kind = param.type_descriptor.annotation
    return get_args(kind)[0] if get_args(kind) else kind


def _kind(kind: type) -> str:
    if issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def _said(param: Any) -> str:
    said = [param.help or ""]
    if param.required:
        said.append("Required.")
    if param.min is not None:
        said.append(f"{param.min:g} or more." if param.max is None else f"{param.min:g} to {param.max:g}.")
    default = _default(param)
    if default:
        said.append(f"Default: {default}.")
    if param.envvar:
        said.append(f"Also by `{param.envvar}`.")
    return " ".join(word for word in said if word)


def _default(param: Any) -> str:
    shown = getattr(param, "show_default", None)
    if isinstance(shown, str):
        return shown
    default = param.default
    if param.required or default in (None, False, (), []) or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(map(_cell, row)) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
