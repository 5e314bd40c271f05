"""
Rows on many machines
=====================

The same fit in one thread and on a cluster, to the last byte: here a cluster of two workers.
"""

# %%
# Rows in chunks, as they would lie on the machines of a cluster.

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client

from ntklib import NTK
from ntklib.dask import DaskNTKRegressor
from ntklib.solvers import Nystrom

rng = da.random.default_rng(0)
X = rng.normal(size=(40_000, 2), chunks=(5_000, 2)).persist()
y = (da.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * rng.normal(size=40_000, chunks=5_000)).persist()

# %%
# Without an address a client starts a local cluster; ``Client(address)`` is all that is different elsewhere.

kernel = NTK(depth=2, bias_std=0.5)
model = DaskNTKRegressor(kernel, alpha=0.1, solver=Nystrom(n_centers=200))
with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None):
    two = model.fit(X, y).dual_coef_
with dask.config.set(scheduler="synchronous"):
    one = model.fit(X, y).dual_coef_
assert one.tobytes() == two.tobytes()

# %%
# The fitted twin needs no Dask.

local = model.to_local()
x = np.linspace(-2, 2, 200)
fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
for level in (-1.0, 0.5, 1.5):
    line = ax.plot(x, local.predict(np.column_stack([x, np.full(200, level)])), label=f"$x_2 = {level}$")
    ax.plot(x, np.sin(3 * x) * level, ":", color=line[0].get_color())
ax.set(xlabel="$x_1$", ylabel="y", title="Fit (lines) and truth (dots)")
ax.legend()
plt.show()
