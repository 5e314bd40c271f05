"""The section on finite networks: they belong to the chosen kernel, and the page says what was measured."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF

from ntklib import NNGP, NTK
from ntklib.estimators.defaults import REGRESSION_GRID
from ntklib.lab.report._format import rounded
from ntklib.lab.report._width import N_ROWS, WIDTHS, network_of, widen

X = np.random.default_rng(0).normal(size=(130, 4))


@pytest.mark.parametrize(
    "kernel",
    [*REGRESSION_GRID.kernels(), NTK(2, "erf", trainable=(0, 2)), NNGP(2, "gelu", weight_std=0.7)],
    ids=lambda kernel: repr(kernel)[:90],
)
def test_the_networks_tend_to_the_kernel(kernel):
    np.testing.assert_allclose(network_of(kernel).limit_kernel()(X), kernel(X), rtol=1e-13)


def test_no_network_no_section():
    assert network_of(RBF()) is None
    assert network_of(NTK(normalized=True)) is None
    assert widen(RBF(), X, 0) is None


def test_the_study_is_small_and_repeatable(capsys):
    study = widen(NTK(weight_std=1.4, bias_std=0.3), X, 3)
    assert study == widen(NTK(weight_std=1.4, bias_std=0.3), X, 3)
    assert tuple(study.width) == WIDTHS
    assert study.n_samples == N_ROWS
    assert abs(study.exact_ratio[0] - 1) < 5 * study.exact_ratio[1]
    assert capsys.readouterr().err == ""


def test_rounded():
    assert [rounded(n) for n in (7, 12, 1234, 98_765)] == ["7", "12", "1,200", "99,000"]
