"""
What depth does to a kernel
===========================

Deep kernels without a bias forget the angle; the tangent kernel forgets more slowly than the NNGP kernel.
"""

# %%
# Normalised kernels of ReLU networks with He weights. With more layers, rows at every angle look alike,
# but for those that coincide: a deep network's prior is a constant plus noise.

import matplotlib.pyplot as plt
import numpy as np

from ntklib import NNGP, NTK

theta = np.linspace(0, np.pi, 181)
rows = np.stack([np.cos(theta), np.sin(theta)], axis=1)
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, kind in zip(axes, (NNGP, NTK), strict=True):
    for depth in (1, 2, 4, 8, 16, 32):
        kernel = kind(depth, weight_std=np.sqrt(2), normalized=True)
        color = plt.cm.viridis(np.log2(depth) / 5.5)
        ax.plot(np.degrees(theta), kernel(rows[:1], rows)[0], color=color, label=f"depth {depth}")
    ax.set(title=kind.__name__, xlabel="angle in degrees")
axes[0].set(ylabel="kernel, relative to equal rows")
axes[1].legend(frameon=False)

# %%
# In numbers: the kernel of two rows at a right angle. That of the NNGP tends to 1, that of the NTK to 1/4.

for depth in (1, 4, 16, 64):
    values = [
        kind(depth, weight_std=np.sqrt(2), normalized=True)(rows[[0, 90]])[0, 1] for kind in (NNGP, NTK)
    ]
    print(f"depth {depth:>2}: NNGP {values[0]:.3f}, NTK {values[1]:.3f}")
plt.show()
