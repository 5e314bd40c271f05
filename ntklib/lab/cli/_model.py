"""Result of ``fit`` that ``predict`` uses: a fitted pipeline and the schema of the tables it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from ntklib.kernels import NNGP, NTK
from ntklib.lab.tables import DataError, Schema, Table, make_preprocessor, read_target
from ntklib.lab.tables.table import show

MAX_DEPTH = 100


def _silent(message: str) -> None:
    pass


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
    """

    pipeline: Pipeline
    schema: Schema
    target: str
    task: str
    reason: str

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        target: str | None = None,
        task: str = "auto",
        categorical: tuple[str, ...] = (),
        impute: str | None = None,
        note: Callable[[str], None] = _silent,
    ) -> TablePredictor:
        """Fit the default CV estimator on all rows of a table.

        Raises
        ------
        DataError
            If the table does not suit.
        """
        as_text = (target or table.target) in categorical
        chosen = read_target(table, target, task=task, categorical=as_text, note=note)
        schema = Schema.infer(table, target=chosen.name, categorical=categorical, impute=impute, note=note)
        X = schema.encode(table, note)
        pipeline = _unfitted(schema, chosen.task).fit(X, chosen.values)
        return cls(pipeline, schema, chosen.name, chosen.task, chosen.reason)

    def predict(
        self, table: Table, *, proba: bool = False, note: Callable[[str], None] = _silent
    ) -> dict[str, NDArray]:
        """Return the columns of the answer: ``prediction``, and ``probability_<class>`` if asked for.

        Raises
        ------
        DataError
            If the table lacks a column or has a cell that cannot be used.
        """
        X = self.schema.encode(table, note)
        used = {*self.schema.columns, self.target}
        if unused := [name for name in table.columns if name not in used]:
            more = f", ... ({len(unused)} in all)" if len(unused) > 8 else ""
            note(f"{table.name}: columns the model does not use: {', '.join(unused[:8])}{more}")
        self._note_new_categories(table, X, note)
        prediction = self.pipeline.predict(X)
        columns = {"prediction": prediction}
        numbers = prediction[:, None] if self.task == "regression" else self.pipeline.predict_proba(X)
        lost = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
        if len(lost):
            raise DataError(
                f"{table.name}: {table.row_word} {int(table.rows[lost[0]])}: no finite prediction "
                f"({len(lost)} in all); are its values far from those of training?"
            )
        if proba:
            columns |= {f"probability_{c}": numbers[:, j] for j, c in enumerate(self.pipeline.classes_)}
        return columns

    def check(self) -> None:
        """Raise an error of some kind unless the pipeline is one of :meth:`fit` and predicts a row.

        For pipelines from files, which may have been put together from other parts.
        """
        ours = _unfitted(self.schema, self.task)
        if _plan(self.pipeline) != _plan(ours):
            raise ValueError("another pipeline than fit makes for these columns")
        kernel = self.pipeline[-1].kernel_
        if not isinstance(kernel, NNGP | NTK) or kernel.depth not in range(1, MAX_DEPTH + 1):
            raise ValueError("a kernel that fit does not choose")
        cells = [0.0 if kind == "numeric" else "" for kind in self.schema.kinds]
        row = np.array([cells], dtype=object if "text" in self.schema.kinds else float)
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

    def _note_new_categories(self, table: Table, X: NDArray, note: Callable[[str], None]) -> None:
        text = [j for j, kind in enumerate(self.schema.kinds) if kind == "text"]
        if not text:
            return
        encoder = self.pipeline[0].named_transformers_["text"]
        for j, known in zip(text, encoder.categories_, strict=True):
            met = frozenset(known.tolist())
            new = [i for i, cell in enumerate(X[:, j].tolist()) if cell not in met]
            if new:
                place = table.place(new[0], self.schema.columns[j])
                more = f" (and {len(new) - 1} more in this column)" if len(new) > 1 else ""
                note(
                    f"{place}: {show(X[new[0], j])} was not met in training{more}; treated as none of its "
                    "categories"
                )


def _unfitted(schema: Schema, task: str) -> Pipeline:
    from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

    estimator = NTKClassifierCV() if task == "classification" else NTKRegressorCV()
    return make_pipeline(make_preprocessor(schema), estimator)


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
