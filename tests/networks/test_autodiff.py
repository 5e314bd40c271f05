"""Derivatives against automatic differentiation by another library (frozen) and against complex steps."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from ntklib.networks import MLP, Params
from tests import naive_networks as naive
from tests.registry_networks import CASES

FROZEN = json.loads((Path(__file__).parents[1] / "fixtures" / "autodiff.json").read_text(encoding="utf-8"))
IDS = [f"{case['options']['activation']}-{i}" for i, case in enumerate(FROZEN["cases"])]

# Activations as functions of a complex number.
COMPLEX = {
    "Identity()": lambda z: z,
    "Monomial(degree=2)": lambda z: z**2,
    "Monomial(degree=3)": lambda z: z**3,
    "Erf()": special.erf,
    "GELU()": lambda z: z * (1 + special.erf(z / np.sqrt(2))) / 2,
    "Sin()": np.sin,
    "Cos()": np.cos,
    "Exp()": np.exp,
    "Gaussian()": lambda z: np.exp(-z * z / 2),
    "RBF(gamma=1.0)": lambda z: np.sqrt(2) * np.sin(np.sqrt(2) * z + np.pi / 4),
    "Hermite(degree=2)": lambda z: (z**2 - 1) / np.sqrt(2),
    "Hermite(degree=5)": lambda z: (z**5 - 10 * z**3 + 15 * z) / np.sqrt(120),
    "Tanh()": np.tanh,
    "Logistic()": lambda z: 1 / (1 + np.exp(-z)),
    "Softplus()": lambda z: np.log(1 + np.exp(z)),
    "SiLU()": lambda z: z / (1 + np.exp(-z)),
}
ANALYTIC = [
    case for case in CASES if case.dtype is np.float64 and repr(naive.activation_of(case.network)) in COMPLEX
]


def close(found, expected, tolerance=1e-12):
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("frozen", FROZEN["cases"], ids=IDS)
def test_frozen_values(frozen):
    options = dict(frozen["options"])
    net = MLP(tuple(options.pop("widths")), **options)
    params = Params({name: np.array(array) for name, array in frozen["params"].items()})
    X, u, v = (np.array(frozen[name]) for name in ("X", "u", "v"))
    k = net.n_outputs
    columns = (lambda values: np.asarray(values)[:, 0]) if k == 1 else np.asarray
    c = columns(frozen["cotangent"])
    close(net.apply(params, X), columns(frozen["outputs"]))
    close(net.jacobian(params, X), columns(frozen["jacobian"]))
    close(net.jvp(params, X, u), columns(frozen["jvp"]))
    close(net.vjp(params, X, c), frozen["vjp"])
    full = np.array(frozen["ntk"])
    close(net.ntk(params, X, output="full"), full)
    close(net.ntk(params, X), np.einsum("iaja->ij", full))
    if np.abs(frozen["second_derivative"]).max() > 0:
        close(net.hvp(params, X, c, v), frozen["hvp"])
        close(net.second_derivative(params, X, u, v), columns(frozen["second_derivative"]))
    else:
        np.testing.assert_array_equal(net.second_derivative(params, X, u, v), 0)


def test_the_frozen_values_say_who_made_them():
    assert "jax" in FROZEN["made_by"]
    assert {case["options"].get("parameterization", "ntk") for case in FROZEN["cases"]} == {
        "ntk",
        "standard",
        "mean_field",
        "mup",
    }


@pytest.mark.parametrize("case", ANALYTIC, ids=str)
def test_complex_steps(case):
    """f(w + i h u) = f + i h J u exactly, but for h^2: no cancellation, all digits."""
    net, params, X, h = case.network, case.params, case.X, 1e-30
    u = np.random.default_rng(8).normal(size=net.n_params(3))
    direction = net.unravel(params, u)
    trained = set(naive.trained_arrays(net, params))
    moved = {n: params[n] + 1j * h * direction[n] if n in trained else params[n] for n in params.names}
    sigma = COMPLEX[repr(naive.activation_of(net))]
    values = naive.outputs(net, moved, X, sigma)
    size = np.abs(values.real).max() + np.abs(values.imag).max() / h
    assert np.abs(case.outputs_as_columns(net.jvp(params, X, u)) - values.imag / h).max() <= 1e-12 * size
    # one derivative more: the complex step of the twin's differences is free of cancellation in one direction
    v, real = np.random.default_rng(9).normal(size=u.shape), 1e-4
    other = net.unravel(params, v)
    slopes = []
    for sign in (1, -1):
        ahead = {n: moved[n] + sign * real * other[n] if n in trained else moved[n] for n in params.names}
        slopes.append(naive.outputs(net, ahead, X, sigma).imag / h)
    second = (slopes[0] - slopes[1]) / (2 * real)
    found = case.outputs_as_columns(net.second_derivative(params, X, u, v))
    size = np.abs(second).max() + max(np.abs(s).max() for s in slopes)
    assert np.abs(found - second).max() <= 3e-6 * size
