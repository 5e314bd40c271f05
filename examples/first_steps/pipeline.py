"""
Kernels inside scikit-learn
===========================

A kernel object serves every host that takes one, and its parameters can be searched like any others.
"""

# %%
# Ours are ``Kernel`` objects of ``sklearn.gaussian_process``. They take part in sums and products, in
# ``KernelRidge``, in ``SVC``, in Gaussian processes and in kernel PCA.

import matplotlib.pyplot as plt
from sklearn.datasets import make_moons
from sklearn.decomposition import KernelPCA
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from ntklib import NTK

X, y = make_moons(200, noise=0.25, random_state=0)
grid = {"kernel__depth": [1, 2, 4], "kernel__bias_std": [0.1, 1.0], "C": [0.3, 3, 30]}
search = GridSearchCV(SVC(kernel=NTK()), grid, cv=5).fit(X, y)
print(f"best: {search.best_params_}, accuracy {search.best_score_:.1%}")

# %%
# The same kernel in kernel principal components: two moons unfolded.

components = KernelPCA(2, kernel=NTK(depth=3, bias_std=1.0)).fit_transform(X)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.scatter(*X.T, c=y, cmap="coolwarm", s=14)
left.set_title("two moons")
right.scatter(*components.T, c=y, cmap="coolwarm", s=14)
right.set_title("kernel components")
plt.show()
