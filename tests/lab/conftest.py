"""What tests of the laboratory share."""

import os

import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ntklib.lab.result import StudyResult


@pytest.fixture(scope="module", autouse=True)
def painting():
    """Pictures are drawn, but neither arranged nor painted, which takes longer than many a study.

    Modules on pictures override this: ``test_all_studies`` paints every picture of every study.
    """

    def drawn(result, picture):
        result.plot(Figure().add_subplot(), picture=picture)
        return b"drawn"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda engine, figure: None)
        patch.setattr(StudyResult, "_png", drawn)
        patch.setattr(Figure, "savefig", lambda figure, file, **_: file.write("<svg></svg>"))
        yield


@pytest.fixture(scope="module", autouse=True)
def flushing():
    """No file has to outlive the machine: the disk is not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield
