r"""
The largest margin at the end of training
=========================================

With the log-loss, training never ends; directions tend to a support vector machine.
"""

# %%
# Threes and eights, the tangent model of a network, and the share of the gradient that comes from the
# support vectors: it tends to 1, with :math:`\log t`.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ntklib import NTK
from ntklib.lab.studies import implicit_bias_study

X, digit = load_digits(return_X_y=True)
kept = np.flatnonzero(np.isin(digit, (3, 8)))[:60]
X, digit = StandardScaler().fit_transform(X)[kept], digit[kept]
study = implicit_bias_study(X, digit, parts=["margin"], network_horizon=5)
path = study.margin["tangent"]
for log_time in (1, 10, 100, 1000):
    at = int(abs(path.log_time - log_time).argmin())
    print(f"log t = {log_time:>4}: support vectors have {path.support_share[at]:.2%} of the gradient")
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
study.plot(ax, picture="support")

# %%
# The machine of infinite width, from its kernel. On samples and their mirror images it has no intercept.

kernel, signs = NTK()(X), np.where(digit == 8, 1, -1)
machine = SVC(kernel="precomputed", C=1e10)
machine.fit(np.block([[kernel, -kernel], [-kernel, kernel]]), np.concatenate([signs, -signs]))
exact, ours = set(machine.support_ % 60), set(np.flatnonzero(path.multipliers > 0))
print(f"{len(ours & exact)} of its {len(ours)} support vectors are among the {len(exact)} of the NTK")
plt.show()
