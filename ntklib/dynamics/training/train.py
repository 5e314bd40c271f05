"""Training of networks and of models made from them, step by step, with a record of its course."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from ntklib._core.validation import check_integer, check_option, check_rows, check_same_features
from ntklib.networks import Params

from ..losses import Loss, as_loss
from ..optimizers import Minibatches, Optimizer, as_optimizer
from ._loop import Loop
from .history import Callback, History
from .monitor import Monitors
from .recording import Recording, as_recording
from .stable_step import auto_step

__all__ = ["train"]

_OF_CURVATURE = ("gradient_descent", "momentum", "nesterov")  # whose stable steps it tells


def train(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    params: Params | None = None,
    loss: str | Loss = "squared_error",
    optimizer: str | Optimizer = "gradient_descent",
    learning_rate: float | str | Callable[[int], float] | None = None,
    steps: int = 1000,
    batch_size: int | Minibatches | None = None,
    reduction: str = "sum",
    sample_weight: ArrayLike | None = None,
    X_test: Any = None,
    callbacks: Callback | Iterable[Callback] = (),
    record: int | Recording | None = None,
    random_state: Any = 0,
    progress: bool = False,
) -> History:
    r"""Train a model: minimise :math:`R(w) = \sum_i s_i\, l(f(x_i; w), y_i)`, or its mean.

    Each step is the optimiser's with the gradient :math:`J^T \nabla R`, on all rows or, multiplied by n/b, on
    a minibatch of b; arrays move with the learning rate times the model's step multipliers for the
    optimiser, ``model.multipliers_for(optimizer.step_family)``.

    Parameters
    ----------
    model : TwoLayerNet, MLP, or a model made from one
        ``linearize(net, params)``, ``taylor(net, params)``, ``net.centered_at(params)``.
    X : array-like or CSR matrix of shape (n, d)
    y : array-like of shape (n,) or (n, k)
        Targets as the loss wants them.
    params : Params, default=None
        Where to start.  None draws a network's with `random_state`, and takes for a model that was made at
        parameters those.
    loss : {"squared_error", "log_loss", "huber", "absolute_error"} or Loss, default="squared_error"
    optimizer : str or Optimizer, default="gradient_descent"
        An object, or "gradient_descent", "momentum", "nesterov", "adam", "sign_descent", "muon" or "usam".
    learning_rate : float, "auto" or callable, default=None
        Replaces the optimiser's own.  "auto", the default for the names "gradient_descent", "momentum" and
        "nesterov", is half the largest stable step at the start, for the squared error
        :math:`(1 + \mu)/\lambda_{\max}(J J^T)`.
    steps : int, default=1000
    batch_size : int or Minibatches, default=None
        None is all rows.  A number draws without replacement, with `random_state`.
    reduction : {"sum", "mean"}, default="sum"
    sample_weight : array-like of shape (n,), default=None
        Nonnegative weights s; the mean is the weighted one.
    X_test : array-like or CSR matrix of shape (m, d), default=None
        Rows on which outputs are recorded as well.
    callbacks : callable or iterable of callable, default=()
        Each is called with a `Snapshot` at every record; training stops if it returns True.
    record : int or Recording, default=None
        Steps between records; None makes about a hundred.  A `Recording` also chooses monitors, such as the
        drift of the tangent kernel, and what is left out.
    random_state : int, Generator or None, default=0
    progress : bool, default=False
        Show steps and loss on standard error: a bar on a terminal, a line every half minute elsewhere.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If shapes disagree, a name is unknown or a number out of range.  Divergence is no error: see
        ``History.status``.

    Notes
    -----
    Computed in the common type of parameters and rows.  The same seed gives the same bytes, at any number
    of threads for networks, centred ones and linearisations; quadratic models agree up to rounding.

    Ctrl-C ends training and returns what was done.  A run counts as diverged when outputs are no longer
    finite, or the loss exceeds the larger of its value at the start and at outputs 0 by 1e10; the record then
    ends before.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019.
    G. Yang et al., "Tensor programs V: tuning large neural networks via zero-shot hyperparameter transfer",
    2022 (step multipliers).

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import train
    >>> from ntklib.networks import TwoLayerNet
    >>> X, y = np.eye(3), np.array([1.0, -1.0, 0.5])
    >>> history = train(TwoLayerNet(256), X, y, steps=200)
    >>> history.stop_reason, bool(history.loss[-1] < 1e-6 * history.loss[0])
    ('all 200 steps done', True)
    """
    steps = check_integer(steps, "steps", minimum=0)
    record = as_recording(record)
    every, reading = record.intervals(steps)
    check_option(reduction, "reduction", ("sum", "mean"))
    X = check_rows(X)
    if params is None:
        params = getattr(model, "params", None)
    if params is None:
        params = model.init(X.shape[1], random_state, dtype=X.dtype)
    on = model.on_rows(params, X)
    view = None
    if X_test is not None:
        X_test = check_rows(X_test, "X_test")
        check_same_features(X, X_test)
        view = model.on_rows(params, X_test.astype(on.dtype, copy=False))
    k = model.n_outputs
    risk = as_loss(loss).risk(y, (X.shape[0],) if k == 1 else (X.shape[0], k), sample_weight)
    scale = 1.0
    if reduction == "mean":
        total = X.shape[0] if risk.weights is None else float(risk.weights.sum())
        if total == 0:
            raise ValueError("all sample weights are 0: there is no mean.")
        scale = 1 / total
    batches = batch_size
    if not isinstance(batches, Minibatches):
        batches = Minibatches(X.shape[0], batch_size, random_state=random_state)  # type: ignore[arg-type]
    elif batches.n_samples != X.shape[0]:
        raise ValueError(f"batch_size draws from {batches.n_samples} samples, and X has {X.shape[0]} rows.")
    chosen = as_optimizer(optimizer)
    if learning_rate is None and optimizer in _OF_CURVATURE:
        learning_rate = "auto"
    if isinstance(learning_rate, str):
        check_option(learning_rate, "learning_rate", ("auto",))
        eta = auto_step(model, on.start, on.X, risk, chosen, batches, steps) / scale
        chosen = replace(chosen, learning_rate=eta)  # type: ignore[type-var]
    elif learning_rate is not None:
        chosen = replace(chosen, learning_rate=learning_rate)  # type: ignore[type-var]
    loop = Loop(
        on=on,
        view=view,
        risk=risk,
        reduction=reduction,
        scale=scale,
        optimizer=chosen,
        batches=batches,
        steps=steps,
        every=every,
        monitor_every=reading,
        monitors=Monitors(tuple(record.monitors), model, on.start, on.X, risk.targets),
        callbacks=(callbacks,) if callable(callbacks) else tuple(callbacks),
        gradient_norms=record.gradient_norms,
        keep_outputs=record.keep_outputs,
        progress=bool(progress),
    )
    return loop.run()
