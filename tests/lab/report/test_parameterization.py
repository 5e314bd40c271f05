"""The section on step sizes: small, repeatable, and absent where there is no network."""

import numpy as np
from sklearn.gaussian_process.kernels import RBF

from ntklib import NNGP, NTK
from ntklib.lab.report._parameterization import N_ROWS, WIDTHS, measure_steps

from .pages import render

X = np.random.default_rng(0).normal(size=(60, 4))
CLASSES = np.where(X[:, 0] > 0, "yes", "no")


def test_the_study_is_small_and_repeatable(capsys):
    kernel = NTK(weight_std=1.4, bias_std=0.3, input_scaling="fan_in")
    study = measure_steps(kernel, X, X[:, 0], "regression", 3)
    assert study == measure_steps(kernel, X, X[:, 0], "regression", 3)
    assert study.width.tolist() == 3 * list(WIDTHS)
    assert study.n_samples == N_ROWS
    assert all(abs(law.z) < 5 for law in study.laws)
    assert capsys.readouterr().err == ""
    page = render("steps", parameterization=study)
    assert f"width<sup>{study.law('standard', 'largest_step').fitted.exponent:.2f}</sup>" in page
    assert page.count("<figure") == 2


def test_networks_of_a_kernel_of_the_last_layer_are_trained_whole():
    study = measure_steps(NNGP(), X, CLASSES, "classification", 0)
    assert study.law("ntk", "first_entry").predicted == -0.5


def test_no_network_or_no_target_no_section():
    assert measure_steps(RBF(), X, X[:, 0], "regression", 0) is None
    assert measure_steps(NTK(normalized=True), X, X[:, 0], "regression", 0) is None
    assert measure_steps(NTK(), X, np.ones(60), "regression", 0) is None
    assert render("steps", parameterization=None) is None
