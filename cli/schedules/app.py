"""`imagemill schedules`: jobs that are submitted by themselves, by the calendar."""

from typing import Annotated, Any

import typer

from cli import completion
from cli.client import Client
from cli.ids import ScheduleId, checked
from cli.option_groups import grouped
from cli.running import run, whisper
from cli.schedules.answers import Preview, Run, Schedule
from cli.schedules.making import create, edit
from cli.schedules.options import When
from cli.schedules.words import preview_lines, schedule_lines
from cli.service import Url
from cli.spans import moment_of
from cli.telling import All, AsJson, AsLines, Most, tell, tell_list

schedules = typer.Typer(no_args_is_help=True, help="Schedules: jobs that are submitted by the calendar.")
schedules.command()(create)
PAGE = 100
Note = Annotated[str | None, typer.Option(help="Why, for people.")]


@schedules.command(name="list")
def list_schedules(*, limit: Most = 100, all_: All = False, json: AsLines = False, url: Url = None) -> None:
    """Lists schedules."""
    run(url, lambda client: _list(client, None if all_ else limit, json=json))


async def _list(client: Client, most: int | None, *, json: bool) -> int:
    entries = client.listed("/v1/schedules", {}, most, whisper, PAGE)
    head = ("Schedule", "State", "Next", "Name")
    await tell_list(entries, head, _row, json=json, text=4, cut=3, none="There are no schedules.")
    return 0


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    following = entry["next"][0]["local"][:16].replace("T", " ") if entry["next"] else "-"
    return entry["id"], entry["state"], following, entry["name"]


@schedules.command()
def show(schedule: ScheduleId, *, json: AsJson = False, url: Url = None) -> None:
    """Shows a schedule: when it runs, what it may spend, what it did last."""
    run(url, lambda client: _schedule(client, "GET", f"/v1/schedules/{schedule}", json=json))


schedules.command()(edit)


@schedules.command()
def pause(schedule: ScheduleId, *, note: Note = None, json: AsJson = False, url: Url = None) -> None:
    """Pauses a schedule: it starts nothing until it is resumed. Runs that exist go on.

    Example: imagemill schedules pause SCHEDULE --note 'the shop is closed'
    """
    run(url, lambda client: _schedule(client, "POST", f"/v1/schedules/{schedule}/pause", note, json=json))


@schedules.command()
def resume(schedule: ScheduleId, *, note: Note = None, json: AsJson = False, url: Url = None) -> None:
    """Lets a paused schedule go on."""
    run(url, lambda client: _schedule(client, "POST", f"/v1/schedules/{schedule}/resume", note, json=json))


async def _schedule(client: Client, method: str, path: str, note: str | None = None, *, json: bool) -> int:
    more: dict[str, Any] = {} if note is None else {"json": {"note": note}}
    told = await client.ask(Schedule, method, path, **more)
    tell(told.document, schedule_lines(told.model), json=json)
    return 0


@schedules.command()
def trigger(schedule: ScheduleId, *, json: AsJson = False, url: Url = None) -> None:
    """Runs a schedule now, whatever the calendar says. Its runs then show the job."""
    run(url, lambda client: _trigger(client, schedule, json=json))


async def _trigger(client: Client, schedule: str, *, json: bool) -> int:
    found = await client.call("POST", f"/v1/schedules/{schedule}/trigger")
    said = found.get("job") or f"{schedule} runs; see imagemill schedules runs {schedule}"
    tell(found, [said], json=json)
    return 0


@schedules.command()
def backfill(
    schedule: ScheduleId,
    *,
    start: Annotated[str, typer.Option(metavar="MOMENT", help="From then.")],
    end: Annotated[str, typer.Option(metavar="MOMENT", help="Until then.")],
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Runs a schedule for the times of a range that it has not run for.

    Example: imagemill schedules backfill SCHEDULE --start 2026-11-01 --end 2026-11-15
    """
    body = {"start": moment_of(start), "end": moment_of(end)}
    run(url, lambda client: _backfill(client, schedule, body, json=json))


async def _backfill(client: Client, schedule: str, body: dict[str, str], *, json: bool) -> int:
    found = await client.call("POST", f"/v1/schedules/{schedule}/backfill", json=body)
    times = int(found.get("times", 0))
    tell(
        found,
        [f"{times:,} time{'' if times == 1 else 's'} in the range; times that have run make no second job"],
        json=json,
    )
    return 0


@schedules.command()
@grouped
def preview(
    schedule: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCHEDULE]",
            help="One that exists; without it, say --cron or --every.",
            callback=checked("a schedule", "sched_01J9ZC3V5N8Q4T6W7XKABCDEFG"),
            autocompletion=completion.schedules,
        ),
    ] = None,
    *,
    when: When,
    count: Annotated[int, typer.Option(min=1, max=100, help="So many times.")] = 10,
    json: AsJson = False,
    url: Url = None,
) -> None:
    """Says in words and dates when a schedule runs next, or when one would; saves nothing.

    Example: imagemill schedules preview --cron '0 6 * * 1' --time-zone Europe/Berlin
    """
    if (schedule is None) == (not when.spec):
        raise typer.BadParameter("give a schedule's id, or when to run: --cron or --every")
    run(url, lambda client: _preview(client, schedule, when.spec, count, json=json))


async def _preview(
    client: Client, schedule: str | None, spec: dict[str, Any], count: int, *, json: bool
) -> int:
    if schedule is None:
        body = {"spec": spec, "count": count}
        told = await client.ask(Preview, "POST", "/v1/schedules/preview", json=body)
    else:
        query = {"count": str(count)}
        told = await client.ask(Preview, "GET", f"/v1/schedules/{schedule}/preview", params=query)
    tell(told.document, preview_lines(told.model), json=json)
    return 0


@schedules.command()
def runs(
    schedule: ScheduleId, *, limit: Most = 50, all_: All = False, json: AsLines = False, url: Url = None
) -> None:
    """Lists the runs of a schedule, the newest first, each with its job."""
    run(url, lambda client: _runs(client, schedule, None if all_ else limit, json=json))


async def _runs(client: Client, schedule: str, most: int | None, *, json: bool) -> int:
    entries = client.listed(f"/v1/schedules/{schedule}/runs", {}, most, whisper, PAGE)
    head = ("Run", "At (UTC)", "Job", "State", "Held for")
    await tell_list(entries, head, _run, json=json, text=5, cut=4, none="It has not run yet.")
    return 0


def _run(entry: dict[str, Any]) -> tuple[str, ...]:
    found = Run.model_validate(entry)
    return f"{found.number}", f"{found.at:%Y-%m-%d %H:%M}", found.job or "-", found.state, found.hold or ""


@schedules.command()
def delete(schedule: ScheduleId, *, json: AsJson = False, url: Url = None) -> None:
    """Deletes a schedule. Runs that exist go on."""
    run(url, lambda client: _delete(client, schedule, json=json))


async def _delete(client: Client, schedule: str, *, json: bool) -> int:
    await client.call("DELETE", f"/v1/schedules/{schedule}")
    tell({"id": schedule, "deleted": True}, [f"{schedule} is gone; its jobs go on"], json=json)
    return 0
