"""How well our searches predict untouched: real tables, against rivals and against themselves.

    pip install ".[bench]"
    python benchmarks/tables.py classification              all models of the list below, five folds
    python benchmarks/tables.py regression --half judged    the tables that defaults are judged on
    python benchmarks/tables.py regression --models default ntk --folds 3 --max-rows 500 --keep figures
    python benchmarks/tables.py regression --max-rows 6000 --against halving=False --models default

Method. Every model sees the same shuffled, seeded folds, stratified by classes, and the same preprocessing,
fitted inside the training fold: numeric columns have missing values replaced by the median and are
standardised, other columns are one-hot encoded. ``_tables_data.py`` has the tables and the rules they were
chosen by, ``_tables_models.py`` the models and how they are tuned. LightGBM, CatBoost and xRFM are among them
where they are installed (``pip install lightgbm catboost xrfm``).

Printed are, over tables, means of accuracy and log-loss or of R^2, mean ranks and how often a model is first,
the paired gain of the first model over each other with its standard error, wins and losses, and the cost of
all fits and predictions relative to the first model.

Defaults are chosen on one half of the tables, by a hash of their names, and judged on the other (``--half``).
With ``--keep FOLDER`` each model's scores are written, a table at a time, and not computed again.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
from _tables_data import MAX_ROWS, REGRESSION, TABLES, Table, is_judge, load, load_numbers
from _tables_models import MODELS, SEED, Maker, with_settings
from _tables_summary import summary
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ntklib

Fold = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def split(X: pd.DataFrame, y: np.ndarray, folds: int, classes: bool) -> Iterator[Fold]:
    """Yield X_train, y_train, X_test, y_test, preprocessed by what the training fold alone says."""
    numeric = [name for name in X if X[name].dtype == float]
    other = [name for name in X if X[name].dtype != float]
    cut = (StratifiedKFold if classes else KFold)(folds, shuffle=True, random_state=SEED)
    for train, test in cut.split(X, y):
        prepare = ColumnTransformer(
            [
                ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
                ("other", OneHotEncoder(handle_unknown="ignore", sparse_output=False), other),
            ]
        ).fit(X.iloc[train])
        yield prepare.transform(X.iloc[train]), y[train], prepare.transform(X.iloc[test]), y[test]


def score(make: Maker, folds: list[Fold], classes: bool) -> dict:
    """Scores of a model fold by fold, and the seconds of all its fits and predictions."""
    result: dict = {"seconds": 0.0, "chosen": []}
    for X_train, y_train, X_test, y_test in folds:
        start = time.perf_counter()
        model = make(classes, X_train).fit(X_train, y_train)
        if classes:
            shares = model.predict_proba(X_test)
            labels = model.classes_[shares.argmax(axis=1)]
        else:
            values = model.predict(X_test)
        result["seconds"] += time.perf_counter() - start
        if classes:
            result.setdefault("accuracy", []).append(float(np.mean(labels == y_test)))
            loss = log_loss(y_test, shares, labels=model.classes_)
            result.setdefault("log_loss", []).append(float(loss))
            if hasattr(model, "best_score_"):
                result.setdefault("own_score", []).append(-float(model.best_score_))
        else:
            r2 = 1 - np.mean((y_test - values) ** 2) / np.var(y_test)
            result.setdefault("r2", []).append(float(r2))
        if hasattr(model, "kernel_"):
            result["chosen"].append(type(model.kernel_).__name__)
    return result


class Kept:
    """Scores in a folder, one file a table, for one way of cutting tables up; in no folder, none are kept."""

    def __init__(self, folder: Path | None, settings: dict[str, object]) -> None:
        self.folder, self.settings = folder, settings
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def read(self, table: Table) -> dict:
        path = self._path(table)
        if path is None or not path.exists():
            return {}
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["settings"] != self.settings:
            raise SystemExit(f"{path} is of {data['settings']}: give another folder for {self.settings}")
        return data["models"]

    def write(self, table: Table, models: dict) -> None:
        path = self._path(table)
        if path is not None:
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"settings": self.settings, "models": models}), encoding="utf-8")
            os.replace(part, path)

    def _path(self, table: Table) -> Path | None:
        return None if self.folder is None else self.folder / f"{table.name}.json"


def compare(tables: list[Table], makers: dict[str, Maker], kept: Kept, classes: bool) -> list[dict]:
    """Score every model on every table, telling of each as it is done."""
    measure = "log_loss" if classes else "r2"
    print(f"{measure:24}{'rows':>6}" + "".join(f"{name:>12}" for name in makers), flush=True)
    folds, max_rows = int(str(kept.settings["folds"])), int(str(kept.settings["max_rows"]))
    rows = []
    for table in tables:
        scores = kept.read(table)
        X, y = (load if classes else load_numbers)(table, max_rows)
        cut: list[Fold] = []
        for name, make in makers.items():
            if name not in scores:
                cut = cut or list(split(X, y, folds, classes))
                scores[name] = score(make, cut, classes)
                kept.write(table, scores)
        rows.append(scores)
        means = "".join(f"{np.mean(scores[name][measure]):12.4f}" for name in makers)
        print(f"{table.name:24}{len(y):6}{means}", flush=True)
    return rows


def versions() -> str:
    """What the figures depend on."""
    modules = {"ntklib": ntklib, "scikit-learn": sklearn, "numpy": np, "scipy": scipy, "pandas": pd}
    found = {name: str(module.__version__) for name, module in modules.items()}
    rivals = [name for name in ("lightgbm", "catboost", "xrfm", "torch") if find_spec(name)]
    found |= {name: version(name) for name in rivals}
    found = {"python": platform.python_version(), **found, "machine": platform.machine()}
    return "  ".join(f"{name} {number}" for name, number in found.items())


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("classification", "regression"))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--half", choices=("all", "chosen", "judged"), default="all")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--max-rows", type=int, default=MAX_ROWS, help="cut larger tables to this many rows")
    parser.add_argument("--tables", nargs="+", metavar="NAME", help="only these tables")
    parser.add_argument("--against", nargs="+", metavar="NAME=VALUE", help="our estimator with parameters")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep scores, and go on from them")
    args = parser.parse_args(argv)
    classes = args.task == "classification"
    known = TABLES if classes else REGRESSION
    if unknown := set(args.tables or ()) - {table.name for table in known}:
        parser.error(f"unknown tables {sorted(unknown)}; known: {sorted(table.name for table in known)}")
    tables = [table for table in known if not args.tables or table.name in args.tables]
    if args.half != "all":
        tables = [table for table in tables if is_judge(table) == (args.half == "judged")]
    makers = {name: MODELS[name] for name in args.models}
    if args.against:
        pairs = (setting.partition("=") for setting in args.against)
        settings = {name: ast.literal_eval(value) for name, _, value in pairs}
        makers[" ".join(args.against)] = with_settings(settings)
    folder = None if args.keep is None else args.keep / args.task
    kept = Kept(folder, {"folds": args.folds, "max_rows": args.max_rows})
    print(versions())
    warnings.filterwarnings("ignore", category=UserWarning)  # of folds without some category, and the like
    rows = compare(tables, makers, kept, classes)
    print("\n" + summary(rows, list(makers), classes), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
