"""The page around the sections: one HTML file that asks for nothing from anywhere."""

from __future__ import annotations

from html import escape

from ._records import Analysis
from ._sections import SECTIONS
from ._style import CSS


def render_page(analysis: Analysis) -> str:
    """Return the report as one self-contained HTML document.

    Parameters
    ----------
    analysis : Analysis
        From :func:`ntklib.lab.report.analyse`.
    """
    data = analysis.data
    title = f"NTK report: {data.name}"
    rendered = [(section, section.render(analysis)) for section in SECTIONS]
    shown = [(section, body) for section, body in rendered if body is not None]
    links = "".join(f'<a href="#{section.slug}">{escape(section.title)}</a>' for section, _ in shown)
    parts = "\n".join(
        f'<section id="{section.slug}"><h2>{escape(section.title)}</h2>\n{body}</section>'
        for section, body in shown
    )
    lead = (
        f"How well the neural tangent kernel predicts <b>{escape(data.target)}</b>, measured on rows it "
        "never saw and set beside two strong standard methods."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<p class="eyebrow">ntklib report &middot; {escape(data.task)}</p>
<h1>{escape(data.name)}</h1>
<p class="lead">{lead}</p>
<nav aria-label="Sections">{links}</nav>
</header>
<main>
{parts}
</main>
<footer><p>Written by ntklib {escape(analysis.versions.get("ntklib", ""))}. The numbers behind this page are
in <code>results.json</code> beside it.</p></footer>
</body>
</html>
"""
