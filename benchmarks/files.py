"""Files larger than memory, through the two passes of `ntklib fit` and through `ntklib predict`.

    python benchmarks/files.py [--rows 2000000] [--columns 20] [--kind parquet|csv]

A file of random rows is written into the folder for temporary files.  Peak memory is printed after each
step, beside that of the bare process.  It includes pages of the encoded rows, which are in a file and can
be dropped.  The model that predicts is of 300 rows, so that reading and writing weigh most.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from ntklib.lab.cli import main as ntklib
from ntklib.lab.tables import Schema, TargetColumn, encode_rows, open_tables, summarise

PART = 100_000


def write(path: Path, n: int, d: int) -> None:
    """Write n rows of d numbers, a text and a target, in row groups."""
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, n, PART):
        rows = min(PART, n - start)
        X = rng.normal(size=(rows, d))
        columns = {f"x{j}": X[:, j] for j in range(d)}
        columns |= {"kind": rng.choice(["oak", "elm", "ash"], rows), "y": np.sin(2 * X[:, 0]) + X[:, 1]}
        table = pa.table(columns)
        if writer is None:
            kind = pq.ParquetWriter if path.suffix == ".parquet" else csv.CSVWriter
            writer = kind(path, table.schema)
        writer.write_table(table)
    writer.close()


def say(step: str, start: float) -> None:
    """Print the processor time of a step and the peak of memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{step:10s} {time.process_time() - start:7.1f} s of processor time, peak memory {peak:.2f} GiB")


def measure(path: Path) -> None:
    """Summarise, encode, and predict."""
    start = time.process_time()
    say("nothing", start)
    stream = open_tables([path])
    summary = summarise(stream)
    say("summarise", start)
    start = time.process_time()
    schema, target = Schema.of(summary, target="y"), TargetColumn.of(stream, summary, "y")
    rows = encode_rows(stream, schema, target)
    say("encode", start)
    print(f"           {rows.X.shape} in {'a file' if isinstance(rows.X, np.memmap) else 'memory'}, ", end="")
    print(f"{rows.X.nbytes / 2**30:.2f} GiB; the file read has {path.stat().st_size / 2**30:.2f} GiB")
    del rows
    model, start = path.with_suffix(".ntk"), time.process_time()
    ntklib(["predict", str(model), str(path), "--out", str(path.with_suffix(".predictions"))])
    say("predict", start)


def main() -> None:
    """Write the files in one process and measure in another, whose memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--kind", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"rows.{options.kind}")
        write(path, options.rows, options.columns)
        few = Path(folder, f"few.{options.kind}")
        write(few, 300, options.columns)
        ntklib(["fit", str(few), "--target", "y", "--out", str(path.with_suffix(".ntk"))])
        subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)


if __name__ == "__main__":
    main()
