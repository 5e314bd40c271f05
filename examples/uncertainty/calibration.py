"""
Probabilities and intervals that hold
=====================================

Of predictions with probability p a share p should be right, and 95 % of the intervals of 95 % should cover.
"""

# %%
# ``NTKClassifierCV`` turns decision values into probabilities by one temperature, from held-out values.

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import erf
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_breast_cancer, make_friedman1
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKClassifierCV, NTKRegressorCV

figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), NTKClassifierCV([NTK(bias_std=0.3)]))
probability = cross_val_predict(model, X, y, cv=5, method="predict_proba")[:, 1]
CalibrationDisplay.from_predictions(y, probability, n_bins=6, strategy="quantile", ax=ax, name="NTK")
ax.set_title("probabilities on held-out folds")

# %%
# Standard deviations are in units of the target: ``target_scale="fit"`` takes the scale of greatest
# likelihood.

X, y = make_friedman1(400, noise=1.0, random_state=0)
regressor = make_pipeline(StandardScaler(), NTKRegressorCV([NTK(bias_std=0.3)])).fit(X[:200], y[:200])
mean, std = regressor.predict(X[200:], return_std=True, include_noise=True)
error = np.sort(abs(y[200:] - mean) / std)
figure, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
ax.plot(error, np.arange(1, 201) / 200, label="measured")
normal = np.linspace(0, 3.5, 100)
ax.plot(normal, erf(normal / np.sqrt(2)), "--", color="0.5", label="Gaussian")
ax.set(title="share of errors below z standard deviations", xlabel="z")
ax.legend(frameon=False)
print(f"within 1.96 standard deviations: {np.mean(error < 1.96):.1%}")
plt.show()
