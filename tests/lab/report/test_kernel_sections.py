"""Sections on the kernel, whichever was chosen: names come from the kernel object."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from markupsafe import escape
from matplotlib.figure import Figure

import ntklib.lab.report._analysis as analysis_module
import ntklib.lab.report._contenders as contenders_module
from ntklib._core.progress import Progress
from ntklib.kernels import NTK, Laplace, Scaled
from ntklib.lab.report import SECTIONS, analyse, render_page
from ntklib.lab.report._contenders import CONTENDERS
from ntklib.lab.report._figures import picture
from ntklib.lab.tables import Table

PAINT = Figure.savefig


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(contenders_module, "PENALTY_GRID", (0.1,))
    monkeypatch.setattr(contenders_module, "GAMMA_FACTORS", (1.0,))
    monkeypatch.setattr("ntklib.lab.report._theorem.WIDTH", 64)
    monkeypatch.setattr("ntklib.lab.report._analysis.CONTENDERS", CONTENDERS[:2])


@pytest.fixture
def painted(monkeypatch):
    monkeypatch.setattr(Figure, "savefig", PAINT)


@pytest.mark.parametrize("added_up", [False, True])
def test_the_page_tells_of_learned_scales(added_up, painted, monkeypatch):
    if not added_up:
        monkeypatch.setattr("ntklib.estimators.ridge._cv.MOST_STACKED", 0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(140, 8))
    names = ("a", "b", "c", "d", "e", "f", "g", "東京")
    full = Table("t", (*names, "y"), (*X.T, np.sin(2 * X[:, 7])), np.arange(140))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of letters that matplotlib's font has not
        analysis = analyse(full, target="y")
        html = render_page(analysis)
    record, kind = analysis.kernel.learned, type(analysis.kernel.learned.kernel).__name__
    assert record.kept
    assert analysis.kernel.best[0] == f"Scaled {kind}"
    assert "for 7 kernels" in html  # the scaled one is none of those that were compared
    assert f"chosen: {analysis.ours.kernel}, beside" in html
    assert "The best pair" not in html
    assert "Scores of the scaled kernel are of folds" in html
    if added_up:
        parts = analysis.kernel.parts
        assert re.fullmatch(rf"\d kernels, {kind} with learned scales first", analysis.ours.kernel)
        assert "with inputs scaled by how much predictions depend on each" in html
        assert "that make the squared error of these predictions least" in html
        assert all(f"<li><code>{escape(part)}</code></li>" in html for part in parts)
        assert parts[0].split(" of ")[1].startswith("Scaled(")
    else:
        assert analysis.ours.kernel == f"{kind} with learned scales"
        assert f"against {record.fixed_score:.4g} for the best kernel without scales" in html
    assert analysis.to_dict()["learned_scales"] == {"words": record.words, "kept": True}
    assert analysis.importance.columns[0] == "東京"


@pytest.mark.parametrize(
    ("kernel", "notes"),
    [
        (NTK(), []),
        (Scaled(NTK(), [2.0, 0.0, 1.0]), ["networks are given the inputs times their learned scales"]),
        (Laplace(2.0), ["no network has the chosen kernel (Laplace): sections on such networks are missing"]),
    ],
    ids=["plain", "scaled", "no network"],
)
def test_networks_are_given_columns_on_which_their_kernel_is_the_chosen_one(kernel, notes, monkeypatch):
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0)
    seen, heard = [], []

    def study(kernel, X, *rest):
        seen.append(kernel(X))

    for name in ("widen", "measure_steps", "train_beside", "follow"):
        monkeypatch.setattr(analysis_module, name, study)
    model = SimpleNamespace(kernel_=kernel, alpha_=0.1)
    parts = {}
    analysis_module._study(parts, Progress(9), model, (X, y), "regression", 0, heard.append)
    assert heard == notes
    assert len(seen) == 4
    for matrix in seen:
        np.testing.assert_array_equal(matrix, kernel(X))
    assert parts["theorem"] is not None


def test_labels_longer_than_a_picture_take_two_lines(painted):
    long = "cross-validated negative mean squared error"
    assert long in picture("a", lambda ax: ax.set_ylabel(long), alt="", size=(5.6, 5.0)).svg
    svg = picture("a", lambda ax: ax.set_ylabel(long), alt="").svg
    assert long not in svg
    assert all(line in svg for line in ("cross-validated negative mean", "squared error"))
    assert long in picture("a", lambda ax: ax.set_xlabel(long), alt="").svg  # wide enough
    twice = f"{long}, {long}"
    assert twice not in picture("a", lambda ax: ax.set_xlabel(twice), alt="").svg
    broken = picture("a", lambda ax: ax.set_ylabel("divided by\n1 - h"), alt="").svg
    assert "divided by" in broken  # as it was
    assert "divided by 1 - h" not in broken


def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    return Table("t", ("a", "b", "y"), (*X.T, np.abs(X[:, 0]) + X[:, 1]), np.arange(60))


@pytest.mark.parametrize(
    ("kernel", "name"),
    [(Laplace(2.0), "Laplace"), (0.5 * NTK() + Laplace(1.0), "NTK + Laplace")],
    ids=["Laplace", "sum"],
)
def test_the_page_names_the_kernel(kernel, name):
    analysis = analyse(table(), target="y", kernels=[kernel])
    assert analysis.ours.kernel == name
    html = render_page(analysis)
    assert f"a kernel machine, chosen: {name}, beside" in html
    assert 'id="angle"' not in html  # such kernels depend on more than the angle
    assert all(f'id="{section.slug}"' in html for section in SECTIONS if section.slug in ("path", "spectrum"))
