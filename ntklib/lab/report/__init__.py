"""The report: one comparison on one table, as a self-contained HTML page and as JSON.

:func:`analyse` computes and returns a frozen record, :func:`render_page` draws it, :func:`write_report` puts
both in a folder.
"""

from ._analysis import MAX_SAMPLES, analyse
from ._page import SECTIONS, Section, render_page
from ._records import Analysis, DataSummary, KernelResult, ModelResult
from ._verdict import Verdict, verdict_text
from ._write import PAGE, RESULTS, write_report

__all__ = [
    "MAX_SAMPLES",
    "PAGE",
    "RESULTS",
    "SECTIONS",
    "Analysis",
    "DataSummary",
    "KernelResult",
    "ModelResult",
    "Section",
    "Verdict",
    "analyse",
    "render_page",
    "verdict_text",
    "write_report",
]
