"""Put the page and its numbers in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from ntklib._files import plain
from ntklib.report._output import write_atomically
from ntklib.report._page import render_page
from ntklib.report._records import Analysis

PAGE = "report.html"
RESULTS = "results.json"


def write_report(analysis: Analysis, folder: str | Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``results.json``, each whole or not at all.

    Parameters
    ----------
    analysis : Analysis
        From :func:`ntklib.report.analyse`.
    folder : str or Path
        An existing folder; files of these names in it are replaced.

    Returns
    -------
    tuple of two Path
        The page and the results.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    page, results = Path(folder) / PAGE, Path(folder) / RESULTS
    html = render_page(analysis)
    # a line for each part: short enough to look into, without a line for each of thousands of numbers
    parts = (
        f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in plain(analysis.to_dict()).items()
    )
    write_atomically(results, "{\n" + ",\n".join(parts) + "\n}\n")
    write_atomically(page, html)
    return page, results
