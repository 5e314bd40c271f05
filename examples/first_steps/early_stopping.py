"""
Early stopping of a tangent model
=================================

Gradient descent on the tangent model, stopped in time, against ridge regression with the same kernel.
"""

# %%
# ``TangentRegressorCV`` scores every number of iterations at once, by cross-validation: gradient descent on a
# linear model has a closed form, one eigendecomposition a fold.

import matplotlib.pyplot as plt
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKRegressor, NTKRegressorCV, TangentRegressorCV
from ntklib.networks import TwoLayerNet
from ntklib.plotting import StoppingPathDisplay

SETTINGS = {"bias_std": 1.0, "input_scaling": "fan_in"}
kernel, network = NTK(**SETTINGS), TwoLayerNet(256, **SETTINGS)

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
models = {
    "infinite width, stopped": TangentRegressorCV(kernel=kernel),
    "network of 256, stopped": TangentRegressorCV(network, random_state=0),
    "infinite width, ridge": NTKRegressorCV(kernel, fit_intercept=False),
    "infinite width, interpolated": NTKRegressor(kernel, alpha=0.0, fit_intercept=False),
}
for name, model in models.items():
    # features and targets of mean 0 and deviation 1: a tangent model has no intercept
    pipeline = make_pipeline(StandardScaler(), model)
    models[name] = TransformedTargetRegressor(pipeline, transformer=StandardScaler()).fit(X_train, y_train)
    print(f"{name:30} R^2 {models[name].score(X_test, y_test):.3f}")

# %%
# The held-out error along training. Trained to the end, both models fit the noise.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for ax, name in zip(axes, list(models)[:2], strict=True):
    StoppingPathDisplay.from_estimator(models[name].regressor_, ax=ax)
    ax.set_title(name.split(",")[0])
plt.show()
