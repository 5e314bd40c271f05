"""
Kernel matrices and their spectra
=================================

A kernel matrix as a picture, and the eigenvalues that decide how fast a network learns.
"""

# %%
# Digits in the order of their class: the blocks are digits that a network takes for alike.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ntklib import NNGP, NTK, Laplace
from ntklib.plotting import KernelHeatmapDisplay, KernelSpectrumDisplay

X, y = load_digits(return_X_y=True)
X, y = X[:300] / 16, y[:300]
order = np.argsort(y, kind="stable")
kernels = {
    "NTK, depth 3": NTK(3, weight_std=np.sqrt(2), normalized=True),
    "NNGP, depth 3": NNGP(3, weight_std=np.sqrt(2), normalized=True),
    "Laplace": Laplace(8.0),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, (name, kernel) in zip(axes, kernels.items(), strict=True):
    KernelHeatmapDisplay(kernel(X[order]), y=y[order], target_name="digit").plot(ax)
    ax.set_title(name)

# %%
# Gradient descent on the squared loss learns along eigenvectors, at the rate of their eigenvalues: a
# spectrum that falls fast leaves fine detail for late.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for color, (name, kernel) in zip(("C0", "C1", "C2"), kernels.items(), strict=True):
    KernelSpectrumDisplay.from_kernel(kernel, X, ax=ax, color=color, label=name)
plt.show()
