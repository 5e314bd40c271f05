"""
A certificate of lazy training
==============================

The constants of the lazy-training theorem for a network and its rows, and the run that keeps the promise.
"""

# %%
# Six wines and a smooth network that starts at 0. At scale 10 the theorem applies: it promises
# exponential decay of the loss and a bound on how far the parameters move.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from ntklib.dynamics import Recording, integrate_flow, train
from ntklib.networks import TwoLayerNet
from ntklib.theory import lazy_certificate, path_certificate

wines, cultivar = load_wine(return_X_y=True)
rows = [0, 30, 60, 90, 130, 160]
X, y = StandardScaler().fit_transform(wines)[rows], np.where(cultivar[rows] == 1, 1.0, -1.0)
net = TwoLayerNet(512, activation="erf", input_scaling="fan_in", symmetric=True, scale=10.0)
params = net.init(X.shape[1], random_state=0)
certificate = lazy_certificate(net, params, X, y)
print(certificate)

# %%
# The flow stays below its bound, whatever the time.

times = np.linspace(0, 4 / certificate.rate, 25)
flow = integrate_flow(net, X, y, times, params=params)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.semilogy(times, flow.loss, label="loss of the flow")
ax.semilogy(times, certificate.loss_bound(times), "--", label="certified bound")
ax.set(
    xlabel="time",
    ylabel="loss",
    title=f"moved by {flow.distance[-1]:.3f}, at most {certificate.distance_bound:.3f}",
)
ax.legend(frameon=False)

# %%
# Nothing is certain of scale 1 beforehand. But a run of gradient descent proves a bound about itself,
# from the eigenvalues read on the way.

small = TwoLayerNet(512, activation="erf", input_scaling="fan_in", symmetric=True)
read = ("min_eigenvalue", "max_eigenvalue")
run = train(small, X, y, params=params, steps=60, record=Recording(every=1, monitor_every=5, monitors=read))
proved = path_certificate(run)
print(proved)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
proved.plot(ax)
plt.show()
