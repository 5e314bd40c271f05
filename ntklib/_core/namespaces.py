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

__all__ = ["device", "namespace_of", "on_device", "to_numpy"]


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
        If arrays are of different libraries.
    ValueError
        If the library, or the device, has no float64.
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
    place = device(given[0])
    try:
        xp.zeros(1, dtype=xp.float64, device=place)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{xp.__name__} has no float64 on {place} ({error}), which fits need: use another device, or "
            "NumPy arrays."
        ) from error
    _tell_of_tf32(given, str(place))
    return xp


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


def _tell_of_tf32(arrays: list[Any], place: str) -> None:
    """Say where torch rounds float32 products to 11 bits; the setting is the user's and is left alone."""
    torch = sys.modules.get("torch")
    if torch is None or not place.startswith("cuda") or torch.get_float32_matmul_precision() == "highest":
        return
    if any(getattr(one, "dtype", None) == torch.float32 for one in arrays):
        warn(
            "torch multiplies float32 matrices in TF32 here, with 11 bits: give float64 rows, or call "
            "torch.set_float32_matmul_precision('highest')."
        )
