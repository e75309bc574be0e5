"""`imagemill files`: what was uploaded, and uploading."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers import File
from cli.client import Client
from cli.downloads import Downloads
from cli.errors import CliError
from cli.fetch import scratch_for
from cli.files.sending import Upload, send_file
from cli.ids import FileId, UploadId, checked
from cli.running import run, whisper
from cli.service import Url
from cli.telling import All, AsJson, AsLines, Most, facts, tell, tell_list

files = typer.Typer(no_args_is_help=True, help="Files that jobs can name: upload, list, fetch, delete.")


@files.command(name="list")
def list_files(*, limit: Most = 100, all_: All = False, json: AsLines = False, url: Url = None) -> None:
    """Lists files in the order in which they were uploaded."""
    run(url, lambda client: _list(client, None if all_ else limit, json=json))


async def _list(client: Client, most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/files", {}, most, whisper)
    head = ("Id", "Name", "Uploaded", "Bytes")
    await tell_list(entries, head, _row, json=json, text=3, cut=1, none="There are no files.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return entry["id"], entry["filename"], entry["created_at"][:16].replace("T", " "), f"{entry['bytes']:,}"


@files.command()
def show(file: FileId, *, json: AsJson = False, url: Url = None) -> None:
    """Shows what is known of a file."""
    run(url, lambda client: _show(client, file, json=json))


async def _show(client: Client, file: str, *, json: bool) -> int:
    told = await client.ask(File, "GET", f"/v1/files/{file}")
    tell(told.document, _facts(told.model), json=json)
    return 0


def _facts(file: File) -> list[str]:
    uploaded = file.created_at and f"{file.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return facts(
        [
            ("File", file.id),
            ("Name", file.filename),
            ("Bytes", f"{file.bytes:,}"),
            ("SHA-256", file.sha256),
            ("Uploaded", uploaded),
        ]
    )


@files.command()
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The file.")],
    *,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="UPLOAD",
            help="Go on with an upload in parts that broke off.",
            callback=checked("an upload", "upload_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
        ),
    ] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Uploads a file and prints its id. A large one goes in parts, and outlives a lost connection.

    Example: imagemill files upload catalog.csv
    """
    run(url, lambda client: _upload(client, file, resume, json=json))


async def _upload(client: Client, path: Path, resume: str | None, *, json: bool) -> int:
    told = await send_file(client, path, say=whisper, resume=resume)
    tell(told.document, [told.model.id], json=json)
    return 0


@files.command()
def fetch(
    file: FileId,
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", dir_okay=False, show_default="its own name, here", help="The place."),
    ] = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Downloads a file that was uploaded."""
    run(url, lambda client: _fetch(client, file, to, json=json))


async def _fetch(client: Client, file: str, to: Path | None, *, json: bool) -> int:
    told = await client.ask(File, "GET", f"/v1/files/{file}")
    place = to or Path(Path(told.model.filename).name or file)
    if to is None and place.exists():
        raise CliError(f"{place} is there already; name another place with --to.")
    address = await client.address(f"/v1/files/{file}/content")
    try:
        async with Downloads() as downloads:
            with scratch_for(place) as content:
                async for piece in downloads.read(address):
                    content.write(piece)
    except OSError as error:
        raise CliError(f"{place} can't be written: {error.strerror}") from None
    tell(told.document | {"place": str(place)}, [str(place)], json=json)
    return 0


@files.command()
def delete(file: FileId, *, json: AsJson = False, url: Url = None) -> None:
    """Deletes a file. A job that has yet to read it will fail."""
    run(url, lambda client: _delete(client, f"/v1/files/{file}", file, json=json))


@files.command()
def parts(upload: UploadId, *, json: AsJson = False, url: Url = None) -> None:
    """Shows what has come of a file in parts."""
    run(url, lambda client: _parts(client, upload, json=json))


async def _parts(client: Client, upload: str, *, json: bool) -> int:
    told = await client.ask(Upload, "GET", f"/v1/uploads/{upload}")
    found = told.model
    of = "" if found.bytes is None else f" of {found.bytes:,}"
    rows = [
        ("Upload", found.id),
        ("Name", found.filename),
        ("Parts", f"{len(found.parts):,}"),
        ("Bytes", f"{found.received_bytes:,}{of}"),
        ("File", found.file and found.file.id),
    ]
    tell(told.document, facts(rows), json=json)
    return 0


@files.command(name="give-up")
def give_up(upload: UploadId, *, json: AsJson = False, url: Url = None) -> None:
    """Gives up a file in parts: what has come of it is gone."""
    run(url, lambda client: _delete(client, f"/v1/uploads/{upload}", upload, json=json))


async def _delete(client: Client, path: str, what: str, *, json: bool) -> int:
    await client.call("DELETE", path)
    tell({"id": what, "deleted": True}, [f"{what} is gone"], json=json)
    return 0
