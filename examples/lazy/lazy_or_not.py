"""
Lazy or not
===========

Small outputs make a network learn features, large ones keep it at its tangent model: which predicts better?
"""

# %%
# Networks on handwritten digits with their outputs multiplied by a scale, beside their tangent models.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from ntklib.lab.studies import lazy_accuracy_study, linearization_study
from ntklib.networks import TwoLayerNet

digits = load_digits()
study = lazy_accuracy_study(digits.data, digits.target, (0.03, 0.3, 3.0), n_train=100, steps=300, n_draws=2)
print(study)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax)

# %%
# Wide networks in the NTK parameterisation are lazy as well. The distance between network and tangent
# model falls with the width: like 1/m for a smooth activation that starts at 0.

X, odd = digits.data[:60] / 16, digits.target[:60] % 2 * 2.0 - 1
network = TwoLayerNet(1, activation="erf", input_scaling="fan_in", symmetric=True)
widths = linearization_study(X, odd, (64, 256, 1024), network=network, steps=15, n_draws=4)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
widths.plot(ax)
plt.show()
