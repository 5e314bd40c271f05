"""
Step sizes that fit every width
===============================

In the maximal-update parameterisation the best step of a narrow network serves a wide one.
"""

# %%
# The loss left after some steps against the step size, for three widths and two parameterisations.

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ntklib.dynamics import Adam, GradientDescent
from ntklib.lab.studies import parameterization_study

X, y = load_diabetes(return_X_y=True)
X, y = StandardScaler().fit_transform(X)[:40], (y[:40] - y[:40].mean()) / y[:40].std()
figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
optimizers = {"gradient descent": GradientDescent(), "Adam": Adam()}
for row, (name, optimizer) in zip(axes, optimizers.items(), strict=True):
    study = parameterization_study(X, y, (64, 256, 512), optimizer=optimizer, n_draws=4, steps=15)
    print(f"{name}: {study.headline()}")
    for ax, parameterization in zip(row, ("standard", "mup"), strict=True):
        study.plot(ax, picture=f"sweep-{parameterization}")
        ax.set_title(f"{name}, {parameterization}")
plt.show()
