"""
Two phases of training
======================

Networks alpha (f - f_0) of any width: one number decides if features are learned.
"""

# %%
# The kernel's change against alpha times the root of the width is one curve for all widths.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from ntklib.lab.studies import kernel_evolution_study, phase_diagram_study
from ntklib.networks import TwoLayerNet

X, digit = load_digits(return_X_y=True)
late = (digit[:200] > 4) * 2.0 - 1
study = phase_diagram_study(
    X[:200], late, (16, 128), (0.01, 0.1, 1.0, 10.0), tasks=["rows"], n_train=60, steps=200, n_draws=2
)
print(study.headline())
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax)

# %%
# Where features are learned, the tangent kernel of the trained network is a better kernel for rows that
# training has not seen.

evolution = kernel_evolution_study(
    X[:500], digit[:500], (0, 1, 2, 4, 8), network=TwoLayerNet(32, bias_std=0.5), batch_size=50, n_draws=2
)
print(evolution.headline())
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
evolution.plot(ax)
plt.show()
