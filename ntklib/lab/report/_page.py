"""The page: its sections in order, each a function of the analysis with a template of the section's name.

A section is added by writing its function, which returns what ``templates/<slug>.html`` needs beside the
analysis (None where there is nothing to say), and listing it in ``SECTIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup

from ntklib._core.progress import seconds_text

from ._bias import bias
from ._comparison import data, predictions, reproduce, scores, summary, timing
from ._format import large, plain_number, rounded
from ._kernel import angle, heatmap, path, spectrum
from ._linearization import linearization
from ._parameterization import parameterization
from ._records import Analysis
from ._theorem_page import theorem
from ._width import width


@dataclass(frozen=True)
class Section:
    """A part of the page; ``values`` returns what its template needs, None where there is nothing to say."""

    slug: str
    title: str
    values: Callable[[Analysis], Mapping[str, Any] | None]

    def render(self, analysis: Analysis) -> Markup | None:
        """Return the section's HTML, or None."""
        values = self.values(analysis)
        if values is None:
            return None
        return Markup(_templates().get_template(f"{self.slug}.html").render(analysis=analysis, **values))


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


def render_page(analysis: Analysis) -> str:
    """Return the report as one self-contained HTML document.

    Parameters
    ----------
    analysis : Analysis
        From :func:`ntklib.lab.report.analyse`.
    """
    rendered = [(section, section.render(analysis)) for section in SECTIONS]
    sections = [(section, body) for section, body in rendered if body is not None]
    page = _templates().get_template("page.html")
    return page.render(analysis=analysis, data=analysis.data, sections=sections)


@cache
def _templates() -> Any:
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("ntklib.lab.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters |= {
        "as": format,
        "large": large,
        "plain": plain_number,
        "rounded": rounded,
        "seconds": seconds_text,
    }
    return templates
