r"""
Momentum in three forms
=======================

A velocity, a difference of points, an average: with the right weights the same iterates.
"""

# %%
# The averaging form needs weights that are computed backward from the last step.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.dynamics import AveragedMomentum, GradientDescent, HeavyBall, Momentum
from ntklib.lab.landscapes import Quadratic

STEPS = 60
bowl, start = Quadratic([0.3, 10.0]), np.array([-4.0, 1.0])
rng = np.random.default_rng(0)
rates, momenta = rng.uniform(0.02, 0.06, STEPS), rng.uniform(0.3, 0.9, STEPS)
runs = {
    "momentum": Momentum(rates.__getitem__, momenta.__getitem__),
    "heavy ball": HeavyBall(rates.__getitem__, momenta.__getitem__),
    "averaging": AveragedMomentum(rates.__getitem__, momenta.__getitem__, steps=STEPS),
}
paths = {name: optimizer.run(bowl.gradient, start, STEPS) for name, optimizer in runs.items()}
for name in ("heavy ball", "averaging"):
    print(f"{name} differs from momentum by at most {abs(paths[name] - paths['momentum']).max():.1e}")

# %%
# Three marks on one path, over the levels of the quadratic, and gradient descent with the same steps.

x, z = np.meshgrid(np.linspace(-4.5, 3, 120), np.linspace(-1.6, 1.6, 80))
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.contour(x, z, bowl.value(np.stack([x, z], axis=-1)), levels=np.geomspace(0.01, 12, 12), colors="0.8")
for (name, path), style in zip(paths.items(), ("o", "x", "+"), strict=True):
    ax.plot(*path.T, style, markersize={"o": 9}.get(style, 7), fillstyle="none", label=name)
ax.plot(*paths["momentum"].T, linewidth=0.7, color="C0")
descent = GradientDescent(rates.__getitem__).run(bowl.gradient, start, STEPS)
ax.plot(*descent.T, ".-", color="0.5", linewidth=0.8, label="gradient descent")
ax.legend(frameon=False)
plt.show()
