"""The empirical tangent kernel of a network, in all its forms."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory
from ntklib._core.threads import single_threaded
from ntklib._core.validation import check_integer, check_same_features, random_generator, same_memory

from .. import binding as binding
from .._monte_carlo import MonteCarloMean
from ..derivatives.blocks import Derivatives
from ..params import Params
from ..spec import Spec
from ._gram import diagonal, fill_gram
from ._plan import TangentPlan, make_plan

__all__ = ["TangentKernels"]

_SMALL = 2**16  # numbers of a kernel that take less time to compute than to ask how much memory is free


class TangentKernels(Derivatives):
    """Kernels of a network at given parameters."""

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
            Count each array with its step multiplier in gradient descent (`step_multipliers`).

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
        return _filled(make_plan(spec, params, dtype, output, weighted), X, Y)

    def ntk_diag(
        self, params: Params, X: Any, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return the kernel of each row with itself, the same bytes as on the diagonal of `ntk`.

        Parameters
        ----------
        params : Params
        X : array-like or CSR matrix of shape (n, n_features)
        output : {"trace", "diagonal"} or int, default="trace"
        weighted : bool, default=False

        Returns
        -------
        ndarray of shape (n,), or (n, k) for ``output="diagonal"``

        Raises
        ------
        ValueError
            If ``output`` is "full" or unknown, or X or the parameters do not belong to this network.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(64)
        >>> X, params = np.eye(2), net.init(2, random_state=0)
        >>> bool(np.all(net.ntk_diag(params, X) == np.diag(net.ntk(params, X))))
        True
        """
        spec, X, _, dtype = self._rows(params, X, None)
        if output == "full":
            raise ValueError("output='full' has no diagonal; use output='diagonal' or 'trace'.")
        return single_threaded(diagonal, make_plan(spec, params, dtype, output, weighted), X)

    def ntk_layers(
        self, params: Params, X: Any, Y: Any = None, *, output: str | int = "trace", weighted: bool = False
    ) -> np.ndarray:
        """Return what each layer contributes to the kernel; the sum over the first axis is `ntk`.

        Parameters
        ----------
        params, X, Y, output, weighted
            As in `ntk`.

        Returns
        -------
        ndarray of shape (depth + 1, n, m), or with the axes that `ntk` has
            0 for layers that are not trained.

        Raises
        ------
        ValueError, MemoryError
            As in `ntk`.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(64, trainable="output")
        >>> net.ntk_layers(net.init(2, random_state=0), np.eye(2))[0]
        array([[0., 0.],
               [0., 0.]])
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        return _filled(make_plan(spec, params, dtype, output, weighted), X, Y, split=True)

    def nngp(self, params: Params, X: Any, Y: Any = None) -> np.ndarray:
        """Return the empirical NNGP (conjugate) kernel: the outputs' covariance over redrawn output layers.

        For a two-layer net in the NTK parameterisation, weight_std^2 sigma(X W^T) sigma(Y W^T)^T / m
        + bias_std^2.

        Parameters
        ----------
        params, X, Y
            As in `ntk`.

        Returns
        -------
        ndarray of shape (n, m)

        Raises
        ------
        ValueError, MemoryError
            As in `ntk`.

        References
        ----------
        Lee et al. (2018), "Deep neural networks as Gaussian processes".

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(10_000)
        >>> net.nngp(net.init(2, random_state=0), np.eye(2)).round(1)  # the limit is 1/2 and 1/(2 pi)
        array([[0.5, 0.2],
               [0.2, 0.5]])
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        last = spec.scalings(X.shape[1])[-1]
        spec = replace(spec, include=(False,) * spec.depth + (True,))
        plan = make_plan(spec, params, dtype, 0, False)
        squares = last.weight_spread**2, last.bias_spread**2
        plan = replace(
            plan,
            weights=tuple(squares[0] * weight for weight in plan.weights),
            biases=tuple(squares[1] * bias for bias in plan.biases),
        )
        return _filled(plan, X, Y)

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

        Raises
        ------
        ValueError
            If X, Y, the vector or the parameters do not belong together.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(64)
        >>> X, params = np.eye(2), net.init(2, random_state=0)
        >>> bool(np.allclose(net.ntk_matvec(params, X, [1.0, 2.0]), net.ntk(params, X) @ [1.0, 2.0]))
        True
        """
        spec, X, Y, dtype = self._rows(params, X, Y)
        Y = X if Y is None else Y
        c = binding.check_cotangent(spec, Y.shape[0], vector, dtype, "vector")
        gradient = self.vjp(params, Y, c).astype(dtype, copy=False)
        if weighted:
            for name, part in binding.named(self.trained_shapes(X.shape[1]), gradient).items():
                part *= dtype.type(self.step_multipliers[name])
        return self.jvp(params, X, gradient).astype(dtype, copy=False)

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
        random_state : int, Generator, RandomState or None, default=0
            Each draw has a stream of its own.
        output, weighted
            As in `ntk`.

        Returns
        -------
        MonteCarloMean

        Raises
        ------
        ValueError
            If there are fewer than 2 draws, or as in `ntk`.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(50)
        >>> law = net.ntk_mean(np.eye(2), draws=100)
        >>> bool(np.all(np.abs(law.mean - net.limit_kernel()(np.eye(2))) < 5 * law.standard_error))
        True
        """
        draws = check_integer(draws, "draws", minimum=2)
        X = binding.check_rows(X)
        streams = random_generator(random_state).spawn(draws)
        starts = (self.init(X.shape[1], stream, dtype=X.dtype) for stream in streams)
        return MonteCarloMean.of(self.ntk(w, X, Y, output=output, weighted=weighted) for w in starts)

    def _rows(self, params: Any, X: Any, Y: Any) -> tuple[Spec, Any, Any, np.dtype]:
        spec = self.spec
        Y = None if Y is None or same_memory(X, Y) else Y
        X = binding.check_inputs(params, X)
        binding.check_params(spec, params)
        dtype = np.result_type(params.dtype, X.dtype)
        if Y is not None:
            Y = binding.check_rows(Y, "Y")
            check_same_features(X, Y)
            dtype = np.result_type(dtype, Y.dtype)
        return spec, X, Y, dtype


def _filled(plan: TangentPlan, X: Any, Y: Any, *, split: bool = False) -> np.ndarray:
    """The kernel that a plan describes; ``split``: the layers apart."""
    shape = plan.shape(X.shape[0], X.shape[0] if Y is None else Y.shape[0])
    shape = (plan.top + 1, *shape) if split else shape
    instead = "use ntk_matvec, or sklearn.kernel_approximation.Nystroem(kernel=EmpiricalNTK(network))"
    if prod(shape) > _SMALL:
        require_memory(shape, plan.dtype, "tangent kernel", instead)
    out = np.zeros(shape, plan.dtype) if split else np.empty(shape, plan.dtype)
    single_threaded(fill_gram, plan, X, Y, out, split)
    return out
