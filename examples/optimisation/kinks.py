r"""
Gradient descent where the gradient does not fade
=================================================

On a cone, on Huber's function and on :math:`x^2/2 + |y|` constant steps come near, and then may hop.
"""

# %%
# A cone of slope G. With :math:`\eta = \epsilon/G^2` the loss is at most :math:`\epsilon` after
# :math:`|w_0 - w^*| G/\epsilon` steps.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import GradientDescent
from ntklib.lab.landscapes import Cone, HuberLandscape, SquarePlusAbs

cone, start = Cone(slope=2.0), np.array([1.1, 0.7])
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for tolerance in (1.0, 0.3, 0.1):
    path = GradientDescent(cone.step_for(tolerance)).run(cone.gradient, start, 60)
    (line,) = ax.semilogy(cone.value(path), label=rf"$\epsilon$ = {tolerance:g}")
    ax.axvline(cone.steps_to(start, tolerance), color=line.get_color(), linestyle=":")
ax.set(title="cone", xlabel="step", ylabel="loss")
ax.legend(frameon=False)

# %%
# Huber's function is linear far from its minimum and quadratic near it: it converges for :math:`\eta < 2`.

huber = HuberLandscape()
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for rate in (0.1, 0.5, 1.9, 2.5):
    path = GradientDescent(rate).run(huber.gradient, [6.0], 60)
    ax.semilogy(huber.value(path) + 1e-12, label=rf"$\eta$ = {rate:g}")
ax.set(title="Huber's function", xlabel="step", ylabel="loss")
ax.legend(frameon=False)

# %%
# In :math:`x^2/2 + |y|` the smooth part converges; the kink keeps the loss near :math:`\eta/2`.

corner = SquarePlusAbs()
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for rate in (0.3, 0.1, 0.03):
    path = GradientDescent(rate).run(corner.gradient, [2.0, 1.01], 120)
    (line,) = ax.semilogy(corner.value(path), label=rf"$\eta$ = {rate:g}")
    ax.axhline(rate / 2, color=line.get_color(), linestyle=":")
ax.set(title="$x^2/2 + |y|$", xlabel="step", ylabel="loss")
ax.legend(frameon=False)
plt.show()
