"""Bad parameters: every message names the parameter and says what to give."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from ntklib.estimators import (
    ArcCosineFeatures,
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
)
from ntklib.kernels import NTK, ReLU
from ntklib.networks import TwoLayerNet

NET = TwoLayerNet(4)
ESTIMATORS = [
    NTKRegressor(NTK()),
    NTKClassifier(NTK()),
    NTKRegressorCV(NTK(), [1.0]),
    NTKClassifierCV(NTK(), [1.0]),
    TangentRegressor(kernel=NTK(), max_iter=2),
    TangentClassifier(NET, max_iter=2, early_stopping=True),
    TangentRegressorCV(kernel=NTK(), max_iters=[1, 2], cv=2),
    TangentClassifierCV(NET, max_iters=[1, 2], cv=2),
    NetworkRegressor(NET, max_iter=2, early_stopping=True),
    NetworkClassifier(NET, max_iter=2),
    TangentFeatures(NET),
    ArcCosineFeatures(n_components=5),
    NystromFeatures(NTK(), 5),
]


class Nonsense:
    pass


WRONG = {
    "a word": "nonsense",
    "none": None,
    "a class": Nonsense,
    "an object": Nonsense(),
    "a list of anything": [1, "a"],
    "a mapping": {"a": 1},
    "an array": np.array([0.1, 0.2]),
    "nothing in a list": [],
    "nan": float("nan"),
    "infinity": float("inf"),
    "a negative number": -1.5,
    "a numeral": "1",
}
# What is right after all, by parameter.
RIGHT = {
    ("none", name)
    for name in (
        *("kernel", "kernels", "network", "alphas", "cv", "scoring", "class_weight", "max_search_samples"),
        *("random_state", "batch_size", "tol", "max_iters", "n_components", "params", "learn_features"),
    )
} | {("an array", "alphas")}
CASES = [
    pytest.param(estimator, name, kind, id=f"{type(estimator).__name__}-{name}-{kind}")
    for estimator in ESTIMATORS
    for name in estimator.get_params(deep=False)
    for kind in WRONG
    if (kind, name) not in RIGHT
]
ROWS = np.random.default_rng(0).standard_normal((14, 3))
LABELS = (ROWS[:, 0] > 0) * 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "name", "kind"), CASES)
def test_every_message_names_the_parameter(estimator, name, kind):
    model = clone(estimator)
    setattr(model, name, WRONG[kind])
    with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
        model.fit(ROWS, LABELS)


class TestClassesForInstances:
    @pytest.mark.parametrize("make", [NTKRegressor, NTKClassifier, NTKRegressorCV, NTKClassifierCV])
    def test_of_kernels(self, make):
        name = "kernels" if make in (NTKRegressorCV, NTKClassifierCV) else "kernel"
        with pytest.raises(
            TypeError, match=rf"^{name} must be a kernel object, and NTK is a class: .*NTK\(\.\.\.\)"
        ):
            make(NTK).fit(ROWS, LABELS)

    def test_of_kernels_in_a_list(self):
        with pytest.raises(TypeError, match=r"kernels must be .* NTK is a class"):
            NTKRegressorCV([NTK(), NTK]).fit(ROWS, LABELS)

    def test_of_activations_for_kernels(self):
        for model in (NTKRegressor(ReLU()), NTKRegressorCV([NTK(), ReLU()])):
            with pytest.raises(TypeError, match=r"is an activation: give NTK\(activation=...\)"):
                model.fit(ROWS, LABELS)

    def test_of_networks(self):
        for make in (TangentRegressor, NetworkClassifier, TangentFeatures):
            with pytest.raises(TypeError, match=r"network must be .*TwoLayerNet"):
                make(TwoLayerNet).fit(ROWS, LABELS)


class TestComponents:
    @pytest.mark.parametrize("make", [NTKRegressor, NTKClassifier, lambda: TangentRegressor()])
    def test_of_the_default_kernel(self, make):
        with pytest.raises(ValueError, match=r"kernel__depth cannot be set, since kernel is None, .*NTK\(\)"):
            make().set_params(kernel__depth=2)

    def test_in_a_grid(self):
        grid = {"kernel__depth": [1, 2]}
        with pytest.raises(ValueError, match=r"kernel__depth cannot be set.*ntklib\.NTK\(\)"):
            GridSearchCV(NTKRegressor(), grid, error_score="raise").fit(ROWS, LABELS)
        found = GridSearchCV(NTKRegressor(NTK()), grid, cv=2).fit(ROWS, LABELS)
        assert found.best_params_["kernel__depth"] in (1, 2)
        both = {"kernel": [NTK()], "kernel__depth": [1, 2]}  # the kernel comes first
        GridSearchCV(NTKRegressor(), both, cv=2).fit(ROWS, LABELS)

    @pytest.mark.parametrize(
        ("model", "params"),
        [
            (NTKRegressor("precomputed"), {"kernel__depth": 2}),
            (NTKRegressor(lambda A, B: A @ B.T), {"kernel__depth": 2}),
            (NTKRegressorCV([NTK()]), {"kernels__depth": 2}),
            (TangentRegressor(), {"network__width": 3}),
            (TangentFeatures(), {"network__width": 3}),
        ],
    )
    def test_of_what_has_none(self, model, params):
        (name,) = params
        with pytest.raises(ValueError, match=f"^{name} cannot be set, since {name.split('__')[0]} is"):
            model.set_params(**params)

    def test_others_are_as_ever(self):
        assert NTKRegressor(NTK()).set_params(kernel__depth=3, alpha=2.0).kernel.depth == 3
        with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
            NTKRegressor().set_params(nothing__depth=3)


@pytest.mark.parametrize(
    "search", [NTKRegressorCV(NTK(), [1.0]), TangentRegressorCV(kernel=NTK(), max_iters=[1])]
)
class TestFolds:
    @pytest.mark.parametrize(
        ("cv", "message"),
        [
            (1, "at least 2"),
            (True, "at least 2"),
            (2.5, "at least 2"),
            ("loo", "'loo'"),
            (KFold, "KFold"),
            ({0: 1}, "pairs"),
            ([], "no splits"),
            (iter([]), "no splits"),
            ([1, 2], "pairs"),
            ([([0, 1], [2], [3])], "pairs"),
            ([([0.5, 1], [2])], "pairs"),
            ([([0, 1], [14])], "below 14: got 14"),
            ([([0, 1], [-15])], "below 14: got -15"),
            ([([True] * 13, [False] * 13)], "pairs"),
        ],
    )
    def test_that_are_none(self, search, cv, message):
        with pytest.raises(ValueError, match=rf"^cv .*{re.escape(message)}"):
            clone(search).set_params(cv=cv).fit(ROWS, LABELS)

    def test_by_indices_and_masks(self, search):
        cuts = list(KFold(3).split(ROWS))
        masks = [tuple(np.isin(np.arange(14), side) for side in pair) for pair in cuts]
        lists = [(train.tolist(), test.tolist()) for train, test in cuts]
        scores = [
            clone(search).set_params(cv=cv).fit(ROWS, LABELS).cv_results_["mean_test_score"]
            for cv in (cuts, masks, lists, tuple(cuts), (pair for pair in cuts))
        ]
        for other in scores[1:]:
            np.testing.assert_array_equal(other, scores[0])


def test_scorers_by_name_or_function():
    for scoring in ("r2", lambda model, X, y: 1.0, None):
        NTKRegressorCV(NTK(), [1.0], scoring=scoring).fit(ROWS, LABELS)
    with pytest.raises(ValueError, match=r"scoring must be None, .*get_scorer_names\(\).* got 'r3'"):
        NTKRegressorCV(NTK(), [1.0], scoring="r3").fit(ROWS, LABELS)


@pytest.mark.parametrize("alpha", ["auto", "1.0", None, [[1.0, 2.0]], [], [1.0, "a"], np.nan, -1, True])
def test_penalties(alpha):
    with pytest.raises(ValueError, match=r"^alpha must be"):
        NTKRegressor(NTK(), alpha=alpha).fit(ROWS, LABELS)
    with pytest.raises(ValueError, match=r"^alpha must be"):
        NTKClassifier(NTK(), alpha=alpha).fit(ROWS, LABELS)
    if alpha is not None:
        with pytest.raises(ValueError, match=r"^alphas must be"):
            NTKRegressorCV(NTK(), alpha).fit(ROWS, LABELS)
