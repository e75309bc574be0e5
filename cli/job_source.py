"""Where a submission comes from: a manifest with options and a template, or a file of JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.files.sending import send_file
from cli.running import whisper
from cli.submission import manifest_body, manifest_format, read_job, with_file
from cli.submit_options import Options
from cli.template import Template, merged, read_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Options that name files."""

    job: Annotated[
        str | None,
        typer.Option(
            "--job", metavar="FILE", help="A whole submission as JSON instead; - is standard input."
        ),
    ] = None
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A file of TOML (or .json) with these options in it; what is typed wins.",
        ),
    ] = None


Manifest = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", exists=True, dir_okay=False, help="The manifest: CSV, JSONL or a feed, or gzip of it."
    ),
]


def body_of(file: Path | None, source: Source, options: Options, *, capped: bool = True) -> dict[str, Any]:
    """The submission, but for the id of a file that is still to be uploaded.

    Args:
        file: the manifest.
        source: where the rest is.
        options: what was typed.
        capped: there has to be a cap. An estimate does without one.
    """
    if source.job is not None:
        return _from_json(file, source, options)
    if file is None:
        raise typer.BadParameter("give a manifest FILE, or --job")
    template = Template({}, {}) if source.template is None else read_template(source.template)
    whole = template.under(options)
    form = manifest_format(file, whole.feed)
    _require(whole, template, capped=capped)
    return merged(manifest_body(whole, form), template.sections)


async def uploaded(client: Client, body: dict[str, Any], file: Path | None) -> dict[str, Any]:
    """The whole submission: uploads the manifest, if there is one; tries again for a few seconds."""
    if file is None:
        return body
    return with_file(body, (await send_file(client, file, say=whisper)).model.id)


def _require(options: Options, template: Template, *, capped: bool) -> None:
    """The least that a manifest needs, wherever it is said."""
    said = {
        "--id": "id" in template.sections.get("manifest", {}),
        "--prompt": "prompt" in template.sections.get("manifest", {}),
        "--model": "model" in template.sections.get("defaults", {}),
        "--limit-usd": "limit_usd" in template.sections.get("budget", {}),
    }
    needed = [
        *(() if options.feed else ("--id", "--prompt")),
        "--model",
        *(["--limit-usd"] if capped else []),
    ]
    options.require(*(name for name in needed if not said[name]))


def _from_json(file: Path | None, source: Source, options: Options) -> dict[str, Any]:
    given = [*options.given, *([] if source.template is None else ["--template"])]
    if given:
        raise typer.BadParameter(f"--job says it all; leave out {', '.join(given)}")
    body = read_job(source.job or "-")
    if file is not None and not isinstance(body.get("manifest"), dict):
        raise typer.BadParameter("the submission has no manifest for FILE to be the file of")
    return body
