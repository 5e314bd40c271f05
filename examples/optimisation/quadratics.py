r"""
Gradient descent on quadratics
==============================

In each direction the error is multiplied by :math:`1 - \eta\lambda` at every step.
"""

# %%
# One step size below, at and above the largest stable one, :math:`2/\lambda_{\max}`.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import GradientDescent, Momentum
from ntklib.lab.landscapes import Quadratic

bowl, start, steps = Quadratic([1.0, 20.0]), np.array([1.0, 0.5]), 40
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
x, z = np.meshgrid(np.linspace(-1.2, 1.2, 100), np.linspace(-0.8, 0.8, 100))
for ax, factor in zip(axes, (0.5, 1.0, 1.03), strict=True):
    rate = factor * bowl.largest_stable_step()
    path = GradientDescent(rate).run(bowl.gradient, start, steps)
    ax.contour(x, z, bowl.value(np.stack([x, z], axis=-1)), levels=10, colors="0.8")
    ax.plot(*path.T, ".-", linewidth=0.8)
    ax.set(title=rf"$\eta = {factor:g} \cdot 2/\lambda_{{\max}}$", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2))

# %%
# Conditioning decides how long it takes, not whether it arrives. Momentum replaces the condition number
# by its root.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for color, condition in zip(("C0", "C1", "C2"), (10, 100, 1000), strict=True):
    bowl = Quadratic([1.0, float(condition)])
    plain = GradientDescent(bowl.best_step).run(bowl.gradient, [1.0, 1.0], 300)
    root = np.sqrt(condition)
    beta = ((root - 1) / (root + 1)) ** 2
    heavy = Momentum((2 / (1 + root)) ** 2, beta).run(bowl.gradient, [1.0, 1.0], 300)
    ax.semilogy(bowl.value(plain) + 1e-20, color=color, label=f"condition number {condition}")
    ax.semilogy(bowl.value(heavy) + 1e-20, "--", color=color)
ax.set(xlabel="step", ylabel="loss", ylim=(1e-16, 1e4), title="gradient descent, and momentum (dashed)")
ax.legend(frameon=False)
plt.show()
