"""The empirical tangent kernel of a network, in all its forms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._blocks import require_memory, row_blocks, working_memory
from .._validation import check_integer, check_same_features, same_memory
from . import _binding as binding
from . import _layers as layers
from ._features import SEGMENT, cut
from ._gram import Plan, diagonal, fill_gram
from ._model import Model
from ._params import Params
from ._spec import Spec

__all__ = ["MonteCarloMean", "TangentKernels"]

_FORMS = ("trace", "full", "diagonal")


@dataclass(frozen=True, repr=False)
class MonteCarloMean:
    """A mean over initialisations, its standard error entry by entry, and the number of draws."""

    mean: np.ndarray
    standard_error: np.ndarray
    draws: int

    def __repr__(self) -> str:
        return (
            f"MonteCarloMean({self.mean.shape}, {self.draws} draws, "
            f"largest standard error {self.standard_error.max():.2g})"
        )


class TangentKernels(Model):
    """Kernels of a network at given parameters; a mixin of `Network`."""

    def ntk(
        self, params: Params, X: Any, Y: Any = None, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        r"""Return the empirical neural tangent kernel :math:`\Theta = J(X) J(Y)^\top`.

        :math:`\Theta = \sum_l c_l (D_l D_l^\top) \circ (H_l H_l^\top) + b_l D_l D_l^\top`, with the layers'
        inputs :math:`H_l` and back-propagated signals :math:`D_l`; no Jacobian is formed.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        Y : array-like or CSR matrix of shape (m, n_features), default=None
            X if None; the result is then symmetric to the last bit.
        output : {"trace", "full", "diagonal"} or int, default="trace"
            Sum over the k outputs; all pairs of outputs; each output with itself; or one output's kernel.
        weighted : bool, default=False
            Count each array with its step multiplier (`step_multipliers`).

        Returns
        -------
        ndarray of shape (n, m), (n, k, m, k) for "full", (n, m, k) for "diagonal"

        Raises
        ------
        ValueError
            If X, Y or the parameters do not belong to this network.
        MemoryError
            If the kernel would not fit.

        References
        ----------
        Jacot et al. (2018), "Neural tangent kernel", section 4; Novak et al. (2022), "Fast finite width
        neural tangent kernel", section 3.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(10_000, output_init="rademacher")
        >>> net.ntk(net.init(2, random_state=0), np.eye(2)).round(1)
        array([[1. , 0.2],
               [0.2, 1. ]])
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        plan = _plan(spec, params, X.shape[1], dtype, output, weighted)
        shape = plan.shape(X.shape[0], X.shape[0] if Y is None else Y.shape[0])
        require_memory(shape, dtype, "tangent kernel")
        out = np.empty(shape, dtype)
        fill_gram(plan, X, Y, out)
        return out

    def ntk_diag(
        self, params: Params, X: Any, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return the kernel of each row with itself, the same bytes as on the diagonal of `ntk`.

        Returns
        -------
        ndarray of shape (n,), or (n, k) for ``output="diagonal"``
        """
        spec, X, _, dtype = self._rows(params, X, None)
        if output == "full":
            raise ValueError("output='full' has no diagonal; use output='diagonal' or 'trace'.")
        return diagonal(_plan(spec, params, X.shape[1], dtype, output, weighted), X)

    def ntk_layers(
        self, params: Params, X: Any, Y: Any = None, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return what each layer contributes to the kernel; the sum over the first axis is `ntk`.

        Returns
        -------
        ndarray of shape (depth + 1, n, m), or with the axes that `ntk` has
            0 for layers that are not trained.
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        plan = _plan(spec, params, X.shape[1], dtype, output, weighted)
        shape = (spec.depth + 1, *plan.shape(X.shape[0], X.shape[0] if Y is None else Y.shape[0]))
        require_memory(shape, dtype, "array of kernels")
        out = np.empty(shape, dtype)
        fill_gram(plan, X, Y, out, split=True)
        return out

    def nngp(self, params: Params, X: Any, Y: Any = None) -> np.ndarray:
        """Return the empirical NNGP (conjugate) kernel: the outputs' covariance over redrawn output layers.

        For a two-layer net in the NTK parameterisation, weight_std^2 sigma(X W^T) sigma(Y W^T)^T / m
        + bias_std^2.

        Returns
        -------
        ndarray of shape (n, m)
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        last = spec.scalings(X.shape[1])[-1]
        spec = replace(spec, include=(False,) * spec.depth + (True,))
        plan = _plan(spec, params, X.shape[1], dtype, 0, False)
        squares = last.weight_spread**2, last.bias_spread**2
        plan = replace(
            plan,
            weights=tuple(squares[0] * weight for weight in plan.weights),
            biases=tuple(squares[1] * bias for bias in plan.biases),
        )
        shape = plan.shape(X.shape[0], X.shape[0] if Y is None else Y.shape[0])
        require_memory(shape, dtype, "NNGP kernel")
        out = np.empty(shape, dtype)
        fill_gram(plan, X, Y, out)
        return out

    def ntk_matvec(
        self, params: Params, X: Any, vector: Any, Y: Any = None, *, weighted: bool = False
    ) -> np.ndarray:
        """Return J(X) J(Y)^T v without the kernel.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        vector : array-like of shape (m,) or (m, k)
            One number for each row of Y (of X if Y is None) and output.
        Y : array-like or CSR matrix of shape (m, n_features), default=None
        weighted : bool, default=False

        Returns
        -------
        ndarray of shape (n,) or (n, k)
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        Y = X if Y is None else Y
        c = binding.check_cotangent(spec, Y.shape[0], vector, dtype)
        steps = spec.steps() if weighted else ((1.0, 1.0),) * (spec.depth + 1)
        result = np.zeros((X.shape[0], spec.n_outputs), dtype)
        step = binding.row_step(spec, dtype)
        for copy in binding.bind(spec, params, dtype):
            for part in _slices(copy, X.shape[1], dtype):
                gradient: layers.Directions = ()
                for rows, y in binding.blocks(Y, step, dtype):
                    gradient = _plus(gradient, layers.pull_back(part, layers.trace(part, y), c[rows]))
                gradient = _times(gradient, steps, copy.coefficient**2)
                for rows, x in binding.blocks(X, step, dtype):
                    result[rows] += layers.push_forward(part, x, gradient)
        return result[:, 0] if spec.n_outputs == 1 else result

    def ntk_mean(
        self,
        X: Any,
        Y: Any = None,
        *,
        draws: int,
        random_state: Any = 0,
        output: str | int = "trace",
        weighted: bool = False,
    ) -> MonteCarloMean:
        """Return the kernel's mean over initialisations and its standard error, in one pass.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
        Y : array-like or CSR matrix of shape (m, n_features), default=None
        draws : int
            Initialisations, at least 2.
        random_state : int or None, default=0
            Each draw has a stream of its own.

        Returns
        -------
        MonteCarloMean
        """
        draws = check_integer(draws, "draws", minimum=2)
        X = binding.check_rows(X)
        seeds = np.random.SeedSequence(random_state).spawn(draws)
        mean = total = np.zeros(())
        for number, seed in enumerate(seeds, start=1):
            params = self.init(X.shape[1], seed, dtype=X.dtype)
            kernel = self.ntk(params, X, Y, output=output, weighted=weighted).astype(np.float64, copy=False)
            change = kernel - mean
            mean = mean + change / number
            change *= kernel - mean
            total = total + change
        return MonteCarloMean(mean, np.sqrt(total / (draws - 1) / draws), draws)

    def _rows(self, params: Any, X: Any, Y: Any) -> tuple[Spec, Any, Any, np.dtype]:
        spec: Spec = self._spec()  # type: ignore[attr-defined]
        Y = None if Y is None or same_memory(X, Y) else Y
        X = binding.check_inputs(params, X)
        binding.check_params(spec, params)
        dtype = np.result_type(params.dtype, X.dtype)
        if Y is not None:
            Y = binding.check_rows(Y, "Y")
            check_same_features(X, Y)
            dtype = np.result_type(dtype, Y.dtype)
        return spec, X, Y, dtype


def _plan(
    spec: Spec, params: Params, n_features: int, dtype: np.dtype, output: str | int, weighted: bool
) -> Plan:
    copies = binding.bind(spec, params, dtype)
    k, form = spec.n_outputs, output
    if not isinstance(output, str):
        index = check_integer(output, "output", minimum=0)
        if index >= k:
            raise ValueError(f"output={index}, but the network's outputs are 0 to {k - 1}.")
        copies = tuple(_one_output(copy, index) for copy in copies)
        k, form = 1, "trace"
    elif output not in _FORMS:
        raise ValueError(f"output must be 'trace', 'full', 'diagonal' or an integer; got {output!r}.")
    steps = spec.steps() if weighted else ((1.0, 1.0),) * (spec.depth + 1)
    half = copies[0].coefficient ** 2
    pairs = list(zip(spec.scalings(n_features), steps, strict=True))
    return Plan(
        copies=copies,
        weights=tuple(half * step[0] * scaling.weight**2 for scaling, step in pairs),
        biases=tuple(half * step[1] * scaling.bias**2 if spec.biases else 0.0 for scaling, step in pairs),
        form=str(form),
        n_outputs=k,
        dtype=dtype,
    )


def _one_output(copy: layers.Copy, index: int) -> layers.Copy:
    last = copy.layers[-1]
    bias = None if last.bias is None else last.bias[index : index + 1]
    last = replace(last, weight=np.ascontiguousarray(last.weight[index : index + 1]), bias=bias)
    return replace(copy, layers=(*copy.layers[:-1], last))


def _slices(copy: layers.Copy, n_features: int, dtype: np.dtype):
    """The copy, a two-layer one in parts whose gradients fit in the working memory."""
    if len(copy.layers) > 2:
        yield copy
        return
    fit = working_memory() // (4 * dtype.itemsize * (n_features + len(copy.layers[-1].weight)))
    for part in row_blocks(len(copy.layers[0].weight), max(SEGMENT, fit)):
        yield cut(copy, part)


def _plus(total: layers.Directions, part: layers.Directions) -> layers.Directions:
    for mine, theirs in zip(total, part, strict=False):
        if mine is not None and theirs is not None:
            np.add(mine.weight, theirs.weight, out=mine.weight)
            if mine.bias is not None:
                np.add(mine.bias, theirs.bias, out=mine.bias)  # type: ignore[arg-type]
    return total or part


def _times(
    gradient: layers.Directions, steps: tuple[tuple[float, float], ...], factor: float
) -> layers.Directions:
    for part, (weight, bias) in zip(gradient, steps, strict=True):
        if part is not None:
            np.multiply(part.weight, weight * factor, out=part.weight)
            if part.bias is not None:
                np.multiply(part.bias, bias * factor, out=part.bias)
    return gradient
