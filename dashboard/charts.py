"""Charts as inline SVG, drawn here: no script, no inline style, colours by class.

Shapes stretch with the page (``preserveAspectRatio="none"``) and words are HTML beside them, so that both
can be read on a phone. A shape's colour is its tone, a class of the stylesheet: ``series-1`` to ``series-5``
in turn, or one with a meaning such as ``bar-settled``. Every chart says its figures in a table too.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

TONES = 5
"""The stylesheet has ``series-1`` to this; what comes after them is grey, ``series-rest``."""

WIDTH, HEIGHT = 1000, 200
"""The units of a drawing; it is stretched to its place."""

GAP = 0.25
"""The part of a bar's place that is left free."""

Show = Callable[[float], str]
"""A figure in words."""


@dataclass(frozen=True, slots=True)
class Series:
    """Figures that belong together, one for each label of the chart."""

    name: str
    values: Sequence[float]
    tone: str | None = None
    """None: the next colour in turn."""


@dataclass(frozen=True, slots=True)
class _Plot:
    """What a drawing is made of, with the colours of its series and the top of its scale."""

    name: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    show: Show
    top: float


def stacked_bars(
    name: str, title: str, labels: Sequence[str], series: Sequence[Series], show: Show = str
) -> Markup:
    """A bar for each label, usually a day, made of one piece for each series.

    Args:
        name: unlike all other charts' on the page; ids are made of it.
        title: what is shown, in words.
        labels: below the bars; the first, the middle and the last are printed.
        series: from the bottom up.
        show: how a figure is written.
    """
    toned = _toned(series)
    sums = [sum(each.values[n] for each in toned) for n in range(len(labels))]
    plot = _Plot(name, title, labels, toned, show, ceiling(max(sums, default=0)))
    return _figure(plot, Markup("").join(_column(plot, n) for n in range(len(labels))))


def areas(name: str, title: str, labels: Sequence[str], series: Sequence[Series], show: Show = str) -> Markup:
    """Areas upon each other, a point for each label; one series is a plain line with its area."""
    toned = _toned(series)
    levels = [[0.0] * len(labels)]
    for each in toned:
        levels.append([below + value for below, value in zip(levels[-1], each.values, strict=True)])
    plot = _Plot(name, title, labels, toned, show, ceiling(max(levels[-1], default=0)))
    shapes = [_area(plot, each, levels[n], levels[n + 1]) for n, each in enumerate(toned) if labels]
    return _figure(plot, Markup("").join(shapes))


def ceiling(value: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 with zeros."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


# --- tones ----------------------------------------------------------------------------------------


def tone_of(place: int) -> str:
    """The colour of the series at that place, counted from 0."""
    return f"series-{place + 1}" if place < TONES else "series-rest"


def _toned(series: Sequence[Series]) -> list[Series]:
    return [Series(each.name, each.values, each.tone or tone_of(n)) for n, each in enumerate(series)]


# --- shapes ---------------------------------------------------------------------------------------


def _column(plot: _Plot, place: int) -> Markup:
    """One bar; pointing at it tells its figures."""
    pieces = [(each, each.values[place]) for each in plot.series]
    told = "\n".join(f"{each.name}: {plot.show(value)}" for each, value in pieces if value)
    step, scale = WIDTH / len(plot.labels), HEIGHT / plot.top
    x, width = (place + GAP / 2) * step, step * (1 - GAP)
    ends = accumulate((value for _, value in pieces), initial=0.0)
    shapes = Markup("").join(
        rect(each.tone or "", (x, HEIGHT - (below + value) * scale), (width, value * scale))
        for (each, value), below in zip(pieces, ends, strict=False)
        if value > 0
    )
    reach = rect("chart-reach", (place * step, 0), (step, HEIGHT))
    return Markup("<g><title>{label}\n{told}</title>{reach}{shapes}</g>").format(
        label=plot.labels[place], told=told or "nothing", reach=reach, shapes=shapes
    )


def _area(plot: _Plot, series: Series, below: Sequence[float], above: Sequence[float]) -> Markup:
    line = _points(above, plot.top)
    back = reversed(list(_points(below, plot.top)))
    edge = Markup('<polyline class="line" points="{}"/>').format(" ".join(line))
    return Markup('<g class="{}"><title>{}</title><polygon class="area" points="{}"/>{}</g>').format(
        series.tone, series.name, " ".join([*line, *back]), edge
    )


def _points(values: Sequence[float], top: float) -> list[str]:
    """A lone point is drawn as a line from side to side."""
    values = [values[0], values[0]] if len(values) == 1 else values
    step = WIDTH / (len(values) - 1)
    return [f"{number(n * step)},{number(HEIGHT * (1 - value / top))}" for n, value in enumerate(values)]


def rect(tone: str, corner: tuple[float, float], size: tuple[float, float]) -> Markup:
    """A rectangle of a tone."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        tone, *(number(value) for value in (*corner, *size))
    )


def number(value: float) -> str:
    """A coordinate, as short as it can be said."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


# --- words ----------------------------------------------------------------------------------------


def _figure(plot: _Plot, shapes: Markup) -> Markup:
    """A drawing with its axes, its legend, and its figures as a table."""
    sums = [f"{each.name} {plot.show(sum(each.values))}" for each in plot.series]
    keys = [(each.tone or "", each.name, "") for each in plot.series] if len(plot.series) > 1 else []
    lines = Markup("").join(
        Markup('<line class="chart-grid" x1="0" x2="{}" y1="{}" y2="{}"/>').format(WIDTH, y, y)
        for y in (0, HEIGHT // 2, HEIGHT)
    )
    return Markup(
        '<figure class="chart" id="{id}"><figcaption class="hidden">{title}</figcaption>'
        '<div class="chart-plot"><div class="chart-scale" aria-hidden="true">{scale}</div>'
        '<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        'aria-labelledby="{id}-title {id}-desc"><title id="{id}-title">{title}</title>'
        '<desc id="{id}-desc">{desc}</desc>{lines}{shapes}</svg>'
        '<div class="chart-labels" aria-hidden="true">{labels}</div></div>{legend}{table}</figure>'
    ).format(
        id=plot.name,
        title=plot.title,
        scale=_spans(plot.show(value) for value in (plot.top, plot.top / 2, 0)),
        width=WIDTH,
        height=HEIGHT,
        desc=", ".join(sums) or "nothing",
        lines=lines,
        shapes=shapes,
        labels=_spans(_printed(plot.labels)),
        legend=legend(keys),
        table=_table(plot),
    )


def _printed(labels: Sequence[str]) -> list[str]:
    """Those of the labels that there is room for."""
    if len(labels) <= 3:
        return list(labels)
    return [labels[0], labels[len(labels) // 2], labels[-1]]


def _spans(texts: Iterable[str]) -> Markup:
    return Markup("").join(Markup("<span>{}</span>").format(text) for text in texts)


def legend(keys: Sequence[tuple[str, str, str]]) -> Markup:
    """Colours and what they stand for: (tone, name, figure)."""
    entries = Markup("").join(
        Markup('<li><span class="swatch {}" aria-hidden="true"></span>{}{}</li>').format(
            tone, name, Markup(" <strong>{}</strong>").format(figure) if figure else ""
        )
        for tone, name, figure in keys
    )
    return Markup('<ul class="legend">{}</ul>').format(entries) if keys else Markup("")


def _table(plot: _Plot) -> Markup:
    """The figures of a drawing; rows of nothing but zeros are left out."""
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(each.name) for each in plot.series)
    rows = [(label, [each.values[n] for each in plot.series]) for n, label in enumerate(plot.labels)]
    body = Markup("").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(label, _cells(values, plot.show))
        for label, values in rows
        if any(values)
    )
    return Markup(
        '<details class="chart-table"><summary>These figures as a table</summary>'
        '<div class="scrolls" tabindex="0" role="region" aria-label="{title}"><table class="table">'
        '<caption class="hidden">{title}</caption><thead><tr><td></td>{heads}</tr></thead>'
        "<tbody>{body}</tbody></table></div></details>"
    ).format(title=plot.title, heads=heads, body=body)


def _cells(values: Iterable[float], show: Show) -> Markup:
    return Markup("").join(Markup('<td class="end">{}</td>').format(show(value)) for value in values)
