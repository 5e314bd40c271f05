"""What models are chosen by: scores in every unit of y, scores that are not numbers, weights on request."""

import functools
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.metrics import get_scorer, make_scorer, mean_pinball_loss, r2_score
from sklearn.model_selection import LeaveOneOut

from ntklib import (
    NTK,
    NetworkRegressor,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    TangentRegressor,
    TangentRegressorCV,
)
from ntklib.dynamics import Huber, gradient_descent, gradient_flow
from ntklib.networks import TwoLayerNet

KERNEL = NTK(depth=2, bias_std=0.3)
EXPONENTS = [-560, -300, 300, 530]  # 1e-169, 1e-90, 1e90, 1e159: at the ends squares are not representable


def draw():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return X, X[:, 0] + np.sin(2 * X[:, 1]) + 0.2 * rng.standard_normal(40)


@pytest.fixture
def data():
    return draw()


@functools.cache
def plain_search(scoring, cv):
    """Of two kernels on targets of the order of one; what others are compared with."""
    return NTKRegressorCV([KERNEL, NTK()], scoring=scoring, cv=cv).fit(*draw())


@pytest.fixture(autouse=True)
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def scaled(x, exponent):
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(x, exponent)


class TestAnyUnit:
    """Powers of two change nothing but the exponents of what is in the unit of y."""

    @pytest.mark.parametrize("exponent", EXPONENTS)
    @pytest.mark.parametrize(
        ("scoring", "degree"),
        [
            (None, 2),
            ("neg_mean_squared_error", 2),
            ("neg_root_mean_squared_error", 1),
            ("neg_mean_absolute_error", 1),
            ("neg_median_absolute_error", 1),
            ("neg_max_error", 1),
            (make_scorer(mean_pinball_loss, alpha=0.9, greater_is_better=False), 1),
            ("r2", 0),
            ("explained_variance", 0),
            (make_scorer(r2_score, multioutput="variance_weighted"), 0),
        ],
    )
    @pytest.mark.parametrize("cv", [None, 3])
    def test_scorers(self, data, scoring, degree, exponent, cv):
        X, y = data
        plain = plain_search(scoring, cv)
        other = clone(plain).fit(X, scaled(y, exponent))
        assert other.alpha_ == plain.alpha_
        assert other.kernel_ == plain.kernel_
        assert other.best_score_ == scaled(plain.best_score_, degree * exponent)
        for key in ("mean_test_score", "param_alpha"):
            times = degree * exponent if key == "mean_test_score" else 0
            np.testing.assert_array_equal(other.cv_results_[key], scaled(plain.cv_results_[key], times))
        np.testing.assert_array_equal(other.predict(X), scaled(plain.predict(X), exponent))

    @pytest.mark.parametrize("exponent", EXPONENTS)
    @pytest.mark.parametrize("per_target", [False, True])
    @pytest.mark.parametrize("cv", [None, "gcv"])
    def test_choices_for_targets_of_different_sizes(self, data, exponent, per_target, cv):
        """With a penalty each, a target is judged in its own unit, however large another is."""
        X, y = data
        easy = X @ [1.0, 2.0, 3.0]
        sizes = [exponent, 0]
        Y = np.column_stack([easy, y])
        search = NTKRegressorCV([KERNEL], cv=cv, alpha_per_target=per_target)
        model = search.fit(X, scaled(Y, sizes))
        single = [NTKRegressorCV([KERNEL], cv=cv).fit(X, column) for column in Y.T]
        if per_target:
            assert model.alpha_.tolist() == [one.alpha_ for one in single]
            expected = scaled(np.array([one.best_score_ for one in single]), 2 * np.array(sizes))
            np.testing.assert_allclose(model.best_score_, expected, rtol=1e-12)
        else:
            assert model.alpha_ == single[0 if exponent > 0 else 1].alpha_  # the large one decides

    def test_coefficients_of_determination_know_no_size(self, data):
        X, y = data
        Y = np.column_stack([X[:, 0], y])
        plain = NTKRegressorCV([KERNEL], scoring="r2").fit(X, Y)
        other = NTKRegressorCV([KERNEL], scoring="r2").fit(X, scaled(Y, [-560, 530]))
        assert (other.alpha_, other.best_score_) == (plain.alpha_, plain.best_score_)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("exponent", EXPONENTS)
    def test_regressor(self, data, dtype, exponent):
        X, y = data
        plain, other = (NTKRegressor(KERNEL).fit(X.astype(dtype), z) for z in (y, scaled(y, exponent)))
        np.testing.assert_allclose(scaled(other.predict(X), -exponent), plain.predict(X), rtol=1e-12)
        assert other.solve_.residual < 1e-12

    @pytest.mark.parametrize("exponent", EXPONENTS)
    @pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error"])
    def test_training_of_tangent_models(self, data, loss, exponent):
        X, y = data
        delta = Huber(delta=0.5) if loss == "huber" else loss
        moved = Huber(delta=scaled(0.5, exponent)) if loss == "huber" else loss
        degree = 1 if loss == "absolute_error" else 2
        settings = {"kernel": NTK(), "max_iter": 60, "early_stopping": True, "random_state": 0}
        plain = TangentRegressor(loss=delta, **settings).fit(X, y)
        other = TangentRegressor(loss=moved, **settings).fit(X, scaled(y, exponent))
        assert other.n_iter_ == plain.n_iter_ > 3
        np.testing.assert_array_equal(other.predict(X), scaled(plain.predict(X), exponent))
        for name in ("loss_curve_", "validation_loss_curve_"):
            found, expected = getattr(other, name), scaled(getattr(plain, name), degree * exponent)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert other.learning_rate_ == scaled(plain.learning_rate_, (2 - degree) * exponent)
        last = list(other.staged_predict(X))[-1]
        np.testing.assert_allclose(scaled(last, -exponent), plain.predict(X), rtol=1e-12)
        again = TangentRegressor(loss=moved, learning_rate=other.learning_rate_, **settings)
        np.testing.assert_array_equal(again.fit(X, scaled(y, exponent)).predict(X), other.predict(X))

    @pytest.mark.parametrize("exponent", [300, 530])
    def test_training_of_finite_tangent_models(self, data, exponent):
        """Outputs at the start are in no unit of y: beside huge targets they are nothing."""
        X, y = data
        net = TwoLayerNet(16, symmetric=True)  # starts at 0
        for loss in ("squared_error", "absolute_error"):
            settings = {"network": net, "loss": loss, "max_iter": 40, "random_state": 0}
            plain = TangentRegressor(**settings).fit(X, y)
            other = TangentRegressor(**settings).fit(X, scaled(y, exponent))
            np.testing.assert_array_equal(other.predict(X), scaled(plain.predict(X), exponent))
            twice = [
                TangentRegressor(warm_start=True, **settings).fit(X, z).fit(X, z).predict(X)
                for z in (y, scaled(y, exponent))
            ]
            np.testing.assert_array_equal(twice[1], scaled(twice[0], exponent))

    @pytest.mark.parametrize("exponent", EXPONENTS)
    @pytest.mark.parametrize("scoring", [None, "r2"])
    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
    def test_stopping_times(self, data, scoring, loss, exponent):
        X, y = data
        degree = 0 if scoring else 2 if loss == "squared_error" else 1
        search = TangentRegressorCV(kernel=NTK(), loss=loss, scoring=scoring, max_iters=[1, 4, 16, 64, 256])
        plain, found = search.fit(X, y), {}
        found = plain.max_iter_, plain.best_score_, plain.stopping_path_.fold_scores, plain.predict(X)
        other = search.fit(X, scaled(y, exponent))
        assert other.max_iter_ == found[0] > 1
        np.testing.assert_allclose(other.best_score_, scaled(found[1], degree * exponent), rtol=1e-12)
        np.testing.assert_allclose(
            other.stopping_path_.fold_scores, scaled(found[2], degree * exponent), rtol=1e-12
        )
        np.testing.assert_array_equal(other.predict(X), scaled(found[3], exponent))

    @pytest.mark.parametrize("exponent", EXPONENTS)
    def test_closed_forms(self, data, exponent):
        X, y = data
        K = KERNEL(X)
        for train in (
            lambda y: gradient_flow(K, y, [0.1, 10.0]),
            lambda y: gradient_descent(K, y, [1, 50], learning_rate=1e-3),
        ):
            plain, other = train(y), train(scaled(y, exponent))
            np.testing.assert_array_equal(other.outputs, scaled(plain.outputs, exponent))
            np.testing.assert_array_equal(other.distance, scaled(plain.distance, exponent))
            np.testing.assert_array_equal(other.loss, scaled(plain.loss, 2 * exponent))

    def test_networks_say_that_targets_are_too_large(self, data):
        """A network that is trained itself has a scale of its own."""
        with np.errstate(over="ignore"), pytest.raises(ValueError, match="scale the rows, the targets"):
            NetworkRegressor(TwoLayerNet(16), random_state=0).fit(data[0], 1e160 * data[1])

    @pytest.mark.parametrize(
        "model", [TangentRegressor(kernel=KERNEL, max_iter=50), TangentRegressorCV(kernel=KERNEL)]
    )
    def test_a_small_output_is_not_lost_beside_a_large_one(self, data, model):
        X, y = data
        both = np.column_stack([np.ldexp(y, -560), np.ldexp(X[:, 1], 530)])
        found = model.fit(X, both).predict(X)
        for j, (target, exponent) in enumerate([(y, -560), (X[:, 1], 530)]):
            alone = TangentRegressor(kernel=KERNEL, max_iter=model.n_iter_, tol=None).fit(X, target)
            np.testing.assert_allclose(np.ldexp(found[:, j], -exponent), alone.predict(X), rtol=1e-9)


class TestNotNumbers:
    """Scores that are NaN or infinite are never chosen, as in GridSearchCV; only such ones are an error."""

    SEARCHES = (
        lambda scoring, **more: NTKRegressorCV([KERNEL, NTK()], scoring=scoring, **more),
        lambda scoring, **more: NTKClassifierCV([KERNEL, NTK()], scoring=scoring, **more),
        lambda scoring, **more: TangentRegressorCV(
            kernel=NTK(), scoring=scoring, max_iters=[1, 10, 100], **more
        ),
    )

    @pytest.mark.parametrize("make", SEARCHES)
    @pytest.mark.parametrize("cv", [None, 3])
    @pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
    def test_nothing_else(self, make, cv, value, data):
        search = make(lambda model, X, y: value, **({} if cv is None else {"cv": cv}))
        with pytest.raises(ValueError, match="nothing can be chosen: all scores are NaN or infinite"):
            search.fit(data[0], data[1] > 0)

    @pytest.mark.parametrize("make", SEARCHES)
    @pytest.mark.parametrize("cv", [None, 3])
    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    def test_some(self, make, cv, value, data):
        """Where a scorer has no number for large outputs, the best of the others wins."""

        limit = 1.2 if make is self.SEARCHES[-1] else 0.9

        def scorer(model, X, y):
            outputs = getattr(model, "decision_function", model.predict)(X)
            return value if np.abs(outputs).max() > limit else -np.mean((outputs - y) ** 2)

        with pytest.warns(UserWarning, match="some scores are NaN or infinite"):
            search = make(scorer, **({} if cv is None else {"cv": cv})).fit(data[0], (data[1] > 0) * 1)
        scores = search.cv_results_["mean_test_score"]
        bad = ~np.isfinite(scores)
        assert bad.any()
        assert search.best_score_ == scores[~bad].max()
        assert (search.cv_results_["rank_test_score"][bad] == (~bad).sum() + 1).all()
        assert search.cv_results_["rank_test_score"][np.nanargmax(np.where(bad, -np.inf, scores))] == 1

    def test_a_kernel_without_scores_is_passed_over(self, data):
        calls = []

        def scorer(model, X, y):
            calls.append(0)
            return np.nan if len(calls) <= 2 else -np.mean((model.predict(X) - y) ** 2)

        with pytest.warns(UserWarning, match="some scores"), sklearn.config_context(working_memory=1):
            search = NTKRegressorCV([NTK(), KERNEL], alphas=[0.1, 1.0], scoring=scorer).fit(*data)
        assert np.isfinite(search.best_score_)

    def test_gcv_has_no_word_on_interpolation(self, data):
        with pytest.raises(ValueError, match="nothing can be chosen"):
            NTKRegressorCV([KERNEL], alphas=[0.0], cv="gcv").fit(*data)
        with pytest.warns(UserWarning, match="some scores"):
            assert NTKRegressorCV([KERNEL], alphas=[0.0, 0.1], cv="gcv").fit(*data).alpha_ == 0.1


class TestRequestedWeights:
    """Under metadata routing a scorer that wants no weights is given none."""

    @pytest.mark.parametrize("whole", [False, True])
    @pytest.mark.parametrize("asks", [True, False])
    @pytest.mark.parametrize("cv", [None, LeaveOneOut()])
    def test_request(self, data, asks, whole, cv):
        X, y = data
        w = np.random.default_rng(1).uniform(0.1, 3, 40)
        w = np.ceil(w) if whole else w
        held = np.empty(40)
        if cv is None and not (whole and asks):
            for i in range(40):
                rest = np.delete(np.arange(40), i)
                copies, weights = rest, w[rest]
                if whole:  # a weight of 2 is the sample twice, of which one is left out
                    left = w.copy()
                    left[i] -= 1
                    copies, weights = np.flatnonzero(left), left[left > 0]
                held[i] = (
                    NTKRegressor(KERNEL, alpha=0.5)
                    .fit(X[copies], y[copies], weights)
                    .predict(X[i : i + 1])[0]
                )
            expected = r2_score(y, held, sample_weight=w if asks else None)
        with sklearn.config_context(enable_metadata_routing=True):
            scorer = get_scorer("r2" if cv is None else "neg_mean_squared_error")
            scorer = scorer.set_score_request(sample_weight=asks)
            model = NTKRegressorCV([KERNEL], scoring=scorer, alphas=[0.5], cv=cv).fit(X, y, sample_weight=w)
        if cv is not None:  # of single samples the weights cancel
            for i in range(40):
                rest = np.delete(np.arange(40), i)
                held[i] = (
                    NTKRegressor(KERNEL, alpha=0.5).fit(X[rest], y[rest], w[rest]).predict(X[i : i + 1])[0]
                )
            np.testing.assert_allclose(model.best_score_, -np.mean((y - held) ** 2), rtol=1e-9)
        elif not (whole and asks):
            np.testing.assert_allclose(model.best_score_, expected, rtol=1e-9)

    def test_equal_samples_still_count_each(self, data):
        X, y = np.vstack([data[0], data[0][:5]]), np.r_[data[1], data[1][:5]]
        held = np.empty(45)
        for i in range(45):
            rest = np.delete(np.arange(45), i)
            held[i] = NTKRegressor(KERNEL, alpha=0.5).fit(X[rest], y[rest]).predict(X[i : i + 1])[0]
        with sklearn.config_context(enable_metadata_routing=True):
            scorer = get_scorer("r2").set_score_request(sample_weight=False)
            model = NTKRegressorCV([KERNEL], scoring=scorer, alphas=[0.5]).fit(X, y)
        np.testing.assert_allclose(model.best_score_, r2_score(y, held), rtol=1e-9)
