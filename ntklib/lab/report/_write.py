"""Put the page and its numbers in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ntklib._core.files import new_folder, plain, write_together
from ntklib.lab.tables import DataError

from ._page import render_page
from ._records import Analysis

PAGE = "report.html"
RESULTS = "results.json"


def write_report(analysis: Analysis, folder: str | Path | Callable[[], Path]) -> tuple[Path, Path]:
    """Write ``report.html`` and ``results.json``, each whole or not at all, ``results.json`` last.

    Parameters
    ----------
    analysis : Analysis
        From :func:`ntklib.lab.report.analyse`.
    folder : str, Path or callable
        Made if it is not there; files of these names in it are replaced. A callable is asked for it when all
        is drawn, which takes seconds in which other reports may find a place.

    Returns
    -------
    tuple of two Path
        The page and the results.

    Raises
    ------
    DataError
        If the folder cannot be made or a file not be written.
    """
    html = render_page(analysis)
    # a line for each part: short enough to look into, without a line for each of thousands of numbers
    parts = (
        f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in plain(analysis.to_dict()).items()
    )
    numbers = "{\n" + ",\n".join(parts) + "\n}\n"
    folder = Path(folder() if callable(folder) else folder)
    try:
        with new_folder(folder):
            write_together(folder, {PAGE: html, RESULTS: numbers})
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error})"
        ) from None
    return folder / PAGE, folder / RESULTS
