"""The engine's schedules in memory: cron to the minute, and intervals; it starts nothing by itself."""

from datetime import UTC, datetime, timedelta

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.messages import Times
from imagemill.domain.schedules import ALIASES, BEING_MADE, Calendar, Schedule, Spec, ranges
from imagemill.domain.windows import zone
from imagemill.ports import ScheduleChange, ScheduleFacts

MOST_DAYS = 800


class MemorySchedules:
    """Implements ``imagemill.ports.Schedules``.

    Attributes:
        kept: the schedules that there are, by id.
        facts: what is known of each; a test may change it.
        triggered: what was to run at once, in order.
        backfilled: the ranges that were to be run, and whether at once.
        asked: the ids of all schedules that were ever made, those to ask about included.
        away: so many of the next calls raise EngineUnavailable and do nothing.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Schedule] = {}
        self.facts: dict[str, ScheduleFacts] = {}
        self.triggered: list[tuple[str, datetime]] = []
        self.backfilled: list[tuple[str, datetime, datetime, bool]] = []
        self.asked: list[str] = []
        self.away = 0

    async def create(self, schedule: Schedule, times: Times) -> None:
        self._arrive()
        if schedule.id in self.kept:
            return
        self.asked.append(schedule.id)
        self.kept[schedule.id] = schedule
        self.facts[schedule.id] = ScheduleFacts(paused=True, note=BEING_MADE)

    async def describe(self, schedule: str) -> ScheduleFacts | None:
        self._arrive()
        if schedule not in self.kept:
            return None
        facts, now = self.facts[schedule], datetime.now(UTC)
        upcoming = times_of(self.kept[schedule].spec, now, now + timedelta(days=MOST_DAYS), 10)
        return ScheduleFacts(
            paused=facts.paused,
            note=facts.note,
            next=upcoming,
            runs_left=facts.runs_left,
            under_way=facts.under_way,
        )

    async def change(self, schedule: Schedule, times: Times, change: ScheduleChange) -> bool:
        self._arrive()
        if schedule.id not in self.kept:
            return False
        before = self.facts[schedule.id]
        self.kept[schedule.id] = schedule
        self.facts[schedule.id] = ScheduleFacts(
            paused=before.paused if change.paused is None else change.paused,
            note=before.note if change.note == "KEEP" else change.note,
            runs_left=before.runs_left if change.runs == "KEEP" else change.runs,
            under_way=before.under_way,
        )
        return True

    async def trigger(self, schedule: str, at: datetime) -> bool:
        self._arrive()
        if schedule not in self.kept:
            return False
        self.triggered.append((schedule, at))
        return True

    async def backfill(self, schedule: str, start: datetime, end: datetime, *, at_once: bool) -> bool:
        self._arrive()
        if schedule not in self.kept:
            return False
        self.backfilled.append((schedule, start, end, at_once))
        return True

    async def delete(self, schedule: str) -> None:
        self._arrive()
        self.kept.pop(schedule, None)

    async def times_of(self, schedule: str, start: datetime, end: datetime, most: int) -> list[datetime]:
        self._arrive()
        kept = self.kept.get(schedule)
        return times_of(kept.spec, start, end, most) if kept else []

    def _arrive(self) -> None:
        if self.away:
            self.away -= 1
            raise EngineUnavailable


def times_of(spec: Spec, start: datetime, end: datetime, most: int) -> list[datetime]:
    """Times by the minute, as the clock there shows them; a time that is skipped there does not come."""
    begin, until = max(start, spec.start or start), min(end, spec.end or end)
    days = min((until - begin).days + 2, MOST_DAYS)
    found: set[datetime] = set()
    if spec.every_seconds:
        first = -(-int(begin.timestamp()) // spec.every_seconds) * spec.every_seconds
        stop = min(int(until.timestamp()), first + most * spec.every_seconds)
        found |= {datetime.fromtimestamp(at, UTC) for at in range(first, stop + 1, spec.every_seconds)}
    there = zone(spec.time_zone)
    for cron in [*map(plain, spec.cron), *map(of_calendar, spec.calendars)]:
        minute, hour, day, month, weekday = (
            {each for a, b, step in ranges(name, text) for each in range(a, b + 1, step)}
            for name, text in zip(
                ("minute", "hour", "day_of_month", "month", "day_of_week"), cron, strict=True
            )
        )
        for number in range(-1, days):
            date = (begin.astimezone(there) + timedelta(days=number)).date()
            if date.day in day and date.month in month and date.isoweekday() % 7 in weekday:
                found |= {
                    datetime(date.year, date.month, date.day, h, m, tzinfo=there).astimezone(UTC)
                    for h in hour
                    for m in minute
                }
            if len(found) > most * 3:
                break
    return sorted(at for at in found if begin <= at <= until)[:most]


def plain(cron: str) -> list[str]:
    """The five fields of a cron expression; seconds and years are beyond this fake."""
    fields = ALIASES.get(cron.strip().lower(), cron).split()
    return fields[1:6] if len(fields) == 7 else fields[:5]


def of_calendar(calendar: Calendar) -> list[str]:
    """The same of a calendar."""
    return [calendar.minute, calendar.hour, calendar.day_of_month, calendar.month, calendar.day_of_week]
