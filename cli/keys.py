"""`imagemill keys`: the API keys in a file of tenants, for operators."""

import hashlib
import re
import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.caps import tenant_name
from cli.errors import harmless
from cli.running import outcome, whisper
from cli.tables import table
from cli.telling import AsJson, AsLines, print_json, print_line
from cli.tenants_file import KeyEntry, TenantsFile, change, moment

SCOPES = ("read", "submit", "admin")
TAKEN = "Services that run take it within a second or two, without a restart."

keys = typer.Typer(no_args_is_help=True, help="Makes, lists and revokes the API keys in a file of tenants.")


def _scopes(text: str) -> str:
    said = {scope.strip() for scope in text.split(",")}
    if unknown := sorted(said - set(SCOPES)):
        raise typer.BadParameter(f"{unknown[0]!r} is no scope; there are {', '.join(SCOPES)}")
    return ",".join(scope for scope in SCOPES if scope in said)


def _expires(text: str | None) -> str | None:
    if text is not None and moment(end_of(text)) <= datetime.now(UTC):
        raise typer.BadParameter(f"{text} has passed already")
    return text


def end_of(text: str) -> date:
    """When a key ends that was asked for until a day, or for so many days.

    Raises:
        BadParameter: it is neither.
    """
    try:
        if days := re.fullmatch(r"(\d{1,5})d", text):
            return datetime.now(UTC).replace(microsecond=0) + timedelta(days=int(days[1]))
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a day such as 2027-01-31 nor a time such as 90d"
        ) from None


def _name(text: str | None) -> str | None:
    if text is not None and not (0 < len(text) <= 100 and text.isprintable()):
        raise typer.BadParameter("a name has 1 to 100 characters that can be printed")
    return text


def _key_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{1,40}", text):
        # What was typed may be a whole key, and is not repeated.
        raise typer.BadParameter("that is no id of a key; `imagemill keys list` shows them")
    return text


File = Annotated[
    Path,
    typer.Option(
        "--file", envvar="IMAGEMILL_TENANTS_FILE", dir_okay=False, help="The file of tenants, in TOML."
    ),
]


@keys.command()
def create(
    *,
    tenant: Annotated[str, typer.Option(help="Whose key it is.", callback=tenant_name)],
    file: File,
    scopes: Annotated[
        str, typer.Option(help="What it may do: read, submit, admin; with commas between.", callback=_scopes)
    ] = "read,submit",
    expires: Annotated[
        str | None,
        typer.Option(metavar="DAY|DAYSd", help="2027-01-31, or 90d; never if unset.", callback=_expires),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is for.", callback=_name)] = None,
    json: AsJson = False,
) -> None:
    """Makes a key, puts its hash into the file, and prints the key: this once, and nothing else.

    A file or a tenant that is not there yet is made.

    Example: imagemill keys create --tenant shop-1 --expires 90d --file tenants.toml
    """
    entry = KeyEntry(
        tenant=tenant,
        id=secrets.token_hex(6),
        scopes=tuple(scopes.split(",")),
        expires=end_of(expires) if expires else None,
        name=name,
    )
    raise typer.Exit(outcome(lambda: _create(entry, file, json=json)))


def _create(entry: KeyEntry, path: Path, *, json: bool) -> int:
    key = f"im_{entry.id}_{secrets.token_hex(20)}"
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    tenants: list[str] = []

    def edit(file: TenantsFile) -> str:
        tenants.extend(file.tenants)
        return file.with_key(entry, sha256)

    change(path, edit, new=True)
    if json:
        print_json(_said(entry) | {"key": key})
    else:
        typer.echo(key)
    until = f", until {_end(entry)}" if entry.expires else ""
    if entry.tenant not in tenants:
        whisper(f"Tenant {entry.tenant} is new in {path}.")
    whisper(f"Key {entry.id} of tenant {entry.tenant} may {', '.join(entry.scopes)}{until}. {TAKEN}")
    whisper("Keep it now: the file has its hash alone.")
    return 0


@keys.command(name="list")
def list_keys(file: File, *, json: AsLines = False) -> None:
    """Shows all keys of the file, without their hashes."""
    raise typer.Exit(outcome(lambda: _list(file, json=json)))


def _list(path: Path, *, json: bool) -> int:
    found = list(TenantsFile.read(path).keys())
    if json:
        for key in found:
            print_line(_said(key))
        return 0
    rows = [(key.name or "-", key.id, key.tenant, ",".join(key.scopes), _end(key)) for key in found]
    for line in table(("Name", "Id", "Tenant", "Scopes", "Until"), rows, text=5):
        typer.echo(line)
    return 0


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id.", callback=_key_id)],
    file: File,
    *,
    json: AsJson = False,
) -> None:
    """Takes a key out of the file."""
    raise typer.Exit(outcome(lambda: _revoke(key, file, json=json)))


def _revoke(key_id: str, path: Path, *, json: bool) -> int:
    owners: list[str] = []

    def edit(file: TenantsFile) -> str:
        text, tenant = file.without_key(key_id)
        owners.append(tenant)
        return text

    change(path, edit)
    if json:
        print_json({"id": key_id, "tenant": owners[0], "revoked": True})
    whisper(f"Key {key_id} of tenant {harmless(owners[0])} is revoked. {TAKEN}")
    return 0


def _said(key: KeyEntry) -> dict[str, Any]:
    """What is known of a key, for programs."""
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "scopes": list(key.scopes),
        "expires_at": None if key.expires is None else moment(key.expires).astimezone(UTC).isoformat(),
        "expired": key.expired,
    }


def _end(key: KeyEntry) -> str:
    if key.expires is None:
        return "-"
    said = moment(key.expires).astimezone(UTC)
    text = f"{said:%Y-%m-%d}" if said.time() == datetime.min.time() else f"{said:%Y-%m-%dT%H:%M:%SZ}"
    return f"{text} (over)" if key.expired else text
