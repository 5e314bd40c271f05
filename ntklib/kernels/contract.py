"""Contract of infinite-width kernels: an activation, its Gaussian dual, and the network they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ntklib._core.validation import check_integer, check_option

from ._suprema import supremum

if TYPE_CHECKING:
    from .gram.rows import Rows

__all__ = ["Activation", "Architecture", "Dual", "as_floats", "check_trainable"]


class Activation:
    """Base of all activations: sigma(z), elementwise, and the Gaussian dual that kernels need.

    A subclass gives ``__call__``, ``derivative``, ``second_derivative`` and ``dual``, and ``turning_points``
    (or ``derivative_bounds`` itself) if its derivatives can be bounded over intervals.

    Two activations are equal if they are the same function by construction; they hash, pickle and print
    as the expression that makes them.
    """

    def __call__(self, z: Any) -> np.ndarray:
        """Return sigma(z)."""
        raise NotImplementedError  # pragma: no cover

    def derivative(self, z: Any) -> np.ndarray:
        """Return sigma'(z), almost everywhere."""
        raise NotImplementedError  # pragma: no cover

    def second_derivative(self, z: Any) -> np.ndarray:
        """Return sigma''(z), almost everywhere."""
        raise NotImplementedError  # pragma: no cover

    def derivative_bounds(self, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
        r"""Return the suprema of :math:`|\sigma'|` and of :math:`|\sigma''|` over intervals.

        Parameters
        ----------
        low, high : array-like of float
            Ends of the intervals, which belong to them; ``low <= high``, of shapes that go together.

        Returns
        -------
        first, second : ndarray
            ``second`` is infinite where sigma' jumps (step, ReLU), whatever the interval: it bounds how far
            sigma' changes.

        Raises
        ------
        ValueError
            If nothing is known of the derivatives between points, as for a `NumericalActivation`.

        Examples
        --------
        >>> from ntklib.kernels import RectifiedPower
        >>> RectifiedPower(2).derivative_bounds([-3.0, -3.0], [-1.0, 2.0])
        (array([0., 4.]), array([0., 2.]))
        """
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        first, second = self.turning_points()
        slope = supremum(self.derivative, low, high, first)
        return slope, supremum(self.second_derivative, low, high, second)

    def turning_points(self) -> tuple[Iterable[float], Iterable[float]]:
        """Return the places where abs(sigma') and abs(sigma'') may be largest inside an interval.

        Zeros of the next derivative, all of them: `derivative_bounds` compares the values there with those at
        the ends.  An activation that gives them has certificates of lazy training.
        """
        raise ValueError(
            f"{self!r} tells its derivatives at points only, so that no bound over an interval is known; "
            "use one of the named activations."
        )

    @property
    def dual(self) -> Dual:
        """The Gaussian dual that the infinite-width kernels use."""
        raise NotImplementedError  # pragma: no cover

    def __sklearn_clone__(self) -> Activation:
        return self


def as_floats(z: Any) -> np.ndarray:
    """Return an array of float32 if it was that, of float64 otherwise."""
    z = np.asarray(z)
    return z if z.dtype == np.float32 else z.astype(np.float64)


@dataclass(frozen=True)
class Architecture:
    """A fully connected network of infinite width; layer 0 reads the inputs, layer ``depth`` is the output.

    ``include[l]`` says whether the parameters of layer l are trained: all of them give the NTK, the last
    one alone gives the NNGP kernel.
    """

    activation: Activation
    depth: int
    weight_std: float
    bias_std: float
    fan_in: bool
    include: tuple[bool, ...]
    normalized: bool = False


class Dual(Protocol):
    """Expectations of an activation under a bivariate normal law, carried through the layers.

    A plan holds what belongs to single rows; it has ``scale`` and ``relative_diagonal``, with
    K_xx = relative_diagonal scale^2, and ``take(slice)``.  Tiles hold what belongs to pairs.
    """

    def magnifies(self, net: Architecture) -> bool:
        """Say if the kernel moves by more than an angle near 0 or pi does.

        Tiles are then given how far the lengths of close rows are apart, too (`signed_gaps`).
        """

    def needs_float64(self, net: Architecture) -> bool:
        """Say if float32 would lose digits on the way from float32 rows to a float32 kernel."""

    def plan(self, net: Architecture, rows: Rows) -> Any:
        """Carry the rows through the layers."""

    def tile(
        self, net: Architecture, x: Any, z: Any, tau: np.ndarray, apart: np.ndarray | None = None
    ) -> np.ndarray:
        """Return K / (scale_x scale_z) from signed gaps, which may be overwritten."""

    def gradient(
        self, net: Architecture, x: Any, z: Any, tau: np.ndarray, apart: np.ndarray | None = None
    ) -> np.ndarray:
        """Return d K / d log (weight_std, bias_std) over scale_x scale_z, shape (2, n, m).

        The scales of a normalised kernel cancel, and count as constants here and in the diagonal.
        """

    def diagonal_gradient(self, net: Architecture, x: Any) -> np.ndarray:
        """Return d K_xx / d log (weight_std, bias_std) over scale_x^2, shape (2, n)."""

    def input_gradient(
        self, net: Architecture, x: Any, z: Any, tau: np.ndarray, apart: np.ndarray | None = None
    ) -> np.ndarray:
        """Return d K / d (log length of x, angle) over scale_x scale_z, shape (2, n, m); gaps may change.

        The second is 0 where rows coincide after the first layer's bias, or are parallel without one: there
        lies a cone, if the activation has a kink. Scales of a normalised kernel count as constants.
        """

    def diagonal_input_gradient(self, net: Architecture, x: Any) -> np.ndarray:
        """Return d K_xx / d log length over scale_x^2, shape (n,)."""


def check_trainable(trainable: Any, depth: int) -> tuple[bool, ...]:
    """Return for each of the ``depth + 1`` layers whether it is trained.

    "all"; "hidden", all but the output layer; "output", that one only; or the layers' indices, 0 the first.
    """
    layers = depth + 1
    named = {"all": range(layers), "hidden": range(depth), "output": (depth,)}
    if isinstance(trainable, str):
        chosen: Iterable[int] = named[check_option(trainable, "trainable", tuple(named))]
    elif isinstance(trainable, Iterable):
        chosen = [check_integer(index, "each index in trainable", minimum=0) for index in trainable]
        if not chosen:
            raise ValueError("trainable is empty: the kernel would be zero; name at least one layer.")
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"trainable={trainable!r} names a layer twice; name each once.")
        if max(chosen) >= layers:
            raise ValueError(
                f"trainable names layer {max(chosen)}, but at depth {depth} the layers are 0 to {depth}."
            )
    else:
        raise TypeError(
            f"trainable must be 'all', 'hidden', 'output' or a tuple of layer indices, got {trainable!r}."
        )
    return tuple(layer in chosen for layer in range(layers))
