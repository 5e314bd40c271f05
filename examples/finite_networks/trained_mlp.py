"""
The kernel of a network that scikit-learn trains
================================================

A trained network's own tangent kernel knows more of the target than any kernel of infinite width.
"""

# %%
# The target is a function of one direction in twenty dimensions, with a kink. ``MLP.from_sklearn`` takes
# over the network after some epochs of training, and ``NTKRegressorCV`` fits with its kernel.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPRegressor

from ntklib import EmpiricalNTK, NTKRegressorCV
from ntklib.networks import MLP

rng = np.random.default_rng(0)
X, X_test = rng.standard_normal((300, 20)), rng.standard_normal((1000, 20))
y, y_test = (abs(rows[:, :4].sum(axis=1)) / 2 + 0.1 * rng.standard_normal(len(rows)) for rows in (X, X_test))


def alignment(kernel, target):
    """Cosine between the kernel and the target's outer product, both centred."""
    target, kernel = target - target.mean(), kernel - kernel.mean(axis=0)
    kernel = kernel - kernel.mean(axis=1, keepdims=True)
    return target @ kernel @ target / (target @ target) / np.linalg.norm(kernel)


epochs = (0, 1, 2, 5, 10, 20, 40, 80)
scores, changes, alignments = [], [], []
start = None
for epoch in epochs:
    step = 0.01 if epoch else 1e-300  # so small a step leaves the network where it starts
    trained = MLPRegressor(hidden_layer_sizes=(100,), alpha=0.01, learning_rate_init=step, random_state=0)
    for _ in range(max(epoch, 1)):
        trained.partial_fit(X, y)
    network, params = MLP.from_sklearn(trained)
    kernel = network.ntk(params, X)
    start = kernel if start is None else start
    machine = NTKRegressorCV([EmpiricalNTK(network, params)]).fit(X, y)
    scores.append((trained.score(X_test, y_test), machine.score(X_test, y_test)))
    alignments.append(alignment(kernel, y))
    changes.append(np.linalg.norm(kernel - start) / np.linalg.norm(start))
infinite = NTKRegressorCV().fit(X, y).score(X_test, y_test)
print(
    f"R^2 with kernels of infinite width {infinite:.3f}, with that of the trained network {scores[-1][1]:.3f}"
)

# %%
# Both scores grow with training, and so do the kernel's change and its alignment with the target.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
places = np.arange(len(epochs))
left.plot(places, np.maximum(scores, 0)[:, 0], "o-", label="the network (below 0 drawn at 0)")
left.plot(places, np.array(scores)[:, 1], "s-", label="ridge regression with its kernel")
left.axhline(infinite, color="0.5", linestyle="--", label="kernels of infinite width")
left.set(xlabel="epochs of training", title="$R^2$ on new samples", ylim=(-0.05, 1.2))
left.legend(frameon=False, loc="upper left")
right.plot(places, alignments, "o-", label="alignment with the target")
right.plot(places, changes, "s-", label="relative change since the start")
right.set(xlabel="epochs of training", title="the tangent kernel")
right.legend(frameon=False)
for ax in (left, right):
    ax.set_xticks(places, [str(epoch) for epoch in epochs])
plt.show()
