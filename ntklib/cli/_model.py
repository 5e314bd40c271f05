"""What ``fit`` makes and ``predict`` uses: a fitted pipeline and the schema of the tables it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from ntklib.datasets import Schema, Table, make_preprocessor, read_target


def _silent(message: str) -> None:
    pass


@dataclass(frozen=True)
class Model:
    """A fitted pipeline with the schema of the tables it reads.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Preprocessing and estimator, fitted.
    schema : Schema
        The columns.
    target : str
        What is predicted.
    task : {"regression", "classification"}
        What predicting it is.
    reason : str
        Why that task.
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
    ) -> Model:
        """Fit the default CV estimator on all rows of a table.

        Raises
        ------
        DataError
            If the table does not suit.
        """
        from ntklib.estimators import NTKClassifierCV, NTKRegressorCV

        chosen = read_target(table, target, task=task, categorical=(target or table.target) in categorical)
        schema = Schema.infer(table, target=chosen.name, categorical=categorical, impute=impute)
        X = schema.encode(table, note)
        estimator = NTKClassifierCV() if chosen.task == "classification" else NTKRegressorCV()
        pipeline = make_pipeline(make_preprocessor(schema), estimator).fit(X, chosen.values)
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
        unused = [name for name in table.columns if name not in {*self.schema.columns, self.target}]
        if unused:
            note(f"{table.name}: columns the model does not use: {', '.join(unused)}")
        self._note_new_categories(table, X, note)
        columns = {"prediction": self.pipeline.predict(X)}
        if proba:
            shares = self.pipeline.predict_proba(X)
            columns |= {f"probability_{c}": shares[:, j] for j, c in enumerate(self.pipeline.classes_)}
        return columns

    def _note_new_categories(self, table: Table, X: NDArray, note: Callable[[str], None]) -> None:
        text = [j for j, kind in enumerate(self.schema.kinds) if kind == "text"]
        if not text:
            return
        encoder = self.pipeline[0].named_transformers_["text"]
        for j, known in zip(text, encoder.categories_, strict=True):
            new = np.flatnonzero(~np.isin(X[:, j].astype(str), known.astype(str)))
            if len(new):
                place = table.place(new[0], self.schema.columns[j])
                more = f" (and {len(new) - 1} more in this column)" if len(new) > 1 else ""
                note(
                    f"{place}: {X[new[0], j]!r} was not met in training{more}; treated as none of its "
                    "categories"
                )
