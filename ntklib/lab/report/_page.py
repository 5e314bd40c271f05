"""The page: its sections in order, each a function of the analysis with a template of the section's name.

A section is added by writing its function, which returns what ``templates/<slug>.html`` needs beside the
analysis (None where there is nothing to say), and listing it in ``SECTIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from markupsafe import Markup

from ntklib._core.progress import seconds_text

from ._bias import bias
from ._calibration import calibration
from ._comparison import columns, data, predictions, reproduce, scores, timing
from ._drivers import drivers
from ._format import large, plain_number, rounded
from ._kernel import angle, heatmap, path, spectrum
from ._linearization import linearization
from ._parameterization import parameterization
from ._records import Analysis
from ._theorem_page import theorem
from ._verdict import summary
from ._width import width


@dataclass(frozen=True)
class Section:
    """A part of the page; ``values`` returns what its template needs, None where there is nothing to say.

    Those on the ``kernel`` are folded behind one title.
    """

    slug: str
    title: str
    values: Callable[[Analysis], Mapping[str, Any] | None]
    kernel: bool = False

    def render(self, analysis: Analysis) -> Markup | None:
        """Return the section's HTML, or None."""
        values = self.values(analysis)
        if values is None:
            return None
        return Markup(_templates().get_template(f"{self.slug}.html").render(analysis=analysis, **values))


SECTIONS: tuple[Section, ...] = (
    Section("summary", "In short", summary),
    Section("scores", "Scores", scores),
    Section("drivers", "What drives the predictions", drivers),
    Section("calibration", "Calibration", calibration),
    Section("predictions", "Right and wrong", predictions),
    Section("columns", "Columns", columns),
    Section("data", "The data", data),
    Section("path", "How kernel and penalty were chosen", path, kernel=True),
    Section("spectrum", "Kernel spectrum", spectrum, kernel=True),
    Section("heatmap", "Kernel matrix", heatmap, kernel=True),
    Section("angle", "Kernel against angle", angle, kernel=True),
    Section("width", "How wide a network has to be", width, kernel=True),
    Section("linearization", "Whether networks stay with the kernel", linearization, kernel=True),
    Section("theorem", "What is certain before training", theorem, kernel=True),
    Section("steps", "How large steps may be", parameterization, kernel=True),
    Section("bias", "What training ends at", bias, kernel=True),
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
    bodies = [(section, body) for section, body in rendered if body is not None]
    groups = [(kernel, list(group)) for kernel, group in groupby(bodies, lambda entry: entry[0].kernel)]
    page = _templates().get_template("page.html")
    return page.render(analysis=analysis, data=analysis.data, groups=groups)


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
