"""Structure of the package, read from its imports: layers, privacy, circles, sizes, names."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ntklib"
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 500

LAYERS = [
    {"_core"},
    {"plotting"},
    {"kernels"},
    {"networks"},
    {"solvers"},
    {"dynamics"},
    {"estimators"},
    {"theory"},
    {"_info"},
    {"__init__"},
    {"dask"},
    {"lab"},
    {"__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


class Import(NamedTuple):
    line: int
    module: str
    name: str | None  # of what is taken from the module; None for the module itself


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def imports(path: Path, source: str) -> list[Import]:
    """Imports from ntklib in a file, those inside functions included, those for type checkers left out."""
    tree = ast.parse(source)
    unseen = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    package = package_of(path).split(".")
    found = []
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "ntklib":
                    found.append(Import(node.lineno, alias.name, None))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module.split(".")[0] == "ntklib":
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    # a package may have a module and a function of one name; the function is what is imported
                    if inner in MODULES and alias.name not in exported(module):
                        found.append(Import(node.lineno, inner, None))
                    else:
                        found.append(Import(node.lineno, module, alias.name))
    return found


@cache
def exported(module: str) -> frozenset[str]:
    """Names in ``__all__`` of a module."""
    if module not in MODULES:
        return frozenset()
    return frozenset(exports(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def part_of(module: str) -> str:
    """The module or package right below ``ntklib`` that a module belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def upward(path: Path, source: str) -> list[str]:
    """Imports that go against the layers."""
    part = part_of(module_of(path))
    return [
        f"{path.relative_to(ROOT)}:{line} is in {part} and imports {module}"
        for line, module, name in imports(path, source)
        if RANK[part_of(module)] > RANK[part] and not (part == "__init__" and name is None)
    ]


def private(path: Path, source: str) -> list[str]:
    """Imports of a module or name with an underscore from outside the folder that it belongs to."""
    package = package_of(path)
    wrong = []
    for line, module, name in imports(path, source):
        parts = module.split(".")
        owners = [
            ".".join(parts[:i]) for i, part in enumerate(parts) if part.startswith("_") and part != "_core"
        ]
        if name is not None and name.startswith("_") and not name.startswith("__"):
            owners.append(module)
        if any(package != owner and not package.startswith(owner + ".") for owner in owners):
            wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module} {name or ''}")
    return wrong


def unpublished(path: Path, source: str) -> list[str]:
    """Imports by the laboratory from the library of something that is no public name."""
    wrong = []
    for line, module, name in imports(path, source):
        part = part_of(module)
        if part in {"lab", "_core", "_info"}:
            continue
        if module.count(".") > 1 or (
            name is not None and name not in exported(module) and name != "__version__"
        ):
            wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module} {name or ''}")
    return wrong


def missing(path: Path, source: str) -> list[str]:
    """Names in ``__all__`` of a file that it does not define or import."""
    tree = ast.parse(source)
    names = set()
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        todo += ast.iter_child_nodes(node)
    module = module_of(path)
    return [name for name in exports(tree) if name not in names and f"{module}.{name}" not in MODULES]


def exports(tree: ast.Module) -> list[str]:
    """Names in ``__all__``, in its order."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def circles() -> list[list[str]]:
    """Sets of files that import each other in a circle."""
    arrows = defaultdict(set)
    for module, path in MODULES.items():
        for _, target, _ in imports(path, path.read_text(encoding="utf-8")):
            if target != module and target in MODULES:
                arrows[module].add(target)
    # Tarjan's strongly connected components
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    result: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in arrows[module]:
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            part = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(part) > 1:
                result.append(sorted(part))

    for module in MODULES:
        if module not in order:
            visit(module)
    return result


def classes() -> dict[str, list[str]]:
    """Files by the name of the class that they define."""
    places = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    return places


def check(rule) -> list[str]:
    return [fault for path in FILES for fault in rule(path, path.read_text(encoding="utf-8"))]


def test_every_part_of_the_package_has_a_layer():
    assert {part_of(module) for module in MODULES} - set(RANK) == set()


def test_imports_follow_the_layers():
    assert check(upward) == []


def test_no_private_module_or_name_is_imported_from_another_package():
    assert check(private) == []


def test_names_that_a_file_exports_are_there():
    assert [fault for path in FILES for fault in missing(path, path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('__all__ = ["x", "f", "y", "kernels"]\nfrom .a import b as y\nx = 1\ndef f(): pass', []),
        ('__all__ = ["x", "y"]\ndef f():\n    x = 1\n    from .a import y', ["x", "y"]),
    ],
)
def test_an_exported_name_that_is_missing_is_found(source, names):
    assert missing(PACKAGE / "__init__.py", source) == names


def test_the_laboratory_uses_public_names_of_the_library():
    lab = [path for path in FILES if part_of(module_of(path)) == "lab"]
    assert [fault for path in lab for fault in unpublished(path, path.read_text(encoding="utf-8"))] == []


def test_no_files_import_each_other_in_a_circle():
    assert circles() == []


def test_classes_have_names_of_their_own():
    assert {name: places for name, places in classes().items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import ntklib.estimators",
        "from ntklib import NTKRegressor",
        "from ntklib.lab.report import analyse",
        "from .. import lab",
        "def f():\n    from ..solvers import ridge",
    ],
)
def test_an_upward_arrow_is_found(source):
    assert len(upward(PACKAGE / "kernels" / "functions.py", source)) == 1


@pytest.mark.parametrize(
    "source", ["from .._core.jit import compiled", "from . import functions", "import numpy", "import scipy"]
)
def test_a_downward_arrow_is_not(source):
    assert upward(PACKAGE / "kernels" / "functions.py", source) == []


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("from ntklib.kernels.duals._smooth import SmoothDual", 1),
        ("from ..duals import _smooth", 1),
        ("from .objects import _helper", 1),
        ("from ._suprema import supremum", 0),
        ("from ntklib._core.jit import compiled", 0),
    ],
)
def test_a_private_import_is_found(source, faults):
    assert len(private(PACKAGE / "kernels" / "functions.py", source)) == faults


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("from ntklib.kernels import NTK", 0),
        ("from ntklib.kernels.objects import NTK", 1),
        ("from ntklib.kernels import Rows", 1),
        ("from ntklib._core.files import plain", 0),
        ("from ntklib import NTKRegressor", 0),
    ],
)
def test_a_name_that_is_not_public_is_found(source, faults):
    assert len(unpublished(PACKAGE / "lab" / "study.py", source)) == faults


def unfinished(path: Path, source: str) -> list[str]:
    """Marks of a file that is too long or not finished."""
    marks = [marker for marker in ("TO" + "DO", "FIX" + "ME", "X" + "XX") if marker in source]
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        marks.append(f"{lines} lines")
    return [f"{path.relative_to(ROOT)}: {mark}" for mark in marks]


def test_files_are_short_and_finished():
    assert check(unfinished) == []


@pytest.mark.parametrize("source", ["# TO" + "DO: more", "x = 1\n" * (MAX_LINES + 1)], ids=["mark", "long"])
def test_an_unfinished_or_long_file_is_found(source):
    assert len(unfinished(PACKAGE / "__init__.py", source)) == 1


LAZY = """
import sys
import sklearn.kernel_ridge, sklearn.gaussian_process, numba; print(*sys.modules)
import ntklib; print(*sys.modules)
import ntklib.plotting, ntklib.lab.cli; print(*sys.modules)
ntklib.lab.studies.width_study; print(*sys.modules)
"""


def test_imports_are_lean():
    """They bring nothing that is imported where it is used."""
    run = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=True, cwd=ROOT)
    before, package, parts, studies = (set(line.split()) for line in run.stdout.splitlines())
    assert not {"matplotlib", "skops", "jinja2", "ntklib.lab", "ntklib.plotting"} & package
    # scikit-learn imports pandas by itself in some versions
    assert not {"pandas", "pyarrow", "dask", "distributed"} & (package - before)
    assert "matplotlib" not in parts
    assert not {"dask", "distributed"} & (parts - before)
    assert "ntklib.lab.studies" not in package
    assert "ntklib.lab.studies" in studies
    assert "matplotlib" not in studies
