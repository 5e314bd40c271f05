"""The models a report compares, all on the same split and behind the same preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from ntklib._core.naming import describe_choice

MANY_ROWS = 10_000
"""Training rows beyond which kernel machines are fitted on centres, and forests are smaller."""

N_TREES, N_TREES_OF_MANY = 500, 100
MAX_SEARCH_ROWS = 2000
C_GRID = (0.1, 1.0, 10.0, 100.0, 1000.0)
PENALTY_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
GAMMA_FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Contender:
    """One model of the comparison.

    Parameters
    ----------
    key : str
        For results.json.
    title, method : callable
        Map the task and the number of training rows to the name shown, and to a sentence on how it is fitted.
    fit : callable
        Maps (task, X, y, seed) to a fitted estimator; X is preprocessed.
    choice : callable
        Maps the fitted estimator to what its search chose, for people.
    """

    key: str
    title: Callable[[str, int], str]
    method: Callable[[str, int], str]
    fit: Callable[[str, NDArray, NDArray, int], Any]
    choice: Callable[[Any], str]


def _fit_kernel(task: str, X: NDArray, y: NDArray, seed: int, kernels: Any = None) -> Any:
    from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

    solver = _solver(len(y))
    search = NTKClassifierCV if task == "classification" else NTKRegressorCV
    return search(kernels, solver=solver).fit(X, y)


def _solver(n: int) -> str:
    return "nystrom" if n > MANY_ROWS else "cholesky"


def _fit_rbf(task: str, X: NDArray, y: NDArray, seed: int) -> Any:
    """Search C (or the penalty) and gamma on at most 2000 rows, then fit the choice on all of them."""
    # the usual scale of gamma, 1/(number of columns * variance), is where the kernel's width fits the data
    scale = 1.0 / max(X.shape[1] * X.var(), 1e-12)
    gammas = [factor * scale for factor in GAMMA_FACTORS]
    if len(y) > MANY_ROWS:
        return _fit_rbf_on_centres(task, X, y, gammas, seed)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(y))[:MAX_SEARCH_ROWS])
    model: BaseEstimator
    if task == "classification":
        model, grid = SVC(kernel="rbf"), {"C": C_GRID, "gamma": gammas}
        rare = np.unique(y[rows], return_counts=True)[1].min() < 3
        cv = (KFold if rare else StratifiedKFold)(3, shuffle=True, random_state=seed)
    else:
        # kernel ridge has no intercept of its own: the target is centred for it
        model = TransformedTargetRegressor(KernelRidge(kernel="rbf"), transformer=StandardScaler())
        grid = {"regressor__alpha": PENALTY_GRID, "regressor__gamma": gammas}
        cv = KFold(3, shuffle=True, random_state=seed)
    # on matrices this small threads cost more than they bring, ten times more on a busy machine
    with threadpool_limits(1 if len(rows) < 1000 else None):
        search = GridSearchCV(model, grid, cv=cv, refit=False).fit(X[rows], y[rows])
    best = model.set_params(**search.best_params_).fit(X, y)
    best.gamma_factor_ = search.best_params_["gamma" if "gamma" in grid else "regressor__gamma"] / scale
    return best


def _fit_rbf_on_centres(task: str, X: NDArray, y: NDArray, gammas: list[float], seed: int) -> Any:
    from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

    kernels = {gamma: RBF(1 / np.sqrt(2 * gamma)) for gamma in gammas}
    search = NTKClassifierCV if task == "classification" else NTKRegressorCV
    model = search(
        list(kernels.values()), solver="nystrom", max_search_samples=MAX_SEARCH_ROWS, random_state=seed
    ).fit(X, y)
    place = [kernel == model.kernel_ for kernel in kernels.values()].index(True)
    model.gamma, model.gamma_factor_ = gammas[place], GAMMA_FACTORS[place]
    return model


def _rbf_choice(model: Any) -> str:
    if hasattr(model, "alpha_"):
        return f"penalty = {model.alpha_:.3g}, gamma = {model.gamma_factor_:.1g} / (columns * variance)"
    if isinstance(model, SVC):
        return f"C = {model.C:g}, gamma = {model.gamma_factor_:.1g} / (columns * variance)"
    return f"penalty = {model.regressor.alpha:g}, gamma = {model.gamma_factor_:.1g} / (columns * variance)"


def _fit_forest(task: str, X: NDArray, y: NDArray, seed: int) -> Any:
    forest = RandomForestClassifier if task == "classification" else RandomForestRegressor
    return forest(_trees(len(y)), random_state=seed, n_jobs=-1).fit(X, y)


def _trees(n: int) -> int:
    return N_TREES_OF_MANY if n > MANY_ROWS else N_TREES


def _fit_constant(task: str, X: NDArray, y: NDArray, seed: int) -> Any:
    dummy = DummyClassifier(strategy="prior") if task == "classification" else DummyRegressor()
    return dummy.fit(X, y)


def _kernel_choice(model: Any) -> str:
    centres = getattr(model.solve_, "n_centers", 0)
    on = f", on {centres} centres" if centres else ""
    one = model.learned_features_ is not None and not hasattr(model, "stack_")
    learned = f"; {model.learned_features_.words}" if one else ""
    return f"{' + '.join(describe_choice(model))}{on}{learned}"


def _rbf_title(task: str, n: int) -> str:
    if task == "classification":
        return "RBF kernel ridge classifier" if n > MANY_ROWS else "RBF support vector machine"
    return "RBF kernel ridge"


def _kernel_method(task: str, n: int) -> str:
    if n > MANY_ROWS:
        return (
            "defaults of ntklib for many rows: kernels compared by held-out predictions of 3000 of the "
            "training rows, regression on centres among all of them"
        )
    return "defaults of ntklib: kernel and penalty by held-out predictions of the training rows"


def _rbf_method(task: str, n: int) -> str:
    if n > MANY_ROWS:
        return (
            f"gamma in {_spell(GAMMA_FACTORS)} times 1/(columns * variance) by leave-one-out on "
            f"{MAX_SEARCH_ROWS} rows, then the penalty on all of them, on centres as the kernel machine"
        )
    grid = f"C in {_spell(C_GRID)}" if task == "classification" else f"penalty in {_spell(PENALTY_GRID)}"
    return (
        f"{grid}, gamma in {_spell(GAMMA_FACTORS)} times 1/(columns * variance), "
        f"by 3-fold cross-validation on at most {MAX_SEARCH_ROWS} rows, then fitted on all"
    )


def _spell(values: tuple[float, ...]) -> str:
    return "{" + ", ".join(f"{value:g}" for value in values) + "}"


CONTENDERS: tuple[Contender, ...] = (
    Contender(
        "kernel",
        lambda task, n: "kernel machine",
        _kernel_method,
        _fit_kernel,
        _kernel_choice,
    ),
    Contender(
        "rbf",
        _rbf_title,
        _rbf_method,
        _fit_rbf,
        _rbf_choice,
    ),
    Contender(
        "forest",
        lambda task, n: "random forest",
        lambda task, n: f"{_trees(n)} trees, defaults of scikit-learn",
        _fit_forest,
        lambda model: "",
    ),
    Contender(
        "constant",
        lambda task, n: "most frequent class" if task == "classification" else "mean of the target",
        lambda task, n: "looks at no column: what is to be beaten",
        _fit_constant,
        lambda model: "",
    ),
)
"""The models compared; the first is ours."""


def contenders(models: Sequence[Contender], kernels: Any = None) -> Iterator[Contender]:
    """Iterate over the models to compare; the first one chooses from ``kernels``."""
    first, *rivals = models
    yield first if kernels is None else replace(first, fit=partial(_fit_kernel, kernels=kernels))
    yield from rivals
