"""Fits on workers of their own: the same bytes, also when one of them dies; faults of a cluster are named."""

import builtins
import os
import pickle
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from types import FunctionType, SimpleNamespace

import dask
import numpy as np
import pytest
from dask.base import tokenize
from distributed import Client, LocalCluster
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
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
            before = {worker.address: worker.state.executed_count for worker in four.workers.values()}
            with dask.annotate(workers=workers[:count]):
                fits.append(fit())
            after = {worker.address: worker.state.executed_count for worker in four.workers.values()}
            assert {place for place in workers if after[place] > before[place]} == set(workers[:count])
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


class Fake:
    """A client whose scheduler and only worker answer so; errors are raised when they import ntklib."""

    scheduler = SimpleNamespace(address="tcp://near:1")
    stays = False

    def __init__(self, scheduler=None, worker=None, *, error=None, worker_error=None):
        self.answers = scheduler, worker
        self.error, self.worker_error = error, worker_error
        self.losses, self.status = {}, "running"

    def answer(self, function, there):
        """Call a function where `there` is the version of ntklib, or the error that its import raises."""
        here = ntklib if there is None else SimpleNamespace(__version__=there)
        raising = isinstance(there, Exception)

        def importing(name, *others):
            if name == "ntklib" and raising:
                raise there
            return here if name == "ntklib" else __import__(name, *others)

        own = {"__builtins__": {**vars(builtins), "__import__": importing}}
        return FunctionType(function.__code__, own)()

    def scheduler_info(self):
        return {}

    def run(self, function, on_error):
        there = self.worker_error or self.answer(function, self.answers[1])
        return {"tcp://far:1": there}

    def run_on_scheduler(self, function, **options):
        if self.error is not None:
            raise self.error
        return self.answer(function, self.answers[0])

    def __call__(self, graph, keys, **options):
        for purpose, error in self.losses.items():
            if keys[0][0].startswith(f"ntklib-{purpose}-"):
                self.status = "running" if self.stays else "connecting"
                raise error
        return dask.get(graph, keys, **options)


def test_faults_of_a_cluster_are_named(client, cluster, monkeypatch):
    check_workers(client)
    monkeypatch.setattr(ntklib, "__version__", "99.0")
    with pytest.raises(RuntimeError, match=r"the worker .* has ntklib .*, and this process 99.0: install"):
        check_workers(client)

    for answers, place in (
        (("99.0", ImportError("lost")), r"worker tcp://far:1 cannot import ntklib \(ImportError: lost"),
        (("99.0", RuntimeError("old cache")), "worker tcp://far:1 cannot import .*RuntimeError: old cache"),
        (("99.0", OSError("no libgomp")), r"worker tcp://far:1 cannot import .*OSError: no libgomp"),
        ((ImportError("lost"), "99.0"), "scheduler tcp://near:1 cannot import .*ImportError: lost"),
    ):
        with pytest.raises(RuntimeError, match=rf"{place}.*: install ntklib\[dask\]==99.0"):
            check_workers(Fake(*answers))
    with pytest.raises(RuntimeError, match=r"the worker tcp://far:1 has ntklib 98.0, and this process 99.0"):
        check_workers(Fake("99.0", "98.0"))
    # what is not understood there: Python is another one, for instance
    for fake in (Fake(worker_error=TypeError("code expected")), Fake(error=TypeError("code expected"))):
        with pytest.raises(RuntimeError, match=r"cannot import .*code expected.*same versions of Python and"):
            check_workers(fake)
    check_workers(Fake(worker_error=OSError("a worker that has just left")))
    with pytest.raises(ConnectionError, match=r"tcp://near:1 does not answer \(lost\): see if it runs"):
        check_workers(Fake(error=OSError("lost")))
    gone = Client(cluster, set_as_default=False)
    gone.close()
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = gone
    X, y = make_rows()
    with pytest.raises(ConnectionError, match="is closed: start a new one, client = dask"):
        model.fit(chunked(X), chunked(y))


def test_a_scheduler_without_workers_is_told():
    class Empty(Fake):
        def run(self, function, on_error):
            return {}

    with pytest.warns(
        UserWarning, match=r"tcp://near:1 has no workers as yet.*dask worker tcp://near:1 starts"
    ):
        check_workers(Empty())


@pytest.mark.parametrize("error", [FutureCancelledError("key", "scheduler-lost"), CommClosedError("closed")])
def test_a_scheduler_that_is_lost_during_a_fit_is_named(error):
    client = Fake()
    client.losses = {"merge": error}
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = client
    X, y = make_rows()
    with pytest.raises(
        ConnectionError, match=r"tcp://near:1 was lost during .*: see if .*model.client = client"
    ):
        model.fit(chunked(X), chunked(y))
    # and on the way out
    client = Fake()
    model.client = client
    assert len(model.fit(chunked(X), chunked(y)).dual_coef_) == 12
    # files and the like, while the scheduler is there
    client.losses, client.stays = {"merge": OSError("no such file")}, True
    with pytest.raises(OSError, match="no such file") as caught:
        model.fit(chunked(X), chunked(y))
    assert not isinstance(caught.value, ConnectionError)


def test_chunks_in_memory_of_the_cluster_have_the_same_bytes_too(client):
    X, y = make_rows(np.float32)
    model = DaskNTKRegressor(KERNEL, solver=SOLVER)
    model.client = client
    model.fit(*client.persist([chunked(X), chunked(y)]))
    assert model.dual_coef_.tobytes() == in_blocks(X, y[:, None]).dual_coef.tobytes()
