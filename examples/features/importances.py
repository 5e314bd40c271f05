"""
Which features matter
=====================

Permutation importances and partial dependence of a kernel machine, on features it has not seen.
"""

# %%
# Friedman's function of ten features, of which five matter.

import matplotlib.pyplot as plt
from sklearn.datasets import make_friedman1
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKRegressorCV

X, y = make_friedman1(500, noise=0.5, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(StandardScaler(), NTKRegressorCV([NTK(bias_std=0.3)])).fit(X_train, y_train)
print(f"R^2 on new rows: {model.score(X_test, y_test):.3f}")
result = permutation_importance(model, X_test, y_test, n_repeats=10, random_state=0)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.barh(range(10), result.importances_mean, xerr=result.importances_std, color="#3b7dd8")
ax.set(yticks=range(10), yticklabels=[f"x{k}" for k in range(10)], xlabel="R^2 lost when shuffled")
ax.invert_yaxis()

# %%
# What the model makes of four of them.

figure, axes = plt.subplots(1, 4, figsize=(12, 3), layout="constrained", sharey=True)
PartialDependenceDisplay.from_estimator(model, X_train, [0, 2, 3, 7], ax=axes, grid_resolution=30)
plt.show()
