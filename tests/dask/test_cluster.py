"""Fits on workers of their own: the same bytes, also when one of them dies; faults of a cluster are named."""

import os
import pickle
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from dask.base import tokenize
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context
from sklearn.base import clone

import ntklib
from ntklib import NTK, ArcCosine, EmpiricalNTK, Laplace, NTKRegressorCV
from ntklib._core.progress import Gauge
from ntklib.dask import DaskNTKClassifierCV, DaskNTKRegressor, DaskNTKRegressorCV, check_workers
from ntklib.estimators.rows import RowView
from ntklib.kernels import Erf
from ntklib.networks import MLP
from ntklib.solvers import Nystrom

from .helpers import KERNEL, SIZES, SOLVER, N, chunked, in_blocks, make_rows


@pytest.fixture(scope="module")
def processes():
    """Where processes come from: a server that has imported what they need, once for all of them."""
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        context = get_mp_context()
        context.set_forkserver_preload(["distributed", "ntklib.dask"])
        yield context


@pytest.fixture(scope="module")
def cluster(processes):
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster, set_as_default=False) as client:
        yield client


def deadly_kernel(folder, marker, fatal):
    """A kernel that kills the worker when a block with some row is met for one of the fatal times."""
    here = os.getpid()

    def kernel(X, Y):
        if os.getpid() != here and len(X) == 40 and X[0, 0] == marker:
            meetings = len(os.listdir(folder)) + 1
            (folder / str(meetings)).touch()
            if meetings in fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return KERNEL(X, Y)

    return kernel


def test_workers_that_die_in_the_middle_of_both_passes_change_no_byte(client, tmp_path):
    X, y = make_rows()
    kernel = deadly_kernel(tmp_path, X[60 * 2 + 40, 0], (1, 3))  # sums, sums again, leave-one-out
    options = {"solver": SOLVER, "max_search_samples": 50, "alphas": [0.1, 1.0]}
    model = DaskNTKRegressorCV([kernel], **options)
    model.client = client
    model.fit(chunked(X), chunked(y))
    assert len(list(tmp_path.iterdir())) > 4  # sums, leave-one-out, residuals, and two once more
    local = NTKRegressorCV([kernel], **options).fit(RowView(X, ends=tuple(np.cumsum(SIZES))), y)
    assert model.dual_coef_.tobytes() == local.dual_coef_.tobytes()
    assert model.loo_path_.scores.tobytes() == local.loo_path_.scores.tobytes()


def test_any_number_of_workers_gives_the_same_bytes(client, processes):
    X, y = make_rows()
    Z, labels = chunked(X), chunked(y > 0)

    def fit():
        model = DaskNTKClassifierCV([KERNEL], solver=SOLVER, max_search_samples=50, alphas=[0.1, 1.0])
        return model.fit(Z, labels)

    fits = []
    with client.as_current():
        fits.append(fit())
    with (
        LocalCluster(n_workers=4, threads_per_worker=1, processes=False, dashboard_address=":0") as four,
        Client(four, set_as_default=False) as inner,
        inner.as_current(),
    ):
        workers = list(inner.scheduler_info(n_workers=-1)["workers"])
        for count in (1, 2, 4):
            with dask.annotate(workers=workers[:count]):
                fits.append(fit())
    with dask.config.set(scheduler="synchronous"):
        fits.append(fit())
    with dask.config.set(scheduler="threads", num_workers=3):
        fits.append(fit())
    with (
        ProcessPoolExecutor(1, mp_context=processes) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        fits.append(fit())
    answers = {(one.dual_coef_.tobytes(), one.temperature_, one.best_score_, one.alpha_) for one in fits}
    assert len(answers) == 1


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_progress_is_that_of_the_tasks_wherever_they_run(client, monkeypatch, capsys, where):
    reached = []
    reach = Gauge.reach

    def recording(gauge, done, note=""):
        if gauge.title.startswith("sums on"):
            reached.append(done)
        reach(gauge, done, note)

    monkeypatch.setattr(Gauge, "reach", recording)
    monkeypatch.setattr("ntklib.dask._progress.PAUSE", 0.02)

    def slow(X, Y):
        time.sleep(0.05)
        return KERNEL(X, Y)

    X, y = make_rows()
    model = DaskNTKRegressor(slow, solver=SOLVER, verbose=2)
    with dask.config.set(scheduler="threads", num_workers=2):
        if where == "cluster":
            model.client = client
        model.fit(chunked(X), chunked(y))
    assert reached == sorted(reached)
    assert reached[-1] == N
    assert any(0 < done < N for done in reached)
    lines = capsys.readouterr().err
    for title in ("checking chunks", "reading 300 rows", "sums on 12 centres", "residuals in float64"):
        assert f"{title}: " in lines
    assert model.to_local().verbose == 2


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
        scheduler = SimpleNamespace(address="tcp://near:1")

        def __init__(self, scheduler, worker):
            self.answers = scheduler, worker

        def run(self, function, on_error):
            return {"tcp://far:1": self.answers[1]}

        def run_on_scheduler(self, function):
            if isinstance(self.answers[0], Exception):
                raise self.answers[0]
            return self.answers[0]

    lacking = ModuleNotFoundError("No module named 'ntklib'")
    for answers, place in (
        (("99.0", lacking), "worker tcp://far:1"),
        ((lacking, "99.0"), "scheduler tcp://near:1"),
    ):
        with pytest.raises(
            RuntimeError, match=rf"{place} cannot import ntklib .*: install ntklib\[dask\]==99.0"
        ):
            check_workers(Bare(*answers))
    with pytest.raises(RuntimeError, match=r"the worker tcp://far:1 has ntklib 98.0, and this process 99.0"):
        check_workers(Bare("99.0", "98.0"))
    with pytest.raises(ConnectionError, match=r"tcp://near:1 does not answer \(lost\): see if it runs"):
        check_workers(Bare(OSError("lost"), "99.0"))
    gone = Client(cluster, set_as_default=False)
    gone.close()
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = gone
    X, y = make_rows()
    with pytest.raises(ConnectionError, match="is closed: start a new one, client = dask"):
        model.fit(chunked(X), chunked(y))


def test_chunks_in_memory_of_the_cluster_have_the_same_bytes_too(client):
    X, y = make_rows(np.float32)
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = client
    model.fit(*client.persist([chunked(X), chunked(y)]))
    assert model.dual_coef_.tobytes() == in_blocks(X, y[:, None]).dual_coef.tobytes()
