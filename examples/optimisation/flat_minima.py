r"""
Flat minima
===========

Every minimum of :math:`L(u, v) = |u|^2 v^2/2` has loss 0. Which one is reached depends on the steps.
"""

# %%
# Twenty starts, gradient descent and sharpness-aware steps (USAM), over the levels of the loss in the
# plane of :math:`|u|` and v. The trace of the Hessian at a minimum with v = 0 is :math:`|u|^2`.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import USAM
from ntklib.lab.landscapes import WideningValley

valley, rate, steps = WideningValley(), 0.05, 400
rng = np.random.default_rng(0)
starts = np.stack([rng.uniform(1.5, 3.5, 20), rng.choice([-1, 1], 20) * rng.uniform(0.3, 1.5, 20)], axis=1)
runs = {rho: [USAM(rate, rho).run(valley.gradient, w, steps) for w in starts] for rho in (0.0, 0.2)}

x, z = np.meshgrid(np.linspace(0, 3.7, 150), np.linspace(-1.9, 1.9, 120))
figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained", sharey=True)
for ax, (rho, paths) in zip(axes, runs.items(), strict=True):
    ax.contourf(x, z, np.log10(valley.value(np.stack([x, z], axis=-1)) + 1e-4), levels=14, cmap="Greys")
    for path in paths:
        ax.plot(*path.T, color="C0", linewidth=0.6)
    ends = np.array([path[-1] for path in paths])
    ax.plot(*ends.T, "o", color="C3", label="end points")
    title = "gradient descent" if rho == 0 else f"USAM, rho = {rho:g}"
    ax.set(title=f"{title}: mean trace {valley.trace(ends).mean():.2f}", xlabel="u")
axes[0].set_ylabel("v")
axes[0].legend(frameon=True)

# %%
# The trace along the steps, and the limits that small steps lead to.

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
for color, (rho, paths) in zip(("C0", "C1"), runs.items(), strict=True):
    for path in paths[:8]:
        ax.semilogx(np.arange(1, steps + 2), valley.trace(path), color=color, linewidth=0.8)
    limits = [valley.trace(valley.flow_limit(w, rho)) for w in starts[:8]]
    ax.plot(np.full(8, 1.15 * steps), limits, "<", color=color, label=f"limits of small steps, rho = {rho:g}")
ax.set(xlabel="step", ylabel="trace of the Hessian")
ax.legend(frameon=False)
plt.show()
