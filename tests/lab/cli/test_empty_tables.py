"""Tables without rows, columns or bytes: every command says which it is, and what to do."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ntklib.lab.cli import main

SCHEMA = pa.schema([("a", pa.float64()), ("y", pa.float64())])
NO_ROWS = "no data rows (columns without a row); write it again with its rows, or name another one"
NO_COLUMNS = "no columns; write it again with its columns, or name another one"
NO_BYTES = "the file is empty: it has no bytes; write it again, or name another one"


def write_nothing(path, kind):
    if kind in ("zero bytes", "zero bytes of text"):
        path.touch()
    elif kind == "header":
        path.write_text("a,y\n")
    elif kind == "blank lines":
        path.write_text("\n\r\n\n")
    elif kind == "no row groups":
        pq.ParquetWriter(path, SCHEMA).close()
    elif kind == "row groups without rows":
        with pq.ParquetWriter(path, SCHEMA) as writer:
            for _ in range(2):
                writer.write_table(SCHEMA.empty_table())
    elif kind == "no columns":
        pq.write_table(pa.table({}), path)
    else:
        pd.DataFrame(index=range(5)).to_parquet(path)


KINDS = {
    "zero bytes": ("parquet", NO_BYTES),
    "zero bytes of text": ("csv", NO_BYTES),
    "header": ("csv", "no data rows (only a header); write it again with its rows, or name another one"),
    "blank lines": ("csv", "only blank lines; a header with the column names, and rows, are needed"),
    "no row groups": ("parquet", NO_ROWS),
    "row groups without rows": ("parquet", NO_ROWS),
    "no columns": ("parquet", NO_COLUMNS),
    "five rows and no columns": ("parquet", NO_COLUMNS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table and its model."""
    folder = tmp_path_factory.mktemp("full")
    a = np.random.default_rng(0).normal(size=30)
    pd.DataFrame({"a": a, "y": a**2}).to_csv(folder / "d.csv", index=False)
    options = ["--target", "y", "--kernels", "ntk", "--out", str(folder / "m.ntk")]
    assert main(["fit", str(folder / "d.csv"), *options]) == 0
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["fit", "fit --dask", "predict", "report", "info"])
def test_what_is_missing_is_named(folder, tmp_path, capsys, command, kind):
    ending, message = KINDS[kind]
    path = tmp_path / f"d.{ending}"
    write_nothing(path, kind)
    words = {
        "fit": ["fit", path, "--target", "y", "--out", tmp_path / "m.ntk"],
        "fit --dask": ["fit", path, "--dask", "--target", "y", "--out", tmp_path / "m.ntk"],
        "predict": ["predict", folder / "m.ntk", path, "--out", tmp_path / "p.csv"],
        "report": ["report", path, "--target", "y", "--out", tmp_path / "r"],
        "info": ["info", path],
    }[command]
    if command == "info":  # is of models
        message = "the file is empty" if "bytes" in kind else "no ntklib model file (ntklib fit writes one)"
    assert main(list(map(str, words))) == 2
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f"ntklib {words[0]}: error: {path}: {message}"
    assert out == ""
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["header", "no row groups", "row groups without rows"])
def test_files_without_rows_among_others_add_nothing(folder, tmp_path, capsys, kind):
    ending, message = KINDS[kind]
    frame = pd.read_csv(folder / "d.csv", float_precision="round_trip")
    (tmp_path / "parts").mkdir()
    for i in (0, 2):
        write_nothing(tmp_path / "parts" / f"{i}.{ending}", kind)
    options = ["--target", "y", "--kernels", "ntk", "--out", str(tmp_path / "m.ntk")]
    assert main(["fit", str(tmp_path / "parts"), *options]) == 2
    assert f"parts: {message}" in capsys.readouterr().err
    one = tmp_path / "parts" / f"1.{ending}"
    frame.to_csv(one, index=False) if ending == "csv" else frame.to_parquet(one)
    for more in ([], ["--force", "--dask"]):
        assert main(["fit", str(tmp_path / "parts"), *options, *more]) == 0
        assert "30 rows, 1 column" in capsys.readouterr().out
    expected = main(["predict", str(folder / "m.ntk"), str(folder / "d.csv")]), capsys.readouterr().out
    assert main(["predict", str(folder / "m.ntk"), str(tmp_path / "parts")]) == 0
    assert (0, capsys.readouterr().out) == expected
