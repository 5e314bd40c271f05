"""
The spread of an ensemble of networks
=====================================

Networks trained from different starts differ, and the law of infinite width says by how much, at every time.
"""

# %%
# ``ensemble`` computes mean and standard deviation after steps of gradient descent, from NTK and NNGP
# together.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import ensemble, largest_stable_step, train
from ntklib.kernels import nngp_kernel, ntk_kernel
from ntklib.networks import TwoLayerNet

SETTINGS = {"activation": "erf", "weight_std": 1.5, "bias_std": 0.7}
STEPS = 100
X = np.array([-2.0, -1.1, -0.7, 0.4, 0.9, 1.2])[:, None]
y = np.sin(2 * X[:, 0])
grid = np.linspace(-3, 3, 61)[:, None]
rate = largest_stable_step(ntk_kernel(X, **SETTINGS)) / 2
law = ensemble(
    ntk_kernel(X, **SETTINGS),
    nngp_kernel(X, **SETTINGS),
    y,
    [STEPS],
    ntk_test=ntk_kernel(grid, X, **SETTINGS),
    nngp_test=nngp_kernel(grid, X, **SETTINGS),
    nngp_test_test=nngp_kernel(grid, **SETTINGS).diagonal(),
    learning_rate=rate,
)

# %%
# Twenty networks of width 512, each trained from its own start.

net = TwoLayerNet(512, **SETTINGS)
outputs = []
for seed in range(20):
    run = train(net, X, y, learning_rate=rate, steps=STEPS, X_test=grid, random_state=seed, record=STEPS)
    outputs.append(run.test_outputs[-1].ravel())
outputs = np.array(outputs)

# %%
# The networks follow the prediction. The same kernels in a Gaussian process given exact values are
# another thing: the NTK's posterior has the right mean, and the spread of no trained network.


def posterior_std(kernel):
    """Standard deviation of a Gaussian process given exact values at X."""
    cross = kernel(grid, X, **SETTINGS)
    explained = np.einsum("ij,ji->i", cross, np.linalg.solve(kernel(X, **SETTINGS), cross.T))
    return np.sqrt(np.maximum(kernel(grid, **SETTINGS).diagonal() - explained, 0))


mean, std = law.test_mean[0], law.test_std[0]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(grid, outputs.T, color="#7d8590", linewidth=0.7, alpha=0.7)
left.fill_between(grid[:, 0], mean - 2 * std, mean + 2 * std, alpha=0.25, label="predicted, 2 std")
left.plot(grid, mean, linewidth=2, label="predicted mean")
left.plot(X, y, "o", color="black", label="data")
left.set(title="networks trained from different starts", xlabel="x")
right.plot(grid, std, linewidth=2.5, label="predicted")
right.plot(grid, outputs.std(axis=0, ddof=1), "o", color="#7d8590", markersize=3.5, label="20 networks")
right.plot(grid, posterior_std(ntk_kernel), "--", label="NTK as a Gaussian process")
right.plot(grid, posterior_std(nngp_kernel), ":", label="NNGP")
right.set(title="standard deviation", xlabel="x", ylim=(0, None))
for ax in (left, right):
    ax.legend(frameon=False)
print(f"median ratio of measured and predicted: {np.median(outputs.std(axis=0, ddof=1) / std):.2f}")
plt.show()
