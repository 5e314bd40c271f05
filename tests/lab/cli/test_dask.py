"""``ntklib fit --dask``: the model of the same blocks in memory, wherever they are read; faults are named."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from ntklib import NNGP, NTK, NTKClassifierCV, NTKRegressorCV
from ntklib._core.progress import Gauge
from ntklib.dask import map_parts
from ntklib.estimators.ridge._candidates import Candidate
from ntklib.estimators.rows import RowView
from ntklib.lab.cli import main
from ntklib.lab.cli._cluster import open_cluster
from ntklib.lab.cli._model_file import load_model
from ntklib.lab.cli._scores import held_out_scores, scores_text
from ntklib.lab.tables import (
    DataError,
    Schema,
    TargetColumn,
    encode_rows,
    open_tables,
    summarise,
    with_squash,
)
from ntklib.lab.tables.cluster import ClusterTable, read_part
from ntklib.lab.tables.squash import squash_columns


@pytest.fixture(autouse=True)
def _few_kernels(monkeypatch):
    kernels = [NTK(bias_std=1.0), NNGP(depth=2, bias_std=1.0)]
    few = [Candidate(kernel) for kernel in kernels]
    monkeypatch.setattr("ntklib.estimators.ridge._candidates.grid_candidates", lambda grid: few)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table in two CSV files, and in two Parquet files of several row groups."""
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    n = 203
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.random(n), "kind": rng.choice(["oak", "elm"], n)})
    frame["y"] = frame["a"] ** 2 + (frame["kind"] == "oak") + 0.1 * rng.normal(size=n)
    frame["label"] = np.where(frame["y"] > 1, 1, 0)
    frame.loc[::9, "b"] = np.nan
    frame["day"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) % 50, "D")).strftime("%Y-%m-%d")
    frame.loc[::13, "day"] = None
    frame["flag"] = np.where(rng.random(n) > 0.5, "yes", "no")
    for i, part in enumerate((frame[:120], frame[120:])):
        part.to_csv(folder / f"{i}.csv", index=False)
        part.reset_index(drop=True).to_parquet(folder / f"{i}.parquet", row_group_size=50)
    return folder


@pytest.fixture(scope="module")
def cluster():
    # messages by TCP are pickled, and threads start sooner than processes
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        yield cluster


def expected(table, target, estimator, sizes, squash):
    """The estimator fitted to the blocks in memory, its rows and their targets."""
    summary = summarise(table)
    column = TargetColumn.of(table, summary, target)
    schema = Schema.of(summary, target=target, impute="median")
    X, y, preprocessor = encode_rows(table, schema, column)
    if squash:
        X = squash_columns(X, preprocessor.output_indices_["numeric"])
    values = column.decide(y).values
    return estimator.fit(RowView(np.array(X), ends=tuple(np.cumsum(sizes))), values), X, values


@pytest.mark.parametrize(
    ("files", "target", "where", "sizes"),
    [
        ("*.parquet", "y", "cluster", (50, 50, 20, 50, 33)),
        ("*.parquet", "label", "here", (50, 50, 20, 50, 33)),
        ("*.csv", "y", "here", (120, 83)),
    ],
)
def test_the_model_is_that_of_the_blocks_in_memory(
    folder, cluster, tmp_path, capsys, monkeypatch, files, target, where, sizes
):
    reached = {}
    reach = Gauge.reach

    def recording(gauge, done, note=""):
        reached[gauge.title] = done
        reach(gauge, done, note)

    monkeypatch.setattr(Gauge, "reach", recording)
    out = tmp_path / "m.ntk"
    address = [cluster.scheduler_address] if where == "cluster" else []
    command = ["fit", str(folder / files), "--target", target, "--impute", "median", "--out", str(out)]
    assert main([*command, "--dask", *address]) == 0
    printed = capsys.readouterr()
    assert "203 rows" in printed.out
    # the tasks of the cluster, as they are done
    assert [done for title, done in reached.items() if title.startswith("sums on")] == [203]
    estimator = (NTKRegressorCV if target == "y" else NTKClassifierCV)(solver="nystrom", store_held_out=True)
    table = open_tables([folder / files])
    model = load_model(out)
    fitted, X, fitted_values = expected(table, target, estimator, sizes, model.schema.squash)
    assert model.pipeline[0].transform(model.schema.encode(table.table())).tobytes() == X.tobytes()
    assert model.pipeline[-1].kernel_ == fitted.kernel_
    assert not model.pipeline[-1].store_held_out
    assert model.scores["rows"] == 203
    assert f"score:   {scores_text(model.scores)}, each row predicted by a fit without it" in printed.out
    assert model.scores == held_out_scores(fitted, model.task, fitted_values)
    for name, value in vars(fitted).items():
        if isinstance(value, np.ndarray | float):
            assert np.asarray(getattr(model.pipeline[-1], name)).tobytes() == np.asarray(value).tobytes()


def test_the_model_file_is_that_of_a_local_fit(folder, tmp_path, monkeypatch, capsys):
    """Of one part, which a local fit takes as one block, and on centres, as for many rows."""
    monkeypatch.setattr("ntklib.solvers.solver.EXACT_SEARCH_ROWS", 100)
    models = []
    for way in ([], ["--dask"]):
        out = tmp_path / f"{len(models)}.ntk"
        command = ["fit", str(folder / "0.csv"), "--target", "y", "--impute", "median", "--out", str(out)]
        assert main([*command, *way]) == 0
        capsys.readouterr()
        models.append(load_model(out))
    local, far = models
    assert (local.scores, local.schema, local.reason) == (far.scores, far.schema, far.reason)
    ours, theirs = (vars(model.pipeline[-1]) for model in models)
    assert ours["solve_"].method == theirs["solve_"].method == "nystrom"
    arrays = {name for name, value in ours.items() if isinstance(value, np.ndarray | float)}
    assert arrays >= {"dual_coef_", "intercept_", "X_fit_", "alpha_", "target_scale_"}
    for name in arrays:
        assert np.asarray(ours[name]).tobytes() == np.asarray(theirs[name]).tobytes(), name


def test_squashed_rows_are_those_of_memory(folder):
    table = open_tables([folder / "*.parquet"])
    parts = ClusterTable(table)
    summary = parts.summarise()
    schema = Schema.of(summary, target="y", impute="median")
    column = TargetColumn.of(table, summary, "y")
    rows = parts.encode(schema, column)
    numbers = rows.preprocessor.output_indices_["numeric"]
    expected = with_squash(rows.preprocessor).transform(schema.encode(table.table()))
    np.testing.assert_array_equal(np.asarray(parts.squash(rows.X, numbers)), expected)


def test_parts_are_the_rows_in_order(folder):
    table = open_tables([folder / "*.parquet"])
    parts = ClusterTable(table).parts
    blocks = [block for part in parts for block in part.blocks()]
    assert [block.n_rows for block in blocks] == [50, 50, 20, 50, 33]
    whole = table.table()
    for name in table.columns:
        np.testing.assert_array_equal(
            np.concatenate([block.column(name) for block in blocks]), whole.column(name)
        )
    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), whole.rows)


def test_long_row_groups_are_cut_into_blocks(folder, monkeypatch):
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", 30)
    table = open_tables([folder / "0.parquet"])
    blocks = [block for part in table.parts() for block in part.blocks()]
    assert [block.n_rows for block in blocks] == [30, 20, 30, 20, 20]
    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), np.arange(1, 121))


def test_an_embedded_table_is_one_part(tmp_path):
    out = tmp_path / "m.ntk"
    assert main(["fit", "wine", "--dask", "--out", str(out)]) == 0
    assert load_model(out).pipeline[-1].solve_.method == "nystrom"


def test_a_bad_cell_is_named_with_its_row(folder, capsys, tmp_path):
    command = ["fit", str(folder / "*.parquet"), "--target", "y", "--out", str(tmp_path / "m.ntk"), "--dask"]
    assert main(command) == 2
    assert "row 1, column 'b'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_relative_paths_are_read_by_workers_in_other_folders(folder, tmp_path, monkeypatch, capsys):
    summarised = ClusterTable.summarise

    def elsewhere(table, **options):
        monkeypatch.chdir(tmp_path)  # a thread of this process works on the parts
        return summarised(table, **options)

    monkeypatch.setattr(ClusterTable, "summarise", elsewhere)
    monkeypatch.chdir(folder)
    out = tmp_path / "m.ntk"
    assert main(["fit", "*.csv", "--target", "y", "--impute", "median", "--out", str(out), "--dask"]) == 0
    assert "data:    *.csv, 203 rows" in capsys.readouterr().out
    assert load_model(out).scores["rows"] == 203


def test_a_worker_that_cannot_read_a_file_is_named(folder, cluster, tmp_path, monkeypatch):
    copy = tmp_path / "0.csv"
    shutil.copy(folder / "0.csv", copy)
    (part,) = ClusterTable(open_tables([copy])).parts
    assert sum(block.n_rows for block in read_part(part)) == 120
    copy.unlink()
    with pytest.raises(DataError, match=r"0.csv: no such file") as caught:
        list(read_part(part))
    assert "the worker" not in str(caught.value)
    with (
        Client(cluster, set_as_default=False) as client,
        pytest.raises(
            DataError,
            match=r"the worker tcp://.* does not find the files of this machine \(.*/0.csv: no such .*\): "
            "it needs the same files at the same absolute paths",
        ),
    ):
        map_parts(lambda part: len(list(read_part(part))), [part], title="reading", client=client)
    # another file of the same name
    shutil.copy(folder / "1.csv", copy)
    monkeypatch.setattr("ntklib.lab.tables.cluster._worker", lambda: "tcp://far:1")
    with pytest.raises(DataError, match=r"the worker tcp://far:1 .*has changed while it was read"):
        list(read_part(part))


def test_a_scheduler_without_workers_or_lost_on_the_way_is_named(folder, cluster):
    table = open_tables([folder / "0.csv"])
    with (
        pytest.raises(DataError, match=r"at tcp://.* was lost on the way: see if it runs"),
        open_cluster(cluster.scheduler_address, table),
    ):
        raise ConnectionError("the Dask scheduler was lost")


WITHOUT = """
import sys
sys.modules["dask"] = None
from ntklib.lab.cli import main
print(main(sys.argv[1:]))
try:
    import ntklib.dask
except ImportError as error:
    print(error)
"""


def test_what_needs_dask_says_so(folder, tmp_path):
    command = ["fit", str(folder / "0.csv"), "--target", "y", "--out", str(tmp_path / "m.ntk"), "--dask"]
    # in a process of its own: the cluster's threads import Dask now and then
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, *command], capture_output=True, text=True, check=True
    )
    status, message = run.stdout.splitlines()
    assert status == "2"
    assert "error: --dask needs Dask" in run.stderr
    assert "ntklib.dask needs Dask" in message
    for text in (run.stderr, message):
        assert "pip install 'ntklib[dask]'" in text


def test_faults_of_the_cluster_are_named(folder, cluster, capsys, tmp_path, monkeypatch):
    command = ["fit", str(folder / "*.csv"), "--target", "y", "--out", str(tmp_path / "m.ntk"), "--dask"]
    monkeypatch.setattr("ntklib.lab.cli._cluster.SECONDS", 0.2)
    assert main([*command, "tcp://127.0.0.1:1"]) == 2
    message = capsys.readouterr().err
    assert "error: the Dask scheduler at tcp://127.0.0.1:1 does not answer" in message
    assert "see if it runs (dask scheduler starts one)" in message
    assert main([*command, "nowhere"]) == 2
    assert "at nowhere does not answer" in capsys.readouterr().err
    monkeypatch.setattr("ntklib.lab.cli._cluster.SECONDS", 10)

    def lacking(client):
        raise RuntimeError("the worker tcp://far:1 cannot import ntklib: install it there.")

    monkeypatch.setattr("ntklib.dask.check_workers", lacking)
    assert main([*command, cluster.scheduler_address]) == 2
    assert "error: the worker tcp://far:1 cannot import ntklib" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
