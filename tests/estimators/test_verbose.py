"""`verbose`: what is said, and the same bytes with and without; fits that are whole or not at all."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ntklib._core.progress import Gauge, Progress
from ntklib.estimators import (
    NetworkClassifier,
    NetworkRegressor,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    NystromFeatures,
    TangentClassifier,
    TangentClassifierCV,
    TangentFeatures,
    TangentRegressor,
    TangentRegressorCV,
    _forecast,
)
from ntklib.kernels import NTK
from ntklib.networks import TwoLayerNet
from ntklib.solvers import ConjugateGradient, Nystrom

NET = TwoLayerNet(4)
CENTRES, ITERATIONS = Nystrom(12), ConjugateGradient(8)
ESTIMATORS = [
    NTKRegressor(NTK()),
    NTKRegressor(NTK(), solver=CENTRES),
    NTKRegressor(NTK(), solver=ITERATIONS),
    NTKClassifier(NTK()),
    NTKRegressorCV([NTK(), NTK(depth=2)], [0.1, 1.0]),
    NTKRegressorCV([NTK(), NTK(depth=2)], [0.1, 1.0], solver=CENTRES, max_search_samples=20),
    NTKClassifierCV([NTK(), NTK(depth=2)], [0.1, 1.0], cv=2),
    TangentRegressor(kernel=NTK(), max_iter=4),
    TangentRegressor(NET, loss="huber", max_iter=4, random_state=0),
    TangentClassifier(NET, max_iter=4, early_stopping=True, random_state=0),
    TangentRegressorCV(kernel=NTK(), max_iters=[1, 2], cv=2),
    TangentClassifierCV(NET, max_iters=[1, 2], cv=2, random_state=0),
    NetworkRegressor(NET, max_iter=4, early_stopping=True, random_state=0),
    NetworkClassifier(NET, max_iter=4, batch_size=16, random_state=0),
    TangentFeatures(NET, n_components=5),
    NystromFeatures(NTK(), 5),
]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((48, 3))
LABELS = np.tile([0, 1, 2], 16)
pytestmark = pytest.mark.filterwarnings("ignore")


def name_of(estimator):
    solver = getattr(estimator, "solver", "")
    return f"{type(estimator).__name__} {'' if isinstance(solver, str) else type(solver).__name__}"


everywhere = pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)


def outputs(model):
    return model.transform(X) if hasattr(model, "transform") else model.predict(X)


def copied(estimator, **options):
    return copy.deepcopy(estimator).set_params(**options)


@everywhere
def test_words_and_bytes(estimator, capsys):
    silent = copied(estimator).fit(X, LABELS)
    assert capsys.readouterr() == ("", "")
    loud = copied(estimator, verbose=2).fit(X, LABELS)
    out, err = capsys.readouterr()
    assert out == ""
    if not hasattr(estimator, "transform"):
        assert f"\n{type(estimator).__name__}: " in f"\n{err}"
    if hasattr(loud, "solve_"):
        assert loud.solve_.words in err
    np.testing.assert_array_equal(outputs(loud), outputs(silent))
    loud.set_params(verbose=0)
    for name, value in vars(silent).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(loud, name), value, err_msg=name)


def test_words_of_records(capsys):
    for solver, words in (
        ("cholesky", "exact fit of rank 48, relative residual"),
        (CENTRES, "12 centres, which lack"),
        (ITERATIONS, "iterations of conjugate gradients with a preconditioner of rank 8, relative residual"),
    ):
        NTKRegressor(NTK(), solver=solver, verbose=True).fit(X, LABELS)
        (line,) = capsys.readouterr().err.splitlines()  # work this short has no forecast
        assert words in line
    NTKRegressorCV([NTK()], [0.5], verbose=1).fit(X, LABELS)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("NTKRegressorCV: NTK(), penalty 0.5, held-out score -")


@everywhere
def test_forecasts_are_for_long_work_that_is_shown(estimator, capsys, monkeypatch):
    if hasattr(estimator, "transform"):
        return
    monkeypatch.setattr(_forecast, "LONG", 0.0)
    copied(estimator, verbose=1).fit(X, LABELS)
    assert ": about 1 s" in (err := capsys.readouterr().err) or ": at most about 1 s" in err

    def measured(*_):
        raise AssertionError("nobody asked")

    monkeypatch.setattr(_forecast, "call_seconds", measured)
    copied(estimator).fit(X, LABELS)


def test_forecasts_grow_as_the_work_does(monkeypatch):
    from ntklib.estimators._units import make_units
    from ntklib.estimators.ridge import _duration
    from ntklib.solvers import Cholesky

    monkeypatch.setattr(_duration, "multiplication_seconds", lambda dtype=float: 1e-10)
    monkeypatch.setattr(_duration, "value_seconds", lambda kernel, X: 1e-8)

    def seconds(n, solver):
        rows = np.zeros((n, 1)) + 1.0
        units = make_units(rows, rows, None, precomputed=False)
        return _duration.fit_seconds(NTK(), units, solver, left_out=False)

    for solver, power in ((Cholesky(), 3), (Nystrom(100), 1), (ConjugateGradient(100), 2)):
        ratio = seconds(80_000, solver) / seconds(40_000, solver)
        assert np.log2(ratio) == pytest.approx(power, abs=0.2)


@pytest.mark.parametrize("value", ["yes", -1, 1.5, None])
def test_a_wrong_verbosity_is_refused(value):
    model = NTKRegressor(verbose=value)
    with pytest.raises(ValueError, match="verbose must be"):
        model.fit(X, LABELS)
    assert list(vars(model)) == list(vars(NTKRegressor()))


def test_a_fit_inside_a_job_is_a_part_of_it(capsys):
    job = Progress(loud=True)
    lines = []

    def kernel(A, B):
        lines.append(job.line())
        return A @ B.T + 1

    with job.step("study"):
        NTKRegressorCV(kernel, [1.0]).fit(X, LABELS)
    assert any(
        "study > NTKRegressorCV > comparing kernels on 48 rows 0 % > kernel 1 of 1" in x for x in lines
    )
    assert capsys.readouterr() == ("", "")


class Interrupt:
    """Ctrl-C at the k-th event."""

    def __init__(self, at):
        self.at, self.count = at, 0

    def __call__(self):
        self.count += 1
        if self.count == self.at:
            raise KeyboardInterrupt


def depths(count):
    """The first event, one in the middle and the last."""
    return sorted({1, (count + 1) // 2, count})


def watch(monkeypatch, interrupt):
    """Have the interrupt called whenever a step begins or moves."""
    for name in ("__init__", "advance", "reach"):
        method = getattr(Gauge, name)

        def run(self, *args, method=method, **kwargs):
            method(self, *args, **kwargs)
            interrupt()

        monkeypatch.setattr(Gauge, name, run)


@everywhere
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(estimator, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        watch(patch, counter := Interrupt(0))
        fitted = copied(estimator, verbose=2).fit(X, LABELS)
    before, predictions = dict(vars(fitted)), outputs(fitted)
    kept = pickle.dumps(predictions)
    for at in depths(counter.count):
        fresh = copied(estimator, verbose=2)
        for model in (fresh, fitted):
            with monkeypatch.context() as patch:
                watch(patch, Interrupt(at))
                with pytest.raises(KeyboardInterrupt):
                    model.fit(X, LABELS)
        assert vars(fresh).keys() == vars(copied(estimator, verbose=2)).keys()
        with pytest.raises(NotFittedError):
            check_is_fitted(fresh)
        assert all(vars(fitted)[name] is value for name, value in before.items())
        assert vars(fitted).keys() == before.keys()
        assert pickle.dumps(outputs(fitted)) == kept
    model = fitted.set_params(verbose=0).fit(X, LABELS)  # and it can be fitted again
    np.testing.assert_array_equal(outputs(model), predictions)


@pytest.mark.parametrize(
    "estimator",
    [one for one in ESTIMATORS if getattr(one, "kernel", getattr(one, "kernels", None))],
    ids=name_of,
)
def test_an_interrupt_in_the_kernel(estimator):
    """Without a word said, from the kernel's own code, in threads too."""
    parameter = "kernel" if "kernel" in estimator.get_params() else "kernels"

    def fitted(model, interrupt):
        def kernel(A, B):
            interrupt()
            return A @ B.T + 1

        return model.set_params(**{parameter: kernel})

    counter = Interrupt(0)
    fitted(copied(estimator), counter).fit(X, LABELS)
    for at in depths(counter.count):
        model = fitted(copied(estimator), Interrupt(at))
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, LABELS)
        assert vars(model).keys() == vars(copied(estimator)).keys()


@pytest.mark.parametrize("pieces", [1, 3])
def test_an_interrupted_piece_of_a_stream_is_as_if_absent(pieces, monkeypatch, capsys):
    model = NTKRegressor(NTK(), solver=Nystrom(6, n_init=30), verbose=1)
    for rows in np.array_split(np.arange(48), 4)[:pieces]:
        model.partial_fit(X[rows], LABELS[rows])
    before, predictions = dict(vars(model)), model.predict(X)
    for method in (model.partial_fit, model.fit):
        with monkeypatch.context() as patch:
            watch(patch, Interrupt(2))
            with pytest.raises(KeyboardInterrupt):
                method(X[36:], LABELS[36:])
        assert vars(model).keys() == before.keys()
        assert all(vars(model)[name] is value for name, value in before.items())
        np.testing.assert_array_equal(model.predict(X), predictions)
    assert "NTKRegressor: " in capsys.readouterr().err
