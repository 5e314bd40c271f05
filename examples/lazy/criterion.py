r"""
The lazy criterion
==================

One number, :math:`\kappa`, says before training how far a step bends the model compared with what it gains.
"""

# %%
# ``lazy_criterion`` computes it with its parts, as an interval: the norm of the second derivative is one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ntklib.lab.studies import criterion_study
from ntklib.networks import TwoLayerNet
from ntklib.theory import lazy_criterion

digits = load_digits()
X, y = digits.data[:20] / 16, digits.target[:20] % 2 * 2.0 - 1
net = TwoLayerNet(512, activation="erf", symmetric=True)
print(lazy_criterion(net, net.init(64, random_state=0), X, y))

# %%
# Scaling the outputs by alpha divides it by alpha, if the network starts at 0; otherwise it tends to a
# constant.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
scales = np.geomspace(0.1, 100, 10)
for symmetric in (True, False):
    values = []
    for scale in scales:
        scaled = TwoLayerNet(512, activation="erf", symmetric=symmetric, scale=float(scale))
        values.append(lazy_criterion(scaled, scaled.init(64, random_state=0), X, y).kappa.upper)
    ax.loglog(scales, values, "o-", label="starts at 0" if symmetric else "starts elsewhere")
ax.set(xlabel="scale", ylabel=r"$\kappa$")
ax.legend(frameon=False)

# %%
# With the width it falls like :math:`m^{-1/2}` in the NTK parameterisation, and like 1/m in the standard
# one.

study = criterion_study(X, y, (64, 256, 1024), n_draws=3)
print(study.headline())
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax)
plt.show()
