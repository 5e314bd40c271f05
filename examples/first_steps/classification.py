"""
Classification of handwritten digits
====================================

A classifier with probabilities, and the digits it is least sure of.
"""

# %%
# ``NTKClassifierCV`` is untouched here: it compares kernels and penalties by the log-loss of exact
# leave-one-out, and calibrates its probabilities by the same held-out values.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ntklib import NTKClassifierCV

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, train_size=500, random_state=0)
model = NTKClassifierCV().fit(X_train, y_train)
print(model)
print(f"accuracy on {len(X_test)} other digits: {model.score(X_test, y_test):.1%}")

# %%
# Probabilities say which predictions to look at twice.

probabilities = model.predict_proba(X_test)
least_sure = np.argsort(probabilities.max(axis=1))[:10]
figure, axes = plt.subplots(2, 5, figsize=(8, 4), layout="constrained")
for ax, row in zip(axes.flat, least_sure, strict=True):
    ax.imshow(X_test[row].reshape(8, 8), cmap="gray_r")
    best = probabilities[row].argmax()
    ax.set_title(f"{best} with {probabilities[row, best]:.0%}, is {y_test[row]}", fontsize=9)
    ax.axis("off")
plt.show()
