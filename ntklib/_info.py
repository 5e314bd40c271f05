"""State of the installation: versions, threads, BLAS, and the cache of compiled code."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TextIO

from ntklib._core.jit import cache_folder
from ntklib._core.text import text_list
from ntklib._core.threads import get_threads

__all__ = ["show_versions", "versions", "warmup"]

_PACKAGES = (
    *("ntklib", "numpy", "scipy", "scikit-learn", "numba", "joblib", "threadpoolctl", "platformdirs"),
    *("matplotlib", "skops", "jinja2", "pandas", "pyarrow"),
)


def versions() -> dict[str, str]:
    """Return the versions, thread settings, BLAS libraries and cache folder, in printing order."""
    import threadpoolctl

    state = {"python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            state[package] = version(package)
        except PackageNotFoundError:
            state[package] = "not installed"
    state["threads"] = f"{get_threads()} of {os.cpu_count()} processors"
    state["threading layer"] = "ntklib's own threads; compiled loops run without the GIL in them"
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            kernel = library.get("architecture", "unknown architecture")
            owner = os.path.basename(os.path.dirname(library["filepath"]))
            state[f"BLAS in {owner}"] = (
                f"{library['internal_api']} {library['version']}, {kernel}, {library['num_threads']} threads"
            )
    state["compiled code"] = _compiled_code()
    return state


def show_versions(file: TextIO | None = None) -> None:
    """Print versions, threads, threading layer, BLAS and the place of the compiled code.

    Parameters
    ----------
    file : text file, default=None
        Standard output if None.

    Examples
    --------
    >>> import ntklib
    >>> ntklib.show_versions()  # doctest: +ELLIPSIS
    python           ...
    """
    print("\n".join(text_list(versions().items(), indent="")), file=file or sys.stdout)


def _compiled_code() -> str:
    import numba

    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return "compilation is switched off (NUMBA_DISABLE_JIT)"
    try:
        os.makedirs(cache_folder(), exist_ok=True)
        tempfile.TemporaryFile(dir=cache_folder()).close()
    except OSError as error:
        return f"not kept: cannot write to {cache_folder()} ({error.strerror}); set NTKLIB_CACHE_DIR"
    return f"kept in {cache_folder()}"


def warmup() -> float:
    """Compile, or load from the cache, every loop of the library; return the seconds it took.

    Examples
    --------
    >>> from ntklib._info import warmup
    >>> warmup() >= 0
    True
    """
    import numpy as np

    from ntklib.estimators import TangentFeatures
    from ntklib.kernels import NNGP, NTK
    from ntklib.networks import MLP, TwoLayerNet
    from ntklib.solvers import BandFactor

    start = time.perf_counter()
    networks = [
        TwoLayerNet(4),
        TwoLayerNet(4, output_init="rademacher"),
        MLP((4, 4)),
        MLP((4, 4), n_outputs=2),
    ]
    for dtype in (np.float64, np.float32):
        rows = np.linspace(-1, 1, 24).reshape(8, 3).astype(dtype)
        rows[1] = rows[0]
        rows[2] = -rows[0]
        for writable in (True, False):
            rows.flags.writeable = writable
            for activation in ("relu", "erf", "gelu", "tanh"):
                kernel = NTK(depth=2, activation=activation, bias_std=0.1)
                kernel(rows)
                kernel(rows, rows[:4])
                kernel(rows, eval_gradient=True)
                kernel.gradient_x(rows, rows, np.ones(8))
            NNGP()(rows)
        for network in networks:
            params = network.init(3, random_state=0, dtype=dtype)
            network.ntk(params, rows)
            network.vjp(params, rows, network.apply(params, rows))
        TangentFeatures(TwoLayerNet(4), n_components=2).fit_transform(rows)
    BandFactor(np.eye(200)).inverse_diagonals([1.0])
    return time.perf_counter() - start
