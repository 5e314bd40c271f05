"""
Learning from a stream
======================

Rows come in pieces and are not kept. ``partial_fit`` carries sums on, and the penalty can be changed later.
"""

# %%
# The first rows are buffered and fitted exactly; then centres are chosen from them and fixed, and every
# later piece only adds to sums over its rows.

import matplotlib.pyplot as plt
import numpy as np

from ntklib import NTK, NTKRegressor
from ntklib.solvers import Nystrom


def piece(n, seed):
    """Some rows and noisy values of a function of two of their four features."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 4))
    return X, np.sin(4 * X[:, 0]) * X[:, 1] + 0.5 * rng.normal(size=n)


new, _ = piece(5000, seed=10_000)
truth = np.sin(4 * new[:, 0]) * new[:, 1]
model = NTKRegressor(NTK(2, bias_std=1.0), alpha=1.0, solver=Nystrom(n_centers=300, n_init=2000))
counts, errors = [], []
for number in range(20):
    model.partial_fit(*piece(1000, number))
    counts.append(1000 * (number + 1))
    errors.append(np.sqrt(np.mean((model.predict(new) - truth) ** 2)))
print(f"error {errors[0]:.3f} after {counts[0]:,} rows, {errors[-1]:.3f} after {counts[-1]:,}")

# %%
# ``refit_alpha`` solves again from the sums at another penalty; no row is read again.

alphas, choices = np.geomspace(1e-2, 1e3, 11), []
for alpha in alphas:
    model.refit_alpha(alpha)
    choices.append(np.sqrt(np.mean((model.predict(new) - truth) ** 2)))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.loglog(counts, errors, "o-")
left.set(xlabel="rows seen", ylabel="root mean squared error on new rows", title="penalty 1")
right.loglog(alphas, choices, "o-")
right.set(xlabel="penalty", title=f"after {counts[-1]:,} rows")
plt.show()
