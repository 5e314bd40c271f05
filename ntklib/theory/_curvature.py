r"""Norm of the second derivative of a network at given parameters, as an interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.threads import get_threads, parallel_for, set_threads
from ntklib.networks import Params
from ntklib.networks.params import in_float64

from ._jacobian_lipschitz import OUTWARD, largest_block
from ._neurons import Neurons, base_network, unscaled

__all__ = ["Interval", "second_derivative_norm"]

_NEURONS = 16  # that are searched, those with the largest bounds
_RANDOM = 2  # random starts a neuron
_KEPT = 4  # searches that go on after the first rounds
_ROUNDS = 500
_SETTLED = 1e-11  # relative gain of a round that ends a search
_WORK = 5e7  # cubes of the blocks' orders, all together

_DEEP_STARTS, _DEEP_TRIAL, _DEEP_KEPT = 6, 4, 2  # searches, their first rounds, and how many go on
_DEEP_ROUNDS, _DEEP_SETTLED = 100, 1e-5


@dataclass(frozen=True)
class Interval:
    """A number that is known to lie between two others.

    Attributes
    ----------
    lower, upper : float
        ``upper`` is infinite where nothing is known from above.
    reason : str
        Why that is so; empty otherwise.
    """

    lower: float
    upper: float
    reason: str = ""

    def __mul__(self, factor: float) -> Interval:
        """Return the interval of a multiple, by a number that is not negative."""
        return Interval(self.lower * factor, self.upper * factor if factor else 0.0, self.reason)

    __rmul__ = __mul__

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __str__(self) -> str:
        low, high = f"{self.lower:.4g}", f"{self.upper:.4g}"
        if low == high:
            return low
        return f"at least {low}" if self.upper == inf else f"{low} to {high}"


def second_derivative_norm(net: Any, params: Params, X: Any, *, random_state: int = 0) -> Interval:
    r"""Return bounds on :math:`|D^2 h(w)|`, the norm of the second derivative at ``params``.

    It is the largest :math:`|D^2h(w)[u, s]|` over unit vectors u and s, h being the network at scale 1 on the
    rows of X.  With one hidden layer the second derivative is block diagonal over the neurons, so that the
    largest is found inside one of them.  From below, it is searched from several starts: for a direction c of
    the outputs the best u is the top eigenvector of the Hessian of :math:`\langle c, h \rangle` in one
    neuron's weights; for a u the best c is along :math:`D^2h[u, u]`; each round gains.  From above, it is the
    bound of `jacobian_lipschitz` with the derivatives of the activation at the preactivations themselves.
    The two meet for one row.

    Where the activation has kinks, the second derivative is that of almost every w: 0 for the second
    derivative of ReLU.

    Parameters
    ----------
    net : TwoLayerNet, MLP, or one of these centred
    params : Params
    X : array-like or CSR matrix of shape (n, d)
    random_state : int, default=0
        Of the starts.

    Returns
    -------
    Interval
        Of networks with more hidden layers the lower end only, by products with Hessians.

    Raises
    ------
    TypeError, ValueError
        If the network, the parameters or the rows do not go together.

    References
    ----------
    L. De Lathauwer, B. De Moor and J. Vandewalle, "On the best rank-1 approximation of higher-order tensors",
    SIAM J. Matrix Anal. Appl. 21 (2000), for alternating maximisation.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.theory import second_derivative_norm
    >>> net = TwoLayerNet(100)
    >>> params = net.init(2, random_state=0)
    >>> print(second_derivative_norm(net, params, [[3.0, 4.0]]))  # |x| / sqrt(100): the one of ReLU
    0.5
    """
    model = unscaled(net)
    rng = np.random.default_rng(random_state)
    if base_network(model).depth > 1:
        lower = _search_deep(model, in_float64(params), X, rng)
        return Interval(lower / OUTWARD, inf, "of more than one hidden layer a lower bound is known only")
    neurons = Neurons.of(model, params, X)
    if not neurons.trains_hidden:
        return Interval(0.0, 0.0)  # linear in the output weights
    slopes, bends = (np.abs(f(neurons.z)) for f in _derivatives(neurons))
    upper, worst = largest_block(neurons, slopes, bends)
    lower = neurons.factor * _search(neurons, slopes, bends, worst, rng)
    return Interval(lower / OUTWARD, upper)


def _derivatives(neurons: Neurons) -> tuple[Any, Any]:
    return neurons.activation.derivative, neurons.activation.second_derivative


def _search(neurons: Neurons, slopes: NDArray, bends: NDArray, worst: int, rng: np.random.Generator) -> float:
    """Return the largest norm that is found in a neuron's block, up to the factor of all."""
    lengths, basis = neurons.lengths, _coordinates(neurons.rows)
    if not neurons.trains_output:
        slopes = np.zeros_like(slopes)
    curve = bends * neurons.output_lengths[:, None] * lengths**2
    single = (curve + np.hypot(curve, 2 * slopes * lengths)) / 2  # of one row: the exact norm
    order = neurons.output.shape[1] + basis.shape[1]
    most = int(np.clip(_WORK / order**3, 2 + _RANDOM, _NEURONS * (2 + _RANDOM))) // (2 + _RANDOM)
    # the one that decides the bound from above, those with the best rows, those with most in all rows
    ranks = [
        np.argsort(-score, kind="stable")[:most] for score in (single.max(axis=1), (single**2).sum(axis=1))
    ]
    chosen = list(dict.fromkeys([worst, *np.stack(ranks, axis=1).ravel().tolist()]))[:most]
    blocks = _Blocks.of(neurons, basis, np.repeat(chosen, 2 + _RANDOM))
    # a start from the best row, one from all rows with one sign, and random ones
    c = rng.standard_normal((*blocks.v.shape[:1], len(basis)))
    c[:: 2 + _RANDOM] = np.eye(len(basis))[single[chosen].argmax(axis=1)]
    c[1 :: 2 + _RANDOM] = single[chosen]
    v = np.where(np.any(blocks.v, axis=1, keepdims=True), blocks.v, 1.0)
    return blocks.maximum(c[:, :, None] * v[:, None, :])


def _coordinates(rows: NDArray) -> NDArray:
    """The rows in an orthonormal basis of a space that holds them, of the fewest dimensions."""
    return rows if len(rows) >= rows.shape[1] else np.linalg.qr(rows.T)[1].T


@dataclass(frozen=True)
class _Blocks:
    """Neurons' blocks of the second derivative, one for each search: arrays begin with the search."""

    a: NDArray  # sigma' (B, n), 0 where output weights stay
    g: NDArray  # sigma'' (B, n)
    v: NDArray  # output weights (B, k)
    rows: NDArray  # (n, q)

    @classmethod
    def of(cls, neurons: Neurons, rows: NDArray, chosen: NDArray) -> _Blocks:
        first, second = (f(neurons.z[chosen]) for f in _derivatives(neurons))
        return cls(first * neurons.trains_output, second, neurons.output[chosen], rows)

    def hessian(self, c: NDArray) -> NDArray:
        """Hessian of <c, h> in one neuron's weights, output ones first; c is (B, n, k)."""
        k, q = self.v.shape[1], self.rows.shape[1]
        H = np.zeros((len(c), k + q, k + q))
        H[:, :k, k:] = (c * self.a[:, :, None]).transpose(0, 2, 1) @ self.rows
        H[:, k:, :k] = H[:, :k, k:].transpose(0, 2, 1)
        weights = np.einsum("bnk,bk,bn->bn", c, self.v, self.g)
        H[:, k:, k:] = np.einsum("bn,nq,nr->bqr", weights, self.rows, self.rows, optimize=True)
        return H

    def second(self, u: NDArray) -> NDArray:
        """D^2h[u, u] (B, n, k)."""
        k = self.v.shape[1]
        t = u[:, k:] @ self.rows.T
        mixed = 2 * (self.a * t)[:, :, None] * u[:, None, :k]
        return mixed + (self.g * t**2)[:, :, None] * self.v[:, None, :]

    def kept(self, which: NDArray) -> _Blocks:
        return _Blocks(self.a[which], self.g[which], self.v[which], self.rows)

    def maximum(self, c: NDArray) -> float:
        """Return the largest |D^2h[u, u]| that alternating from the directions c leads to."""
        blocks, best = self, 0.0
        for step in range(_ROUNDS):
            values, vectors = np.linalg.eigh(blocks.hessian(c))
            end = np.where(values[:, -1] >= -values[:, 0], values.shape[1] - 1, 0)
            c = blocks.second(vectors[np.arange(len(c)), :, end])
            sizes = np.linalg.norm(c, axis=(1, 2))
            gain, best = sizes.max() - best, max(best, float(sizes.max()))
            if best == 0 or (step > 4 and gain <= _SETTLED * best):
                break
            alive = np.flatnonzero(sizes > 0)
            if step == 4:  # the gap between searches is mostly seen by now
                alive = alive[np.argsort(-sizes[alive], kind="stable")[:_KEPT]]
            blocks, c = blocks.kept(alive), c[alive] / sizes[alive, None, None]
        return best


def _search_deep(model: Any, params: Params, X: Any, rng: np.random.Generator) -> float:
    """Return the largest |D^2h[u, s]| that alternating over u, s and the outputs' direction leads to."""
    Search = tuple[float, NDArray, NDArray]  # size, direction of the outputs, u
    threads = get_threads()

    def climb(c: NDArray, u: NDArray, rounds: int) -> Search:
        size = 0.0
        for _ in range(rounds):
            # each is the best one for the other two
            s = _unit(model.hvp(params, X, c, u))
            u = _unit(model.hvp(params, X, c, s))
            c = model.second_derivative(params, X, u, s)
            before, size = size, float(np.linalg.norm(c))
            c = _unit(c)
            if size <= before * (1 + _DEEP_SETTLED):
                break
        return size, c, u

    def climb_all(starts: list[tuple[NDArray, NDArray]], rounds: int) -> list[Search]:
        ends: dict[int, Search] = {}

        def go(i: int) -> None:
            ends[i] = climb(*starts[i], rounds)

        with set_threads(1):  # one thread a search: its passes over the rows are short
            parallel_for(go, range(len(starts)), threads=threads)
        return sorted((ends[i] for i in range(len(starts))), key=lambda search: -search[0])

    directions = rng.standard_normal((_DEEP_STARTS, *np.shape(model.apply(params, X))))
    first = climb_all([(c, _unit(model.vjp(params, X, c))) for c in directions], _DEEP_TRIAL)
    return climb_all([(c, u) for _, c, u in first[:_DEEP_KEPT]], _DEEP_ROUNDS)[0][0]


def _unit(vector: NDArray) -> NDArray:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
