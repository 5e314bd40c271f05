"""What a new process pays: the import, and the first call of a compiled kernel.

    python benchmarks/startup.py [--repeats 5]

Each figure is the median over new processes; ``import ntklib`` is timed after what it needs anyway,
sklearn.kernel_ridge and numba, and the first call after ``ntklib warmup`` has filled the cache.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

IMPORT = """
import time, sklearn.kernel_ridge, numba
start = time.perf_counter()
import ntklib
print(time.perf_counter() - start)
"""
FIRST_CALL = """
import time, numpy as np, ntklib
X = np.random.default_rng(0).standard_normal((200, 20))
start = time.perf_counter()
ntklib.NTK(depth=2, bias_std=0.1)(X)
print(time.perf_counter() - start)
"""


def timed(code: str, repeats: int) -> float:
    """Median of what the code prints, each time in a new process."""
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(repeats)
    ]
    return median(float(run.stdout) for run in runs)


def main() -> None:
    """Print both, with their goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    subprocess.run([sys.executable, "-m", "ntklib", "warmup"], check=True, capture_output=True)
    print(f"import ntklib, after its dependencies   {timed(IMPORT, repeats):.2f} s   (goal 0.3)")
    print(f"first call of a compiled kernel         {timed(FIRST_CALL, repeats):.2f} s   (goal 1)")


if __name__ == "__main__":
    main()
