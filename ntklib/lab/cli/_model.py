"""Result of ``fit`` that ``predict`` uses: a fitted pipeline and the schema of the tables it reads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from ntklib._core.progress import Progress
from ntklib.kernels import NNGP, NTK, Laplace, Scaled
from ntklib.lab.squash_search import squash_helps
from ntklib.lab.tables import (
    MAX_CATEGORIES,
    DataError,
    Schema,
    Table,
    TableStream,
    TableSummary,
    TargetColumn,
    encode_rows,
    make_preprocessor,
    summarise,
    with_squash,
)
from ntklib.lab.tables.blocks import equal_blocks, place_of
from ntklib.lab.tables.squash import squash_columns
from ntklib.lab.tables.table import silent
from ntklib.lab.tables.target import target_name

from ._scores import TargetScorer, held_out_scores

if TYPE_CHECKING:
    from ntklib.lab.tables.cluster import ClusterTable

MAX_DEPTH = 100

_CELLS, _ROWS = 2**24, 2**13
"""Numbers and rows, at most, of a block that is predicted at once."""


@dataclass(frozen=True)
class TablePredictor:
    """A fitted pipeline with the schema of the tables it reads.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Preprocessing and estimator, fitted.
    schema : Schema
        The columns.
    target : str
        Name of the column that is predicted.
    task : {"regression", "classification"}
        Kind of the target.
    reason : str
        Why it is of that kind.
    scores : dict of str to float, default={}
        Scores on the training rows, each predicted by a fit without it, by name, and their number "rows".
    """

    pipeline: Pipeline
    schema: Schema
    target: str
    task: str
    reason: str
    scores: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        table: Table | TableStream,
        *,
        summary: TableSummary | None = None,
        target: str | None = None,
        task: str = "auto",
        categorical: tuple[str, ...] = (),
        impute: str | None = None,
        drop: tuple[str, ...] = (),
        keep: tuple[str, ...] = (),
        max_categories: int = MAX_CATEGORIES,
        kernels: str | None = None,
        note: Callable[[str], None] = silent,
        progress: Progress | None = None,
        cluster: ClusterTable | None = None,
    ) -> TablePredictor:
        """Fit the default CV estimator on all rows of a table.

        ``summary`` is that of the table, from a first pass over its rows with ``text=categorical``; the
        second one encodes them. ``progress`` has three steps left: this pass, the choice of the preprocessing
        and the fit. ``cluster`` is the table where Dask reads it; then the fit is on centres, whatever the
        number of rows.

        Raises
        ------
        DataError
            If the table does not suit.
        """
        progress = progress or Progress(3, io.StringIO())
        name = target_name(table, target)
        summary = summary or summarise(table, text=categorical)
        column = TargetColumn.of(table, summary, name)
        schema = Schema.of(
            summary,
            target=name,
            categorical=categorical,
            impute=impute,
            drop=drop,
            keep=keep,
            max_categories=max_categories,
            note=note,
        )
        schema.check(summary, note)
        X: Any
        with progress.step("second pass"):
            if cluster is None:
                X, y, preprocessor = encode_rows(table, schema, column, note=note)
            else:
                X, y, preprocessor = cluster.encode(schema, column, note=note)
            values = np.asarray(y)
        chosen = column.decide(values, task=task, categorical=name in categorical, note=note)
        numbers = preprocessor.output_indices_.get("numeric", slice(0))
        with progress.step("choosing the preprocessing"):
            if squash_helps(chosen.task, X, chosen.values, numbers):
                schema, preprocessor = replace(schema, squash=True), with_squash(preprocessor)
                X = squash_columns(X, numbers) if cluster is None else cluster.squash(X, numbers)
        with progress.step(f"fitting {summary.n_rows:,} rows"):
            if cluster is None:
                estimator = _estimator(chosen.task, kernels).set_params(store_held_out=True)
                estimator.fit(X, chosen.values)
            else:
                estimator = _fit_on_cluster(chosen.task, X, y.astype(chosen.values.dtype), kernels)
            scores = held_out_scores(estimator, chosen.task, chosen.values)
        pipeline = make_pipeline(preprocessor, estimator)
        return cls(pipeline, schema, chosen.name, chosen.task, chosen.reason, scores)

    def predict(
        self,
        table: Table | TableStream,
        *,
        proba: bool = False,
        note: Callable[[str], None] = silent,
    ) -> dict[str, NDArray]:
        """Return the columns of the answer: ``prediction``, and ``probability_<class>`` if asked for.

        Raises
        ------
        DataError
            If the table lacks a column or has a cell that cannot be used.
        """
        blocks = list(self.predict_blocks(table, proba=proba, note=note))
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def predict_blocks(
        self,
        table: Table | TableStream,
        *,
        proba: bool = False,
        note: Callable[[str], None] = silent,
        scorer: TargetScorer | None = None,
    ) -> Iterator[dict[str, NDArray]]:
        """Iterate over the answer in blocks of rows, after a pass that checks all cells.

        The blocks, and so the predictions to the last digit, do not depend on those of the table. A
        ``scorer`` receives the targets and predictions of all rows.

        Raises
        ------
        DataError
            As :meth:`predict`; before the first block unless a row has no finite prediction.
        """
        self._check(table, note)
        start = 0
        read = table.blocks() if scorer is None else scorer.watch(table.blocks())
        for X in equal_blocks(map(self.schema.encode_block, read), self._block_rows):
            prediction = self.pipeline.predict(X)
            columns = {"prediction": prediction}
            numbers = prediction[:, None] if self.task == "regression" else self.pipeline.predict_proba(X)
            lost = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
            if len(lost):
                raise DataError(
                    f"{place_of(table, start + int(lost[0]))}: no finite prediction; are its values far from "
                    "those of training?"
                )
            if proba:
                columns |= {f"probability_{c}": numbers[:, j] for j, c in enumerate(self.pipeline.classes_)}
            if scorer is not None:
                scorer.add(prediction)
            yield columns
            start += len(X)

    @property
    def _block_rows(self) -> int:
        """Rows that are predicted at once; the last digits depend on it, so it depends on the model alone."""
        width = max(part.stop for part in self.pipeline[0].output_indices_.values())
        return min(max(_CELLS // width, 1), _ROWS)

    def _check(self, table: Table | TableStream, note: Callable[[str], None]) -> None:
        """Refuse cells that cannot be used, and tell of what is left out, filled in or new."""
        names = self.schema.of_kind("text")
        known = self.pipeline[0].named_transformers_["text"].categories_ if names else ()
        categories = {name: frozenset(own.tolist()) for name, own in zip(names, known, strict=True)}
        new = self.schema.check_rows(table, categories, note)
        used = {*self.schema.columns, *self.schema.left_out, self.target}
        if unused := [name for name in table.columns if name not in used]:
            more = f", ... ({len(unused)} in all)" if len(unused) > 8 else ""
            note(f"{table.name}: columns the model does not use: {', '.join(unused[:8])}{more}")
        for cells in new:
            note(
                f"{cells.first} was not met in training{cells.more(' in this column')}; treated as one of "
                "its rare categories, or as none"
            )

    def check(self) -> None:
        """Raise an error of some kind unless the pipeline is one of :meth:`fit` and predicts a row.

        For pipelines from files, which may have been put together from other parts.
        """
        ours = _unfitted(self.schema, self.task)
        if _plan(self.pipeline) != _plan(ours):
            raise ValueError("another pipeline than fit makes for these columns")
        search = self.pipeline[-1]
        compared = (search.cv_results_, getattr(search, "stack_", {}))
        for kernel in (search.kernel_, *(one for table in compared for one in table.get("param_kernel", []))):
            kernel = kernel.kernel if isinstance(kernel, Scaled) else kernel  # of learned features
            of_network = isinstance(kernel, NNGP | NTK) and kernel.depth in range(1, MAX_DEPTH + 1)
            if not (of_network or isinstance(kernel, Laplace)):
                raise ValueError("a kernel that fit does not choose")
        kinds = [kind for _, kind in self.schema.inputs]
        cells = [0.0 if kind == "numeric" else "" for kind in kinds]
        row = np.array([cells], dtype=float if set(kinds) == {"numeric"} else object)
        answer = self.pipeline.predict(row)
        if answer.shape != (1,):
            raise ValueError("it predicts more than one target")
        if self.task == "classification":
            classes, shares = self.pipeline.classes_, self.pipeline.predict_proba(row)
            labels = {label for label in classes.tolist() if isinstance(label, str | int)}
            if shares.shape != (1, len(classes)) or len(labels) != len(classes):
                raise ValueError("its classes are no labels")
            answer = shares
        if answer.dtype.kind != "f" or not np.isfinite(answer).all():
            raise ValueError("it predicts no finite number")


def _unfitted(schema: Schema, task: str) -> Pipeline:
    return make_pipeline(make_preprocessor(schema), _estimator(task))


def _estimator(task: str, kernels: str | None = None) -> Any:
    from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

    return (NTKClassifierCV if task == "classification" else NTKRegressorCV)(kernels)


def _fit_on_cluster(task: str, X: Any, y: Any, kernels: str | None) -> Any:
    from ntklib.dask import DaskNTKClassifierCV, DaskNTKRegressorCV

    kind = DaskNTKClassifierCV if task == "classification" else DaskNTKRegressorCV
    return kind(kernels, store_held_out=True).fit(X, y).to_local()


def _plan(pipeline: Pipeline) -> list:
    """The steps of a pipeline and the settings of all but its estimator: what to do, not what was learnt."""
    (_, preprocessor), (_, estimator) = pipeline.steps
    settings = {
        name: type(value).__name__ if hasattr(value, "get_params") else repr(value)  # repr: NaN != NaN
        for name, value in preprocessor.get_params().items()
        if name != "transformers" and not name.endswith("steps")
    }
    columns = [(name, list(indices)) for name, _, indices in preprocessor.transformers]
    others = {name: value for name, value in pipeline.get_params(deep=False).items() if name != "steps"}
    return [type(preprocessor), settings, columns, type(estimator), others]
