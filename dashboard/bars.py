"""Horizontal bars as inline SVG: rows to compare, and parts of a whole. Colours are those of ``charts``."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts import WIDTH, Show, legend, rect, tone_of


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar."""

    name: str
    value: float
    tone: str | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar with its name, which may be a link; ``note`` stands below the name."""

    name: str
    parts: Sequence[Part]
    href: str | None = None
    note: str | None = None

    @property
    def value(self) -> float:
        """The whole of it."""
        return sum(part.value for part in self.parts)


def bars(
    name: str, title: str, rows: Sequence[Bar], show: Show = str, heads: tuple[str, str] = ("", "")
) -> Markup:
    """Horizontal bars, in a table that is the chart: name, bar and figure of each row.

    ``heads`` are the words above the names and above the figures.
    """
    most = max((row.value for row in rows), default=0) or 1
    body = Markup("").join(
        Markup(
            '<tr><th scope="row">{name}{note}</th><td class="bars-bar" aria-hidden="true">{bar}</td>'
            '<td class="end">{value}</td></tr>'
        ).format(name=_link(row), note=_note(row), bar=_strip(row.parts, most), value=show(row.value))
        for row in rows
    )
    return Markup(
        '<table class="table bars" id="{id}"><caption class="hidden">{title}</caption><thead><tr>'
        '<th scope="col">{first}</th><td></td><th scope="col" class="end">{second}</th></tr></thead>'
        "<tbody>{body}</tbody></table>"
    ).format(id=name, title=title, first=heads[0], second=heads[1], body=body)


def progress(
    name: str, title: str, parts: Sequence[Part], whole: float, show: Show = str, *, keys: bool = True
) -> Markup:
    """One bar of several parts against a whole, such as money against a cap; what is over it is cut off."""
    toned = _toned_parts(parts)
    desc = ", ".join(f"{part.name} {show(part.value)}" for part in toned) + f", of {show(whole)}"
    named = [(part.tone or "", part.name, show(part.value)) for part in toned]
    return Markup(
        '<figure class="chart chart-progress" id="{id}"><svg class="strip" viewBox="0 0 {width} 10" '
        'preserveAspectRatio="none" role="img" aria-labelledby="{id}-title {id}-desc">'
        '<title id="{id}-title">{title}</title><desc id="{id}-desc">{desc}</desc>'
        '<rect class="strip-back" width="{width}" height="10"/>{shapes}</svg>{legend}</figure>'
    ).format(
        id=name,
        width=WIDTH,
        title=title,
        desc=desc,
        shapes=_pieces(toned, whole, show),
        legend=legend(named) if keys else "",
    )


# --- shapes ---------------------------------------------------------------------------------------


def _toned_parts(parts: Sequence[Part]) -> list[Part]:
    return [Part(each.name, each.value, each.tone or tone_of(n)) for n, each in enumerate(parts)]


def _strip(parts: Sequence[Part], most: float) -> Markup:
    """The bar of one row."""
    return Markup(
        '<svg class="strip" viewBox="0 0 {width} 10" preserveAspectRatio="none" focusable="false">'
        "{shapes}</svg>"
    ).format(width=WIDTH, shapes=_pieces(_toned_parts(parts), most, None))


def _pieces(parts: Sequence[Part], whole: float, show: Show | None) -> Markup:
    """Pieces side by side; what is above nothing can be seen, however little it is."""
    x, shapes = 0.0, []
    for part in parts:
        if part.value <= 0 or x >= WIDTH:
            continue
        width = min(WIDTH - x, max(2.0, WIDTH * part.value / whole if whole > 0 else WIDTH))
        title = Markup("<title>{}: {}</title>").format(part.name, show(part.value)) if show else Markup("")
        shapes.append(Markup("<g>{}{}</g>").format(title, rect(part.tone or "", (x, 0), (width, 10))))
        x += width
    return Markup("").join(shapes)


def _link(row: Bar) -> Markup:
    return (
        Markup('<a href="{}">{}</a>').format(row.href, row.name)
        if row.href
        else Markup("{}").format(row.name)
    )


def _note(row: Bar) -> Markup:
    return Markup(' <small class="muted">{}</small>').format(row.note) if row.note else Markup("")
