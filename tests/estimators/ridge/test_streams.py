"""partial_fit: exact on few rows, then ridge regression on fixed centres, however the stream is cut."""

import pickle

import numpy as np
import pandas
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import ntklib
from ntklib import NTK, NTKClassifier, NTKRegressor, NTKRegressorCV
from ntklib.estimators.ridge._stream_rows import Reservoir, StreamRows
from ntklib.solvers import Nystrom

KERNEL = NTK(depth=2, bias_std=0.5)
SOLVER = Nystrom(12, n_init=40)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2] + 3])
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 1)]
WEIGHTS = RNG.integers(0, 4, size=300)
NEW = RNG.normal(size=(20, 3))


def regressor(**options):
    return NTKRegressor(KERNEL, alpha=0.3, solver=SOLVER, **options)


def classifier(**options):
    return NTKClassifier(KERNEL, alpha=0.3, solver=SOLVER, **options)


def streamed(model, ends, X=X, y=Y, weights=None, **options):
    """The model after the pieces that end there."""
    for start, stop in zip([0, *ends], ends, strict=False):
        piece = slice(start, stop)
        part = None if weights is None else weights[piece]
        model.partial_fit(X[piece], y[piece], sample_weight=part, **options)
    return model


def on_centres(X, C, targets, weights, penalty):
    """Values at NEW of ridge regression on the kernel's columns at the centres, by plain least squares."""
    root = np.linalg.cholesky(KERNEL(C))
    design = np.hstack([np.linalg.solve(root, KERNEL(C, X)).T, np.ones((len(X), 1))])
    ridge = penalty * np.diag([1.0] * len(C) + [0.0])
    solution = np.linalg.solve(
        design.T @ (weights[:, None] * design) + ridge, design.T @ (weights[:, None] * targets)
    )
    return np.hstack([np.linalg.solve(root, KERNEL(C, NEW)).T, np.ones((len(NEW), 1))]) @ solution


def answers(model):
    new = NEW[:, : model.n_features_in_]
    values = [
        model.X_fit_,
        model.support_,
        model.dual_coef_,
        np.asarray(model.intercept_),
        model.predict(new),
    ]
    if isinstance(model, NTKRegressor):
        return [*values, *model.predict(new, return_std=True), np.asarray(model.target_scale_)]
    return [*values, model.predict_proba(new), np.asarray(model.temperature_)]


def same(one, other):
    for a, b in zip(answers(one), answers(other), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS / 3], ids=["equal", "counts", "importances"])
def test_few_rows_are_fitted_exactly(weights):
    few = slice(0, 39)
    part = None if weights is None else weights[few]
    exact = {"kernel": KERNEL, "alpha": 0.3}
    stream = streamed(regressor(target_scale="fit"), [10, 39], weights=weights)
    fit = NTKRegressor(**exact, target_scale="fit").fit(X[few], Y[few], part)
    assert stream.solve_.method == "cholesky"
    np.testing.assert_array_equal(stream.support_, fit.support_)
    for one, other in zip(answers(stream), answers(fit), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    stream = streamed(classifier(), [10, 39], y=LABELS, weights=weights, classes=["c", "b", "a"])
    fit = NTKClassifier(**exact).fit(X[few], LABELS[few], part)
    np.testing.assert_allclose(stream.predict_proba(NEW), fit.predict_proba(NEW), rtol=1e-10)


@pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS / 3], ids=["equal", "counts", "importances"])
def test_many_rows_are_ridge_regression_on_the_centres(weights):
    model = streamed(regressor(target_scale="fit"), [7, 100, 300], weights=weights)
    assert model.solve_.method == "nystrom"
    assert model.X_fit_.shape == (12, 3)
    np.testing.assert_array_equal(model.X_fit_, X[model.support_])
    present = np.ones(300) if weights is None else weights
    assert (np.cumsum(present > 0)[model.support_] <= 40).all()  # among the first rows
    np.testing.assert_allclose(model.predict(NEW), on_centres(X, model.X_fit_, Y, present, 0.3), rtol=1e-8)
    given = Nystrom(centers=model.X_fit_)
    fit = NTKRegressor(KERNEL, alpha=0.3, solver=given, target_scale="fit").fit(X, Y, weights)
    for asked in ({}, {"return_std": True}):
        np.testing.assert_allclose(model.predict(NEW, **asked), fit.predict(NEW, **asked), rtol=1e-7)
    np.testing.assert_allclose(model.target_scale_, fit.target_scale_, rtol=1e-8)


@pytest.mark.parametrize("class_weight", [None, {"a": 3.0, "c": 0.5}])
def test_a_classifier_keeps_rows_for_its_temperature(class_weight):
    model = classifier(class_weight=class_weight)
    streamed(model, [50, 300], y=LABELS, weights=WEIGHTS, classes=["a", "b", "c"])
    held = model._stream.reservoir.rows
    assert len(held) == 10  # a fourth of n_init
    sums = np.setdiff1d(np.flatnonzero(WEIGHTS), held.numbers)
    targets = np.where(LABELS[:, None] == np.array(["a", "b", "c"]), 1.0, -1.0)
    weights = WEIGHTS * np.array([(class_weight or {}).get(label, 1.0) for label in LABELS])
    expected = on_centres(X[sums], model.X_fit_, targets[sums], weights[sums], 0.3)
    np.testing.assert_allclose(model.decision_function(NEW), expected, rtol=1e-7)

    scores, own = model.decision_function(X[held.numbers]), targets[held.numbers] > 0
    doubt = 1 / (WEIGHTS[held.numbers].sum() + 2)
    smoothed = np.where(own, 1 - doubt, doubt / 2)

    def loss(log_temperature):
        terms = (smoothed * log_softmax(scores / np.exp(log_temperature), axis=1)).sum(axis=1)
        return -weights[held.numbers] @ terms

    best = minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-9})
    assert np.log(model.temperature_) == pytest.approx(best.x, abs=1e-5)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_cuts_and_threads_make_no_difference(make):
    """More rows than one block and one chain have."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40_000, 2))
    X[5] = X[3]
    weights = rng.integers(0, 3, size=len(X)) / 2
    y = X[:, 0] + X[:, 1] ** 2
    options = {"weights": weights}
    if make is classifier:
        y, options["classes"] = y > 0, [True, False]
    whole = streamed(make(), [len(X)], X, y, **options)
    for threads, ends in ((1, [1, 2, 30, 4100, 40_000]), (3, [39, 8192, 33_000, 33_001, 36_864, 40_000])):
        with ntklib.set_threads(threads):
            same(streamed(make(), ends, X, y, **options), whole)


@pytest.mark.parametrize("rows", [30, 300])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_another_penalty_and_a_pickle(make, rows):
    y, options = (Y, {}) if make is regressor else (LABELS, {"classes": ["a", "b", "c"]})
    model = streamed(make(), [rows], y=y, **options)
    copy = pickle.loads(pickle.dumps(model))
    other = streamed(make().set_params(alpha=5.0), [rows], y=y, **options)
    assert model.refit_alpha(5.0) is model
    same(model, other)
    assert model.alpha == 5.0
    same(copy.partial_fit(X, y), streamed(make(), [rows], y=y, **options).partial_fit(X, y))
    with pytest.raises(ValueError, match="alpha must be finite and nonnegative"):
        model.refit_alpha(-1.0)
    same(model, other)
    assert model.alpha == 5.0


def test_fit_starts_anew_and_so_does_a_stream_after_it():
    model = streamed(regressor(), [100])
    fit = regressor().fit(X, Y)
    same(model.fit(X, Y), fit)
    with pytest.raises(ValueError, match="which fit does not keep"):
        model.refit_alpha(1.0)
    same(model.partial_fit(X[:100, :2], Y[:100]), streamed(regressor(), [100], X=X[:, :2]))
    assert not hasattr(clone(model), "X_fit_")
    assert repr(model) == repr(regressor())


def test_sparse_pieces_and_float32():
    thin = np.where(abs(X) > 1, X, 0.0)
    dense = streamed(regressor(), [30, 300], X=thin)
    for form in (sparse.csr_array, sparse.csr_matrix):
        model = streamed(regressor(), [30, 300], X=form(thin))
        np.testing.assert_allclose(model.predict(NEW), dense.predict(NEW), rtol=1e-8)
    single = X.astype(np.float32)
    same(streamed(regressor(), [30, 300], X=single), streamed(regressor(), [30, 300], X=single.astype(float)))


def test_only_nystrom_learns_from_a_stream():
    for solver in ("auto", "cholesky", "cg"):
        assert not hasattr(NTKRegressor(solver=solver), "partial_fit")
        assert not hasattr(NTKClassifier(solver=solver), "refit_alpha")
    assert hasattr(NTKClassifier(solver="nystrom"), "partial_fit")
    assert not hasattr(NTKRegressorCV(solver="nystrom"), "partial_fit")
    assert Nystrom().stream_start() == 4096
    assert Nystrom(3000).stream_start() == 6000
    for n_init in (1, 2.5):
        with pytest.raises((TypeError, ValueError), match="n_init must be"):
            NTKRegressor(solver=Nystrom(n_init=n_init)).partial_fit(X, Y)


BAD = X.copy()
BAD[123, 1] = np.nan


@pytest.mark.parametrize(
    ("make", "piece", "message"),
    [
        (regressor, (X[:, :2], Y), "X has 2 features, but NTKRegressor is expecting 3 features"),
        (regressor, (BAD, Y), "Input X contains NaN in row 123, column 1"),
        (regressor, (X * 1e200, Y), "NaN or infinite|range of floats"),
        (regressor, (X, Y[:, 0]), r"y has shape \(300,\), and the stream began with shape \(n, 2\)"),
        (regressor, (X, Y[:, [0, 0, 1]]), r"y has shape \(300, 3\)"),
        (regressor, (X, Y, -np.ones(300)), "Negative values in data"),
        (classifier, (X, LABELS == "a"), "the label .* is not among the classes"),
        (classifier, (X, LABELS, ["a", "b"]), r"classes are \['a', 'b'\], and were \['a', 'b', 'c'\]"),
    ],
)
@pytest.mark.parametrize("rows", [20, 60])
def test_a_piece_that_does_not_suit_changes_nothing(make, piece, message, rows):
    def begun():
        if make is regressor:
            return streamed(make(), [rows])
        return streamed(make(), [rows], y=LABELS, classes=["a", "b", "c"])

    model, expected = begun(), begun()
    with pytest.raises((ValueError, TypeError), match=message), np.errstate(all="ignore"):
        model.partial_fit(*piece)
    same(model, expected)
    y = Y if make is regressor else LABELS
    same(model.partial_fit(X[rows:], y[rows:]), expected.partial_fit(X[rows:], y[rows:]))


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": NTK(depth=2, bias_std=0.6)},
        {"kernel__bias_std": 0.6},
        {"fit_intercept": False},
        {"solver": Nystrom(11, n_init=40)},
        {"solver__centers": X[:12]},
        {"class_weight": {"a": 2.0}},
        {"calibrate": False},
    ],
)
@pytest.mark.parametrize("rows", [20, 60])
def test_what_all_rows_share_cannot_be_changed_in_a_stream(change, rows):
    def begun():
        model = clone(classifier(class_weight={"b": 2.0}))
        return streamed(model, [rows], y=LABELS, classes=["a", "b", "c"])

    model, expected = begun(), begun()
    before = {name: clone(model).get_params()[name] for name in change}
    model.set_params(**change)
    for call in (lambda: model.partial_fit(X, LABELS), lambda: model.refit_alpha(0.1)):
        with pytest.raises(ValueError, match="cannot be changed for rows that are gone"):
            call()
    same(model.set_params(**before), expected)
    same(model.partial_fit(X, LABELS), expected.partial_fit(X, LABELS))


@pytest.mark.parametrize("labels", [["a", None], ["a", 1], [["a", "b"]], "ab", 3, [0.5, 1.5]])
def test_classes_that_are_no_list_of_labels(labels):
    with pytest.raises(ValueError, match="classes must be the labels that will come"):
        classifier().partial_fit(X, LABELS, labels)


def test_labels_are_named_as_they_were_given():
    with pytest.raises(ValueError, match="the label 2 is not among"):
        classifier().partial_fit(X[:3], [0, 1, 2], [0, 1])
    with pytest.raises(ValueError, match="got 1 class: 'a'"):
        classifier().fit(X[:2], ["a", "a"])


def test_bad_beginnings():
    for classes, message in ((None, "must be given on the first call"), (["a"], "at least 2 classes")):
        with pytest.raises(ValueError, match=message):
            classifier().partial_fit(X, LABELS, classes)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all labels at once"):
        classifier(class_weight="balanced").partial_fit(X, LABELS, ["a", "b", "c"])
    nothing = regressor()
    with pytest.raises(ValueError, match="no row of positive weight"):
        nothing.partial_fit(X, Y, np.zeros(300))
    model = nothing.partial_fit(X, Y)
    same(model.partial_fit(X, Y, np.zeros(300)), regressor().partial_fit(X, Y))  # as if absent
    with pytest.raises(ValueError, match="kernel='precomputed' is the whole matrix"):
        NTKRegressor("precomputed", solver="nystrom").partial_fit(KERNEL(X), Y)
    wrong = Nystrom(centers=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"centers must have shape \(n_centers, 3\)"):
        NTKRegressor(solver=wrong).partial_fit(X, Y)
    frame = pandas.DataFrame(X, columns=list("abc"))
    model = regressor().partial_fit(frame, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame[["a", "c", "b"]], Y)


def test_streams_that_are_one_row_one_class_or_without_calibration():
    one = regressor().partial_fit(X[:1], Y[:1])
    np.testing.assert_allclose(one.predict(NEW), np.tile(Y[:1], (20, 1)))
    lone = classifier().partial_fit(X[:1], LABELS[:1], ["a", "b", "c"])
    assert lone.predict_proba(NEW).shape == (20, 3)
    assert (lone.predict(NEW) == LABELS[0]).all()
    plain = streamed(classifier(calibrate=False), [30, 300], y=LABELS, classes=["a", "b", "c"])
    assert not hasattr(plain, "predict_proba")
    assert plain._stream.reservoir.rows is None
    small = NTKClassifier(solver=Nystrom(n_init=2)).partial_fit(X, LABELS, ["a", "b", "c"])
    assert small.X_fit_.shape == (2, 3)


def test_a_reservoir_is_a_uniform_sample():
    """Every row is in it equally often: a count of n_streams draws of chance size / n."""
    n, size, n_streams = 12, 4, 3000
    zeros = np.zeros(n)
    rows = StreamRows(zeros[:, None], zeros[:, None], zeros, zeros, zeros, np.arange(n))
    times = np.zeros(n)
    pairs = 0
    for seed in range(n_streams):
        reservoir, seen = Reservoir.seeded(size, seed), []
        for part in (slice(0, 3), slice(3, 8), slice(8, 8), slice(8, 12)):
            reservoir, leaving = reservoir.extended(rows.take(part))
            seen += leaving.numbers.tolist()
        numbers = reservoir.rows.numbers
        assert sorted([*numbers, *seen]) == list(range(n))
        times[numbers] += 1
        pairs += {0, 11} <= set(numbers)
    chance = size / n
    assert (abs(times - n_streams * chance) < 5 * np.sqrt(n_streams * chance * (1 - chance))).all()
    both = size * (size - 1) / (n * (n - 1))
    assert abs(pairs - n_streams * both) < 5 * np.sqrt(n_streams * both * (1 - both))


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([NTKRegressor(solver=Nystrom()), NTKClassifier(solver=Nystrom())])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_centres_are_chosen_as_soon_as_there_are_n_init_rows():
    rows, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40.0)
    methods = [
        NTKRegressor(solver=Nystrom(12, n_init=40)).partial_fit(rows[:n], y[:n]).solve_.method
        for n in (39, 40)
    ]
    assert methods == ["cholesky", "nystrom"]


def test_targets_of_another_shape_are_named():
    rows, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0)
    model = NTKRegressor(solver=Nystrom(12, n_init=40)).partial_fit(rows, y[:, None])
    with pytest.raises(ValueError, match=r"y has shape \(30,\), and the stream began with shape \(n, 1\)"):
        model.partial_fit(rows, y)


def test_fewer_rows_to_choose_among_than_centres_are_as_many_as_centres():
    rows = np.random.default_rng(0).normal(size=(30, 3))
    model = NTKRegressor(solver=Nystrom(20, subset=5)).fit(rows, rows[:, 0])
    assert model.solve_.n_centers == 20


def test_a_penalty_of_0_is_refused_as_the_stream_begins():
    rows, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0)
    model = NTKRegressor(alpha=0.0, target_scale="fit", solver=Nystrom(12, n_init=40))
    with pytest.raises(ValueError, match="target_scale='fit' needs a positive alpha"):
        model.partial_fit(rows, y)
    model = model.set_params(alpha=1.0).partial_fit(rows, y)
    with pytest.raises(ValueError, match="target_scale='fit' needs a positive alpha"):
        model.refit_alpha(0.0)
    assert model.alpha == 1.0
