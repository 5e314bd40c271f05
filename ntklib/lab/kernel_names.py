"""Kernels by the names of their classes, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sklearn.gaussian_process.kernels import ConstantKernel, Kernel


def kernel_name(kernel: Any) -> str:
    """Name the kernels that a kernel is made of; factors and scales of theirs have no name.

    Examples
    --------
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from ntklib import NNGP, NTK
    >>> kernel_name(NNGP(depth=3)), kernel_name(0.5 * NTK() + 2.0 * RBF() + NTK(depth=2))
    ('NNGP', 'NTK + RBF')
    """
    if not isinstance(kernel, Kernel):
        return getattr(kernel, "__name__", str(kernel))
    return " + ".join(dict.fromkeys(_names(kernel))) or type(kernel).__name__


def _names(kernel: Kernel) -> Iterator[str]:
    inner = [value for value in kernel.get_params(deep=False).values() if isinstance(value, Kernel)]
    for part in inner:
        yield from _names(part)
    if not inner and not isinstance(kernel, ConstantKernel):
        yield type(kernel).__name__
