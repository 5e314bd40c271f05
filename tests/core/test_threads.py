"""Thread limits, and that no way of running in parallel aborts or gives a wrong number."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time

import joblib
import numpy as np
import pytest
import sklearn
import threadpoolctl

import ntklib
from ntklib._core import threads as _threads
from ntklib.kernels import ntk_kernel

ROWS = np.random.default_rng(0).standard_normal((1200, 6))


def blas_threads():
    return [lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]


def test_same_bytes_at_any_thread_count():
    results = []
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            results.append([ntk_kernel(ROWS, depth=2, bias_std=0.1), ntk_kernel(ROWS, ROWS[:700] + 1)])
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


def test_set_threads_rules_blas_and_restores_it():
    before = blas_threads(), ntklib.get_threads()
    with ntklib.set_threads(1):
        assert set(blas_threads()) == {1}
        assert ntklib.get_threads() == 1
        with ntklib.set_threads(2):
            assert ntklib.get_threads() == 2
        assert ntklib.get_threads() == 1
    assert (blas_threads(), ntklib.get_threads()) == before


def test_set_threads_as_a_call():
    before = ntklib.get_threads()
    setting = ntklib.set_threads(1)
    assert ntklib.get_threads() == 1
    assert "1" in repr(setting)
    setting.__exit__(None, None, None)
    assert ntklib.get_threads() == before


class Block:
    """A ``with set_threads(n)`` block in a thread of its own, entered and left when told to."""

    def __init__(self, n):
        self.go, self.entered = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, args=(n,))
        self.thread.start()
        assert self.entered.wait(30)

    def run(self, n):
        with ntklib.set_threads(n):
            self.entered.set()
            self.go.wait(30)

    def leave(self):
        self.go.set()
        self.thread.join(30)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overlapping_blocks_end_in_any_order(order):
    before = blas_threads(), ntklib.get_threads()
    numbers = (1, 3, 2)
    blocks = [Block(n) for n in numbers]
    left = list(range(3))
    for index in order:
        assert ntklib.get_threads() == numbers[left[-1]]  # the newest block still open rules
        assert (set(blas_threads()) == {1}) == (numbers[left[-1]] == 1)
        blocks[index].leave()
        left.remove(index)
    assert (blas_threads(), ntklib.get_threads()) == before


def test_blocks_and_pools_overlap():
    before = blas_threads(), ntklib.get_threads()
    inside, leave = threading.Event(), threading.Event()

    def work(_):
        inside.set()
        leave.wait(30)

    pool = threading.Thread(target=_threads.parallel_for, args=(work, range(2)), kwargs={"threads": 2})
    pool.start()
    assert inside.wait(30)
    block = Block(1)  # begins while the pool holds BLAS at one thread
    leave.set()
    pool.join(30)
    assert set(blas_threads()) == {1}
    block.leave()
    assert (blas_threads(), ntklib.get_threads()) == before


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pool_within_a_pool_leaves_the_outer_one_its_limit(threads):
    seen = []

    def inner(_):
        seen.append(set(blas_threads()))

    def outer(_):
        _threads.parallel_for(inner, range(2), threads=threads)
        seen.append(set(blas_threads()))

    before = blas_threads()
    with ntklib.set_threads(2):
        assert set(blas_threads()) == {2}
        _threads.parallel_for(outer, range(3), threads=threads)
        assert set(blas_threads()) == {2}
    assert blas_threads() == before
    assert seen == [{1}] * 9


def test_a_setting_for_good_outlives_the_block_around_it():
    before = blas_threads(), ntklib.get_threads()
    block = Block(1)
    setting = ntklib.set_threads(3)
    block.leave()
    assert ntklib.get_threads() == 3
    setting.__exit__(None, None, None)
    assert (blas_threads(), ntklib.get_threads()) == before


def test_settings_for_good_replace_each_other_and_none_gives_blas_back():
    before = blas_threads(), ntklib.get_threads()
    for n in (1, 3, 1, 3):
        ntklib.set_threads(n)
    assert ntklib.get_threads() == 3
    assert len(_threads._blas_threads.claims) == 2  # the last one, and the one it replaced
    ntklib.set_threads(None)
    assert (blas_threads(), ntklib.get_threads()) == before


def test_no_call_leaves_a_setting_changed():
    before = blas_threads()
    ntk_kernel(ROWS)
    assert blas_threads() == before
    with pytest.raises(ZeroDivisionError):
        _threads.parallel_for(lambda item: 1 / item, [1, 0, 1], threads=2)
    assert blas_threads() == before


def test_follows_a_limit_set_outside():
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert ntklib.get_threads() == 1


def gram():
    return ntk_kernel(ROWS, depth=2, bias_std=0.1)


def test_workers_of_joblib_share_the_processors():
    """Two workers have half of them each, or what the user gives them; their numbers are ours."""
    ask = [joblib.delayed(ntklib.get_threads)()] * 2
    half = max(joblib.cpu_count() // 2, 1)
    for options, threads in (({}, half), ({"inner_max_num_threads": 1}, 1)):
        with joblib.parallel_config(backend="loky", n_jobs=2, **options):
            assert joblib.Parallel()(ask) == [threads] * 2
            if threads == half:
                grams = joblib.Parallel()([joblib.delayed(ntk_kernel)(ROWS, depth=2, bias_std=0.1)] * 3)
    assert all(np.array_equal(K, gram()) for K in grams)


def test_threads_of_joblib_and_of_python():
    expected = gram()
    grams = joblib.Parallel(n_jobs=3, prefer="threads")([joblib.delayed(gram)()] * 6)
    assert all(np.array_equal(K, expected) for K in grams)
    same = []
    threads = [
        threading.Thread(target=lambda: same.append(np.array_equal(gram(), expected))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(grams) == 6
    assert all(np.array_equal(K, expected) for K in grams)


def test_no_more_threads_than_processors_allowed(monkeypatch):
    """A container's limit or joblib's holds for libraries that take all processors by themselves."""
    for name in _threads._TOLD:
        monkeypatch.delenv(name, raising=False)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
        assert ntklib.get_threads() == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the user's own word
        assert ntklib.get_threads() == 2
        monkeypatch.delenv("OMP_NUM_THREADS")
        with ntklib.set_threads(3):
            assert ntklib.get_threads() == 3


@pytest.mark.parametrize("way", ["in", "out"])
def test_an_interrupt_while_limits_are_set_leaves_none(way, monkeypatch):
    before, calls, limit = blas_threads(), [], _threads._limit

    def interrupted(library, threads):
        calls.append(threads)
        if len(calls) == (1 if way == "in" else len(before) + 1):
            raise KeyboardInterrupt
        limit(library, threads)

    monkeypatch.setattr(_threads, "_limit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _threads.parallel_for(lambda item: None, range(2))
    if way == "out":  # the next call ends what was left
        _threads.parallel_for(lambda item: None, range(2))
    assert blas_threads() == before


@pytest.mark.parametrize("bad", [0, -1])
def test_less_than_one_thread_is_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        ntklib.set_threads(bad)


@pytest.mark.parametrize("bad", [1.5, "2", True])
def test_not_an_integer_is_refused(bad):
    with pytest.raises(TypeError, match="must be an integer"):
        ntklib.set_threads(bad)


def test_first_exception_stops_the_rest():
    seen = []

    def work(item):
        seen.append(item)
        if item == 0:
            raise KeyboardInterrupt
        time.sleep(0.001)

    with pytest.raises(KeyboardInterrupt):
        _threads.parallel_for(work, range(10_000), threads=2)
    assert len(seen) < 10_000


def test_of_several_exceptions_that_of_the_first_item_is_raised():
    def fail(item):
        if item == 0:
            time.sleep(0.05)  # long enough for the other thread to fail first
        raise ValueError(f"item {item}")

    for threads in (1, 2, 3):
        with pytest.raises(ValueError, match="item 0"):
            _threads.parallel_for(fail, range(10), threads=threads)


def test_the_caller_is_one_of_the_threads():
    idents = {}
    both = threading.Barrier(2, timeout=30)

    def work(item):
        both.wait()  # neither can take two items
        idents[item] = threading.get_ident()

    _threads.parallel_for(work, range(2), threads=2)
    assert threading.get_ident() in idents.values()
    assert len(set(idents.values())) == 2


SETUP = """
    import numpy as np
    from ntklib.kernels import ntk_kernel
    X = np.random.default_rng(0).standard_normal((600, 6))
    def gram(shift=0.0):
        return ntk_kernel(X + shift, depth=2, bias_std=0.1)
    expected = gram()
"""

WAYS = {
    "fork": """
        import multiprocessing
        def child(queue):
            queue.put(np.array_equal(gram(), expected))
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        assert queue.get(timeout=60)
        process.join(60)
        assert process.exitcode == 0
        assert np.array_equal(gram(), expected)
    """,
    "fork while a pool runs": """
        import multiprocessing, threading
        def child(queue):
            queue.put(np.array_equal(gram(), expected))
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                gram()
        thread = threading.Thread(target=busy)
        thread.start()
        process = context.Process(target=child, args=(queue,))
        process.start()
        assert queue.get(timeout=60)
        process.join(60)
        stop.set()
        thread.join(60)
        assert process.exitcode == 0
    """,
    "fork while another thread is in a block": """
        import multiprocessing, threading, ntklib
        before = ntklib.get_threads()
        entered, leave = threading.Event(), threading.Event()
        def block():
            with ntklib.set_threads(before + 1):
                entered.set()
                leave.wait(60)
        thread = threading.Thread(target=block)
        thread.start()
        assert entered.wait(60)
        def child(queue):
            queue.put(ntklib.get_threads())
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        assert queue.get(timeout=60) == before
        process.join(60)
        leave.set()
        thread.join(60)
        assert process.exitcode == 0
    """,
}


def test_ways_to_fork(tmp_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.fail("this platform has no fork; the library supports those that have")
    script = tmp_path / "way.py"
    script.write_text("".join(map(textwrap.dedent, (SETUP, *WAYS.values()))))
    run = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr


def test_threads_have_the_callers_configuration():
    seen = []
    with sklearn.config_context(working_memory=7):
        _threads.parallel_for(
            lambda _: seen.append(sklearn.get_config()["working_memory"]), range(4), threads=2
        )
    assert seen == [7] * 4
