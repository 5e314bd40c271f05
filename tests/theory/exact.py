"""The constants of the theorems in fifty digits: two-layer networks written down in mpmath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

from tests import naive_networks as naive

DIGITS = 50


def _logistic(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z))


FUNCTIONS: dict[str, tuple[Any, Any]] = {
    "Erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)),
    "Softplus": (lambda z: mp.log(1 + mp.exp(z)), _logistic),
    "Tanh": (mp.tanh, lambda z: 1 - mp.tanh(z) ** 2),
    "GELU": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)),
    "Sin": (mp.sin, mp.cos),
    "RectifiedPower": (lambda z: max(z, 0) ** 2, lambda z: 2 * max(z, 0)),
}


@dataclass(frozen=True)
class Exact:
    """Outputs at scale 1, eigenvalues of J J^T in ascending order, as mpmath numbers."""

    h0: list[Any]
    eigenvalues: list[Any]

    def residual(self, y: np.ndarray, scale: float) -> Any:
        """|h_0 - y/alpha|."""
        with mp.workdps(DIGITS):
            pairs = zip(self.h0, y.ravel().tolist(), strict=True)
            return mp.sqrt(sum((h - mp.mpf(t) / mp.mpf(scale)) ** 2 for h, t in pairs))

    @property
    def sigma_min(self) -> Any:
        """The smallest singular value."""
        with mp.workdps(DIGITS):
            return mp.sqrt(max(self.eigenvalues[0], 0))

    @property
    def sigma_max(self) -> Any:
        """The largest one."""
        with mp.workdps(DIGITS):
            return mp.sqrt(self.eigenvalues[-1])


def exact(net: Any, params: Any, X: np.ndarray) -> Exact:
    """Compute everything from the definitions: multipliers, neurons, columns of the Jacobian."""
    with mp.workdps(DIGITS):
        return _exact(net, params, X)


def _exact(net: Any, params: Any, X: np.ndarray) -> Exact:
    sigma, slope = FUNCTIONS[type(naive.activation_of(net)).__name__]
    n, d = X.shape
    k, m = net.n_outputs, net.width
    std, bias = mp.mpf(net.weight_std), mp.mpf(net.bias_std)
    inside = net.parameterization in ("standard", "mup")
    first = 1 if inside else std / (mp.sqrt(d) if net.input_scaling == "fan_in" else 1)
    last = 1 if inside else std / (m if net.parameterization == "mean_field" else mp.sqrt(m))
    rows = [[first * mp.mpf(float(value)) for value in x] for x in X]
    if bias:
        rows = [[*x, 1 if inside else bias] for x in rows]
    prefixes = {"": last / mp.sqrt(2), "mirror_": -last / mp.sqrt(2)} if net.symmetric else {"": last}
    h0 = [[mp.mpf(0)] * k for _ in range(n)]
    columns = []  # of the Jacobian: n k numbers each
    for prefix, c in prefixes.items():
        v = params[f"{prefix}W1"]
        for r in range(m):
            theta = [mp.mpf(float(w)) for w in params[f"{prefix}W0"][r]]
            theta += [mp.mpf(float(params[f"{prefix}b0"][r]))] if bias else []
            z = [mp.fdot(theta, x) for x in rows]
            out = [mp.mpf(float(v[o, r])) for o in range(k)]
            for o in range(k):
                for i in range(n):
                    h0[i][o] += c * out[o] * sigma(z[i])
            if net.trainable != "output":
                for a in range(len(theta)):
                    columns.append(
                        [c * out[o] * slope(z[i]) * rows[i][a] for i in range(n) for o in range(k)]
                    )
            if net.trainable != "hidden":
                for o in range(k):
                    columns.append([c * sigma(z[i]) * (p == o) for i in range(n) for p in range(k)])
        if bias:
            unit = (1 if inside else bias) * (c / last)
            for o in range(k):
                b = mp.mpf(float(params[f"{prefix}b1"][o]))
                for i in range(n):
                    h0[i][o] += unit * b
                if net.trainable != "hidden":
                    columns.append([unit * (p == o) for i in range(n) for p in range(k)])
    order = n * k
    gram = mp.matrix(order, order)
    for i in range(order):
        for j in range(i + 1):
            gram[i, j] = gram[j, i] = mp.fsum(column[i] * column[j] for column in columns)
    eigenvalues = sorted(mp.eigsy(gram, eigvals_only=True))
    return Exact([value for row in h0 for value in row], eigenvalues)
