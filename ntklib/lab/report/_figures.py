"""Pictures as SVG that lives inside the page: its text takes the page's colour and font."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from ntklib._core.drawing import COLORS

# stands for the page's text colour while matplotlib draws; no palette holds it
_INK = "#0a0b0c"

PAGE_INCHES = 7.6  # what fills the page's width
_LETTERS_PER_INCH = 10  # of the labels of axes

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ntklib",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.labelsize": 11,
    "legend.fontsize": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "lines.color": _INK,
    "axes.linewidth": 0.8,
    "figure.dpi": 100,
}


class Picture(NamedTuple):
    """An SVG to be put in the page, and its share of the page's width, in percent."""

    svg: Markup
    width: int


def picture(
    name: str, draw: Callable[[Any], Any], *, alt: str, size: tuple[float, float] = (5.6, 3.6)
) -> Picture:
    """Draw on fresh axes.

    Parameters
    ----------
    name : str
        Unique on the page; every id inside the picture starts with it.
    draw : callable
        Receives matplotlib axes.
    alt : str
        Words for those who cannot see the picture.
    size : tuple of two floats, default=(5.6, 3.6)
        Width and height in inches; on a phone wider pictures have letters too small to read.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # not pyplot: no window, no global state, whatever the user's backend is
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # the page's font has it
        canvas = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(canvas)
        ax = canvas.add_subplot()
        draw(ax)
        ax.set(xlabel=_broken(ax.get_xlabel(), size[0]), ylabel=_broken(ax.get_ylabel(), size[1]))
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # letters are equally large in all pictures
    return Picture(Markup(_inline(buffer.getvalue(), name, alt)), round(size[0] / PAGE_INCHES * 100))


def _broken(label: str, inches: float) -> str:
    """A label of an axis, in lines none of which is longer than the picture."""
    most = int(inches * _LETTERS_PER_INCH)
    return "\n".join(textwrap.fill(line, most) for line in label.split("\n"))


def _inline(svg: str, name: str, alt: str) -> str:
    """Make a stand-alone SVG file part of a page: no prologue, own ids, the page's ink."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]*)"', rf'href="#{name}-\1"', svg)
    svg = svg.replace(_INK, "currentColor")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*pt"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1).strip()


def label_text(text: str, limit: int = 24) -> str:
    """Text of a table for a label: cut where it is long, its dollar signs no formulas."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return cut.replace("$", r"\$")


def draw_intervals(
    ax: Any, names: list[str], values: list[tuple[float, float, float]], label: str, *, first: bool = True
) -> None:
    """Draw one dot with its interval a row, the first row on top and, with ``first``, marked."""
    for row, (value, low, high) in enumerate(values):
        color = COLORS[0] if row == 0 or not first else COLORS[-1]
        ax.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round", alpha=0.7)
        ax.plot([value], [row], "o", color=color, markersize=9)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x", alpha=0.25, linewidth=0.6)


def _crowded(labels: list[str]) -> bool:
    """True if labels side by side would run into each other."""
    return max(map(len, labels)) * len(labels) > 50


def draw_class_counts(ax: Any, labels: list[str], counts: list[int], target: str) -> None:
    """Draw the number of rows of each class."""
    labels = [label_text(label) for label in labels]
    ax.bar(range(len(labels)), counts, color=COLORS[0], alpha=0.85, width=0.7)
    ax.set_xticks(range(len(labels)), labels)
    ax.set(xlabel=label_text(target), ylabel="rows")
    if _crowded(labels):
        ax.tick_params(axis="x", rotation=60)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, axis="y", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def draw_histogram(ax: Any, values: Any, target: str) -> None:
    """Draw the distribution of a number."""
    ax.hist(values, bins="auto", color=COLORS[0], alpha=0.85)
    ax.set(xlabel=label_text(target), ylabel="rows")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, axis="y", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def draw_confusion(ax: Any, labels: list[str], counts: Any) -> None:
    """Draw how often each true class (row) was predicted as each class (column)."""
    from matplotlib.colors import to_rgb

    labels = [label_text(label) for label in labels]
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    # opacity instead of a colour map: an empty cell is the page's own ground, light or dark
    ax.imshow([[(*to_rgb(COLORS[0]), share**0.7) for share in row] for row in shares], aspect="auto")
    ax.set_xticks(range(len(labels)), labels, rotation=60 if _crowded(labels) else 0)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(xlabel="predicted", ylabel="true")
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                ink = "white" if shares[i, j] > 0.5 else _INK
                ax.text(j, i, str(int(count)), ha="center", va="center", fontsize=10, color=ink)


def draw_scatter(ax: Any, true: Any, predicted: Any, target: str) -> None:
    """Draw predictions against the truth, with the line where they agree."""
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    ax.plot([low, high], [low, high], color=COLORS[1], linewidth=1.4, label="prediction = truth")
    ax.plot(
        true, predicted, "o", color=COLORS[0], alpha=0.55, markersize=5, markeredgewidth=0, label="test rows"
    )
    ax.set(xlabel=f"true {label_text(target)}", ylabel=f"predicted {label_text(target)}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.legend(frameon=False, loc="upper left")
