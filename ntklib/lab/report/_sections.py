"""The sections of the page. A section is added by writing its function and listing it in ``SECTIONS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ._bias import bias
from ._comparison import data, predictions, reproduce, scores, summary, timing
from ._kernel import angle, heatmap, path, spectrum
from ._linearization import linearization
from ._parameterization import parameterization
from ._records import Analysis
from ._theorem_page import theorem
from ._width import width


@dataclass(frozen=True)
class Section:
    """A part of the page; ``render`` returns its HTML, or None where there is nothing to say."""

    slug: str
    title: str
    render: Callable[[Analysis], str | None]


SECTIONS: tuple[Section, ...] = (
    Section("summary", "In short", summary),
    Section("scores", "Scores", scores),
    Section("predictions", "Right and wrong", predictions),
    Section("data", "The data", data),
    Section("path", "How kernel and penalty were chosen", path),
    Section("spectrum", "Kernel spectrum", spectrum),
    Section("heatmap", "Kernel matrix", heatmap),
    Section("angle", "Kernel against angle", angle),
    Section("width", "How wide a network has to be", width),
    Section("linearization", "Whether networks stay with the kernel", linearization),
    Section("theorem", "What is certain before training", theorem),
    Section("steps", "How large steps may be", parameterization),
    Section("bias", "What training ends at", bias),
    Section("timing", "Time", timing),
    Section("reproduce", "To do it again", reproduce),
)
"""The page's sections, in order."""
