"""Outputs and derivatives of a network, in blocks of rows that fit in the working memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory

from .. import binding as binding
from .._model import Model
from ..params import Params
from ..spec import Spec
from . import layers as layers
from . import passes as passes
from ._sweep import ROWS, Sweep, combined

__all__ = ["Derivatives"]


class Derivatives(Model):
    """Outputs of a network, and their first and second derivatives in the parameters."""

    @property
    def spec(self) -> Spec:
        """All options, checked."""
        raise NotImplementedError  # pragma: no cover

    def apply(self, params: Params, X: Any) -> np.ndarray:
        """Return the outputs of the network.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,), or (n, k) for k > 1 outputs

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(64, symmetric=True)
        >>> net.apply(net.init(2, random_state=0), np.eye(2))
        array([0., 0.])
        """
        spec, copies, X, dtype = self._bound(params, X)
        return _squeezed(Sweep(spec, min(X.shape[0], ROWS), dtype)(copies, X))

    def jacobian(self, params: Params, X: Any) -> np.ndarray:
        """Return the derivative of every output in every trained parameter.

        With one hidden layer of m units, df/dv = m^(-1/2) sigma(W x) and
        df/dW = m^(-1/2) (sigma'(W x) * v) x^T.  Most uses need no such array: see `jvp`, `vjp`, `ntk`.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, p), or (n, k, p) for k > 1 outputs

        Raises
        ------
        MemoryError
            If the array would not fit.
        ValueError, TypeError
            If X or the parameters do not belong to this network.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(16)
        >>> params = net.init(3, random_state=0)
        >>> J = net.jacobian(params, np.eye(3))
        >>> J.shape, bool(np.allclose(J @ J.T, net.ntk(params, np.eye(3))))
        ((3, 64), True)
        """
        spec, copies, X, dtype = self._bound(params, X)
        n, p = X.shape[0], self.n_params(X.shape[1])
        require_memory(
            (n, spec.n_outputs, p), dtype, "Jacobian", instead="use jvp, vjp or ntk, which need none"
        )
        result = np.empty((n, spec.n_outputs, p), dtype)

        def fill(rows: slice, x: np.ndarray) -> None:
            start = 0
            for copy in copies:
                start = _write_jacobian(copy, x, result[rows], start)

        passes.each_block(X, passes.row_step(spec, dtype, 4 * spec.n_outputs), dtype, fill)
        return result[:, 0] if spec.n_outputs == 1 else result

    def jvp(self, params: Params, X: Any, vector: Any) -> np.ndarray:
        """Return J v: the change of the outputs, to first order, when the parameters move along a vector.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        vector : array-like of shape (p,)

        Returns
        -------
        ndarray of shape (n,) or (n, k)

        Raises
        ------
        ValueError, TypeError
            If X, the parameters or a vector do not belong to this network, or hold NaN.
        """
        spec, copies, X, dtype = self._bound(params, X)
        along = binding.directions(spec, X.shape[1], vector, dtype, "vector")
        result = np.empty((X.shape[0], spec.n_outputs), dtype)

        def push(rows: slice, x: np.ndarray) -> None:
            parts = [layers.push_forward(copy, x, u) for copy, u in zip(copies, along, strict=True)]
            result[rows] = combined(copies, parts)

        passes.each_block(X, passes.row_step(spec, dtype), dtype, push)
        return _squeezed(result)

    def second_derivative(self, params: Params, X: Any, u: Any, v: Any) -> np.ndarray:
        """Return D^2 f[u, v]: the second derivative of the outputs along two vectors.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        u, v : array-like of shape (p,)

        Returns
        -------
        ndarray of shape (n,) or (n, k)

        Raises
        ------
        ValueError, TypeError
            If X, the parameters or a vector do not belong to this network, or hold NaN.
        """
        spec, copies, X, dtype = self._bound(params, X)
        first = binding.directions(spec, X.shape[1], u, dtype, "u")
        second = first if u is v else binding.directions(spec, X.shape[1], v, dtype, "v")
        result = np.empty((X.shape[0], spec.n_outputs), dtype)

        def push(rows: slice, x: np.ndarray) -> None:
            along = zip(copies, first, second, strict=True)
            result[rows] = combined(copies, [layers.second_push(copy, x, *pair) for copy, *pair in along])

        passes.each_block(X, passes.row_step(spec, dtype, 10), dtype, push)
        return _squeezed(result)

    def vjp(self, params: Params, X: Any, cotangent: Any) -> np.ndarray:
        """Return J^T c: the gradient of <c, f(X; w)> in the trained parameters.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        cotangent : array-like of shape (n,) or (n, k)

        Returns
        -------
        ndarray of shape (p,)

        Raises
        ------
        ValueError, TypeError
            If X, the parameters or a vector do not belong to this network, or hold NaN.
        """
        spec, copies, X, dtype = self._bound(params, X)
        c = binding.check_cotangent(spec, X.shape[0], cotangent, dtype)
        return _swept(spec, copies, X, dtype, lambda rows, outputs: c[rows])[1]

    def value_and_vjp(
        self, params: Params, X: Any, cotangent: Callable[[slice, np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the outputs f, and J^T c for a c that depends on them, in one pass over the rows.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        cotangent : callable
            Receives a slice of rows and their outputs, (rows,) or (rows, k), and returns c in that shape:
            the gradient of a loss in the outputs.

        Returns
        -------
        outputs : ndarray of shape (n,) or (n, k)
        gradient : ndarray of shape (p,)
        """
        spec, copies, X, dtype = self._bound(params, X)
        outputs, gradient = _swept(
            spec, copies, X, dtype, lambda rows, f: np.asarray(cotangent(rows, _squeezed(f)))
        )
        return _squeezed(outputs), gradient

    def hvp(self, params: Params, X: Any, cotangent: Any, vector: Any) -> np.ndarray:
        """Return H v, H the Hessian of <c, f(X; w)> in the trained parameters.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        cotangent : array-like of shape (n,) or (n, k)
        vector : array-like of shape (p,)

        Returns
        -------
        ndarray of shape (p,)

        Raises
        ------
        ValueError, TypeError
            If X, the parameters or a vector do not belong to this network, or hold NaN.
        """
        spec, copies, X, dtype = self._bound(params, X)
        c = binding.check_cotangent(spec, X.shape[0], cotangent, dtype)
        along = binding.directions(spec, X.shape[1], vector, dtype, "vector")

        def product(rows: slice, x: np.ndarray) -> np.ndarray:
            parts = [
                layers.curvature_product(copy, x, dtype.type(copy.coefficient) * c[rows], v)
                for copy, v in zip(copies, along, strict=True)
            ]
            return binding.flat(parts, dtype)

        step = passes.row_step(spec, dtype, 12)
        return passes.sum_blocks(X, step, dtype, np.size(vector), product)

    def activation_pattern(self, params: Params, X: Any) -> np.ndarray:
        """Return the signs of all hidden preactivations, one bit a unit.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)

        Returns
        -------
        ndarray of uint8 of shape (n, bytes)
            Eight units a byte, layer after layer; 1 stands for z >= 0, and the last bits may be 0.
        """
        spec, copies, X, dtype = self._bound(params, X)
        result = np.empty((X.shape[0], -(-len(copies) * sum(spec.widths) // 8)), np.uint8)

        def pack(rows: slice, x: np.ndarray) -> None:
            z = [h for copy in copies for h in layers.trace(copy, x).preactivations]
            result[rows] = np.packbits(np.concatenate([h >= 0 for h in z], axis=1), axis=1)

        passes.each_block(X, passes.row_step(spec, dtype), dtype, pack)
        return result

    def _bound(self, params: Any, X: Any) -> tuple[Spec, tuple[layers.Copy, ...], Any, np.dtype]:
        spec, X = self.spec, binding.check_inputs(params, X)
        binding.check_params(spec, params)
        dtype = np.result_type(params.dtype, X.dtype)
        return spec, binding.bind(spec, params, dtype), X, dtype


def _swept(spec, copies, X, dtype, cotangent) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (n, k) and the gradient (p,)."""
    size = sum(int(np.prod(shape)) for shape in spec.shapes(X.shape[1], trained=True).values())
    gradient = np.empty(size, dtype)
    parts = binding.layered(spec, X.shape[1], gradient)
    return Sweep(spec, X.shape[0], dtype)(copies, X, cotangent, parts), gradient


def _write_jacobian(copy: layers.Copy, x: np.ndarray, out: np.ndarray, start: int) -> int:
    """Write the derivatives in the parameters of one copy from column ``start`` on; return where they end."""
    passed, number = layers.trace(copy, x), out.dtype.type
    for index, g in enumerate(layers.signals(copy, passed)):
        if not copy.include[index] or g is None:
            continue
        layer, a = copy.layers[index], passed.inputs[index]
        stop = start + layer.weight.size
        place = out[:, :, start:stop].reshape(*g.shape, a.shape[1])  # a view
        factor = number(copy.coefficient * layer.weight_multiplier)
        np.multiply((factor * g)[..., None], a[:, None, None, :], out=place)
        start = stop
        if layer.bias is not None:
            stop = start + layer.bias.size
            out[:, :, start:stop] = number(copy.coefficient * layer.bias_multiplier) * g
            start = stop
    return start


def _squeezed(f: np.ndarray) -> np.ndarray:
    return f[:, 0] if f.shape[1] == 1 else f
