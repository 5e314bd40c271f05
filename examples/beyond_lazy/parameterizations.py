"""
How far the kernel moves in four parameterisations
==================================================

The same network, written in four ways, trained by the same number of steps: whose kernel stays?
"""

# %%
# Each array has its own multiple of one learning rate, set by the kernel at the start.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ntklib.dynamics import train
from ntklib.networks import TwoLayerNet

WIDTHS = (64, 256, 1024)
X, y = load_diabetes(return_X_y=True)
X, y = StandardScaler().fit_transform(X)[:40] / np.sqrt(10), (y[:40] - y[:40].mean()) / y[:40].std()
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, style in zip(("ntk", "standard", "mean_field", "mup"), ("o-", "s-", "D-", "x--"), strict=True):
    changes = []
    for width in WIDTHS:
        net = TwoLayerNet(width, activation="tanh", parameterization=name, symmetric=True)
        params = net.init(X.shape[1], random_state=0)
        start = net.ntk(params, X, weighted=True)
        rate = 0.5 / np.linalg.eigvalsh(start)[-1]
        run = train(net, X, y, params=params, steps=30, learning_rate=rate)
        change = net.ntk(run.params, X, weighted=True) - start
        changes.append(np.linalg.norm(change) / np.linalg.norm(start))
    ax.loglog(WIDTHS, changes, style, markersize=8, label=name)
    print(f"{name:<11} the kernel changes by {changes[0]:.1%} at width 64, by {changes[-1]:.2%} at 1024")
ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
ax.set_xticks([], minor=True)
ax.set(xlabel="width", ylabel="relative change of the tangent kernel")
ax.legend(frameon=False)
plt.show()
