"""
An activation of your own
=========================

Any function with a derivative has an NTK, and an estimate of its error.
"""

# %%
# ``NumericalActivation`` expands the function in Hermite polynomials; ``dual_error`` bounds what is lost.

import matplotlib.pyplot as plt
import numpy as np

from ntklib import NTK, NTKRegressor
from ntklib.kernels import NumericalActivation


def bump(z):
    """A bump and a wave."""
    return np.exp(-(z**2) / 2) * np.cos(2 * z)


def bump_slope(z):
    """Its derivative."""
    return -np.exp(-(z**2) / 2) * (z * np.cos(2 * z) + 2 * np.sin(2 * z))


activation = NumericalActivation(bump, bump_slope)
print(f"error of E[sigma(u)^2] at most {activation.dual_error([1.0]):.1e}")

# %%
# The kernel against the distance of two points on a line, and a fit of few points with it.

grid = np.linspace(-3, 3, 301)[:, None]
x = np.array([-2.4, -1.5, -0.9, 0.0, 0.6, 1.5, 2.2])[:, None]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, activation_ in {"erf": "erf", "relu": "relu", "a bump and a wave": activation}.items():
    kernel = NTK(1, activation_, weight_std=2.0, bias_std=1.0)
    row = kernel(np.array([[0.5]]), grid)[0]
    left.plot(grid, row / row.max(), label=name)
    model = NTKRegressor(kernel, alpha=1e-6).fit(x, np.sin(2 * x[:, 0]))
    right.plot(grid, model.predict(grid), label=name)
left.set(title="kernel of x with 0.5, over its maximum", xlabel="x")
left.legend(frameon=False)
right.plot(x, np.sin(2 * x), "o", color="black")
right.set(title="interpolants of seven points", xlabel="x")
plt.show()
