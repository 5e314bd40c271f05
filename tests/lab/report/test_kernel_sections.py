"""Sections on the kernel, whichever was chosen: names come from the kernel object."""

import warnings

import numpy as np
import pytest

import ntklib.lab.report._contenders as contenders_module
from ntklib.kernels import NTK, Laplace
from ntklib.lab.report import SECTIONS, analyse, render_page
from ntklib.lab.report._contenders import CONTENDERS
from ntklib.lab.tables import Table


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(contenders_module, "PENALTY_GRID", (0.1,))
    monkeypatch.setattr(contenders_module, "GAMMA_FACTORS", (1.0,))
    monkeypatch.setattr("ntklib.lab.report._analysis.CONTENDERS", CONTENDERS[:2])


def test_the_page_tells_of_learned_scales():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(140, 8))
    names = ("a", "b", "c", "d", "e", "f", "g", "東京")
    full = Table("t", (*names, "y"), (*X.T, np.sin(2 * X[:, 7])), np.arange(140))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of letters that matplotlib's font has not
        analysis = analyse(full, target="y")
        html = render_page(analysis)
    record = analysis.kernel.learned
    assert record.kept
    assert analysis.kernel.best[0] == f"Scaled {type(record.kernel).__name__}"
    assert analysis.ours.kernel == f"{type(record.kernel).__name__} with learned scales"
    assert f"chosen: {analysis.ours.kernel}, beside" in html
    assert "for 7 kernels" in html  # the scaled one is none of those that were compared
    assert f"against {record.fixed_score:.4g} for the best kernel without scales" in html
    assert "The best pair" not in html
    assert analysis.to_dict()["learned_scales"] == {"words": record.words, "kept": True}
    assert analysis.importance.columns[0] == "東京"


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
