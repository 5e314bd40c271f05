r"""
Importance weights that fade
============================

Weights of the classes move the boundary until the classes are separated; after that, ever less.
"""

# %%
# Two classes in the plane that a line separates, and the log-loss with weights of 1/30, 1 and 30 on the
# first. Steps grow as the loss falls, in inverse proportion for the linear model: late times come soon.

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from ntklib.dynamics import train
from ntklib.networks import TwoLayerNet

rng = np.random.default_rng(0)
points = rng.uniform(-2, 2, (90, 2))
height = points[:, 1] - 0.5 * points[:, 0]
points, signs = points[abs(height) > 0.4], np.sign(height[abs(height) > 0.4])
X = np.column_stack([points, np.ones(len(points))])  # with an intercept
WEIGHTS = {1 / 30: "C0", 1.0: "0.3", 30.0: "C3"}


def linear(weight, steps):
    signed, w = X * signs[:, None], np.zeros(3)
    for _ in range(steps):
        pulls = np.where(signs > 0, weight, 1.0) * expit(-signed @ w)
        w += 0.1 / pulls.sum() * pulls @ signed
    return lambda Z: Z @ w


def network(weight, steps):
    net = TwoLayerNet(50, symmetric=True)
    options = {"loss": "log_loss", "reduction": "mean", "learning_rate": lambda k: 2 + k / 5}
    run = train(net, X, signs, sample_weight=np.where(signs > 0, weight, 1.0), steps=steps, **options)
    return lambda Z: net.apply(run.params, Z)


side = np.linspace(-2, 2, 60)
grid = np.stack([*np.meshgrid(side, side), np.ones((60, 60))], axis=-1).reshape(-1, 3)
figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained", sharex=True, sharey=True)
for row, (model, horizons) in zip(axes, ((linear, (3, 3000)), (network, (10, 1500))), strict=True):
    for ax, steps in zip(row, horizons, strict=True):
        ax.scatter(*points.T, c=signs, cmap="coolwarm", s=14)
        shares = []
        for weight, color in WEIGHTS.items():
            outputs = model(weight, steps)(grid)
            ax.contour(side, side, outputs.reshape(60, 60), levels=[0], colors=color)
            shares.append(f"{(outputs > 0).mean():.0%}")
        ax.set_title(f"{model.__name__}, {steps} steps: red gets {', '.join(shares)}", fontsize="medium")
for weight, color in WEIGHTS.items():
    axes[0, 0].plot([], [], color=color, label=f"red weighs {weight:.3g}")
axes[0, 0].legend(loc="lower right")

# %%
# Labels that are wrong, which a line cannot separate, and penalties keep the effect: the study
# `ntklib.lab.studies.implicit_bias_study` follows such models as well, by its part on weights.

plt.show()
