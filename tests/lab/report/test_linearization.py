"""The section on training: networks of the kernel's kind, and what the page says of them."""

import re

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF

from ntklib import NNGP, NTK
from ntklib.lab.report import SECTIONS
from ntklib.lab.report._linearization import N_ROWS, WIDTHS, train_beside

from .pages import render

X = np.random.default_rng(0).normal(size=(130, 4))
y = X[:, 0] * X[:, 1]


def test_the_study_is_small_and_repeatable(capsys):
    study = train_beside(NTK(weight_std=1.4, bias_std=0.3), X, y, "regression", 3)
    assert study == train_beside(NTK(weight_std=1.4, bias_std=0.3), X, y, "regression", 3)
    assert tuple(study.width) == WIDTHS
    assert study.n_samples == N_ROWS
    assert 0 < study.outputs[-1] < 0.1
    assert capsys.readouterr().err == ""
    html = render("linearization", linearization=study)
    assert f"{study.outputs[-1]:.2%}" in html
    assert "<svg" in html
    assert re.search(r"width<sup>-0\.\d\d</sup>", html)


def test_classes_and_kernels_of_the_output_layer():
    study = train_beside(NNGP(1, "erf"), X, np.where(y > 0, "yes", "no"), "classification", 0)
    assert "trainable" not in study.network  # all layers
    assert (study.outputs > 1e-6).all()


@pytest.mark.parametrize("kernel", [RBF(), NTK(normalized=True)], ids=["rbf", "normalized"])
def test_no_network_no_section(kernel):
    assert train_beside(kernel, X, y, "regression", 0) is None
    assert render("linearization", linearization=None) is None
    assert "linearization" in {section.slug for section in SECTIONS}


def test_rows_that_teach_nothing_make_no_section():
    assert train_beside(NTK(), X, np.ones(130), "regression", 0) is None
