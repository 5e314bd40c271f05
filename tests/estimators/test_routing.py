"""Groups and metadata, against scikit-learn's own grid search and against folds written out."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.metrics import get_scorer, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib.estimators import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    TangentClassifierCV,
    TangentRegressorCV,
)
from ntklib.kernels import NTK

KERNEL, ALPHAS = NTK(bias_std=0.5), [0.1, 1.0, 10.0]
SEARCHES = [
    NTKRegressorCV(KERNEL, ALPHAS),
    NTKClassifierCV(KERNEL, ALPHAS),
    TangentRegressorCV(kernel=KERNEL, max_iters=[1, 10, 100]),
    TangentClassifierCV(kernel=KERNEL, max_iters=[1, 10]),
]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X, groups = rng.standard_normal((48, 3)), rng.integers(8, size=48)
    return X, (X[:, 0] + rng.standard_normal(8)[groups] > 0) * 1.0, groups


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def scores(search):
    return search.cv_results_["mean_test_score"]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("route", [False, True])
class TestGroups:
    def test_make_the_folds(self, search, route, data):
        X, y, groups = data
        with sklearn.config_context(enable_metadata_routing=route):
            for cv in (GroupKFold(3), LeaveOneGroupOut()):
                ours = clone(search).set_params(cv=cv).fit(X, y, groups=groups)
                by_hand = clone(search).set_params(cv=list(cv.split(X, y, groups))).fit(X, y)
                np.testing.assert_array_equal(scores(ours), scores(by_hand))

    def test_of_absent_samples_stay_with_their_samples(self, search, route, data):
        X, y, groups = data
        w = np.ones(48)
        w[::5] = 0
        with sklearn.config_context(enable_metadata_routing=route):
            ours = clone(search).set_params(cv=LeaveOneGroupOut()).fit(X, y, w, groups=groups.tolist())
        rest = clone(search).set_params(cv=LeaveOneGroupOut()).fit(X[w > 0], y[w > 0], groups=groups[w > 0])
        np.testing.assert_allclose(scores(ours), scores(rest))

    def test_are_asked_for_where_they_are_missing(self, search, route, data):
        with (
            sklearn.config_context(enable_metadata_routing=route),
            pytest.raises(ValueError, match="'groups' parameter should not be None"),
        ):
            clone(search).set_params(cv=GroupKFold(3)).fit(*data[:2])

    def test_of_another_number(self, search, route, data):
        X, y, groups = data
        with (
            sklearn.config_context(enable_metadata_routing=route),
            pytest.raises(ValueError, match="inconsistent"),
        ):
            clone(search).set_params(cv=GroupKFold(3)).fit(X, y, groups=groups[1:])


def test_groups_choose_as_grid_search_does(data):
    X, y, groups = data
    pairs = (
        (NTKRegressorCV, NTKRegressor(KERNEL, clip=True), "r2"),
        (NTKClassifierCV, NTKClassifier(KERNEL), "accuracy"),
    )
    for ours, plain, scoring in pairs:
        theirs = GridSearchCV(plain, {"alpha": ALPHAS}, cv=GroupKFold(4), scoring=scoring)
        theirs.fit(X, y, groups=groups)
        mine = ours(KERNEL, ALPHAS, cv=GroupKFold(4), scoring=scoring).fit(X, y, groups=groups)
        np.testing.assert_allclose(scores(mine)[::-1], scores(theirs), rtol=1e-9)


@pytest.mark.parametrize("make", [NTKRegressorCV, NTKClassifierCV])
@pytest.mark.parametrize("cv", [None, "gcv"])
@pytest.mark.parametrize("route", [False, True])
def test_groups_without_folds_say_what_to_do(make, cv, route, data):
    X, y, groups = data
    with sklearn.config_context(enable_metadata_routing=route):
        with pytest.raises(ValueError, match=r"groups .* cv=.* GroupKFold"):
            make(KERNEL, ALPHAS, cv=cv).fit(X, y, groups=groups)
        make(KERNEL, ALPHAS, cv=cv).fit(X, y, groups=None)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda s: type(s).__name__)
class TestOthers:
    def test_are_refused_by_name(self, search, data):
        X, y, groups = data
        with pytest.raises(TypeError, match=r"fit\(\) got an unexpected keyword argument 'price'.*routing"):
            clone(search).set_params(cv=GroupKFold(3)).fit(X, y, groups=groups, price=groups)

    @pytest.mark.usefixtures("routing")
    def test_are_refused_where_nobody_asks_for_them(self, search, data):
        X, y, groups = data
        with pytest.raises(TypeError, match="price"):
            clone(search).set_params(cv=KFold(3)).fit(X, y, price=groups)
        with pytest.raises(TypeError, match="groups"):
            clone(search).set_params(cv=KFold(3)).fit(X, y, groups=groups)

    @pytest.mark.usefixtures("routing")
    def test_weights_that_a_scorer_says_nothing_about(self, search, data):
        """Refused from scikit-learn 1.8 on, as its own searches do."""
        X, y, _ = data
        regressor = "Regressor" in type(search).__name__
        scoring = "r2" if regressor else "roc_auc"
        theirs = (RidgeCV if regressor else RidgeClassifierCV)(cv=KFold(3), scoring=scoring)
        outcomes = []
        for model in (theirs, clone(search).set_params(cv=KFold(3), scoring=scoring)):
            try:
                model.fit(X, y, sample_weight=np.ones(48))
                outcomes.append("")
            except UnsetMetadataPassedError as error:
                outcomes.append(str(error)[:60])
        assert outcomes[0] == outcomes[1]


@pytest.mark.usefixtures("routing")
class TestRouting:
    def test_nested(self, data):
        X, y, groups = data
        grid = GridSearchCV(
            NTKRegressor(KERNEL, clip=True), {"alpha": ALPHAS}, cv=GroupKFold(3), scoring="r2"
        )
        mine = NTKRegressorCV(KERNEL, ALPHAS, cv=GroupKFold(3), scoring="r2")
        found = [
            cross_validate(model, X, y, params={"groups": groups}, cv=GroupKFold(4), error_score="raise")
            for model in (mine, make_pipeline(StandardScaler(with_mean=False, with_std=False), mine), grid)
        ]
        np.testing.assert_allclose(found[0]["test_score"], found[2]["test_score"], rtol=1e-9)
        np.testing.assert_allclose(found[1]["test_score"], found[2]["test_score"], rtol=1e-9)
        pipe = make_pipeline(StandardScaler(), mine).fit(X, y, groups=groups)
        assert pipe[-1].loo_path_.method == "cross-validation"

    @pytest.mark.parametrize("cv", [GroupKFold(3), None])
    def test_metadata_of_a_scorer(self, cv, data):
        """A price for each sample, by which it counts: folds as in grid search, leave-one-out by hand."""
        X, y, groups = data
        price = np.random.default_rng(1).uniform(1, 5, 48)
        X[1], y[1] = X[0], y[0]  # copies that differ in price

        def cost(truth, found, price):
            return np.sum(price * np.abs(truth - found)) / np.sum(price)

        scoring = make_scorer(cost, greater_is_better=False).set_score_request(price=True)
        mine = NTKRegressorCV(KERNEL, ALPHAS, cv=cv, scoring=scoring)
        if cv is None:
            mine.fit(X, y, price=price)
            others = [np.delete(np.arange(48), i) for i in range(48)]
            held = [
                [
                    NTKRegressor(KERNEL, alpha=a, clip=True).fit(X[q], y[q]).predict(X[i : i + 1])[0]
                    for i, q in enumerate(others)
                ]
                for a in ALPHAS
            ]
            np.testing.assert_allclose(scores(mine)[::-1], [-cost(y, h, price) for h in held], rtol=1e-8)
        else:
            mine.fit(X, y, groups=groups, price=price)
            grid = GridSearchCV(NTKRegressor(KERNEL, clip=True), {"alpha": ALPHAS}, cv=cv, scoring=scoring)
            theirs = grid.fit(X, y, groups=groups, price=price)
            np.testing.assert_allclose(scores(mine)[::-1], scores(theirs), rtol=1e-9)

    def test_weights_under_another_name(self, data):
        X, y, _ = data
        rng = np.random.default_rng(1)
        w, other = rng.uniform(0.5, 2, 48), rng.uniform(0.5, 2, 48)
        scoring = get_scorer("neg_mean_squared_error").set_score_request(sample_weight="worth")
        mine = NTKRegressorCV(KERNEL, ALPHAS, cv=KFold(3), scoring=scoring).fit(X, y, w, worth=other)
        expected = np.zeros(3)
        for train, test in KFold(3).split(X):
            for i, alpha in enumerate(ALPHAS):
                model = NTKRegressor(KERNEL, alpha=alpha, clip=True).fit(X[train], y[train], w[train])
                found = model.predict(X[test])
                expected[i] -= mean_squared_error(y[test], found, sample_weight=other[test]) / 3
        np.testing.assert_allclose(scores(mine)[::-1], expected, rtol=1e-9)

    def test_metadata_of_a_scorer_of_stopping(self, data):
        X, y, groups = data

        def first(truth, found, which):
            return float(np.sum(which)) + 0 * np.sum(found)

        for search in SEARCHES[2:]:
            scoring = make_scorer(first).set_score_request(which=True)
            model = clone(search).set_params(cv=GroupKFold(3), scoring=scoring)
            model.fit(X, y, groups=groups, which=groups)
            sums = [groups[test].sum() for _, test in GroupKFold(3).split(X, y, groups)]
            np.testing.assert_allclose(scores(model), np.mean(sums))

    def test_requests_can_be_set_on_the_estimator(self, data):
        X, y, groups = data
        mine = NTKRegressorCV(KERNEL, ALPHAS, cv=GroupKFold(3)).set_fit_request(sample_weight=True)
        mine.set_score_request(sample_weight=False)
        params = {"groups": groups, "sample_weight": np.ones(48)}
        cross_validate(mine, X, y, params=params, cv=GroupKFold(4), error_score="raise")
