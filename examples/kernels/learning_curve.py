"""
A learning curve, predicted
===========================

The error of kernel regression at any number of training rows follows from the kernel's eigenvalues and the
target's coefficients.
"""

# %%
# One Gram matrix of all rows predicts the errors of fits on few of them. The curve that takes the rows for
# infinitely many is too low where a fit uses a good part of them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ntklib import NTK
from ntklib.lab.studies import learning_curve_study
from ntklib.theory import eigenlearning_curve

X, digit = load_digits(return_X_y=True)
X, odd = X[:500] / 16, digit[:500] % 2 * 2.0 - 1
print(eigenlearning_curve(NTK()(X), odd, (25, 50, 100, 200), penalty=0.1))

study = learning_curve_study(X, odd, (25, 50, 100, 200), (64,), n_draws=10, network_draws=2, steps=300)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax)

# %%
# What is learned of an eigenfunction depends on its eigenvalue alone, and without a penalty all shares sum
# to the number of rows.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax, picture="learnability")
rows = study.rows()
print(np.c_[study.n_train[rows], study.error[rows], study.predicted[rows]].round(3))
plt.show()
