"""Every study goes on where it was stopped: by a failed write, by a kill at any moment."""

import io
import os
import pickle
import random
import signal
import time
from pathlib import Path

import pytest

from ntklib.lab.cli import main
from ntklib.lab.result import StudyResult
from tests.registry_studies import QUICK


@pytest.fixture(scope="module", autouse=True)
def pictures():
    """In the place of a picture, what it is drawn from: it differs with any bit of the result."""

    def values(result, picture):
        data = io.BytesIO()
        pickler = pickle.Pickler(data)
        pickler.fast = True  # of the values alone, not of which of them are one object
        pickler.dump((result, picture))
        return data.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyResult, "_png", values)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder that a run makes which nothing stops, and the seconds it takes."""
    known = {}

    def run(study):
        if study not in known:
            folder = tmp_path_factory.mktemp(study)
            start = time.perf_counter()
            assert main(command(study, folder)) == 0
            known[study] = content(folder), time.perf_counter() - start
        return known[study]

    return run


def command(study, folder, *more):
    return ["study", study, *map(str, QUICK[study]), "--out", str(folder), *more]


def content(folder):
    """The bytes of all files but those that a killed process was just writing."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Disk:
    """A disk that fails after a number of steps: a file's bytes are one, its move to its place is one."""

    def __init__(self, monkeypatch):
        self.left = 1000
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self.limited(getattr(os, name)))

    def limited(self, function):
        def call(*args):
            if self.left == 0:
                raise OSError(28, "No space left on device")
            self.left -= 1
            return function(*args)

        return call


@pytest.mark.parametrize("study", QUICK)
def test_a_study_whose_writing_fails_goes_on(study, whole, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "new" / "study"
    disk = Disk(monkeypatch)
    expected, _ = whole(study)
    for room in (0, 1, 2, 4, 8, 16, 32):
        disk.left = room
        capsys.readouterr()
        code = main(command(study, folder))
        if code == 0:
            break
        assert code == 1
        assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
        assert "results.json" not in content(folder)
        assert list(tmp_path.rglob("*.part")) == []
        assert folder.parent.exists() == (room > 1)  # no empty folder stays behind
    assert room > 2
    assert content(folder) == expected


def test_every_write_of_a_saving_may_fail(whole, tmp_path, monkeypatch, capsys):
    disk = Disk(monkeypatch)
    expected, _ = whole("width")
    main(command("width", tmp_path))
    disk.left = 6  # enough for the parts, not for the rest
    assert main(command("width", tmp_path, "--seed", "3", "--force")) == 1
    n_parts, n_files = 2, 4
    for room in range(2 * n_parts, 2 * n_parts + 2 * n_files):
        disk.left = 1000
        main(command("width", tmp_path, "--force"))
        disk.left = room
        assert main(command("width", tmp_path, "--seed", "3", "--force")) == 1
        files = content(tmp_path)
        if "results.json" in files:  # the old one, beside its own table and pictures
            assert {name: files[name] for name in expected if "/" not in name} == {
                name: data for name, data in expected.items() if "/" not in name
            }
        else:
            assert room >= 2 * n_parts + n_files
            disk.left = 1000
            assert main(command("width", tmp_path, "--seed", "3")) == 0  # goes on, unforced


@pytest.mark.parametrize("study", QUICK)
def test_a_killed_study_goes_on(study, whole, tmp_path):
    expected, seconds = whole(study)
    seed = time.time_ns()
    moments = random.Random(seed)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process at once, as kill -9 does
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(0.01, seconds))
                main(command(study, tmp_path))
            finally:
                os._exit(0)
        moments.random()  # the child's draw was in its own memory
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or "results.json" in content(tmp_path), seed
    if "results.json" not in content(tmp_path):
        assert main(command(study, tmp_path)) == 0
    assert content(tmp_path) == expected, seed


def test_parts_are_kept_by_force(whole, tmp_path):
    expected, _ = whole("width")
    assert main(command("width", tmp_path)) == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert main(command("width", tmp_path)) == 2  # finished
    (tmp_path / "results.csv").unlink()
    assert main(command("width", tmp_path)) == 0  # incomplete: made whole again from its parts
    assert content(tmp_path) == expected
    (tmp_path / "results.csv").unlink()
    assert main(command("width", tmp_path, "--force")) == 0
    assert content(tmp_path) == expected
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()} == before
    damaged = next((tmp_path / "parts").iterdir())
    damaged.write_bytes(b"")
    assert main(command("width", tmp_path, "--force")) == 0
    assert content(tmp_path) == expected
    assert main(command("width", tmp_path, "--force", "--seed", "9")) == 0
    assert content(tmp_path).keys() == expected.keys()
    assert content(tmp_path) != expected


@pytest.mark.parametrize("name", ["results.csv", "error.png"])
def test_files_that_are_no_study_s_are_not_overwritten(name, tmp_path, capsys):
    (tmp_path / name).write_text("mine\n")
    assert main(command("width", tmp_path)) == 2
    assert f"holds {name} already" in capsys.readouterr().err
    assert content(tmp_path) == {name: b"mine\n"}


@pytest.mark.parametrize("place", ["", "parts"])
def test_places_where_no_folder_can_be_made(place, tmp_path, capsys):
    """They are refused before anything is computed."""
    for name, make in {"file": Path.touch, "link": lambda path: path.symlink_to("nowhere")}.items():
        folder = tmp_path / name
        folder.parent.joinpath(name, place).parent.mkdir(exist_ok=True)
        make(folder / place)
        for force in ([], ["--force"]):
            assert main(command("width", folder, *force)) == 2
            assert "a folder is needed" in capsys.readouterr().err


def test_bad_settings_leave_no_folder(tmp_path, capsys):
    assert main([*command("width", tmp_path / "new" / "study"), "--widths", "8"]) == 2
    assert main([*command("width", tmp_path / "new" / "study"), "--data", "none.csv"]) == 2
    assert not (tmp_path / "new").exists()
