"""
Features that the kernel learns
===============================

Of many columns two matter. A kernel sees all of them alike, until it is told by the gradients of its own fit
which ones to look at.
"""

# %%
# Thirty-two columns, of which the first two decide, by thresholds.

import matplotlib.pyplot as plt
import numpy as np

from ntklib import NTKRegressorCV

rng = np.random.default_rng(0)
X = rng.standard_normal((800, 32))
y = ((X[:, 0] > 0.3) != (X[:, 1] > -0.2)) + 0.1 * rng.standard_normal(800)
train, test = slice(0, 400), slice(400, None)

plain = NTKRegressorCV(learn_features=None).fit(X[train], y[train])
learned = NTKRegressorCV().fit(X[train], y[train])
for name, model in {"all columns alike": plain, "learned scales": learned}.items():
    print(f"R^2 on new rows, {name}: {model.score(X[test], y[test]):.3f}")

# %%
# Each round fits, takes the mean square of the derivative along each column, and multiplies the columns by
# the roots of these. Held-out folds, which learn scales of their own, say how many rounds are worth it, and
# what weight fits with the scales have among those without.

record = learned.learned_features_
print(record.words)

figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
axes[0].plot(-record.round_scores, "o-", color="#3b7dd8")
axes[0].axhline(-record.fixed_score, color="0.5", linestyle="--")
axes[0].annotate("all columns alike", (0.3, -record.fixed_score), va="bottom", color="0.35")
axes[0].set(xlabel="round", ylabel="held-out squared error", ylim=(0, -1.15 * record.fixed_score))
for ax, model, title in ((axes[1], plain, "all columns alike"), (axes[2], learned, "learned scales")):
    ax.bar(range(32), model.feature_importances_, color=["#d1495b"] * 2 + ["#3b7dd8"] * 30)
    ax.set(xlabel="column", ylabel="importance", title=title, ylim=(0, 1))
plt.show()
