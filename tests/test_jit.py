"""The cache of machine code: where it is, and that nothing about it makes a call fail."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import ntklib
from ntklib import _jit
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


def test_no_loop_is_cached_beside_the_sources():
    modules = [module for name, module in sys.modules.items() if name.startswith("ntklib")]
    named = [value for module in modules for value in vars(module).values()]
    loops = [value for value in named if isinstance(value, Dispatcher)]
    cached = [str(loop.stats.cache_path) for loop in loops if loop.stats.cache_path is not None]
    assert len(cached) > 10
    package = str(Path(ntklib.__file__).parent)
    assert all(not path.startswith(package) and path.startswith(_jit.cache_folder()) for path in cached)


def test_another_process_loads_what_one_compiled(folder):
    code = "import numpy as np; from tests.test_jit import run; print(run()[1])"
    hits = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
        ).stdout.strip()
        for _ in range(2)
    ]
    assert hits == ["0", "2"]


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


def test_a_folder_that_cannot_be_made_costs_one_warning(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("NTKLIB_CACHE_DIR", str(folder / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file.cache.*Set NTKLIB_CACHE_DIR") as seen:
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
