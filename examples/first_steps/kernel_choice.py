"""
Choosing a kernel by leave-one-out
==================================

Activations and depths compared on handwritten digits, and what each kernel makes of an angle.
"""

# %%
# Every kernel has He weights and a bias. A linear network (``identity``) sees only the cosine of two rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKClassifierCV
from ntklib.plotting import KernelAngleDisplay

ACTIVATIONS = ("relu", "erf", "gelu", "abs", "identity")


def kernel(activation, depth):
    """Kernel under trial."""
    return NTK(depth, activation, weight_std=np.sqrt(2), bias_std=0.3, input_scaling="fan_in")


X, y = load_digits(return_X_y=True)
X, y = StandardScaler().fit_transform(X)[:300], y[:300]
for activation in ACTIVATIONS:
    for depth in (1, 3):
        model = NTKClassifierCV([kernel(activation, depth)], scoring="accuracy").fit(X, y)
        print(f"{activation:<9} depth {depth}: leave-one-out accuracy {model.best_score_:.1%}")

# %%
# The kernels of depth 3 against the angle between two rows of standardised size.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
kernels = {f"{name}, depth 3": kernel(name, 3) for name in ACTIVATIONS}
KernelAngleDisplay.from_kernels(kernels, norm=np.sqrt(X.shape[1]), n_features=X.shape[1], ax=ax)
plt.show()
