"""Fully connected networks of any depth, and those that scikit-learn trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ntklib.kernels.activations import Activation

from .network import Network
from .params import Params

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

__all__ = ["MLP"]


class MLP(Network):
    r"""A fully connected network.

    :math:`h^1 = w_0 W_0 x + \beta_0 b_0`, :math:`h^{l+1} = w_l W_l \sigma(h^l) + \beta_l b_l`,
    :math:`f = \alpha h^{L+1}`, with the multipliers of the parameterisation:

    ============  ==============================  =======================  ========================
    name          hidden and input layers         output layer             entries at the start
    ============  ==============================  =======================  ========================
    "ntk"         weight_std / sqrt(inputs)       the same                 variance 1
    "standard"    1                               1                        the factors of "ntk"
    "mean_field"  weight_std / sqrt(inputs)       weight_std / inputs      variance 1
    "mup"         1                               1                        those of "mean_field"
    ============  ==============================  =======================  ========================

    Biases have the factor bias_std, and the input layer sqrt(inputs) only with ``input_scaling="fan_in"``
    (else 1).  "mean_field" and "mup" come with step multipliers (`multipliers_for` an optimiser) that make
    the function change at the same rate at any width; with those of gradient descent (`step_multipliers`)
    "ntk", "mean_field" and "mup" have a limit (`limit_kernel`), "standard" has none.

    Parameters
    ----------
    widths : sequence of int, default=(512, 512)
        Units of each hidden layer.
    activation : str or Activation, default="relu"
        Any activation of `ntklib.kernels`.
    parameterization : {"ntk", "standard", "mean_field", "mup"}, default="ntk"
    trainable : {"all", "hidden", "output"} or tuple of int, default="all"
        The layers that are trained, by index from 0, the layer that reads the inputs.
    weight_std : float, default=1.0
    bias_std : float, default=0.0
        Exactly 0: no biases.
    input_scaling : {"none", "fan_in"}, default="none"
    symmetric : bool, default=False
        :math:`(g(x; a) - g(x; b)) / \sqrt 2` of two whole copies, equal at the start, so that f is exactly 0
        there and the tangent kernel that of one copy.
    output_init : {"gaussian", "rademacher"}, default="gaussian"
    n_outputs : int, default=1
    scale : float, default=1.0
        :math:`\alpha`, the factor of the outputs; greater than 0.

    Notes
    -----
    As in scikit-learn, options are checked where they are used, by `init` and all that follows.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel"; Chizat, Oyallon & Bach (2019); Zhang et al. (2020), "A type
    of generalization error induced by initialization" (symmetric); Yang et al. (2022), "Tensor programs V",
    table 3 ("mup").

    Examples
    --------
    >>> from ntklib.networks import MLP
    >>> MLP((64, 64), bias_std=0.1).init(n_features=3, random_state=0)
    Params(W0=64x3, b0=64, W1=64x64, b1=64, W2=1x64, b2=1, float64)
    """

    def __init__(
        self,
        widths: Sequence[int] = (512, 512),
        *,
        activation: str | Activation = "relu",
        parameterization: str = "ntk",
        trainable: str | tuple[int, ...] = "all",
        weight_std: float = 1.0,
        bias_std: float = 0.0,
        input_scaling: str = "none",
        symmetric: bool = False,
        output_init: str = "gaussian",
        n_outputs: int = 1,
        scale: float = 1.0,
    ) -> None:
        self.widths = widths
        self.activation = activation
        self.parameterization = parameterization
        self.trainable = trainable
        self.weight_std = weight_std
        self.bias_std = bias_std
        self.input_scaling = input_scaling
        self.symmetric = symmetric
        self.output_init = output_init
        self.n_outputs = n_outputs
        self.scale = scale

    def _widths(self) -> Any:
        return self.widths

    @classmethod
    def from_sklearn(cls, estimator: MLPRegressor | MLPClassifier) -> tuple[MLP, Params]:
        """Return the network that a fitted scikit-learn MLP is, and its parameters.

        The outputs are those before the last function: a classifier's logistic or softmax, the exponential of
        a regressor with Poisson loss.

        Parameters
        ----------
        estimator : fitted MLPRegressor or MLPClassifier

        Returns
        -------
        network : MLP
            In the standard parameterisation.
        params : Params

        Raises
        ------
        TypeError
            If it is another estimator.
        sklearn.exceptions.NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.neural_network import MLPRegressor
        >>> from ntklib.networks import MLP
        >>> X, y = np.eye(4), np.arange(4.0)
        >>> fitted = MLPRegressor(solver="lbfgs", random_state=0).fit(X, y)
        >>> network, params = MLP.from_sklearn(fitted)
        >>> bool(np.allclose(network.apply(params, X), fitted.predict(X)))
        True
        """
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        if not isinstance(estimator, (MLPRegressor, MLPClassifier)):
            raise TypeError(f"estimator must be an MLPRegressor or MLPClassifier, got {estimator!r}.")
        check_is_fitted(estimator)
        params = cls.params_from_arrays([weight.T for weight in estimator.coefs_], estimator.intercepts_)
        network = cls(
            tuple(len(bias) for bias in estimator.intercepts_[:-1]),
            activation=estimator.activation,
            parameterization="standard",
            bias_std=1.0,
            input_scaling="fan_in",
            n_outputs=len(estimator.intercepts_[-1]),
        )
        return network, params

    @staticmethod
    def params_from_arrays(weights: Sequence[Any], biases: Sequence[Any] | None = None) -> Params:
        """Return parameters made of a trained network's arrays.

        Parameters
        ----------
        weights : sequence of array-like of shape (outputs, inputs)
            From the layer that reads the inputs to the output layer.
        biases : sequence of array-like of shape (outputs,), default=None
            None: the network has no biases.

        Returns
        -------
        Params
            For a network with ``parameterization="standard"``, where weights enter as they are; with biases
            it needs a positive ``bias_std``, 1 for instance.

        Raises
        ------
        ValueError
            If the layers do not fit together.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib.networks import MLP
        >>> MLP.params_from_arrays([np.ones((8, 3)), np.ones((1, 8))])
        Params(W0=8x3, W1=1x8, float64)
        """
        matrices = [np.asarray(weight) for weight in weights]
        if len(matrices) < 2:
            raise ValueError(f"a network has at least two weight matrices, got {len(matrices)}.")
        for layer, weight in enumerate(matrices):
            if weight.ndim != 2:
                raise ValueError(f"weights[{layer}] must be (outputs, inputs), got shape {weight.shape}.")
            if layer and weight.shape[1] != len(matrices[layer - 1]):
                raise ValueError(
                    f"weights[{layer}] has {weight.shape[1]} inputs, but the layer below has "
                    f"{len(matrices[layer - 1])} outputs; each matrix is (outputs, inputs)."
                )
        arrays = {}
        if biases is not None and len(biases) != len(matrices):
            raise ValueError(f"{len(matrices)} weight matrices and {len(biases)} biases; one each is needed.")
        for layer, weight in enumerate(matrices):
            arrays[f"W{layer}"] = weight
            if biases is not None:
                bias = np.asarray(biases[layer])
                if bias.shape != (len(weight),):
                    raise ValueError(f"biases[{layer}] must have shape ({len(weight)},), got {bias.shape}.")
                arrays[f"b{layer}"] = bias
        return Params(arrays)
