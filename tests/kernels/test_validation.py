"""Wrong input gets an error that says what was wrong."""

import numpy as np
import pytest

from ntklib.kernels import NNGP, NTK, ArcCosine, arc_cosine_kernel, nngp_kernel, ntk_kernel

FUNCTIONS = [arc_cosine_kernel, nngp_kernel, ntk_kernel, NTK(), NNGP(bias_std=0.1), ArcCosine()]
GOOD = np.ones((2, 3))


@pytest.mark.parametrize("kernel", FUNCTIONS, ids=lambda kernel: getattr(kernel, "__name__", repr(kernel)))
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.empty((0, 3)), "sample"),
        (np.empty((3, 0)), "feature"),
        (np.array([[1.0, np.nan]]), "NaN"),
        (np.array([[1.0, np.inf]]), "inf"),
        (np.ones(3), "2D|1D"),
        (np.ones((2, 2, 2)), "dim"),
        ([["a", "b"]], "convert|numeric"),
        (np.array([[1j]]), "[Cc]omplex"),
    ],
)
def test_rows(kernel, X, message):
    with pytest.raises(ValueError, match=message):
        kernel(X)
    with pytest.raises(ValueError, match=message):
        kernel(GOOD[:, : max(1, np.shape(X)[-1])] if np.ndim(X) == 2 else GOOD, X)
    if hasattr(kernel, "diag"):
        with pytest.raises(ValueError, match=message):
            kernel.diag(X)


@pytest.mark.parametrize("kernel", FUNCTIONS, ids=lambda kernel: getattr(kernel, "__name__", repr(kernel)))
def test_features_must_match(kernel):
    with pytest.raises(ValueError, match=r"3 features.*2"):
        kernel(GOOD, np.ones((2, 2)))


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 0},
        {"depth": -1},
        {"depth": 1.5},
        {"depth": True},
        {"weight_std": 0.0},
        {"weight_std": -1.0},
        {"weight_std": np.nan},
        {"weight_std": "1"},
        {"bias_std": -0.1},
        {"bias_std": np.inf},
        {"input_scaling": "fan_out"},
        {"input_scaling": None},
        {"trainable": "none"},
        {"trainable": ()},
        {"trainable": (2,)},
        {"trainable": (-1,)},
        {"trainable": (0.5,)},
        {"trainable": (0, 0)},
    ],
    ids=repr,
)
def test_options(options):
    (name,) = options
    with pytest.raises((ValueError, TypeError), match=name):
        ntk_kernel(GOOD, **options)
    with pytest.raises((ValueError, TypeError), match=name):
        NTK(**options)(GOOD)
    if name != "trainable":
        with pytest.raises((ValueError, TypeError), match=name):
            nngp_kernel(GOOD, **options)
        with pytest.raises((ValueError, TypeError), match=name):
            NNGP(**options).diag(GOOD)


@pytest.mark.parametrize("degree", [-1, 1.5, "1", True])
def test_degree(degree):
    for call in (lambda: arc_cosine_kernel(GOOD, degree=degree), lambda: ArcCosine(degree=degree)(GOOD)):
        with pytest.raises((ValueError, TypeError), match="degree"):
            call()


@pytest.mark.parametrize("kernel", [arc_cosine_kernel, nngp_kernel, ntk_kernel])
def test_too_large_a_matrix_is_refused_before_it_is_allocated(kernel):
    X = np.broadcast_to(np.ones((1, 1), np.float32), (3_000_000, 1))
    with pytest.raises(MemoryError, match=r"GiB.*(subsample|Nystroem)"):
        kernel(X)


@pytest.mark.parametrize("normalized", ["yes", None, 1, np.ones(2)])
def test_normalized_is_true_or_false(normalized):
    for kernel in (NTK(normalized=normalized), NNGP(normalized=normalized), ArcCosine(normalized=normalized)):
        with pytest.raises(TypeError, match="normalized must be True or False"):
            kernel(GOOD)
