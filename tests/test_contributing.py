"""The worked example of docs/contributing.md, followed to the letter in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")

CHECK = """
def test_Growth_has_kernels_and_certificates():
    import numpy as np
    from ntklib import NTK, NNGP
    from ntklib.kernels import NumericalActivation
    from ntklib.kernels.activations import Growth
    from ntklib.networks import TwoLayerNet
    from ntklib.theory import lazy_certificate

    X = np.random.default_rng(0).normal(size=(6, 3)) / 2
    own, twin = Growth(0.5), NumericalActivation(lambda z: np.exp(z / 2), lambda z: np.exp(z / 2) / 2)
    for kernel in (NTK, NNGP):
        for depth in (1, 2):
            options = {"bias_std": 0.3, "weight_std": 0.7}
            ours, theirs = (kernel(depth, activation=one, **options)(X) for one in (own, twin))
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    np.testing.assert_array_equal(NTK(activation="growth")(X), NTK(activation=Growth(1.0))(X))
    low, high = np.array([-2.0, 0.5]), np.array([1.0, 0.75])
    points = np.linspace(low, high, 1001)
    first, second = own.derivative_bounds(low, high)
    np.testing.assert_allclose(first, np.abs(own.derivative(points)).max(axis=0))
    np.testing.assert_allclose(second, np.abs(own.second_derivative(points)).max(axis=0))
    net = TwoLayerNet(64, activation=own, symmetric=True)
    certificate = lazy_certificate(net, net.init(3, 0), X[:3], np.ones(3))
    assert 0 < certificate.scale_threshold < np.inf, certificate
"""


def patched(source: str, diff: str) -> str:
    """A file after the edits of a diff without line numbers: lines that stay or go must be there once."""
    place = None
    for line in diff.splitlines():
        sign, text = line[:1], line[1:] + "\n"
        if sign in " -":
            assert source.count(text) == 1, text
            place = source.index(text)
        if sign == " ":
            place += len(text)
        elif sign == "-":
            source = source[:place] + source[place + len(text) :]
        else:
            source = source[:place] + text + source[place:]
            place += len(text)
    return source


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the package and its tests with the activation of the page in it."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("ntklib", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    section = PAGE[PAGE.index("## Adding an activation") : PAGE.index("## Adding a study")]
    steps = re.findall(r"`((?:ntklib|tests)/[\w/]+\.py)`:\n\n```(py|diff)\n(.*?)```", section, flags=re.S)
    assert len(steps) == 6
    for path, kind, text in steps:
        file = folder / path
        source = file.read_text(encoding="utf-8")
        source = f"{source}\n\n{text}" if kind == "py" else patched(source, text)
        file.write_text(source, encoding="utf-8")
    return folder


def test_laws_oracles_kernels_and_certificates_of_the_new_activation(tree):
    files = [f"tests/kernels/test_{name}.py" for name in ("laws", "activations", "growth")]
    (tree / files[-1]).write_text(CHECK, encoding="utf-8")
    # as plain Python: a copy of the loops would be compiled anew, and nothing of the page is compiled
    environment = {**os.environ, "PYTHONPATH": str(tree), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", "Growth", *files]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 6


def test_a_line_that_is_not_there_is_noticed():
    assert patched("a\nb\n", " a\n+c\n-b\n+d") == "a\nc\nd\n"
    with pytest.raises(AssertionError):
        patched("a\n", " b\n+c")
