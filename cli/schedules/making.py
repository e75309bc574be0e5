"""`imagemill schedules create` and `edit`."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Client
from cli.ids import ScheduleId
from cli.job_source import Source, body_of, uploaded
from cli.option_groups import grouped
from cli.patience import patiently
from cli.running import run, whisper
from cli.schedules.answers import Schedule
from cli.schedules.options import From, Terms, When, over, read_schedule
from cli.schedules.words import schedule_lines
from cli.service import Url
from cli.submission import manifest_body, read_job
from cli.submit import Once
from cli.submit_options import CAP_OPTIONS, Options
from cli.telling import AsJson, tell
from cli.template import Template, merged, read_template


@grouped
def create(
    title: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A name for people.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="FILE", exists=True, dir_okay=False, help="Every run takes this file."
        ),
    ] = None,
    *,
    newest: Annotated[
        str | None,
        typer.Option(metavar="S3_URL", help="Every run takes the newest file below s3://bucket/prefix/."),
    ] = None,
    feed_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Every run takes what lies at this address then.")
    ] = None,
    manifest_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="csv or jsonl, with --newest and --feed-url.")
    ] = None,
    when: When,
    terms: Terms,
    paused: Annotated[bool, typer.Option("--paused", help="It runs only once it is resumed.")] = False,
    source: Source,
    options: Options,
    from_: From = None,
    idempotency_key: Once = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Makes a schedule and prints its id.

    The job that each run submits comes from --job, or is said as `imagemill submit` takes it, with a manifest
    that is one file, the newest below a prefix, or what lies at an address. Its templates may use run.date
    and run.number. Its cap is that of each run.

    Example: imagemill schedules create weekly --cron '0 6 * * 1' --time-zone Europe/Berlin
    --job posts.json --month-usd 50
    """
    whole = over(read_schedule(from_), when, terms) | ({"paused": True} if paused else {})
    whole |= {} if title is None else {"name": title}
    elsewhere = _elsewhere(newest, feed_url)
    if file or elsewhere or source.job or source.template or options.given or "job" not in whole:
        whole["job"] = _job(file, elsewhere, manifest_format, source, options)
    for field, how in (("name", "a NAME"), ("spec", "--cron, --every or --from")):
        if not whole.get(field):
            raise typer.BadParameter(f"a schedule also needs {how}")
    once = idempotency_key or secrets.token_hex(16)
    run(url, lambda client: _create(client, whole, file, once, json=json))


def _elsewhere(newest: str | None, feed_url: str | None) -> dict[str, str]:
    if newest and feed_url:
        raise typer.BadParameter("--newest and --feed-url are two sources; give one")
    return {"newest": newest} if newest else {"url": feed_url} if feed_url else {}


def _job(
    file: Path | None, elsewhere: dict[str, str], form: str | None, source: Source, options: Options
) -> dict[str, Any]:
    """What every run submits."""
    if not elsewhere:
        if file is None and source.job is None:
            raise typer.BadParameter("say what to submit: --job, or --manifest, --newest or --feed-url")
        return body_of(file, source, options)
    if file is not None:
        raise typer.BadParameter("--manifest is a source of its own; leave out --newest and --feed-url")
    if source.job is not None:
        body = read_job(source.job)
        return body | {"manifest": (body.get("manifest") or {}) | {"source": elsewhere}}
    template = Template({}, {}) if source.template is None else read_template(source.template)
    whole = template.under(options)
    body = merged(manifest_body(whole, whole.feed or form or "csv"), template.sections)
    return body | {"manifest": body["manifest"] | {"source": elsewhere}}


async def _create(client: Client, body: dict[str, Any], file: Path | None, key: str, *, json: bool) -> int:
    whole = body | {"job": await uploaded(client, body["job"], file)}
    headers = {"Idempotency-Key": key}
    told = await patiently(
        lambda: client.ask(Schedule, "POST", "/v1/schedules", json=whole, headers=headers), say=whisper
    )
    tell(told.document, [told.model.id], json=json)
    whisper(f"{told.model.words}. See when: imagemill schedules preview {told.model.id}")
    return 0


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed besides times and terms.

    Attributes:
        body: fields of the schedule as they are to be.
        limit_usd: the cap of each run.
    """

    body: dict[str, Any]
    limit_usd: str | None

    def over(self, now: dict[str, Any], when: When, terms: Terms) -> dict[str, Any]:
        """All that changes. The service takes spec, budget and job whole: what is not said stays in them."""
        full = over({name: self.body.get(name, now.get(name)) for name in ("spec", "budget")}, when, terms)
        body = self.body | terms.body
        if when.spec:
            body["spec"] = full["spec"]
        if "budget" in terms.body:
            kept = ("month_usd", "time_zone")
            body["budget"] = {name: full["budget"][name] for name in kept if full["budget"].get(name)}
        if self.limit_usd is not None:
            job = self.body.get("job", now["job"])
            body["job"] = job | {"budget": (job.get("budget") or {}) | {"limit_usd": self.limit_usd}}
        return body


@grouped
def edit(
    schedule: ScheduleId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    when: When,
    terms: Terms,
    limit_usd: Annotated[
        str | None, typer.Option(*CAP_OPTIONS, metavar="USD", help="Another cap of each run.")
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="FILE", help="Another submission, as JSON; - is standard input.")
    ] = None,
    from_: From = None,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Changes a schedule; what is not given stays. Runs that exist go on as they are.

    Example: imagemill schedules edit SCHEDULE --cron '0 7 * * 1' --cap 10
    """
    body = read_schedule(from_) | ({} if name is None else {"name": name})
    if job is not None:
        body["job"] = read_job(job)
    if not (body or when.spec or terms.body or limit_usd):
        raise typer.BadParameter("say what to change; `imagemill schedules edit --help` lists it")
    change = Change(body, limit_usd)
    run(url, lambda client: _edit(client, schedule, change, when, terms, json=json))


async def _edit(
    client: Client, schedule: str, change: Change, when: When, terms: Terms, *, json: bool
) -> int:
    path = f"/v1/schedules/{schedule}"
    now = (await client.ask(Schedule, "GET", path)).document
    told = await client.ask(Schedule, "PATCH", path, json=change.over(now, when, terms))
    tell(told.document, schedule_lines(told.model), json=json)
    return 0
