"""
Regression on a table
=====================

Fit a table of numbers, see which kernels and penalties were chosen, and predict with intervals.
"""

# %%
# The data are 442 patients with ten features each. ``NTKRegressorCV`` compares kernels of infinitely wide
# networks and penalties by exact leave-one-out, learns which columns count, and adds up what predicts best;
# nothing has to be set.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTKRegressorCV
from ntklib.plotting import LeaveOneOutPathDisplay

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = make_pipeline(StandardScaler(), NTKRegressorCV()).fit(X_train, y_train)
print(model[-1])
print(f"R^2 on the test patients: {model.score(X_test, y_test):.3f}")

# %%
# The leave-one-out error of every kernel along the path of penalties: one eigendecomposition a kernel
# gives a whole curve.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
LeaveOneOutPathDisplay.from_estimator(model, ax=ax)

# %%
# A prediction comes with a standard deviation in units of the target.

mean, std = model.predict(X_test, return_std=True, include_noise=True)
order = np.argsort(mean)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.errorbar(np.arange(len(mean)), mean[order], 1.96 * std[order], fmt=".", color="#3b7dd8", elinewidth=0.6)
ax.plot(y_test[order], ".", color="black", label="test patients")
ax.set(xlabel="patients, by prediction", ylabel="progression of the disease")
ax.legend(frameon=False)
inside = np.mean(abs(y_test - mean) < 1.96 * std)
print(f"in their interval of 95 %: {inside:.0%} of the test patients")
plt.show()
