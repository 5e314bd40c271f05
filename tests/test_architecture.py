"""The layering, read from the imports: each layer imports from itself and from those above it in the list."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ntklib"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 300

LAYERS = [
    {"_jit", "_threads", "_validation", "_blocks", "_files", "_progress", "_scaling"},
    {"plotting"},
    {"kernels"},
    {"networks"},
    {"solvers"},
    {"dynamics"},
    {"estimators"},
    {"theory"},
    {"studies"},
    {"_info", "datasets"},
    {"report"},
    {"cli"},
    {"__init__", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _part(path: Path) -> str:
    """The module or package right below ``ntklib`` that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imported_parts(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Line and part of ntklib of every import in a file, those inside functions included."""
    package = ["ntklib", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            # "from . import x" and "from ntklib import x" name a part, or something of the package itself
            targets = [[*base, alias.name] for alias in node.names] if base == ["ntklib"] else [base]
        else:
            continue
        for target in targets:
            if target[0] == "ntklib":
                part = target[1] if len(target) > 1 else "__init__"
                yield node.lineno, part if part in RANK else "__init__"


def upward_arrows(path: Path, source: str) -> list[str]:
    """Imports of a file that go against the layering."""
    part = _part(path)
    return [
        f"{_name(path)}:{line} is in {part} and imports {target}"
        for line, target in _imported_parts(path, source)
        if RANK[target] > RANK[part]
    ]


def test_every_part_of_the_package_has_a_layer():
    assert {_part(path) for path in MODULES} - set(RANK) == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_follow_the_layers(path):
    assert upward_arrows(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import ntklib.estimators",
        "from ntklib import NTKRegressor",
        "from ntklib.report._page import render_page",
        "from .. import cli",
        "from ..report import analyse",
        "def f():\n    from ..solvers import ridge",
    ],
)
def test_an_upward_arrow_is_found(source):
    assert len(upward_arrows(PACKAGE / "kernels" / "functions.py", source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from .._jit import compiled",
        "from . import functions",
        "import numpy",
        "from .activations import ReLU",
    ],
)
def test_a_downward_arrow_is_not(source):
    assert upward_arrows(PACKAGE / "kernels" / "functions.py", source) == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_are_short_and_finished(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_LINES
    for marker in ("TO" + "DO", "FIX" + "ME", "X" + "XX"):
        assert marker not in source


def _modules_after(imports: str) -> set[str]:
    code = f"import sys, {imports}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


def test_import_is_lean():
    """``import ntklib`` brings nothing that is imported where it is used."""
    loaded = _modules_after("ntklib")
    assert not {"matplotlib", "skops", "ntklib.cli", "ntklib.report", "ntklib.plotting"} & loaded
    # scikit-learn imports pandas by itself in some versions
    assert not {"pandas", "pyarrow"} & (loaded - _modules_after("sklearn.kernel_ridge, numba"))
