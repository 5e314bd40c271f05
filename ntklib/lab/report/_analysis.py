"""Split, fit, compare: all the computing of a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from sklearn.gaussian_process.kernels import RBF, Kernel
from sklearn.model_selection import train_test_split

from ntklib._core.angles import angle_curve, cosines, data_angles
from ntklib._core.naming import describe_choice, describe_kernel
from ntklib._core.penalty_paths import search_paths
from ntklib._core.progress import Progress
from ntklib._core.sampling import sample_rows
from ntklib._info import versions
from ntklib.kernels import NNGP, NTK, Scaled
from ntklib.lab.kernel_names import kernel_name
from ntklib.lab.squash_search import squash_helps
from ntklib.lab.tables import (
    MAX_CATEGORIES,
    DataError,
    Schema,
    Table,
    column_uses,
    input_columns,
    make_preprocessor,
    read_target,
    with_squash,
)
from ntklib.lab.tables.table import silent

from ._bias import follow
from ._calibration import calibrate
from ._contenders import CONTENDERS, Contender, contenders
from ._dependence import partial_dependence
from ._drivers import N_DEPENDENCES
from ._importance import permutation_importance
from ._linearization import train_beside
from ._parameterization import measure_steps
from ._records import Analysis, DataSummary, KernelResult, ModelResult
from ._theorem import certify_rows
from ._verdict import judge, paired_difference
from ._width import network_of, widen
from .scores import METRICS, losses_of, resamples, score_classifier, score_regressor

TEST_SHARE = 0.25
MIN_ROWS = 20
SPECTRUM_ROWS = 2000
HEATMAP_ROWS = 200
ANGLE_ROWS = 500
DEPENDENCE_ROWS = 100
N_STEPS = 6 + len(CONTENDERS)
N_THEORY_STEPS = 4
MAX_SAMPLES = 30_000
"""Rows that a report uses by default; a report on as many takes less than five minutes on two cores."""


def analyse(
    table: Table,
    *,
    target: str | None = None,
    task: str = "auto",
    seed: int = 0,
    impute: str | None = None,
    categorical: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
    max_categories: int = MAX_CATEGORIES,
    kernels: Any = None,
    max_samples: int = MAX_SAMPLES,
    theory: bool = False,
    command: str = "ntklib report",
    progress: Progress | None = None,
    note: Callable[[str], None] = silent,
) -> Analysis:
    """Compare our kernel machine with its rivals on one table, and say what its predictions rest on.

    Parameters
    ----------
    table : Table
        The data.
    target, task, impute, categorical, drop, keep, max_categories
        As for :func:`ntklib.lab.tables.read_target` and :meth:`ntklib.lab.tables.Schema.infer`.
    seed : int, default=0
        Rules the split, the rivals' searches, the forest and the bootstrap. Same seed, same scores.
    kernels : list of kernels, "ntk" or None, default=None
        Kernels that ours are chosen from, as of :class:`ntklib.NTKRegressorCV`.
    max_samples : int, default=30_000
        Use at most so many rows, drawn at random, with a note.
    theory : bool, default=False
        Also draw, train and certify networks like the chosen kernel's.
    command : str, default="ntklib report"
        How to run it again, for the page.
    progress : Progress or None, default=None
        Where to say what is being done.
    note : callable, default: nothing
        Receives one-line messages as they come up; all of them are in the result's ``notes`` too.

    Returns
    -------
    Analysis
        After Ctrl-C what was finished, with a note, if at least our own model was fitted.

    Raises
    ------
    DataError
        If the table does not suit (see the functions above), or has fewer than 20 rows.
    KeyboardInterrupt
        If Ctrl-C comes earlier.
    """
    progress = progress or Progress(N_STEPS + theory * N_THEORY_STEPS, loud=True)
    notes: list[str] = []

    def remember(message: str) -> None:
        notes.append(message)
        note(message)

    with progress.step("reading the columns"):
        n_rows = table.n_rows
        as_text = (target or table.target) in categorical
        chosen = read_target(table, target, task=task, categorical=as_text, note=remember)
        schema = Schema.infer(
            table,
            target=chosen.name,
            categorical=categorical,
            impute=impute,
            drop=drop,
            keep=keep,
            max_categories=max_categories,
            note=remember,
        )
        X, y = schema.encode(table, remember), chosen.values
        if n_rows < MIN_ROWS:
            raise DataError(f"{table.name}: {n_rows} rows are too few for a report ({MIN_ROWS} at least)")
        kept = sample_rows(n_rows, max_samples, seed)
        if len(kept) < n_rows:
            remember(f"{len(kept)} of {n_rows} rows are used, drawn at random (--max-samples)")
        X, y = X[kept], y[kept]
        train, test, stratified = _split(y, chosen.task, seed, remember)
        preprocessor = make_preprocessor(schema).fit(X[train])
        X_train = preprocessor.transform(X[train])
    with progress.step("compiling the kernels"):  # so that the timings below are of computing
        _warm_up(X_train)
    with progress.step("choosing the preprocessing"):
        numbers = preprocessor.output_indices_.get("numeric", slice(0))
        if squash_helps(chosen.task, X_train, y[train], numbers, seed):
            schema = replace(schema, squash=True)
            preprocessor = with_squash(preprocessor)
            X_train = preprocessor.transform(X[train])
        X_test = preprocessor.transform(X[test])
    draws = resamples(len(test), seed)
    models: list[ModelResult] = []
    fitted: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    interrupted = False
    try:
        for contender in contenders(CONTENDERS, kernels):
            with progress.step(f"fitting: {contender.title(chosen.task, len(train))}"):
                first = models[0] if models else None
                fitted[contender.key], result = _run(
                    contender, chosen.task, (X_train, y[train], X_test, y[test]), seed, draws, first
                )
                models.append(result)
        ours = fitted["kernel"]
        rows = X_train, y[train]
        parts["verdict"] = judge(models, chosen.task, y[test], draws)
        parts["calibration"] = calibrate(ours, chosen.task, X_test, y[test])
        with progress.step("shuffling the columns"):
            importance = permutation_importance(
                ours, chosen.task, rows, (X_test, y[test]), input_columns(schema, preprocessor), seed
            )
            parts["importance"] = importance
        with progress.step("varying the columns"):
            some = table.take(kept[test[sample_rows(len(test), DEPENDENCE_ROWS, seed)]])
            lines = (
                partial_dependence(name, schema, preprocessor, ours, table.take(kept[train]), some)
                for name in importance.columns[:N_DEPENDENCES]
            )
            parts["dependences"] = tuple(line for line in lines if line is not None)
        with progress.step("looking at the kernel"):
            parts["kernel"] = _look(ours, fitted["rbf"], *rows, seed)
        if theory:
            _study(parts, progress, ours, rows, chosen.task, seed, remember)
    except KeyboardInterrupt:
        if not models:
            raise
        interrupted = True
        remember(f"interrupted while {list(progress.seconds)[-1]}: the rest of the report is missing")
    data = DataSummary(
        name=table.name,
        description=table.description,
        target=chosen.name,
        task=chosen.task,
        reason=chosen.reason,
        n_rows=n_rows,
        n_used=len(kept),
        n_train=len(train),
        n_test=len(test),
        columns=column_uses(schema, preprocessor, table.columns),
        n_inputs=X_train.shape[1],
        stratified=stratified,
        y=y,
    )
    return Analysis(
        seed=seed,
        command=command,
        data=data,
        models=tuple(models),
        y_test=y[test],
        **parts,
        theory=theory,
        interrupted=interrupted,
        seconds=dict(progress.seconds),
        versions={name: text for name, text in versions().items() if name != "compiled code"},  # a folder
        notes=tuple(notes),
    )


def _split(y: NDArray, task: str, seed: int, note: Callable[[str], None]) -> tuple[NDArray, NDArray, bool]:
    """Return training and test indices, with equal class shares where every class has two rows."""
    stratify = None
    if task == "classification":
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() >= 2 and len(counts) <= TEST_SHARE * len(y):
            stratify = y
        else:
            note("a class has too few rows for the split to keep the classes' shares")
    train, test = train_test_split(
        np.arange(len(y)), test_size=TEST_SHARE, random_state=seed, stratify=stratify
    )
    if len(np.unique(y[train])) < 2:
        raise DataError("the training rows all have the same target; another --seed may split better")
    return train, test, stratify is not None


def _warm_up(X: NDArray) -> None:
    from ntklib.estimators import NTKRegressor

    kernel = NTKRegressor().fit(np.eye(4), np.arange(4.0)).kernel_  # the kernel of an estimator by default
    kernel(X[:4])
    kernel(X[:4], X[:3])
    kernel.diag(X[:4])


def _run(
    contender: Contender,
    task: str,
    rows: tuple[NDArray, NDArray, NDArray, NDArray],
    seed: int,
    draws: NDArray,
    first: ModelResult | None,
) -> tuple[Any, ModelResult]:
    X_train, y_train, X_test, y_test = rows
    start = time.perf_counter()
    model = contender.fit(task, X_train, y_train, seed)
    fitted = time.perf_counter()
    predicted = model.predict(X_test)
    done = time.perf_counter()
    if task == "classification":
        losses = None
        if hasattr(model, "predict_proba"):
            losses = losses_of(model.predict_proba(X_test), model.classes_, y_test)
        scores = score_classifier(y_test, predicted, losses, draws)
    else:
        predicted = np.asarray(predicted, dtype=float)
        scores = score_regressor(y_test, predicted, draws)
    difference = None
    if first is not None:
        difference = paired_difference(task, y_test, first.predicted, predicted, draws)
    result = ModelResult(
        key=contender.key,
        title=contender.title(task, len(y_train)),
        method=contender.method(task, len(y_train)),
        choice=contender.choice(model),
        kernel=_kernel_title(model) if contender.key == "kernel" else "",
        scores=scores,
        difference=difference,
        fit_seconds=fitted - start,
        predict_seconds=done - fitted,
        predicted=predicted,
    )
    assert set(scores) <= {metric.name for metric in METRICS[task]}
    return model, result


def _kernel_title(model: Any) -> str:
    name = kernel_name(model.kernel_) + " with learned scales" * isinstance(model.kernel_, Scaled)
    if hasattr(model, "stack_") and (n := np.count_nonzero(model.stack_["weight"])) > 1:
        return f"{n} kernels, {name} first"
    return name


def _study(
    parts: dict[str, Any],
    progress: Progress,
    model: Any,
    rows: tuple[NDArray, NDArray],
    task: str,
    seed: int,
    note: Callable[[str], None],
) -> None:
    """Add the parts on networks like the chosen kernel's, one after the other.

    With learned scales of the columns networks are given the scaled columns, on which their kernel is the
    chosen one.
    """
    kernel, penalty = _pictured(model)
    if isinstance(kernel, Scaled):
        rows, kernel = (rows[0] * kernel.scales, rows[1]), kernel.kernel
        note("networks are given the inputs times their learned scales")
    if network_of(kernel) is None:
        note(
            f"no network has the chosen kernel ({kernel_name(kernel)}): sections on such networks are missing"
        )
    with progress.step("drawing networks"):
        parts["width"] = widen(kernel, rows[0], seed)
        parts["parameterization"] = measure_steps(kernel, *rows, task, seed)
    with progress.step("training networks"):
        parts["linearization"] = train_beside(kernel, *rows, task, seed)
    with progress.step("certifying a network"):
        parts["theorem"] = certify_rows(*rows, task, seed)
    with progress.step("training the kernel"):
        parts["bias"] = follow(kernel, *rows, task, penalty, seed)


def _look(ours: Any, rbf: Any, X: NDArray, y: NDArray, seed: int) -> KernelResult:
    """Compute the pictures of the chosen kernel on (some of) the training rows."""
    kernel, penalty = _pictured(ours)
    choice = describe_choice(ours)
    paths, best = search_paths(ours)
    rows = sample_rows(len(X), SPECTRUM_ROWS, seed)
    spectrum = np.sort(eigvalsh(kernel(X[rows])))[::-1]
    heatmap_rows = sample_rows(len(X), HEATMAP_ROWS, seed)
    heatmap_rows = heatmap_rows[np.argsort(y[heatmap_rows], kind="stable")]
    norm, shares = data_angles(X[sample_rows(len(X), ANGLE_ROWS, seed)])
    angles = np.linspace(0.0, np.pi, 181)
    gamma = getattr(rbf, "gamma", None) or rbf.regressor_.gamma
    candidates = _siblings(kernel)
    if candidates:
        candidates["RBF kernel chosen above"] = RBF(length_scale=1 / np.sqrt(2 * gamma))
    return KernelResult(
        text=describe_kernel(kernel),
        parts=choice if len(choice) > 1 else [],
        paths=paths,
        best=best,
        score_name=ours.loo_path_.score_name,
        learned=ours.learned_features_,
        penalty=penalty,
        spectrum=spectrum,
        # eigenvalues grow with the number of rows
        spectrum_penalty=penalty * len(rows) / len(X),
        gram=cosines(kernel(X[heatmap_rows])),
        gram_y=y[heatmap_rows],
        angles=angles,
        curves={name: angle_curve(k, angles, norm, X.shape[1]) for name, k in candidates.items()},
        data_angles=shares,
        norm=norm,
        n_compared=min(len(X), ours.max_search_samples),
    )


def _pictured(model: Any) -> tuple[Any, float]:
    """Kernel and penalty that pictures of one kernel are of: of a sum, the heaviest of a network, if any."""
    if not hasattr(model, "stack_"):
        return model.kernel_, float(np.mean(model.alpha_))
    parts = [part for part in zip(*model.stack_.values(), strict=True) if part[2] > 0]
    kernel, penalty, _ = max(parts, key=lambda part: (isinstance(part[0], NTK | NNGP), part[2]))
    return kernel, float(penalty)


def _siblings(kernel: Kernel) -> dict[str, Kernel]:
    """Return the chosen kernel with its sibling: all layers of the network trained, or the last one only.

    Nothing for other kernels, which need not be functions of lengths and angles.
    """
    if isinstance(kernel, NTK):
        return {"chosen kernel, an NTK": kernel, "NNGP of the same network": kernel.nngp()}
    if isinstance(kernel, NNGP):
        return {"chosen kernel, an NNGP": kernel, "NTK of the same network": NTK(**kernel.get_params())}
    return {}
