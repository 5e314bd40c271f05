"""Networks of finite width: the base of `TwoLayerNet` and `MLP`."""

from __future__ import annotations

import inspect
from functools import cache, lru_cache
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.validation import check_integer
from ntklib.kernels.activations import Activation

from . import binding as binding
from ._initialization import draw
from ._limits import limit_kernel
from .derivatives.on_rows import NetworkOnRows
from .params import Params, owned
from .spec import Spec
from .tangent.empirical import TangentKernels
from .taylor_models import CenteredModel

__all__ = ["Network"]


_KEPT = (int, float, str, Activation)


@cache
def _options(kind: type[Network]) -> tuple[str, ...]:
    """Names of a network's parameters but its widths; reading a signature takes as long as a small kernel."""
    return tuple(name for name in inspect.signature(kind).parameters if name not in ("width", "widths"))


@lru_cache(maxsize=256, typed=True)
def _checked(names: tuple[str, ...], *values: Any) -> Spec:
    """The network with these options, widths last; checking them takes as long as a small kernel."""
    return Spec.checked(**dict(zip(names, values)), widths=values[len(names) :])  # noqa: B905 (widths are left)


class Network(TangentKernels, BaseEstimator):
    """Base of `TwoLayerNet` and `MLP`: everything but their constructors."""

    def _widths(self) -> Any:
        raise NotImplementedError  # pragma: no cover

    @property
    def spec(self) -> Spec:
        """All options, checked: sizes, activation, multipliers and shapes of every layer."""
        names, widths = _options(type(self)), self._widths()  # type: ignore[arg-type]
        values = [getattr(self, name) for name in names]
        if type(widths) is tuple and all(isinstance(value, _KEPT) for value in values):
            try:
                return _checked(names, *values, *widths)
            except TypeError:  # wrong, or of a kind that cannot be a key
                pass
        return Spec.checked(**dict(zip(names, values, strict=True)), widths=widths)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.spec == other.spec

    def __hash__(self) -> int:
        return hash((type(self), self.spec))

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return self.spec.depth

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return self.spec.widths

    def with_width(self, width: int) -> Self:
        """Return the network with every hidden layer of one width, all other options the same.

        Parameters
        ----------
        width : int

        Returns
        -------
        TwoLayerNet or MLP

        Raises
        ------
        TypeError, ValueError
            If the width is no positive integer.

        Examples
        --------
        >>> from ntklib.networks import MLP
        >>> MLP((64, 32), activation="erf").with_width(100)
        MLP(activation='erf', widths=(100, 100))
        """
        width = check_integer(width, "width", minimum=1)
        name = "width" if "width" in self.get_params(deep=False) else "widths"
        return clone(self).set_params(**{name: width if name == "width" else (width,) * self.depth})

    def to_dict(self) -> dict[str, Any]:
        """Return all options as plain numbers and strings, to be kept as JSON and compared.

        Networks with the same dictionary are the same network, in any process.  An activation made of
        functions is told by their names and by a fingerprint of their values.

        Returns
        -------
        dict of str to (str, number, bool or list)

        Raises
        ------
        TypeError, ValueError
            If an option of the network is none.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> options = TwoLayerNet(100, trainable="output").to_dict()
        >>> options["widths"], options["activation"], options["trainable"]
        ([100], 'ReLU()', [1])
        """
        return {"network": type(self).__name__, **self.spec.to_dict()}

    def n_params(self, n_features: int) -> int:
        """Return the number of trained parameters, p, for rows of ``n_features`` numbers.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> TwoLayerNet(100).n_params(3)
        400
        """
        n_features = check_integer(n_features, "n_features", minimum=1)
        return sum(int(np.prod(shape)) for shape in self.trained_shapes(n_features).values())

    def trained_shapes(self, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the trained arrays by name, in the order of the Jacobian's columns.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> TwoLayerNet(100, trainable="output").trained_shapes(3)
        {'W1': (1, 100)}
        """
        return self.spec.shapes(n_features, trained=True)

    def on_rows(self, params: Params, X: Any) -> NetworkOnRows:
        """Return the network on fixed rows, at parameters that can be moved in place, for training loops."""
        binding.check_params(self.spec, params)
        return NetworkOnRows(self, params, X)

    def multipliers_for(self, family: str) -> dict[str, float]:
        r"""Return the factor of the learning rate for each array, for one family of optimisers.

        With them training is alike at any width in the parameterisations "mean_field" and "mup"; in "ntk" and
        "standard" all are 1.  If a layer's weights are multiplied by c in the forward pass, have
        :math:`m_{in}` inputs and gradients with N entries of size g, and a step of the family has entries of
        size :math:`g^q N^{r/2}`, the factor is :math:`1 / (c\, m_{in}\, g^q N^{r/2})`, constants left out.

        Parameters
        ----------
        family : {"gradient", "entrywise", "orthogonal", "max_norm"}
            An optimiser's ``step_family``: (q, r) is (1, 0), (0, 0), (0, -1), (1, 2).

        Returns
        -------
        dict of str to float

        Raises
        ------
        ValueError
            If there is no such family.

        References
        ----------
        G. Yang et al., "Tensor programs V: tuning large neural networks via zero-shot hyperparameter
        transfer", 2022, table 3; G. Yang, J. B. Simon and J. Bernstein, "A spectral condition for feature
        learning", 2023.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(100, parameterization="mup")
        >>> for family in ("gradient", "entrywise", "orthogonal"):
        ...     print(net.multipliers_for(family))
        {'W0': 100.0, 'W1': 0.01}
        {'W0': 1.0, 'W1': 0.01}
        {'W0': 10.0, 'W1': 0.1}
        """
        spec = self.spec
        return spec.by_array(spec.steps(family))

    @property
    def gradient_sizes(self) -> dict[str, float]:
        """Size of the entries of each array's gradient in powers of the widths; Adam's epsilon follows it.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> TwoLayerNet(100, parameterization="mup").gradient_sizes
        {'W0': 0.01, 'W1': 1.0}
        """
        spec = self.spec
        return spec.by_array((weight.gradient, bias.gradient) for weight, bias in spec.array_scales())

    def init(self, n_features: int, random_state: Any = None, *, dtype: Any = np.float64) -> Params:
        """Draw parameters.

        Parameters
        ----------
        n_features : int
            Numbers in a row.
        random_state : int, Generator, RandomState, SeedSequence or None
            The same seed gives the same parameters, in float32 those of float64 rounded.
        dtype : {numpy.float64, numpy.float32}

        Returns
        -------
        Params

        Raises
        ------
        TypeError, ValueError
            If an option of the network, the number of features, the seed or the type is none; this is where
            a network's options are first checked.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> TwoLayerNet(100).init(3, random_state=0)
        Params(W0=100x3, W1=1x100, float64)
        """
        return draw(self.spec, n_features, random_state, dtype)

    def ravel(self, params: Params) -> np.ndarray:
        """Return the trained parameters as a vector, in the order of the Jacobian's columns.

        Parameters
        ----------
        params : Params

        Returns
        -------
        ndarray of shape (p,)
            Layer by layer, the first one first; weights row by row, then the bias; then the second copy.

        Raises
        ------
        ValueError
            If the parameters are another network's.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import MLP
        >>> params = MLP.params_from_arrays([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]])
        >>> MLP((2,)).ravel(params)
        array([1., 2., 3., 4., 5., 6.])
        """
        spec = self.spec
        params = binding.check_params(spec, params)
        names = spec.shapes(params["W0"].shape[1], trained=True)
        return np.concatenate([params[name].ravel() for name in names])

    def unravel(self, params: Params, vector: Any) -> Params:
        """Return ``params`` with the trained ones replaced by a vector's.

        Parameters
        ----------
        params : Params
        vector : array-like of shape (p,)
            In the order of `ravel`.

        Returns
        -------
        Params
            Of the type of ``params``.

        Raises
        ------
        ValueError
            If the vector has another length than `ravel` gives, or holds NaN.

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(2)
        >>> net.unravel(net.init(1, random_state=0), [1.0, 2.0, 3.0, 4.0])["W1"]
        array([[3., 4.]])
        """
        spec = self.spec
        params = binding.check_params(spec, params)
        vector = np.array(vector, dtype=params.dtype)  # a copy: the arrays are views of it
        cut = binding.directions(spec, params["W0"].shape[1], vector, params.dtype, "vector")
        vector.flags.writeable = False
        new = dict(params.items())
        for (prefix, _), copy in zip(spec.copies, cut, strict=True):
            for layer, part in enumerate(copy):
                if part is not None:
                    new[f"{prefix}W{layer}"] = part.weight
                    if part.bias is not None:
                        new[f"{prefix}b{layer}"] = part.bias
        return owned(new)

    def limit_kernel(self) -> Kernel:
        """Return the analytic kernel that ``ntk(..., weighted=True)`` of one output tends to with width.

        Returns
        -------
        Kernel
            An `ntklib.NTK`, times a constant where the scale or the parameterisation brings one.

        Raises
        ------
        ValueError
            If there is none, saying why.

        References
        ----------
        Jacot et al. (2018), "Neural tangent kernel", theorem 1; Yang & Hu (2021), "Tensor programs IV" (the
        limits of parameterisations).

        Examples
        --------
        >>> from ntklib.networks import TwoLayerNet
        >>> TwoLayerNet(activation="erf").limit_kernel().activation
        Erf()
        """
        return limit_kernel(self.spec)

    def centered_at(self, params: Params) -> CenteredModel:
        """Return the model f(X; w) - f(X; w_0), w_0 = ``params``, with the same interface.

        Parameters
        ----------
        params : Params
            w_0.

        Returns
        -------
        CenteredModel

        References
        ----------
        Chizat, Oyallon & Bach (2019), "On lazy training in differentiable programming", section 3.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import TwoLayerNet
        >>> net = TwoLayerNet(32)
        >>> params = net.init(2, random_state=0)
        >>> net.centered_at(params).apply(params, np.eye(2))
        array([0., 0.])
        """
        return CenteredModel(self, params)
