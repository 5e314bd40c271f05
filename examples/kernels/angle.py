r"""
Arc-cosine kernels and their angle
==================================

The arc-cosine kernels of degree n are the kernels of networks with the activation
:math:`\sigma_n(z) = z^n 1\{z \ge 0\}`.
"""

# %%
# On unit vectors they depend on the angle alone, :math:`\kappa_n = J_n(\theta)/(2\pi)`. Here each is
# divided by its value at angle 0, :math:`(2n - 1)!!/2`: higher degrees tell rows apart at smaller angles.

import matplotlib.pyplot as plt
import numpy as np

from ntklib.kernels import RectifiedPower, arc_cosine_of_angle, ntk_kernel

theta = np.linspace(0, np.pi, 181)
arc_cosine = [arc_cosine_of_angle(theta, degree=degree) for degree in range(4)]

# %%
# The neural tangent kernel of the same network, :math:`\kappa_n + n^2 \cos(\theta)\, \kappa_{n-1}`, falls
# faster: it has the derivative of the activation in it, which jumps for n = 1.

rows = np.stack([np.cos(theta), np.sin(theta)], axis=1)
tangent = [ntk_kernel(rows[:1], rows, activation=RectifiedPower(degree))[0] for degree in range(4)]
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
titles = (r"$\kappa_n(\theta) / \kappa_n(0)$", r"$\Theta(\theta) / \Theta(0)$")
for ax, title, curves in zip(axes, titles, (arc_cosine, tangent), strict=True):
    for degree, curve in enumerate(curves):
        ax.plot(np.degrees(theta), curve / curve[0], label=f"n = {degree}")
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.set(title=title, xlabel="angle in degrees")
axes[0].legend(frameon=False)
plt.show()
