r"""Tangent models: :math:`f(x) = f_0(x) + \langle \phi(x), w - w_0 \rangle`, of finite or infinite width.

Both give the outputs at the start and the Gram matrix of the features phi; that of a finite network has the
features themselves too, the rows of its Jacobian. Gradient descent counts each array of parameters with the
network's step multiplier, :math:`\phi = M^{1/2} \nabla_w f`, which is what those are for.

Outputs are (n, k) throughout. The outputs of one finite network share parameters, so that its Gram matrix
couples them, (n k, n k); those of an infinite network are independent, and one (n, n) matrix serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib.networks import Network, Params

from .._kernel import cross_gram, evaluate_expansion, gram


@dataclass(frozen=True)
class FiniteTangent:
    """A network linearised at its initial parameters; it learns the displacement w - w_0, (p,)."""

    network: Network
    params: Params

    @property
    def n_outputs(self) -> int:
        """Outputs k."""
        return self.network.n_outputs  # type: ignore[attr-defined]

    @property
    def coupled(self) -> bool:
        """True if outputs share parameters."""
        return self.n_outputs > 1

    @property
    def n_params(self) -> int:
        """Trained parameters p."""
        return self.network.n_params(self.params["W0"].shape[1])

    @property
    def units(self) -> int:
        """Hidden units, on which the cost of a pass depends."""
        copies = 2 if self.network.symmetric else 1  # type: ignore[attr-defined]
        return copies * sum(self.network.hidden_widths)

    @cached_property
    def root(self) -> Any:
        """Square roots of the step multipliers, parameter by parameter; 1 where they are all 1."""
        steps = self.network.step_multipliers
        if set(steps.values()) == {1.0}:
            return 1.0
        filled = {name: np.full(array.shape, steps[name]) for name, array in self.params.items()}
        return np.sqrt(self.network.ravel(Params(filled)))

    def start(self, X: Any) -> NDArray:
        """f_0, (n, k) in float64."""
        return self._columns(self.network.apply(self.params, X))

    def gram(self, X: Any) -> NDArray:
        """Gram matrix of the features at the rows of X, (n k, n k)."""
        return self.cross(X, None)

    def cross(self, X: Any, Y: Any) -> NDArray:
        """Gram matrix between two sets of rows, (m k, n k)."""
        out = self.network.ntk(self.params, X, Y, output="full" if self.coupled else "trace", weighted=True)
        k = self.n_outputs
        return out.reshape(len(out) * k, -1)

    def jacobian(self, X: Any) -> NDArray:
        """Features at the rows of X, (n k, p)."""
        J = self.network.jacobian(self.params, X).reshape(X.shape[0] * self.n_outputs, -1)
        J *= self.root
        return J

    def push(self, X: Any, v: NDArray) -> NDArray:
        """Features times v, (n, k)."""
        return self._columns(self.network.jvp(self.params, X, self.root * v))

    def pull(self, X: Any, cotangent: NDArray) -> NDArray:
        """Features transposed times a cotangent (n, k), (p,)."""
        return self.root * self.network.vjp(self.params, X, cotangent).astype(np.float64, copy=False)

    def solution(self, X: Any, state: NDArray, *, dual: bool) -> NDArray:
        """The displacement of a state: coefficients of the samples X, or of the features."""
        return self.root * (self.pull(X, state) if dual else state)

    def evaluate(self, displacement: NDArray, X: Any) -> NDArray:
        """Change of the outputs at the rows of X, (m, k), by a displacement."""
        return self._columns(self.network.jvp(self.params, X, displacement))

    @staticmethod
    def added(old: NDArray, new: NDArray) -> NDArray:
        """Both displacements, one after the other."""
        return old + new

    def _columns(self, outputs: NDArray) -> NDArray:
        return outputs.reshape(len(outputs), -1).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Expansion:
    """The function sum_i coef_i K(x, x_i) of rows x_i of X; coef is (n, k)."""

    X: Any
    coef: NDArray


@dataclass(frozen=True)
class InfiniteTangent:
    """The limit of infinite width, given by its kernel, started at f_0 = 0; it learns an `Expansion`.

    With "precomputed" the rows are rows of Gram matrices.
    """

    kernel: Any
    n_outputs: int
    coupled = False

    def start(self, X: Any) -> NDArray:
        """f_0 = 0, (n, k)."""
        return np.zeros((X.shape[0], self.n_outputs))

    def gram(self, X: Any) -> NDArray:
        """Kernel of the rows with themselves, (n, n)."""
        return gram(self.kernel, X)[0]

    def cross(self, X: Any, Y: Any) -> NDArray:
        """Kernel between two sets of rows, (m, n)."""
        return cross_gram(self.kernel, X, Y)

    def solution(self, X: Any, state: NDArray, *, dual: bool) -> Expansion:
        """The function of these coefficients."""
        return Expansion(X, state)

    def evaluate(self, function: Expansion, X: Any) -> NDArray:
        """Values at the rows of X, (m, k)."""
        return evaluate_expansion(self.kernel, X, function.X, function.coef)

    @staticmethod
    def added(old: Expansion, new: Expansion) -> Expansion:
        """The sum of two expansions; samples that both hold alike are not repeated."""
        if _same_rows(old.X, new.X):
            return Expansion(new.X, old.coef + new.coef)
        stack = sparse.vstack if sparse.issparse(new.X) else np.vstack
        return Expansion(stack([old.X, new.X]), np.vstack([old.coef, new.coef]))


Tangent = FiniteTangent | InfiniteTangent


def _same_rows(X: Any, Y: Any) -> bool:
    if X.shape != Y.shape or sparse.issparse(X) != sparse.issparse(Y):
        return False
    return (X != Y).nnz == 0 if sparse.issparse(X) else bool(np.array_equal(X, Y))
