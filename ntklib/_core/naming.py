"""Kernels in a few words."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Product, Sum

_MOST_NUMBERS = 4  # of an array that are written
_MOST_PARTS = 4  # of a sum that are written


def describe_kernel(kernel: Any) -> str:
    """Write a kernel with the parameters that are not at their defaults, floats to four digits.

    Examples
    --------
    >>> from ntklib.kernels import NTK
    >>> describe_kernel(NTK(depth=2, weight_std=2**0.5))
    'NTK(depth=2, weight_std=1.414)'
    >>> describe_kernel(0.5 * NTK() + NTK(depth=2))
    '0.5 * NTK() + NTK(depth=2)'
    """
    if not isinstance(kernel, Kernel):
        return getattr(kernel, "__name__", str(kernel))
    if isinstance(kernel, Sum):
        return f"{describe_kernel(kernel.k1)} + {describe_kernel(kernel.k2)}"
    if isinstance(kernel, Product):
        factors = (kernel.k1, kernel.k2)
        return " * ".join(
            f"({describe_kernel(k)})" if isinstance(k, Sum) else describe_kernel(k) for k in factors
        )
    if isinstance(kernel, ConstantKernel):
        return _value(float(kernel.constant_value))
    defaults = inspect.signature(type(kernel)).parameters
    words = [
        f"{name}={_value(value)}"
        for name, value in _parameters(kernel).items()
        if not _same(value, defaults[name].default)
    ]
    return f"{type(kernel).__name__}({', '.join(words)})"


def describe_choice(model: Any) -> list[str]:
    """Write what a fitted search chose: kernel and penalty, or those of parts of a sum, the heaviest first.

    Of more than four parts, three are written, and the weight and number of the others.

    Parameters
    ----------
    model : NTKRegressorCV or NTKClassifierCV

    Returns
    -------
    list of str
    """
    if hasattr(model, "stack_"):
        parts = zip(*model.stack_.values(), strict=True)
        ordered = sorted((part for part in parts if part[2] > 0), key=lambda part: -part[2])
        if len(ordered) > 1:
            words = [f"{w:.3g} of {describe_kernel(k)}, penalty {a:.3g}" for k, a, w in ordered]
            if len(words) <= _MOST_PARTS:
                return words
            rest = sum(part[2] for part in ordered[_MOST_PARTS - 1 :])
            return [*words[: _MOST_PARTS - 1], f"{rest:.3g} of {len(words) - _MOST_PARTS + 1} others"]
    least, most = np.min(model.alpha_), np.max(model.alpha_)
    penalty = f"{least:.3g}" if least == most else f"{least:.3g} to {most:.3g}"
    return [f"{describe_kernel(model.kernel_)}, penalty {penalty}"]


def short_names(kernels: Sequence[Any]) -> list[str]:
    """Name kernels by what tells them apart: their type and common parameters are left out where equal.

    Examples
    --------
    >>> from ntklib.kernels import NTK
    >>> short_names([NTK(depth=1), NTK(depth=2)])
    ['depth 1', 'depth 2']
    """
    if len(kernels) == 1 or not all(isinstance(kernel, Kernel) for kernel in kernels):
        names = [describe_kernel(kernel) for kernel in kernels]
    else:
        rows = [_parameters(kernel) for kernel in kernels]
        mixed = len({type(kernel) for kernel in kernels}) > 1
        names = []
        for kernel, row in zip(kernels, rows, strict=True):
            # what all kernels that have it have alike tells nothing apart
            words = [
                f"{name} {_value(value)}"
                for name, value in row.items()
                if not all(_same(other[name], value) for other in rows if name in other)
            ]
            names.append(
                " ".join([type(kernel).__name__] * mixed + [", ".join(words)]).strip()
                or describe_kernel(kernel)
            )
    seen: dict[str, int] = {}
    for i, name in enumerate(names):  # equal kernels may be listed twice
        seen[name] = seen.get(name, 0) + 1
        names[i] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def _parameters(kernel: Kernel) -> dict[str, Any]:
    """Return the parameters of a kernel but for the bounds of their search."""
    return {name: v for name, v in kernel.get_params(deep=False).items() if not name.endswith("_bounds")}


def _value(value: Any) -> str:
    if isinstance(value, Kernel):
        return describe_kernel(value)
    if isinstance(value, np.ndarray) and value.size > _MOST_NUMBERS:
        return f"{value.size:,} numbers"
    if isinstance(value, np.ndarray):
        return f"[{', '.join(f'{number:.4g}' for number in value.ravel())}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and bool(np.array_equal(first, second))
