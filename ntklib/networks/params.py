"""The parameters of a network: a small record of named arrays that nobody can change by accident."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ntklib._core.files import write_atomically

__all__ = ["Params"]


class Params:
    """Named, read-only, finite arrays: the weights and biases of one network.

    ``W0`` and ``b0`` belong to the layer that reads the inputs, the highest number to the output layer; each
    ``W`` is (outputs, inputs).  A symmetric network has a second set, ``mirror_W0`` and so on.  Copying,
    deep-copying and cloning return the record itself, and ``==`` is one truth value.

    Parameters
    ----------
    arrays : mapping of str to array-like
        Floating-point arrays, all float32 or all float64; others become float64.  They are copied.

    Raises
    ------
    ValueError
        If an array holds NaN or infinity, or there is no array.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import Params
    >>> params = Params({"W0": np.eye(2), "W1": np.ones((1, 2))})
    >>> params
    Params(W0=2x2, W1=1x2, float64)
    >>> params["W1"]
    array([[1., 1.]])
    """

    __slots__ = ("_arrays",)
    __array_ufunc__ = None  # comparing with an array is comparing, not broadcasting
    _arrays: dict[str, np.ndarray]

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        if not isinstance(arrays, (Mapping, Params)):
            raise TypeError(f"arrays must map names such as 'W0' to arrays, got {type(arrays).__name__}.")
        if not arrays:
            raise ValueError("arrays is empty: a network has at least two weight matrices.")
        given = {name: np.asarray(array) for name, array in arrays.items()}
        single = all(array.dtype == np.float32 for array in given.values())
        dtype = np.dtype(np.float32 if single else np.float64)
        object.__setattr__(self, "_arrays", {n: _own(n, array, dtype) for n, array in given.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in order."""
        return tuple(self._arrays)

    @property
    def dtype(self) -> np.dtype:
        """The arrays' common type."""
        return next(iter(self._arrays.values())).dtype

    @property
    def size(self) -> int:
        """Numbers in all arrays together."""
        return sum(array.size for array in self._arrays.values())

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self._arrays[name]
        except KeyError:
            raise KeyError(f"no array {name!r}; there are {', '.join(self._arrays)}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def items(self):
        """Return pairs of names and arrays."""
        return self._arrays.items()

    def replace(self, **arrays: Any) -> Params:
        """Return a record with some arrays replaced by others of the same shape.

        Parameters
        ----------
        **arrays : array-like
            By name.

        Returns
        -------
        Params

        Raises
        ------
        KeyError
            If there is no array of that name.
        ValueError
            If the shape differs.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> params = TwoLayerNet(2).init(1, random_state=0)
        >>> params.replace(W1=[[1.0, -1.0]])["W1"]
        array([[ 1., -1.]])
        """
        for name, array in arrays.items():
            if np.shape(array) != self[name].shape:
                raise ValueError(f"{name} is {self[name].shape}, not {np.shape(array)}.")
        if self.dtype == np.float32 and any(
            np.asarray(array).dtype != np.float32 for array in arrays.values()
        ):
            return Params({**self._arrays, **arrays})
        new = {name: _own(name, np.asarray(array), self.dtype) for name, array in arrays.items()}
        return owned({**self._arrays, **new})

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the arrays to an ``.npz`` file, whole or not at all.

        Parameters
        ----------
        path : str or Path
        overwrite : bool, default=False

        Raises
        ------
        FileExistsError
            If there is such a file and ``overwrite`` is False.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **self._arrays)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Params:
        """Read a file that `save` wrote; it can hold nothing but arrays.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Params

        Raises
        ------
        ValueError
            If the file is not of that kind.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls({name: file[name] for name in file.files})
        # .npy files, what is no archive at all, and archives cut short
        except (AttributeError, EOFError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} does not hold a network's parameters: {error}") from None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Params):
            return False
        return self.names == other.names and all(
            array.dtype == other[name].dtype and np.array_equal(array, other[name])
            for name, array in self.items()
        )

    def __hash__(self) -> int:
        return hash(tuple((name, array.shape, float(array.flat[0])) for name, array in self.items()))

    def __copy__(self) -> Params:
        return self

    def __deepcopy__(self, memo: Any) -> Params:
        return self

    def __sklearn_clone__(self) -> Params:
        return self

    def __reduce__(self):
        return Params, (dict(self._arrays),)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("parameters cannot be changed; Params.replace makes a record with other arrays.")

    def __repr__(self) -> str:
        shapes = [f"{name}={'x'.join(map(str, array.shape))}" for name, array in self.items()]
        if len(shapes) > 6:
            shapes[3:-2] = ["..."]
        return f"Params({', '.join(shapes)}, {self.dtype})"


def as_params(params: Any) -> Params:
    """Return the record itself; TypeError if it is none."""
    if not isinstance(params, Params):
        raise TypeError(
            f"params must be what net.init returns, a Params record, got {type(params).__name__}."
        )
    return params


def in_float64(params: Any) -> Params:
    """Return the same numbers in float64; TypeError if they are no Params."""
    return cast(as_params(params), np.dtype(np.float64))


def cast(params: Params, dtype: np.dtype) -> Params:
    """Return the same numbers in another precision."""
    if params.dtype == dtype:
        return params
    return owned({name: array.astype(dtype) for name, array in params.items()})


def owned(arrays: Mapping[str, np.ndarray]) -> Params:
    """A record of contiguous arrays of one type that it may keep: nobody else will write to their memory."""
    params = object.__new__(Params)
    object.__setattr__(params, "_arrays", {name: _frozen(name, array) for name, array in arrays.items()})
    return params


def _own(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A read-only copy: even read-only memory may be written to by who lent it."""
    if array.size == 0:
        raise ValueError(f"{name} is empty.")
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise TypeError(f"{name} must hold real numbers, got an array of {array.dtype}.")
    return _frozen(name, np.array(array, dtype=dtype, order="C"))


def _frozen(name: str, array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; parameters have to be finite.")
    return array
