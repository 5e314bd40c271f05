"""Memory that is left, within the limits of control groups, and the words where it does not suffice."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ntklib import ArcCosineFeatures, NTKClassifier, NTKRegressor, NTKRegressorCV, NystromFeatures
from ntklib._core import blocks, cgroups
from ntklib.kernels import NTK, Laplace
from ntklib.solvers import ConjugateGradient, Nystrom

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X[:, 0]


def group(folder, version, limit, used, cached):
    """Write what the kernel writes of a group."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")][
        version - 1
    ]
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    inactive = "total_inactive_file" if version == 1 else "inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{inactive} {cached}\nfile 9\n")


def found(monkeypatch, root, lines):
    own = root / "own"
    own.write_text(lines)
    groups = tuple(cgroups.limited_groups(root, own))
    monkeypatch.setattr(cgroups, "_own_groups", lambda: groups)
    return blocks.group_memory()


def test_limits_of_version_2_count_and_so_do_those_of_groups_above(tmp_path, monkeypatch):
    group(tmp_path / "job/step", 2, "max", 500, 0)
    assert found(monkeypatch, tmp_path, "0::/job/step\n") is None
    group(tmp_path / "job", 2, 10_000, 4_000, 300)
    assert found(monkeypatch, tmp_path, "0::/job/step\n") == 6_300
    group(tmp_path / "job/step", 2, 2_000, 500, 0)
    assert found(monkeypatch, tmp_path, "0::/job/step\n") == 1_500
    assert blocks.available_memory() == 1_500
    assert found(monkeypatch, tmp_path, "0::/other\n") is None


def test_limits_of_version_1_and_of_a_container_whose_place_is_that_on_the_host(tmp_path, monkeypatch):
    lines = "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n"
    group(tmp_path / "memory", 1, 2**63 - 4096, 500, 0)
    assert found(monkeypatch, tmp_path, lines) is None
    group(tmp_path / "memory", 1, 9_000, 500, 100)
    assert found(monkeypatch, tmp_path, lines) == 8_600
    group(tmp_path / "memory/docker/abc", 1, 700, 900, 0)  # more than the limit: nothing is left
    assert found(monkeypatch, tmp_path, lines) == 0


def test_no_control_groups_are_no_limit(tmp_path):
    assert list(cgroups.limited_groups(tmp_path, tmp_path / "missing")) == []
    (tmp_path / "own").write_text("nonsense\n0::\n:memory\n")
    assert list(cgroups.limited_groups(tmp_path, tmp_path / "own")) == []


def refusal(monkeypatch, call, free=3_000):
    monkeypatch.setattr(blocks, "available_memory", lambda: free)
    with pytest.raises(MemoryError) as caught:
        call()
    monkeypatch.undo()
    return str(caught.value)


KERNEL = NTK(bias_std=1.0)


@pytest.mark.parametrize(
    ("call", "helps", "does_not"),
    [
        (lambda: NTKRegressor(KERNEL, solver="cholesky").fit(X, Y), ["subsample", "float32", "nystrom"], []),
        (
            lambda: NTKRegressor(KERNEL, solver=Nystrom(50)).fit(X, Y),
            ["smaller n_centers"],
            ["float32", "subs"],
        ),
        (lambda: NTKRegressor(KERNEL, solver=Nystrom(8)).fit(X, Y), ["n_centers or subset"], ["float32"]),
        (lambda: NTKRegressor(KERNEL, solver=ConjugateGradient(9)).fit(X, Y), ["smaller rank"], ["float32"]),
        (
            lambda: NTKRegressor(KERNEL, solver=Nystrom(50)).partial_fit(X, Y),
            ["smaller n_centers"],
            ["float32"],
        ),
        (
            lambda: NTKClassifier(KERNEL, solver=Nystrom(8, n_init=99)).partial_fit(X, Y > 0, classes=[0, 1]),
            ["n_centers or subset"],
            ["float32"],
        ),
        (lambda: NTKRegressorCV([KERNEL], solver=Nystrom(50)).fit(X, Y), ["smaller n_centers"], ["float32"]),
        (lambda: NystromFeatures(KERNEL, n_components=50).fit(X), ["n_components or subset"], ["float32"]),
        (lambda: ArcCosineFeatures(1, 400).fit(X), ["fewer n_components"], ["float32", "nystrom"]),
    ],
)
def test_what_is_advised_can_help(call, helps, does_not, monkeypatch):
    message = refusal(monkeypatch, call)
    assert all(word in message for word in helps), message
    assert not any(word in message for word in does_not), message


def test_predictions_of_a_fit_on_centres_do_not_advise_centres(monkeypatch):
    model = NTKRegressor(KERNEL, solver=Nystrom(8)).fit(X, Y)
    for options, way in (({"return_std": True}, "working_memory"), ({"return_cov": True}, "working_memory")):
        message = refusal(monkeypatch, lambda options=options: model.predict(X, **options))
        assert way in message
        assert "nystrom" not in message
    message = refusal(monkeypatch, lambda: model.predict(X, return_cov=True), free=200 * 200 * 8 - 1)
    assert "ask for fewer rows" in message
    assert "float32" not in message


def test_gradients_of_a_gram_matrix_are_float64_and_no_solver_saves_them(monkeypatch):
    for kernel in (KERNEL, Laplace(2.0)):
        message = refusal(monkeypatch, lambda kernel=kernel: kernel(X, eval_gradient=True), free=500_000)
        assert message.endswith("are available; subsample the rows.")


@pytest.mark.skipif(not os.path.exists("/proc/self/cgroup"), reason="no control groups here")
def test_the_groups_of_this_process_are_read():
    code = "from ntklib._core import blocks; print(blocks.available_memory() > 0)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"
