"""Steps of the law of a network's neurons that are proximal in the Wasserstein metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from ntklib._core.validation import check_real
from ntklib.networks import Params, TwoLayerNet

from .check_samples import check_samples

__all__ = ["ProximalStep", "proximal_step"]

_TOLERANCE, _CUT_SHORT = 1e-12, 1e-6  # of the gradient, relative to that at the start


@dataclass(frozen=True, eq=False)
class ProximalStep:
    """A proximal step of the neurons' law; from `proximal_step`.

    Attributes
    ----------
    params : Params
        Parameters after the step.
    step_size : float
    distance : float
        Root mean square of the neurons' displacements: their Wasserstein distance of order 2 for small steps.
    start_loss, loss : float
        Half the sum of squares, before and after.
    """

    params: Params
    step_size: float
    distance: float
    start_loss: float
    loss: float

    @property
    def objective(self) -> float:
        """Minimum of the step, loss plus distance^2/(2 step_size): never more than the loss before."""
        return self.loss + self.distance**2 / (2 * self.step_size)


def proximal_step(
    network: TwoLayerNet, params: Params, X: ArrayLike, y: ArrayLike, step_size: float
) -> ProximalStep:
    r"""Take one proximal step (Jordan, Kinderlehrer & Otto) of the law of the neurons.

    With :math:`\rho` the law of the neurons :math:`\theta = (v, w)` of a mean-field network,
    :math:`f_\rho(x) = \int v\, \sigma(\langle w, x\rangle)\, d\rho` and
    :math:`F(\rho) = \frac12 \sum_i (f_\rho(x_i) - y_i)^2`, the step leads to

    .. math:: \arg\min_\mu\; F(\mu) + \frac{W_2^2(\mu, \rho)}{2 \eta} .

    Neurons that are moved one by one are at its minimum if :math:`\theta_r' = \theta_r - \eta \nabla
    \Psi_{\mu}(\theta_r')`, :math:`\Psi_\mu(v, w) = \sum_i (f_\mu(x_i) - y_i)\, v\, \sigma(\langle w, x_i
    \rangle)`: the implicit step of the flow whose explicit step is gradient descent with learning rate
    :math:`\eta` (times m, which mean-field networks bring along).  The two differ by :math:`O(\eta^2)`.
    F is convex in :math:`\mu`, so that this is the minimum among all laws if each :math:`\theta_r'` is the
    minimum of :math:`\Psi_\mu(\theta) + |\theta - \theta_r|^2/(2 \eta)`, as it is for small :math:`\eta`; for
    large ones a neuron may do better elsewhere.

    Parameters
    ----------
    network : TwoLayerNet
        With ``parameterization="mean_field"``, a smooth activation, no biases and not symmetric.
    params : Params
        Neurons before the step.
    X : array-like of shape (n, d)
    y : array-like of shape (n,)
    step_size : float
        eta, positive.

    Returns
    -------
    ProximalStep

    Raises
    ------
    ValueError
        If the network is none of these, or an argument is not as above.
    RuntimeError
        If no minimum is reached.

    References
    ----------
    R. Jordan, D. Kinderlehrer and F. Otto, "The variational formulation of the Fokker-Planck equation", 1998;
    L. Chizat and F. Bach, "On the global convergence of gradient descent for over-parameterized models using
    optimal transport", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.mean_field import proximal_step
    >>> from ntklib.networks import TwoLayerNet
    >>> net = TwoLayerNet(20, activation="erf", parameterization="mean_field")
    >>> X = np.linspace(-1, 1, 5)[:, None]
    >>> step = proximal_step(net, net.init(1, random_state=0), X, np.sin(3 * X[:, 0]), 10.0)
    >>> step.objective < step.start_loss
    True
    """
    eta = check_real(step_size, "step_size", minimum=0, strict=True)
    if network.parameterization != "mean_field" or network.bias_std or network.symmetric:
        raise ValueError(
            "neurons have a law if the network is mean-field, without biases and not symmetric; "
            f"got {network!r}."
        )
    rows, targets = check_samples(X, y, network, every_layer=False)
    model = network.on_rows(params, rows)
    start, width = network.ravel(params), network.width

    def objective(moved: NDArray) -> tuple[float, NDArray]:
        model.vector[:] = start + moved
        f = model.evaluate(model.arrays, lambda part, f: f - targets[part])
        value = 0.5 * float(np.sum((f - targets) ** 2)) + float(moved @ moved) / (2 * eta * width)
        return value, model.gradient + moved / (eta * width)

    rest = np.zeros_like(start)
    first, slope = objective(rest)
    size = float(np.abs(slope).max())
    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 0.0, "gtol": _TOLERANCE * size, "maxcor": 30}
    end = minimize(objective, rest, jac=True, method="L-BFGS-B", options=options)
    if float(np.abs(objective(end.x)[1]).max()) > _CUT_SHORT * size:
        raise RuntimeError(f"the step did not reach its minimum ({end.message}); take a smaller step_size.")
    moved = end.x
    return ProximalStep(
        params=network.unravel(params, start + moved),
        step_size=eta,
        distance=float(np.linalg.norm(moved)) / width**0.5,
        start_loss=first,
        loss=float(end.fun) - float(moved @ moved) / (2 * eta * width),
    )
