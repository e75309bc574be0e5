"""Draws the curves of the page of performance, as SVG that is the same for the same numbers."""

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from docs.performance import Curve

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart by the colour-blind too (Okabe and Ito)."""
MARKS = "os^Dvx"
WIDE = 50
"""Places that lie further apart than this, as a ratio, get a logarithmic axis."""


def digest(curve: "Curve") -> str:
    """Of the numbers and of this file: another one means that the picture is to be drawn anew."""
    numbers = json.dumps(asdict(curve), sort_keys=True)
    return hashlib.sha256(numbers.encode() + Path(__file__).read_bytes()).hexdigest()


def draw(curve: "Curve") -> str:
    """The picture: a line a case through the medians, with a band from the least to the most."""
    # Only here: it takes a second to import, and who asks for a digest does without.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    # Text stays text; and what is named at random is named by the curve.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": curve.name, "font.size": 10}):
        figure = Figure(figsize=(7.5, 4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for (case, rows), colour, mark in zip(curve.cases.items(), COLOURS * 9, MARKS * 9, strict=False):
            places = [row["at"] for row in rows]
            axes.plot(places, [row["median"] for row in rows], color=colour, marker=mark, label=case)
            least, most = [row["least"] for row in rows], [row["most"] for row in rows]
            axes.fill_between(places, least, most, color=colour, alpha=0.15, linewidth=0)
        _frame(axes, curve)
        written = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Identifier": digest(curve)}
        figure.savefig(written, format="svg", metadata=metadata)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _frame(axes: "Axes", curve: "Curve") -> None:
    places = curve.places
    if places[-1] > WIDE * places[0] > 0:
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{place:,g}" for place in places])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(curve.axis)
    axes.set_ylabel(curve.unit or curve.figure)
    axes.set_title(curve.figure)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curve.cases) > 1:
        axes.legend(frameon=False)
