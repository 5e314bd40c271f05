"""Fits on workers of their own: the same bytes, also when one of them dies; faults of a cluster are named."""

import os
import pickle
import signal

import dask
import numpy as np
import pytest
from dask.base import tokenize
from distributed import Client, LocalCluster
from sklearn.base import clone

import ntklib
from ntklib import NTK, ArcCosine, EmpiricalNTK, Laplace
from ntklib.dask import DaskNTKClassifier, DaskNTKRegressor
from ntklib.dask._client import check_workers
from ntklib.kernels import Erf
from ntklib.networks import MLP
from ntklib.solvers import Nystrom

from .helpers import KERNEL, SOLVER, chunked, in_blocks, make_rows


@pytest.fixture(scope="module")
def cluster():
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster, set_as_default=False) as client:
        yield client


def deadly_kernel(folder, marker, times):
    """A kernel that kills the worker when it meets a row, as many times as there may be files."""
    here = os.getpid()

    def kernel(X, Y):
        if os.getpid() != here and len(X) == 40 and X[0, 0] == marker:
            deaths = len(os.listdir(folder))
            if deaths < times:
                (folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return KERNEL(X, Y)

    return kernel


def test_a_worker_that_dies_in_the_middle_changes_no_byte(client, tmp_path):
    X, y = make_rows()
    kernel = deadly_kernel(tmp_path, X[60 * 2 + 40, 0], 1)
    model = DaskNTKRegressor(kernel, solver=SOLVER)
    model.client = client
    model.fit(chunked(X), chunked(y))
    assert len(list(tmp_path.iterdir())) == 1
    assert model.dual_coef_.tobytes() == in_blocks(X, y[:, None]).dual_coef.tobytes()


def test_one_worker_and_two_give_the_same_bytes(client):
    X, y = make_rows()
    Z, labels = chunked(X), chunked(y > 0)
    fits = []
    workers = list(client.scheduler_info()["workers"])
    for some in (workers, workers[:1]):
        with dask.annotate(workers=some):
            model = DaskNTKClassifier(KERNEL, solver=SOLVER)
            model.client = client
            fits.append(model.fit(Z, labels))
    with dask.config.set(scheduler="synchronous"):
        fits.append(DaskNTKClassifier(KERNEL, solver=SOLVER).fit(Z, labels))
    assert len({(fit.dual_coef_.tobytes(), fit.temperature_) for fit in fits}) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda depth: NTK(depth=depth, activation=Erf()),
        lambda depth: Laplace(depth) + ArcCosine(1),
        lambda depth: EmpiricalNTK(MLP((4,) * depth)),
        lambda depth: Nystrom(depth, centers=np.eye(3)),
    ],
)
def test_tokens_follow_from_parameters_alone(client, make):
    one, other = make(2), make(2)
    if callable(one):
        one(np.eye(3))  # what it keeps for speed has no part
    assert tokenize(one) == tokenize(other) != tokenize(make(3))
    # here and on a worker
    assert client.submit(tokenize, make(2), key="ntklib-token-" + tokenize(make(2))).result() == tokenize(one)


def test_the_client_is_no_parameter(client, monkeypatch):
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    assert model.client is None
    model.client = client
    assert model.client is client
    assert clone(model).client is None
    assert pickle.loads(pickle.dumps(model)).client is None
    assert "client" not in model.get_params()
    with client.as_current():
        assert clone(model).client is client
    model.client = None
    assert model.client is None
    with pytest.raises(TypeError, match="Client or None, got str"):
        model.client = "tcp://127.0.0.1:1"


def test_faults_of_a_cluster_are_named(client, cluster, monkeypatch):
    check_workers(client)
    monkeypatch.setattr(ntklib, "__version__", "99.0")
    with pytest.raises(RuntimeError, match=r"the worker .* has ntklib .*, and this process 99.0: install"):
        check_workers(client)

    class Bare:
        status = "running"

        def run(self, function, on_error):
            return {"tcp://far:1": ModuleNotFoundError("No module named 'ntklib'")}

    with pytest.raises(
        RuntimeError, match=r"tcp://far:1 cannot import ntklib .*: install ntklib\[dask\]==99.0"
    ):
        check_workers(Bare())
    gone = Client(cluster, set_as_default=False)
    gone.close()
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = gone
    X, y = make_rows()
    with pytest.raises(ConnectionError, match="is closed: start a new one, client = dask"):
        model.fit(chunked(X), chunked(y))


def test_single_precision_has_the_same_bytes_too(client):
    X, y = make_rows(np.float32)
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = client
    model.fit(chunked(X), chunked(y))
    assert model.dual_coef_.tobytes() == in_blocks(X, y[:, None]).dual_coef.tobytes()
