"""``ntklib info`` and ``ntklib warmup``: the state of the installation."""

from __future__ import annotations

import argparse

from ._command import Command


def _no_options(parser: argparse.ArgumentParser) -> None:
    pass


def _run_info(arguments: argparse.Namespace) -> None:
    from ntklib._info import show_versions

    show_versions()


def _run_warmup(arguments: argparse.Namespace) -> None:
    from ntklib._info import warmup

    seconds = warmup()
    print(f"all kernels are compiled and kept for later processes ({seconds:.1f} s)")


INFO = Command(
    name="info",
    summary="print versions, threads, BLAS and where compiled code is kept",
    description="Print what a bug report should say about this installation.",
    examples="  ntklib info",
    add_options=_no_options,
    run=_run_info,
)

WARMUP = Command(
    name="warmup",
    summary="compile all kernels once, so that later runs start fast",
    description="Compile every loop and keep the result in Numba's cache for later processes.",
    examples="  ntklib warmup",
    add_options=_no_options,
    run=_run_warmup,
)
