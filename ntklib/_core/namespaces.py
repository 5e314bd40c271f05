"""Arrays of other libraries than NumPy: their namespace of the array API standard, and ways to and from them.

They are taken where scikit-learn's ``array_api_dispatch`` is on, and nowhere else.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config

from .warning import warn

__all__ = ["device", "namespace_of", "on_device", "refuse_arrays", "to_numpy"]


def namespace_of(*arrays: Any) -> Any:
    """Return the namespace of arrays of another library, None where all are NumPy's or dispatch is off.

    Parameters
    ----------
    *arrays : array or None

    Returns
    -------
    module or None
        As array-api-compat has it.

    Raises
    ------
    ImportError
        If array-api-compat is not installed.
    TypeError
        If arrays are of different libraries, sparse, or cannot be written to.
    ValueError
        If the library, or the device, has no float64, or gradients of the arrays are recorded.
    """
    if not get_config()["array_api_dispatch"]:
        return None
    given = [one for one in arrays if one is not None]
    if not any(_foreign(one) for one in given):
        return None
    try:
        import array_api_compat
    except ImportError as error:
        raise ImportError(
            f"arrays of other libraries need array-api-compat ({error}): pip install 'ntklib[array-api]'."
        ) from error
    if not all(_foreign(one) for one in given):
        kinds = ", ".join(dict.fromkeys(type(one).__module__.split(".")[0] for one in given))
        raise TypeError(f"arrays must be of one library, got some of {kinds}: convert them all alike.")
    xp = array_api_compat.array_namespace(*given)
    for one in given:
        _check_kind(one, xp.__name__)
    place = device(given[0])
    lacking = ""
    try:
        if xp.zeros(1, dtype=xp.float64, device=place).dtype != xp.float64:
            lacking = "it gives less"
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        lacking = str(error)
    if lacking:
        raise ValueError(
            f"{xp.__name__} has no float64 on {place} ({lacking}), which fits need: use another device, or "
            "NumPy arrays."
        )
    _tell_of_tf32(given, str(place))
    return xp


def refuse_arrays(X: Any, name: str = "X") -> None:
    """Refuse rows that are an array of another library under ``array_api_dispatch``."""
    if (xp := namespace_of(X)) is not None:
        raise TypeError(
            f"{name} is an array of {xp.__name__}, which only fit and predict of NTKRegressor take, on "
            f"centres, and closed-form kernels: convert it, numpy.asarray({name})."
        )


def to_numpy(array: Any) -> NDArray:
    """Return an array of any library and device in NumPy, in the memory of this machine."""
    if not _foreign(array):
        return np.asarray(array)
    if hasattr(array, "detach"):  # torch
        return np.asarray(array.detach().cpu())
    return np.asarray(array.get() if hasattr(array, "get") else np.from_dlpack(array))  # cupy, others


def device(array: Any) -> Any:
    """Return the device of an array of another library."""
    import array_api_compat

    return array_api_compat.device(array)


def on_device(values: NDArray, like: Any, dtype: Any = None) -> Any:
    """Return NumPy values as an array of the library and on the device of another one."""
    import array_api_compat

    xp = array_api_compat.array_namespace(like)
    return xp.asarray(np.ascontiguousarray(values), dtype=dtype, device=device(like))


def _foreign(array: Any) -> bool:
    if isinstance(array, np.ndarray | list | tuple) or sparse.issparse(array):
        return False
    return hasattr(array, "__array_namespace__") or type(array).__module__.split(".")[0] in ("torch", "cupy")


def _check_kind(array: Any, library: str) -> None:
    """Refuse arrays that are sparse or read-only, and those whose gradients are recorded."""
    import array_api_compat

    dense = str(getattr(array, "layout", "torch.strided")) == "torch.strided"
    if not dense or array_api_compat.is_pydata_sparse_array(array):
        raise TypeError(
            f"sparse arrays of {library} are not taken: give dense ones, X.to_dense() or X.todense(), or a "
            "CSR matrix of SciPy."
        )
    if not array_api_compat.is_writeable_array(array):
        raise TypeError(f"arrays of {library} cannot be written to, as is needed here: give NumPy arrays.")
    if getattr(array, "requires_grad", False):
        raise ValueError("results of tensors that require gradients cannot be differentiated: X.detach().")


def _tell_of_tf32(arrays: list[Any], place: str) -> None:
    """Say where torch rounds float32 products to 11 bits; the setting is the user's and is left alone."""
    torch = sys.modules.get("torch")
    if torch is None or not place.startswith("cuda"):
        return
    matmul = torch.backends.cuda.matmul
    try:
        rounded = matmul.fp32_precision == "tf32"
    except AttributeError:  # before torch 2.9
        rounded = matmul.allow_tf32
    if rounded and any(getattr(one, "dtype", None) == torch.float32 for one in arrays):
        warn(
            "torch multiplies float32 matrices in TF32 here, with 11 bits: give float64 rows, or call "
            "torch.set_float32_matmul_precision('highest')."
        )
