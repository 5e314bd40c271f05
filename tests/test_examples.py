"""Every script in examples/ runs, says something, and writes figures only when asked to."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
SAYS = {
    "early_stopping": "<- chosen",
    "certificate": "PathCertificate: bounds the loss of this very run",
    "ensemble": "times as much as any trained ensemble has",
    "feature_learning": "cosine to the teacher's neurons",
    "flat_minima": "flatter than gradient descent's in",
    "regression": "R^2 on the test patients",
    "gaussian_process": "log evidence",
    "kernel_choice": "best here",
    "lazy_or_not": "of the activations changed sign",
    "many_rows": "times the error of 2,000 rows and an exact fit",
    "margin": "are among the",
    "parameterizations": "written in two ways",
    "step_against_width": "loss left with the best step size of",
    "trained_mlp": "kernel of the trained network",
    "width_study": "exponent of the width",
}

SMALLER = {"many_rows": ["--rows", "2000"]}
"""Options that let a script end within seconds."""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a script in an empty folder and return what it printed."""
    monkeypatch.chdir(tmp_path)

    def run_script(script: Path, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(script), *SMALLER.get(script.stem, []), *arguments])
        runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out

    return run_script


def test_every_script_is_known():
    assert {script.stem for script in SCRIPTS} == set(SAYS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_prints_and_writes_nothing(script, run, tmp_path):
    assert SAYS[script.stem] in run(script)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_saves_a_figure_when_asked(script, run, tmp_path):
    printed = run(script, "--out", "figures")
    (figure,) = (tmp_path / "figures").iterdir()
    assert f"figure: {Path('figures', figure.name)}" in printed
    assert figure.read_bytes().startswith(b"\x89PNG")
