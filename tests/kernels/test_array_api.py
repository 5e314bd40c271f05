"""Closed-form kernels of arrays of other libraries: their values, types and devices; what is refused."""

import pickle
import sys
import warnings
from types import SimpleNamespace

import array_api_strict
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Product, Sum, WhiteKernel

from ntklib import NNGP, NTK, ArcCosine, EmpiricalNTK, Laplace, NystromFeatures, TangentFeatures
from ntklib._core import namespaces
from ntklib.kernels import Erf, LeakyReLU, Scaled, nngp_kernel
from ntklib.kernels.combined import kernel_matrix
from ntklib.networks import TwoLayerNet
from tests.naive import deep_kernels
from tests.namespaces import NAMESPACES, dispatch, name, numbers

KERNELS = [
    NTK(depth=3, bias_std=1.0, weight_std=2**0.5, input_scaling="fan_in"),
    NNGP(depth=2),
    NTK(2, Erf(), bias_std=0.3),
    NTK(2, "abs", bias_std=0.5, trainable="hidden"),
    NTK(2, "step", bias_std=0.5),
    NTK(3, LeakyReLU(0.2), normalized=True, bias_std=0.1),
    ArcCosine(0),
    Laplace(2.0),
    Laplace(1.5, norm=2),
    Laplace(2.0, norm=2, exponent=2),
    NTK() * Laplace() + NNGP(),
    2 * NTK(),
    NTK() + 1.0,
    1.0 + 0.5 * (NTK() * Laplace()),
    (NTK() + 1.0) ** 2 + 0.5,
    NTK() * ConstantKernel(0.3),
    Scaled(NTK(), [2.0, 0.5, 1.0, 0.0]),
    0.5 * Scaled(2 * Laplace(2.0) + 1.0, 0.7),
]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    close = X[:9] * (1 + 1e-9) + 1e-9 * rng.normal(size=(9, 4))
    return X, np.vstack([X[:20], close, np.zeros((1, 4)), rng.normal(size=(25, 4))])


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_values_are_those_of_numpy_rows(kernel, library, rows, monkeypatch):
    monkeypatch.setattr("ntklib.kernels.array_api.networks.ENTRIES", 400)  # several blocks
    X, Y = rows
    exact, own, other = kernel(X, Y), kernel.diag(X), kernel.diag(Y)
    scale = np.sqrt(np.outer(own, other)) + (exact == 0)
    for dtype, bound in ((np.float64, 2e-9 if "step" in str(kernel) else 1e-12), (np.float32, 3e-6)):
        x, y = (library.asarray(part.astype(dtype)) for part in (X, Y))
        with dispatch():
            K, diagonal = kernel(x, y), kernel.diag(x)
            square = kernel(x)
        assert type(K) is type(x)
        assert K.dtype == diagonal.dtype == square.dtype == x.dtype
        reference = kernel(X.astype(dtype), Y.astype(dtype)) if dtype == np.float32 else exact
        assert np.abs((numbers(K) - reference) / scale).max() < bound
        np.testing.assert_allclose(numbers(diagonal), own, rtol=bound)
        np.testing.assert_allclose(np.diagonal(numbers(square)), own, rtol=bound)


def test_combinations_are_those_of_scikit_learn(rows):
    X, Y = rows
    ours = (2.0 * NTK(bias_std=0.1) + Laplace()) ** 2
    theirs = Sum(Product(ConstantKernel(2.0), NTK(bias_std=0.1)), Laplace()) ** 2
    assert ours == theirs
    assert theirs == ours
    assert ours != Laplace() + 1.0
    assert ours != (3.0 * NTK(bias_std=0.1) + Laplace()) ** 2
    assert repr(ours) == repr(theirs)
    np.testing.assert_array_equal(ours.theta, theirs.theta)
    assert ours(X, Y).tobytes() == theirs(X, Y).tobytes()
    assert ours.diag(X).tobytes() == theirs.diag(X).tobytes()
    for one, other in zip(ours(X, eval_gradient=True), theirs(X, eval_gradient=True), strict=True):
        assert one.tobytes() == other.tobytes()
    again = pickle.loads(pickle.dumps(clone(ours)))
    assert again == ours
    assert type(again) is type(ours)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_values_are_those_of_quadrature(activation, rows):
    X = rows[0][:3]
    library = NAMESPACES[0]
    options = {"depth": 2, "weight_std": 1.3, "bias_std": 0.4}
    function = {"relu": lambda z: np.maximum(z, 0), "erf": Erf()}[activation]
    slope = {"relu": lambda z: (z >= 0).astype(float), "erf": Erf().derivative}[activation]
    nngp, ntk = deep_kernels(X, X, function, slope, **options)
    with dispatch():
        x = library.asarray(X)
        np.testing.assert_allclose(numbers(NNGP(activation=activation, **options)(x)), nngp, rtol=1e-9)
        np.testing.assert_allclose(numbers(NTK(activation=activation, **options)(x)), ntk, rtol=1e-9)


def test_without_dispatch_nothing_changes(rows):
    X, Y = rows
    for library in NAMESPACES[1:]:
        K = NTK()(library.asarray(X), library.asarray(Y))
        assert isinstance(K, np.ndarray)
        assert K.tobytes() == NTK()(X, Y).tobytes()
    with dispatch():
        same = NTK()(X, Y)
        assert isinstance(NTK()(X.tolist(), Y.tolist()), np.ndarray)
    assert same.tobytes() == NTK()(X, Y).tobytes()


@pytest.mark.parametrize(
    ("kernel", "arguments", "error", "message"),
    [
        (NTK(activation="gelu"), "xx", NotImplementedError, "GELU.*numpy.asarray"),
        (ArcCosine(2), "xx", NotImplementedError, "degree 0 and 1"),
        (NTK(), "xX", TypeError, "arrays must be of one library, got some of array_api_strict, numpy"),
        (NTK(), "xi", ValueError, "Y must be a matrix of float32 or float64, got .*int64"),
        (NTK(), "xw", ValueError, "X has 4 features and Y 3"),
        (Laplace(), "xw", ValueError, "X has 4 features and Y 3"),
        (NTK(), "gradient", NotImplementedError, "gradients of kernels"),
        (2 * NTK(), "gradient", NotImplementedError, "gradients of kernels"),
        (Scaled(NTK(), 2.0), "gradient", NotImplementedError, "gradients of kernels"),
        (NTK() + 1.0, "xi", ValueError, "Y must be a matrix of float32 or float64, got .*int64"),
        (Scaled(NTK(), 2.0), "xw", ValueError, "X has 4 features and Y 3"),
        (Scaled(NTK(), [1.0]), "xx", ValueError, "scales must be a number or one for each of 4"),
        (NTK() * RBF(), "xx", TypeError, "with constants, got RBF.*numpy.asarray"),
        (NTK() + WhiteKernel(), "xx", TypeError, "with constants, got WhiteKernel"),
        (Scaled(RBF(), 2.0), "xx", TypeError, "with constants, got RBF"),
    ],
)
def test_what_cannot_be_computed_is_refused(kernel, arguments, error, message, rows):
    library = NAMESPACES[0]
    X = rows[0]
    x = library.asarray(X)
    given = {"x": x, "X": X, "w": library.asarray(X[:, :3]), "i": library.asarray(X.astype(int))}
    rows, options = ("x", {"eval_gradient": True}) if arguments == "gradient" else (arguments, {})
    with dispatch(), pytest.raises(error, match=message):
        kernel(*(given[letter] for letter in rows), **options)


class Single:
    """A library whose device has no float64, as some accelerators have none."""

    __name__ = "single"

    @staticmethod
    def zeros(shape, *, dtype, device):
        raise TypeError("Cannot convert to float64 on this device")

    float64 = "float64"


class Halved(Single):
    """A library that answers with less than was asked for, with no more than a warning."""

    @staticmethod
    def zeros(shape, *, dtype, device):
        return SimpleNamespace(dtype="float32")


@pytest.mark.parametrize("library", [Single(), Halved()])
def test_devices_without_float64_are_refused(library, rows, monkeypatch):
    import array_api_compat

    monkeypatch.setattr(array_api_compat, "array_namespace", lambda *arrays: library)
    with (
        dispatch(),
        pytest.raises(ValueError, match=r"single has no float64 on .*CPU_DEVICE.*another device"),
    ):
        NTK()(NAMESPACES[0].asarray(rows[0]))


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ({"layout": "torch.sparse_csr"}, TypeError, r"sparse arrays of it are not taken: give dense ones"),
        ({"__array_namespace__": None, "requires_grad": True}, ValueError, r"require gradients.*X.detach"),
        ({}, TypeError, "arrays of it cannot be written to"),
    ],
)
def test_arrays_of_other_kinds_are_refused(kind, error, message):
    with pytest.raises(error, match=message):
        namespaces._check_kind(SimpleNamespace(**kind), "it")
    namespaces._check_kind(SimpleNamespace(__array_namespace__=None, layout="torch.strided"), "it")


def test_arrays_of_cupy_are_fetched_by_its_own_way():
    class Array:
        """As CuPy's, it does not let NumPy convert it."""

        def get(self):
            return np.arange(3.0)

        def __array__(self, *args, **kwargs):
            raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    Array.__module__ = "cupy"
    assert namespaces._foreign(Array())
    np.testing.assert_array_equal(namespaces.to_numpy(Array()), [0.0, 1.0, 2.0])


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
def test_all_else_says_what_takes_arrays(library, rows):
    x = library.asarray(rows[0])
    for call in (NystromFeatures().fit, EmpiricalNTK(TwoLayerNet(4)), TangentFeatures().fit, nngp_kernel):
        with dispatch(), pytest.raises(TypeError, match="only fit and predict of NTKRegressor take"):
            call(x)


@pytest.mark.parametrize("place", ["CPU_DEVICE", "device1"])
def test_values_stay_on_the_device_of_the_rows(place, rows):
    device = array_api_strict.Device(place)
    x = array_api_strict.asarray(rows[0], device=device)
    with dispatch():
        found = [NTK()(x), NTK().diag(x), Laplace()(x, x[:2, :]), Laplace().diag(x)]
        for kernel in KERNELS[-7:]:
            found += [kernel(x), kernel(x, x[:2, :]), kernel.diag(x)]
        found.append(kernel_matrix(ConstantKernel(2.0) * NTK(), x))  # as estimators compute it
    assert all(one.device == device for one in found)


def torch_of(*, old, rounded):
    """torch's switches as they were before 2.9 and are now."""
    switch = (
        SimpleNamespace(allow_tf32=rounded)
        if old
        else SimpleNamespace(fp32_precision="tf32" if rounded else "ieee")
    )
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=switch))
    return SimpleNamespace(float32="float32", backends=backends)


@pytest.mark.parametrize("old", [True, False])
def test_tf32_is_told(old, monkeypatch):
    single, double = (SimpleNamespace(dtype=dtype) for dtype in ("float32", "float64"))
    monkeypatch.setitem(sys.modules, "torch", torch_of(old=old, rounded=True))
    with pytest.warns(UserWarning, match=r"in TF32 here.*set_float32_matmul_precision"):
        namespaces._tell_of_tf32([single], "cuda:0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for arrays, place in (([double], "cuda:0"), ([single], "cpu")):
            namespaces._tell_of_tf32(arrays, place)
        monkeypatch.setitem(sys.modules, "torch", torch_of(old=old, rounded=False))
        namespaces._tell_of_tf32([single], "cuda:0")


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
def test_the_switches_of_installed_libraries_are_read_and_left_alone(library):
    single = library.ones((2, 2), dtype=library.float32)
    if library.__name__ != "torch":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            namespaces._tell_of_tf32([single], "cuda:0")
        return
    matmul = library.backends.cuda.matmul
    before = library.get_float32_matmul_precision()
    try:
        library.set_float32_matmul_precision("high")
        with pytest.warns(UserWarning, match="in TF32 here"):
            namespaces._tell_of_tf32([single], "cuda:0")
        assert library.get_float32_matmul_precision() == "high"
        matmul.fp32_precision = "tf32"  # now the old question raises
        with pytest.warns(UserWarning, match="in TF32 here"):
            namespaces._tell_of_tf32([single], "cuda:0")
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = "ieee"
        library.set_float32_matmul_precision(before)
