"""The cache of machine code: where it is, and that nothing about it makes a call fail."""

import ast
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import ntklib
from ntklib._core import jit as _jit
from ntklib._info import versions


def total(x):
    out = 0.0
    for i in range(len(x)):
        out += x[i]
    return out


def run():
    """What a new process does: ask for two signatures of a loop; its values, and how many came from disk."""
    loop = _jit.compiled(total)
    return (loop(np.arange(5.0)), loop(np.arange(5))), sum(loop.stats.cache_hits.values())


def compiled_files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.suffix in (".nbi", ".nbc"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKLIB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_jit, "_warned", False)
    return tmp_path


def test_the_folder_is_the_one_chosen(tmp_path, monkeypatch):
    ours, numbas, users = (str(tmp_path / name) for name in ("ours", "numbas", "users"))
    monkeypatch.setenv("NTKLIB_CACHE_DIR", ours)
    monkeypatch.setattr(numba.config, "CACHE_DIR", numbas)  # NUMBA_CACHE_DIR
    monkeypatch.setenv("XDG_CACHE_HOME", users)
    for expected in (ours, numbas, None):
        if expected:
            assert _jit.cache_folder() == expected
        run()
        assert len(compiled_files(_jit.cache_folder())) == 3  # an index and two signatures
        monkeypatch.delenv("NTKLIB_CACHE_DIR", raising=False)
        if expected == numbas:
            monkeypatch.setattr(numba.config, "CACHE_DIR", "")
            if sys.platform == "linux":
                assert _jit.cache_folder() == os.path.join(users, "ntklib")
            else:
                monkeypatch.setattr(_jit, "user_cache_dir", lambda *_, **__: users)


def test_a_folder_below_the_home_and_one_below_the_current_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for chosen, place in (("~/code", tmp_path / "home" / "code"), ("code", tmp_path / "code")):
        monkeypatch.setenv("NTKLIB_CACHE_DIR", chosen)
        assert _jit.cache_folder() == str(place)
        run()
        assert len(compiled_files(place)) == 3
    assert not (tmp_path / "~").exists()


def test_no_loop_is_cached_beside_the_sources():
    cached = [str(loop.stats.cache_path) for loop in all_loops() if loop.stats.cache_path is not None]
    assert len(cached) > 10
    package = str(Path(ntklib.__file__).parent)
    assert all(not path.startswith(package) and path.startswith(_jit.cache_folder()) for path in cached)


def all_loops():
    modules = [module for name, module in sys.modules.items() if name.startswith("ntklib")]
    return {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}


def test_formulas_are_part_of_the_loops_that_call_them():
    """Else the process that compiles a loop and one that loads it run different code: other last bits."""
    formulas = [loop for loop in all_loops() if loop.stats.cache_path is None]
    assert len(formulas) > 10
    assert all(formula.targetoptions["forceinline"] for formula in formulas)
    for loop in all_loops():
        called = [loop.py_func.__globals__.get(name) for name in loop.py_func.__code__.co_names]
        assert not [other for other in called if isinstance(other, Dispatcher) and other not in formulas]


@_jit.inlined
def row_formula(x, out):
    for i in range(len(x)):
        out[i] = np.exp(x[i]) / (1 + x[i] * x[i]) + np.sqrt(abs(x[i]))
    for i in range(1, len(x)):
        out[i] = out[i] * out[i - 1] + np.log1p(abs(x[i]))


def rows(X, out):
    for i in range(len(X)):
        row_formula(X[i], out[i])
        row_formula(out[i], X[i])


def test_machine_code_of_a_loop_has_no_function_to_share(folder):
    loop = _jit.compiled(rows)
    loop(np.ones((2, 3)), np.empty((2, 3)))
    (code,) = loop.inspect_asm().values()
    weak = [line for line in code.splitlines() if line.strip().startswith(".weak")]
    assert not [line for line in weak if "row_formula" in line]


def test_another_process_loads_what_one_compiled(folder):
    assert run()[1] == 0
    code = "from tests.core.test_jit import run; print(run()[1])"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert other.stdout.strip() == "2"


def test_read_only_rows_need_no_code_of_their_own():
    X = np.random.default_rng(0).normal(size=(6, 3))
    Y = X[:4] * 1.5  # parallel rows, which are looked at again
    read_only = X.copy(), Y.copy()
    for array in read_only:
        array.flags.writeable = False
    expected = ntklib.NTK()(X, Y)
    loops = [loop for loop in all_loops() if loop.__module__.startswith("ntklib.kernels.gram")]
    before = [len(loop.signatures) for loop in loops]
    assert sum(before) > 3
    for x, y in ((X, read_only[1]), (read_only[0], Y), read_only):
        np.testing.assert_array_equal(ntklib.NTK()(x, y), expected)
    assert [len(loop.signatures) for loop in loops] == before


def test_code_with_bounds_checks_is_kept_apart(folder, monkeypatch):
    run()
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert run()[1] == 0
    assert run()[1] == 2


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one bit": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 8]) + data[len(data) // 2 + 1 :]
    ),
    "another file": lambda data: b"not a pickle" * 20,
}


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_compiled_again(folder, damage, suffix):
    right, _ = run()
    for path in compiled_files(folder):
        if path.suffix == suffix:
            path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == (right, 0)
        assert run() == (right, 2)  # mended


def test_code_for_other_types_is_not_run(folder):
    """As two processes may leave it that write at the same time: files that belong to another entry."""
    right, _ = run()
    first, second = (path for path in compiled_files(folder) if path.suffix == ".nbc")
    swapped = first.read_bytes(), second.read_bytes()
    second.write_bytes(swapped[0])
    first.write_bytes(swapped[1])
    assert run() == (right, 0)
    assert run() == (right, 2)


def test_code_of_an_earlier_source_is_not_run(folder, tmp_path, monkeypatch):
    """The disk is full just when the code of the new source is to be written, after the index."""

    def answer(constant):
        path = tmp_path / "source.py"
        path.write_text(f"def shift(x):\n    return x + {constant}\n")
        loop = _jit.compiled(runpy.run_path(str(path))["shift"])
        return loop(1.0), sum(loop.stats.cache_hits.values())

    def full(*_):
        raise OSError(28, "No space left on device")

    assert answer(1.5) == (2.5, 0)
    with monkeypatch.context() as patch:
        patch.setattr(_jit._File, "_save_data", full)
        with pytest.warns(UserWarning, match="No space left"):
            assert answer(22.5) == (23.5, 0)
    assert answer(22.5) == (23.5, 0)
    assert answer(22.5) == (23.5, 1)


def test_code_without_a_source_file_is_not_kept(folder):
    names = {}
    exec("def shift(x):\n    return x + 1.0\n", names)
    with pytest.warns(UserWarning, match="cannot be kept") as seen:
        loops = [_jit.compiled(names["shift"]) for _ in range(2)]
    assert [loop(1.0) for loop in loops] == [2.0, 2.0]
    assert len(seen) == 1
    assert not compiled_files(folder)


def test_formulas_and_constants_of_a_loop_stand_in_its_file():
    """Its code is compiled again when that file has changed, and for no other's sake."""
    for name in [name for name in sys.modules if name.startswith("ntklib.")]:
        loops = [value for value in vars(sys.modules[name]).values() if isinstance(value, Dispatcher)]
        loops = [loop for loop in loops if loop.py_func.__module__ == name]  # not those it only calls
        used = {global_name for loop in loops for global_name in loop.py_func.__code__.co_names}
        tree = ast.parse(Path(sys.modules[name].__file__).read_text(encoding="utf-8")) if loops else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.ImportFrom) and (node.level or node.module.startswith("ntklib")):
                assert not used & {alias.asname or alias.name for alias in node.names}, name


def test_a_folder_that_cannot_be_made_costs_one_warning(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("NTKLIB_CACHE_DIR", str(folder / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file.cache.*NTKLIB_CACHE_DIR") as seen:
        assert run() == ((10.0, 10.0), 0)
    assert len(seen) == 1


def test_a_filled_cache_that_cannot_be_written_to_is_read(folder, monkeypatch):
    run()

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_jit._Locator, "ensure_cache_path", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == ((10.0, 10.0), 2)
    with pytest.warns(UserWarning, match="Permission denied"):
        assert _jit.compiled(total)(np.arange(5, dtype=np.float32)) == 10.0


def test_a_home_that_is_not_known_is_no_folder_below_the_current_one(folder, monkeypatch):
    monkeypatch.setattr(_jit, "cache_folder", lambda: "~/.cache/ntklib")
    monkeypatch.chdir(folder)
    with pytest.warns(UserWarning, match="no home folder"):
        assert run()[0] == (10.0, 10.0)
    assert not list(folder.iterdir())


def test_a_full_disk_costs_one_warning(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_jit._File, "_save_data", full)
    with pytest.warns(UserWarning, match="No space left on device") as seen:
        assert run()[0] == (10.0, 10.0)
    assert len(seen) == 1


def test_info_tells_the_folder_and_whether_it_can_be_written_to(folder, monkeypatch):
    assert versions()["compiled code"] == f"kept in {folder}"
    (folder / "file").write_text("")
    monkeypatch.setenv("NTKLIB_CACHE_DIR", str(folder / "file" / "x"))
    assert "set NTKLIB_CACHE_DIR" in versions()["compiled code"]
