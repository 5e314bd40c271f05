"""
Finite features of a kernel
===========================

Random features of arc-cosine kernels, and features by the Nystrom method: how many does it take?
"""

# %%
# ``ArcCosineFeatures`` draws neurons, and its error falls like their number to the power -1/2.
# ``NystromFeatures`` looks at the data, and its error falls with the spectrum.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ntklib import ArcCosine, ArcCosineFeatures, NystromFeatures

X = load_digits().data[:600] / 16
kernel = ArcCosine()
K = kernel(X)
sizes = [16, 32, 64, 128, 256, 512]
features = {
    "gaussian neurons": lambda m: ArcCosineFeatures(n_components=m, random_state=0),
    "neurons on the sphere": lambda m: ArcCosineFeatures(n_components=m, sampling="sphere", random_state=0),
    "Nystrom": lambda m: NystromFeatures(kernel, n_components=m, random_state=0),
}
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, build in features.items():
    errors = []
    for size in sizes:
        phi = build(size).fit_transform(X)
        errors.append(np.linalg.norm(phi @ phi.T - K) / np.linalg.norm(K))
    ax.loglog(sizes, errors, "o-", label=name)
    print(f"{name:22} relative error {errors[0]:.3f} with 16 features, {errors[-1]:.4f} with 512")
ax.set(xlabel="features", ylabel="relative error of the kernel matrix")
ax.legend(frameon=False)
plt.show()
