"""
A table of 300,000 rows
=======================

An exact fit would need a kernel matrix of 335 GiB. A few hundred of the rows as centres do, in seconds.
"""

# %%
# The demand of a made-up city for electricity, by the hour, the weekend, the temperature, the wind and
# the price.

import time

import matplotlib.pyplot as plt
import numpy as np

from ntklib import NTKRegressor
from ntklib.solvers import Nystrom

NOISE = 0.3


def demand(n, seed):
    """Rows in float32, on scales of about 1, and noisy demands."""
    rng = np.random.default_rng(seed)
    hour, day = rng.uniform(0, 24, n), rng.uniform(0, 365, n)
    weekend, wind, price = rng.random(n) < 2 / 7, rng.gamma(2.0, 1.0, n), rng.normal(size=n)
    temperature = 12 - 10 * np.cos(2 * np.pi * day / 365) + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    temperature += 4 * rng.standard_normal(n)
    people = np.exp(-(((hour - 8) / 2) ** 2)) * ~weekend + 1.2 * np.exp(-(((hour - 19) / 3) ** 2))
    heating, cooling = np.maximum(15 - temperature, 0) / 10, np.maximum(temperature - 22, 0) / 5
    y = 2 * people * (1 - 0.1 * price) + heating * (1 + 0.3 * wind / (1 + wind)) + cooling**1.5
    clock = 2 * np.pi * hour / 24
    columns = [np.sin(clock), np.cos(clock), temperature / 10 - 1.2, weekend, wind - 2, price]
    return np.column_stack(columns).astype(np.float32), y + NOISE * rng.standard_normal(n)


def error(model):
    """Root mean squared error on new rows."""
    return np.sqrt(np.mean((model.predict(new) - truth) ** 2))


X, y = demand(300_000, seed=0)
new, truth = demand(20_000, seed=1)

# %%
# ``solver=Nystrom(M)`` chooses M centres by randomly pivoted Cholesky, sums over the rows once, and says in
# ``solve_`` which share of the kernel the centres lack.

centers, errors = (50, 150, 450), []
for count in centers:
    start = time.perf_counter()
    model = NTKRegressor(alpha=0.1, solver=Nystrom(count)).fit(X, y)
    seconds = time.perf_counter() - start
    errors.append(error(model))
    print(f"{count} centres: {seconds:.1f} s, error {errors[-1]:.3f}, lacking {model.solve_.lack:.2%}")

# %%
# The alternative that is often taken, an exact fit of few of the rows, cannot use what the others know.

exact = error(NTKRegressor(alpha=0.1, solver="cholesky").fit(X[:2000], y[:2000]))
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.semilogx(centers, errors, "o-", label="300,000 rows on M centres")
ax.axhline(exact, color="C1", linestyle="--", label="2,000 rows, exact")
ax.axhline(NOISE, color="0.4", linestyle=":", label="the noise itself")
ax.set(xlabel="centres M", ylabel="root mean squared error on new rows")
ax.set_xticks(centers, [str(count) for count in centers])
ax.minorticks_off()
ax.legend(frameon=False)
plt.show()
