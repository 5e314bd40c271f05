r"""
A proximal step of the neurons' law
===================================

Gradient descent moves the neurons by an explicit step; the proximal step of their law is implicit.
"""

# %%
# A mean-field network is the law of its neurons (v, w). One proximal step of size :math:`\eta` minimises
# loss plus :math:`W_2^2/(2\eta)`, the squared Wasserstein distance from the law before. For small
# :math:`\eta` gradient descent does the same up to :math:`O(\eta^2)`; for large ones it overshoots,
# while the proximal step lowers the loss whatever its size.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import GradientDescent, train
from ntklib.lab.mean_field import proximal_step
from ntklib.networks import TwoLayerNet

net = TwoLayerNet(60, activation="erf", parameterization="mean_field")
X = np.linspace(-2, 2, 9)[:, None]
y = np.sin(2 * X[:, 0])
start = net.init(1, random_state=0)


def descend(eta):
    return train(net, X, y, params=start, optimizer=GradientDescent(), learning_rate=eta, steps=1)


def neurons(params):
    return np.column_stack([params["W0"], params["W1"][0]])


figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained", sharex=True, sharey=True)
for ax, eta in zip(axes, (0.05, 1.0), strict=True):
    step = proximal_step(net, start, X, y, eta)
    run = descend(eta)
    ends = {"gradient descent": (run.params, run.loss[-1]), "proximal step": (step.params, step.loss)}
    for color, (name, (params, loss)) in zip(("C0", "C1"), ends.items(), strict=True):
        ways = np.stack([neurons(start), neurons(params)])
        ax.plot(*ways.transpose(2, 0, 1), color=color, linewidth=0.9)
        ax.plot(*ways[1].T, "o", color=color, markersize=3.5, label=f"{name}: loss {loss:.3g}")
    ax.plot(*neurons(start).T, ".", color="0.4", markersize=3, label=f"start: loss {step.start_loss:.3g}")
    ax.set(title=rf"one step, $\eta$ = {eta:g}", xlabel="w", xlim=(-4, 4), ylim=(-4, 4))
    ax.legend()
axes[0].set_ylabel("v")

# %%
# The root-mean-square distance between the two, and the losses that they reach.

etas = np.geomspace(1e-3, 30, 19)
steps = [proximal_step(net, start, X, y, eta) for eta in etas]
explicit = [descend(eta) for eta in etas]
apart = [
    np.sqrt(np.mean(np.sum((neurons(run.params) - neurons(step.params)) ** 2, axis=1)))
    for run, step in zip(explicit, steps, strict=True)
]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.loglog(etas, apart, "o-", label="distance between the two")
left.loglog(etas, apart[0] * (etas / etas[0]) ** 2, "k--", label=r"$\eta^2$")
right.loglog(etas, [run.loss[-1] for run in explicit], "o-", label="gradient descent")
right.loglog(etas, [step.loss for step in steps], "o-", label="proximal step")
right.axhline(steps[0].start_loss, color="black", linestyle=":", label="before")
for ax in (left, right):
    ax.set_xlabel(r"step size $\eta$")
    ax.legend(frameon=False)
right.set(ylabel="loss after the step", ylim=(0.1, 1e3))
plt.show()
