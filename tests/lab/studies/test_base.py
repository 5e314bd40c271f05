"""What all studies share: results that print, save and compare, and parts that are kept when finished."""

import builtins
import csv
import json

import numpy as np
import pytest
from scipy import sparse

from ntklib._core.progress import Progress
from ntklib.lab.parts import PARTS, announcing, digest, replacing_parts, run_parts
from ntklib.lab.result import column, entry, result
from ntklib.lab.seeds import generator
from ntklib.lab.studies import StudyResult


def draw_errors(ax, toy):
    ax.plot(toy.size, toy.mean_error)


def draw_sizes(ax, toy):
    ax.plot(toy.size)


@result("toy", pictures={"errors": draw_errors, "sizes": draw_sizes})
class Toy(StudyResult):
    """A toy."""

    size: np.ndarray = column("How large it is.")
    mean_error: np.ndarray = column("How wrong it is.")
    seed: int = entry("Seed.")

    def headline(self):
        return f"toy study, seed {self.seed}"


@pytest.fixture(scope="module")
def painting():
    """Pictures are painted: what is written is looked at."""


@pytest.fixture
def toy():
    return Toy(np.array([10, 200]), np.array([0.1, np.nan]), 3)


def test_it_prints_as_a_table(toy):
    assert str(toy) == repr(toy)
    assert str(toy).splitlines() == [
        "toy study, seed 3",
        "",
        "size  mean error",
        "  10         0.1",
        " 200           -",
    ]


def test_a_long_table_is_cut():
    n = 1000
    lines = str(Toy(np.arange(n), np.arange(n) / 3, 0)).splitlines()
    assert len(lines) < 50
    assert lines[-1].split()[0] == "999"
    assert any("..." in line for line in lines)


def test_records_frame_and_equality(toy):
    assert toy.records()[0] == {"size": 10, "mean_error": 0.1}
    frame = toy.frame()
    assert list(frame.columns) == ["size", "mean_error"]
    assert frame["size"].tolist() == [10, 200]
    assert toy == Toy(toy.size.copy(), toy.mean_error.copy(), 3)
    assert toy != Toy(toy.size, toy.mean_error, 4)
    assert toy != 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(toy)


def test_a_frame_without_pandas_says_what_to_install(toy, monkeypatch):
    true_import = builtins.__import__

    def no_pandas(name, *arguments, **keywords):
        if name == "pandas":
            raise ImportError(name)
        return true_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", no_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        toy.frame()


def test_it_is_saved_whole_and_not_overwritten_unasked(toy, tmp_path):
    folder = toy.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in folder.iterdir()) == [
        "errors.png",
        "results.csv",
        "results.json",
        "sizes.png",
    ]
    content = json.loads((folder / "results.json").read_text())
    assert content["study"] == "toy"
    assert content["seed"] == 3
    assert content["table"] == {"size": [10, 200], "mean_error": [0.1, None]}
    with (folder / "results.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["size", "mean_error"], ["10", "0.1"], ["200", "nan"]]
    assert (folder / "errors.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / "results.csv").read_bytes()
    (folder / "results.json").unlink()
    with pytest.raises(FileExistsError, match=r"results\.csv, errors\.png, sizes\.png already"):
        Toy(toy.size, toy.size, 9).save(folder)
    assert not (folder / "results.json").exists()
    assert (folder / "results.csv").read_bytes() == before
    Toy(toy.size, toy.size, 9).save(folder, overwrite=True)
    assert (folder / "results.csv").read_bytes() != before


class Counting:
    """Parts that count how often they are computed, one of which may fail."""

    def __init__(self, fail=None):
        self.computed, self.fail = [], fail

    def parts(self, names):
        def part(name):
            if name == self.fail:
                raise KeyboardInterrupt
            self.computed.append(name)
            return {"value": np.array([[len(name) / 3, np.inf, np.nan]]), "count": np.arange(2)}

        return {name: lambda name=name: part(name) for name in names}


def test_it_says_beforehand_how_long_it_takes(tmp_path):
    said, forecast = [], lambda left: f"{len(left)} parts, about 3 s"
    with announcing(said.append):
        for names in ("a", "ab", "ab"):  # what is left to compute counts
            run_parts("toy", {}, Counting().parts(names), out=tmp_path, forecast=forecast)
        assert said == ["toy: 1 parts, about 3 s"] * 2
        run_parts("toy", {}, Counting().parts("a"))
    run_parts("toy", {}, Counting().parts("a"), forecast=forecast)
    assert len(said) == 2


def test_a_study_killed_midway_goes_on(tmp_path):
    names, settings = ["width 8", "width 64", "a/b"], {"seed": 1, "data": digest(np.eye(2))}
    first = Counting(fail="a/b")
    with pytest.raises(KeyboardInterrupt):
        run_parts("toy", settings, first.parts(names), out=tmp_path)
    second = Counting()
    resumed = run_parts("toy", settings, second.parts(names), out=tmp_path)
    assert (first.computed, second.computed) == (["width 8", "width 64"], ["a/b"])
    whole = run_parts("toy", settings, Counting().parts(names))
    assert list(resumed) == names
    for name in names:
        for key, value in whole[name].items():
            np.testing.assert_array_equal(resumed[name][key], value, strict=True)
    more = Counting()
    run_parts("toy", settings, more.parts([*names, "width 128"]), out=tmp_path)
    assert more.computed == ["width 128"]


def test_parts_have_the_same_bytes_in_whatever_order_they_are_computed(tmp_path):
    for order in ("ab", "ba"):
        run_parts("toy", {}, {"x": lambda order=order: {key: [1.0] for key in order}}, out=tmp_path / order)
    first, second = (next((tmp_path / order / PARTS).iterdir()).read_bytes() for order in ("ab", "ba"))
    assert first == second


def test_parts_hold_numbers_only(tmp_path):
    with pytest.raises(TypeError, match="must be numbers or strings"):
        run_parts("toy", {}, {"a": lambda: {"x": [None]}}, out=tmp_path)


def test_parts_of_another_study_are_refused(tmp_path):
    run_parts("toy", {"seed": 1}, Counting().parts(["a"]), out=tmp_path)
    with pytest.raises(ValueError, match="another study \\(seed was 1, is 2\\)"):
        run_parts("toy", {"seed": 2}, Counting().parts(["a"]), out=tmp_path)
    (path,) = (tmp_path / PARTS).iterdir()
    for damaged in (path.read_bytes()[:-30], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="no finished part"):
            run_parts("toy", {"seed": 1}, Counting().parts(["a"]), out=tmp_path)


def test_every_damaged_bit_of_a_part_is_noticed_and_replaced_on_request(tmp_path):
    whole = run_parts("toy", {}, Counting().parts("a"), out=tmp_path)["a"]
    (path,) = (tmp_path / PARTS).iterdir()
    data, noticed = path.read_bytes(), 0
    for bit in range(0, 8 * len(data), 7):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            values = run_parts("toy", {}, Counting().parts("a"), out=tmp_path)["a"]
        except ValueError:  # and nothing else
            noticed += 1
            with replacing_parts():
                values = run_parts("toy", {}, Counting().parts("a"), out=tmp_path)["a"]
        for key, value in whole.items():
            np.testing.assert_array_equal(values[key], value, strict=True)
    assert noticed > 100


def test_parts_of_similar_names_have_files_of_their_own(tmp_path):
    names = ["rate 1e+20", "rate 1e-20", "rate -1", "rate 1", "rate 1.0"]
    run_parts("toy", {}, {name: lambda i=i: {"x": [i]} for i, name in enumerate(names)}, out=tmp_path)
    again = run_parts("toy", {}, Counting().parts(names), out=tmp_path)
    assert [int(again[name]["x"][0]) for name in names] == list(range(5))


def test_progress_counts_what_is_left(tmp_path):
    class Terminal:
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    progress = Progress(1, Terminal())
    run_parts("toy", {}, Counting().parts(["a"]), out=tmp_path, progress=progress)
    assert "[1/1] toy: a" in progress.stream.text
    assert "toy: a" in progress.seconds


def test_a_digest_sees_values_shape_and_type():
    a = np.arange(6.0)
    seen = {digest(x) for x in (a, a.reshape(2, 3), a.astype(np.float32), a + 1)}
    assert len(seen) == 4
    assert digest(a[::-1][::-1]) == digest(a)
    thin = sparse.csr_array(np.eye(3))
    assert digest(thin) == digest(thin.copy()) == digest(sparse.csr_matrix(np.eye(3)))
    assert len({digest(x) for x in (thin, 2 * thin, thin[:2], sparse.csr_array((3, 3)))}) == 4


def test_draws_have_random_numbers_of_their_own():
    numbers = {float(generator(*key).random()) for key in [(0, 1, 2), (0, 2, 1), (1, 1, 2), (0, 1)]}
    assert len(numbers) == 4
    assert generator(0, 1, 2).random() in numbers


def test_pictures_are_drawn_by_name(toy):
    from matplotlib.figure import Figure

    assert toy.pictures == ("errors", "sizes")
    for picture in (None, *toy.pictures):
        ax = Figure().add_subplot()
        assert toy.plot(ax, picture=picture) is ax
        np.testing.assert_array_equal(
            ax.lines[0].get_ydata(), toy.size if picture == "sizes" else toy.mean_error
        )
    with pytest.raises(ValueError, match="picture must be one of 'errors', 'sizes'; got 'error'"):
        toy.plot(picture="error")


def test_the_docstring_describes_the_fields():
    assert "    size : ndarray\n        How large it is." in Toy.__doc__
