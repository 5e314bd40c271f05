"""
Kernels of networks in a Gaussian process
=========================================

The evidence chooses the standard deviations of weights and biases, and the noise.
"""

# %%
# Noisy values of a wave whose pitch rises, with a gap in the middle. Three kernels compete inside
# scikit-learn's ``GaussianProcessRegressor``, which follows our gradients.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from ntklib import NNGP, NTK


def wave(x):
    """Truth behind the data."""
    return np.sin(2 * x + 0.5 * x**2)


rng = np.random.default_rng(0)
x = np.sort(np.concatenate([rng.uniform(-2, -0.4, 30), rng.uniform(0.4, 2, 30)]))
y = wave(x) + 0.1 * rng.standard_normal(60)
kernels = {
    "NTK": NTK(depth=2, weight_std=1.5, bias_std=0.5) + WhiteKernel(0.1),
    "NNGP, erf": NNGP(activation="erf", weight_std=1.5, bias_std=0.5) + WhiteKernel(0.1),
    "RBF": ConstantKernel() * RBF() + WhiteKernel(0.1),
}
models = {name: GaussianProcessRegressor(k, random_state=0).fit(x[:, None], y) for name, k in kernels.items()}
for name, model in models.items():
    noise = np.sqrt(model.kernel_.k2.noise_level)
    print(f"{name:10} log evidence {model.log_marginal_likelihood_value_:6.1f}, noise {noise:.3f}")

# %%
# Where there are no data the bands open.

grid = np.linspace(-2.5, 2.5, 201)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained", sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    mean, std = model.predict(grid[:, None], return_std=True)
    ax.fill_between(grid, mean - 2 * std, mean + 2 * std, alpha=0.2)
    ax.plot(grid, mean, label="prediction and two standard deviations")
    ax.plot(grid, wave(grid), "--", color="0.4", label="truth")
    ax.plot(x, y, ".", color="black", markersize=4, label="data")
    ax.set(title=name, xlabel="x", ylim=(-2, 2))
axes[0].legend(frameon=False, fontsize=8)
plt.show()
