"""The main job on a small table: what it writes, what it refuses, and that it can be done again."""

import json
import os
import re
import signal
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

import ntklib.lab.report._analysis as analysis
import ntklib.lab.report._contenders as contenders
import ntklib.lab.report._linearization as linearization
import ntklib.lab.report._parameterization as parameterization
import ntklib.lab.report._theorem as theorem
import ntklib.lab.report._width as width
import ntklib.lab.report._write as _write
from ntklib._core.progress import Progress
from ntklib.lab.cli import main
from ntklib.lab.report import SECTIONS, write_report
from ntklib.lab.report._contenders import CONTENDERS
from ntklib.lab.report.output import check_folder, find_folder, write_atomically
from ntklib.lab.report.scores import (
    bootstrap,
    losses_of,
    r2_statistic,
    resamples,
    score_classifier,
    score_regressor,
)
from ntklib.lab.tables import DataError, load_table

PAINT = Figure.savefig


@pytest.fixture(scope="module")
def painting():
    """What is painted is arranged, as users see it."""


@pytest.fixture(scope="module")
def small():
    """A forest of few trees, a coarse grid, few narrow networks: how good they are is not what is tested.

    Pictures are drawn, but painted only in `painted`, which takes as long as all else.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contenders, "N_TREES", 20)
        patch.setattr(contenders, "C_GRID", (1.0, 10.0))
        patch.setattr(contenders, "PENALTY_GRID", (0.01, 1.0))
        patch.setattr(contenders, "GAMMA_FACTORS", (0.3, 1.0))
        patch.setattr(theorem, "WIDTH", 256)
        patch.setattr(width, "N_DRAWS", 8)
        patch.setattr(parameterization, "WIDTHS", (64, 128, 256))
        patch.setattr(linearization, "WIDTHS", (32, 64, 128))
        for module in (parameterization, linearization):
            patch.setattr(module, "N_DRAWS", 3)
        patch.setattr(Figure, "savefig", lambda figure, file, **_: file.write("<svg></svg>"))
        yield


@contextmanager
def painted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", PAINT)
        yield


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports") / "wine"
    with painted():
        assert main(["report", "--data", "wine", "--theory", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def again(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("reports") / "again"
    assert main(["report", "--data", "wine", "--out", str(out)]) == 0
    return out


VOID = frozenset({"meta", "br", "img", "link"})


class _Page(HTMLParser):
    """Collects every attribute, and checks that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.attributes, self.tags, self.open, self.errors = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID and self.open.pop() != tag:
            self.errors.append(tag)


def test_the_page_stands_alone(folder):
    text = (folder / "report.html").read_text()
    page = _Page(text)
    assert page.errors == []
    assert page.open == []
    assert not {"script", "link", "iframe", "base"} & set(page.tags)
    for name, value in page.attributes:
        if name in {"href", "xlink:href", "src"}:
            assert value.startswith(("#", "data:image/png;base64,")), value
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for section in SECTIONS:
        assert section.slug in ids
    assert text.count("<svg") == text.count('role="img"') == 21
    verdict = json.loads((folder / "results.json").read_text())["verdict"]
    assert f'<p class="verdict">The {verdict["best"]} ' in text
    # what needs no theory comes first, the kernel's sections are folded
    fold = text.index('<details id="kernel"'), text.index("</details>")
    for section in SECTIONS:
        assert (fold[0] < text.index(f'<section id="{section.slug}"') < fold[1]) is section.kernel


def test_results_agree_with_scikit_learn(folder):
    results = json.loads((folder / "results.json").read_text())
    data = results["data"]
    assert (data["n_train"], data["n_test"], data["task"], data["target"]) == (
        133,
        45,
        "classification",
        "cultivar",
    )
    assert data["target_summary"]["classes"] == {"class_0": 59, "class_1": 71, "class_2": 48}
    assert list(results["scores"]) == ["kernel", "rbf", "forest", "constant"]
    for scores in results["scores"].values():
        for score in scores.values():
            assert score["low"] <= score["value"] <= score["high"]
    assert results["scores"]["kernel"]["accuracy"]["value"] >= 0.93
    assert results["scores"]["kernel"]["accuracy"]["interval"] == "Wilson"
    spectrum = results["kernel_spectrum"]["eigenvalues"]
    assert len(spectrum) == 133
    assert spectrum == sorted(spectrum, reverse=True)
    best = results["leave_one_out_path"]["best"]
    path = next(p for p in results["leave_one_out_path"]["kernels"] if p["kernel"] == best["kernel"])
    assert best["score"] == max(path["score"])
    study = results["width_study"]
    assert study["study"] == "width"
    assert study["slope"]["low"] < -0.5 < study["slope"]["high"]
    predicted = results["predictions"]
    accuracy = accuracy_score(predicted["true"], predicted["kernel"])
    assert accuracy == results["scores"]["kernel"]["accuracy"]["value"]
    matrix = np.array(results["kernel_matrix"]["values"])
    np.testing.assert_array_equal(matrix, matrix.T)
    assert set(results["timing"]["fit"]) == set(results["scores"])
    assert {"ntklib", "numpy", "numba"} <= set(results["versions"])


def test_what_drives_the_predictions_is_in_the_results(folder):
    results = json.loads((folder / "results.json").read_text())
    importance = results["importance"]
    assert set(importance["columns"]) == {column["name"] for column in results["data"]["columns"]}
    assert importance["cost"] == sorted(importance["cost"], reverse=True)
    assert (importance["n_rows"], importance["measure"]) == (45, "log-loss")
    assert [one["column"] for one in results["partial_dependence"]] == importance["columns"][:4]
    for one in results["partial_dependence"]:
        assert list(one["curves"]) == ["class_0", "class_1", "class_2"]
        np.testing.assert_allclose(np.sum(list(one["curves"].values()), axis=0), 1)
    assert results["calibration"]["mean_observed"] == results["scores"]["kernel"]["accuracy"]["value"]
    ours = results["models"]["kernel"]
    assert re.fullmatch(r"\d kernels, \w+ first", ours["kernel"])
    weights = [part.split(" of ")[0] for part in ours["choice"].split(" + ")]
    assert len(weights) == int(ours["kernel"][0]) > 1
    assert ours["choice"].startswith(f"{weights[0]} of {ours['kernel'].split()[2]}(")
    assert results["added_up"] == ours["choice"].split(" + ")


def test_networks_are_drawn_only_if_asked_for(folder, again):
    results = json.loads((again / "results.json").read_text())
    for name in ("width_study", "linearization_study", "lazy_training", "implicit_bias"):
        assert results[name] is None
    text = (again / "report.html").read_text()
    assert "With <code>--theory</code>" in text
    assert "With <code>--theory</code>" not in (folder / "report.html").read_text()
    assert 'id="spectrum"' in text
    assert 'id="width"' not in text


def test_the_same_seed_gives_the_same_scores_and_another_does_not(folder, again, small, tmp_path, capsys):
    assert main(["report", "--data", "wine", "--seed", "1", "--out", str(tmp_path / "other")]) == 0
    first, second, other = (
        json.loads((place / "results.json").read_text()) for place in (folder, again, tmp_path / "other")
    )
    for part in ("scores", "importance", "partial_dependence", "verdict"):
        assert first[part] == second[part] != other[part]
    assert "\x1b" not in capsys.readouterr().err  # progress is for terminals


def test_a_table_with_text_gaps_and_a_number_to_predict(small, tmp_path, capsys):
    rng = np.random.default_rng(0)
    kind = rng.choice(["<b>oak</b>", "elm"], 80)
    size = rng.normal(size=80)
    price = size + 2 * (kind == "elm") + 0.1 * rng.normal(size=80)
    cells = [f"{s:.4f}" if i else "" for i, s in enumerate(size)]
    lines = [f"{s},{k},{p:.4f}" for s, k, p in zip(cells, kind, price, strict=True)]
    data = tmp_path / "trees & co.csv"
    data.write_text("size,kind,price\n" + "\n".join(lines) + "\n")
    command = ["report", "--data", str(data), "--target", "price", "--out", str(tmp_path / "out")]
    assert main([*command, "--impute", "refuse"]) == 2
    assert "line 2, column 'size': missing value; --impute" in capsys.readouterr().err
    with painted():
        assert main([*command, "--max-samples", "70", "--kernels", "ntk"]) == 0
    out, err = capsys.readouterr()
    assert "filled by the median" in err
    assert "70 of 80 rows are used" in err
    assert "task:   regression ('price' has fractional values)" in out
    assert "kernel machine" in out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["scores"]["kernel"]["r2"]["value"] > 0.8
    assert results["models"]["kernel"]["kernel"] in ("NTK", "NNGP")
    assert len(results["notes"]) == 2
    page = (tmp_path / "out" / "report.html").read_text()
    assert "trees &amp; co.csv" in page
    assert "--kernels ntk" in page
    assert "standardised, any gaps filled by the median" in page


def test_an_earlier_report_is_kept_unless_forced(folder, small, tmp_path, monkeypatch, capsys):
    before = (folder / "report.html").read_bytes()
    assert main(["report", "--data", "wine", "--out", str(folder)]) == 2
    assert "holds report.html, results.json already; --force overwrites them" in capsys.readouterr().err
    assert (folder / "report.html").read_bytes() == before
    monkeypatch.chdir(tmp_path)

    def found(out=None, force=False):
        return str(find_folder(out, ("report.html",), default="ntklib-report", force=force))

    assert found() == "ntklib-report"
    Path("ntklib-report").mkdir()
    Path("ntklib-report/report.html").touch()
    assert found() == "ntklib-report-2"
    assert not Path("ntklib-report-2").exists()
    assert found(force=True) == "ntklib-report"
    Path("ntklib-report-2").mkdir()
    assert found() == "ntklib-report-2"  # empty
    Path("ntklib-report-2/report.html").touch()
    Path("ntklib-report-3").touch()  # a file is in the way
    assert found() == "ntklib-report-4"
    with pytest.raises(DataError, match="is a file"):
        found("ntklib-report-3")
    with pytest.raises(DataError, match="ntklib-report-3 is a file"):
        found("ntklib-report-3/inside/of")
    Path("ntklib-report-4").symlink_to("nowhere")
    assert found() == "ntklib-report-5"
    for name in ("ntklib-report-4", "ntklib-report-4/inside"):
        with pytest.raises(DataError, match="a folder is needed"):
            found(name)
    with pytest.raises(DataError, match="no such folder"):
        check_folder(Path("nowhere"))


def interrupt(*_, **__):
    raise KeyboardInterrupt


def with_fit(index, fit):
    """The contenders, one of them fitted by another function."""
    return tuple(replace(entry, fit=fit) if i == index else entry for i, entry in enumerate(CONTENDERS))


def test_an_interrupted_report_keeps_what_it_has(small, tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "report"
    command = ["report", "--data", "wine", "--theory", "--out", str(out)]
    monkeypatch.setattr(analysis, "certify_rows", interrupt)
    assert main(command) == 130
    said, err = capsys.readouterr()
    assert "kernel machine" in said
    assert "Columns that matter most: " in said
    assert "note: interrupted while certifying a network" in err
    results = json.loads((out / "results.json").read_text())
    assert results["interrupted"] is True
    assert list(results["scores"]) == ["kernel", "rbf", "forest", "constant"]
    assert results["width_study"]["study"] == "width"
    assert results["lazy_training"] is results["implicit_bias"] is None
    page = (out / "report.html").read_text()
    assert "<b>Interrupted</b>" in page
    assert 'id="width"' in page
    assert 'id="bias"' not in page
    monkeypatch.setattr(analysis, "CONTENDERS", with_fit(1, interrupt))
    assert main([*command, "--force"]) == 130  # after the first model
    results = json.loads((out / "results.json").read_text())
    assert list(results["scores"]) == ["kernel"]
    assert "kernel_spectrum" not in results
    assert _Page((out / "report.html").read_text()).errors == []


def test_what_happens_while_the_page_is_drawn(small, tmp_path, monkeypatch, capsys):
    """Ctrl-C, once, and another report that takes the folder meanwhile: neither loses anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(analysis, "CONTENDERS", CONTENDERS[:2])
    monkeypatch.setattr(analysis, "_look", lambda *_, **__: None)
    draw = _write.render_page

    def drawing(some):
        Path("ntklib-report").mkdir(exist_ok=True)
        Path("ntklib-report/report.html").write_text("another")
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        return draw(some)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(_write, "render_page", drawing)
    presses = 1
    assert main(["report", "--data", "wine"]) == 130
    assert "all is computed and will be written" in capsys.readouterr().err
    assert sorted(os.listdir("ntklib-report-2")) == ["report.html", "results.json"]
    assert Path("ntklib-report/report.html").read_text() == "another"
    presses = 2
    assert main(["report", "--data", "wine"]) == 130
    assert sorted(os.listdir()) == ["ntklib-report", "ntklib-report-2"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_report_with_nothing_to_keep_leaves_no_folder(small, tmp_path, monkeypatch, capsys):
    command = ["report", "--data", "wine", "--out", str(tmp_path / "new" / "report")]
    monkeypatch.setattr(analysis, "CONTENDERS", with_fit(0, interrupt))
    assert main(command) == 130
    assert main([*command[:2], str(tmp_path / "none.csv"), *command[3:]]) == 2
    assert not (tmp_path / "new").exists()


def test_a_full_disk_changes_nothing(small, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis, "CONTENDERS", with_fit(1, interrupt))
    some = analysis.analyse(load_table("wine"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for place in (tmp_path / "new" / "report", folder):
        with pytest.raises(DataError, match="No space left"):
            write_report(some, place)
    assert not (tmp_path / "new").exists()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_reports_need_twenty_rows(tmp_path, capsys):
    data = tmp_path / "few.csv"
    data.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(12)))
    assert main(["report", "--data", str(data), "--target", "y", "--out", str(tmp_path / "out")]) == 2
    assert "12 rows are too few for a report" in capsys.readouterr().err


def test_files_are_written_whole_with_ordinary_permissions(tmp_path):
    write_atomically(tmp_path / "a.txt", "text")
    (tmp_path / "b.txt").write_text("text")
    assert (tmp_path / "a.txt").read_text() == "text"
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


def test_wilson_interval_inverts_the_score_test():
    def wilson_interval(successes, n):
        score = score_classifier(np.ones(n), (np.arange(n) < successes).astype(float), None, resamples(n, 0))
        assert score["accuracy"].value == successes / n
        assert score["accuracy"].method == "Wilson"
        return score["accuracy"].low, score["accuracy"].high

    # its ends are the p at which |p_hat - p| / sqrt(p (1 - p) / n) is the normal quantile
    for successes, n in [(0, 7), (3, 7), (7, 7), (440, 450)]:
        for p in wilson_interval(successes, n):
            if 0 < p < 1:
                np.testing.assert_allclose(
                    abs(successes / n - p) / np.sqrt(p * (1 - p) / n), 1.95996398, rtol=1e-7
                )
    assert wilson_interval(0, 7)[0] == 0
    assert wilson_interval(7, 7)[1] == 1


def test_scores_and_bootstrap_against_scikit_learn():
    rng = np.random.default_rng(0)
    y = 1e6 + rng.normal(size=200)
    predicted = y + 0.3 * rng.normal(size=200)
    draws = resamples(200, 0)
    scores = score_regressor(y, predicted, draws)
    assert scores["r2"].value == pytest.approx(r2_score(y, predicted), rel=1e-9)
    assert scores["rmse"].value == pytest.approx(root_mean_squared_error(y, predicted))
    assert scores["mae"].value == pytest.approx(mean_absolute_error(y, predicted))
    one = r2_statistic(y, predicted)(draws[:3])
    np.testing.assert_allclose(one, [r2_score(y[rows], predicted[rows]) for rows in draws[:3]], rtol=1e-9)
    # the mean's bootstrap standard error is sigma / sqrt(n)
    interval = bootstrap(lambda rows: y[rows].mean(axis=-1), draws)
    width = 2 * 1.96 * y.std() / np.sqrt(200)
    assert interval.high - interval.low == pytest.approx(width, rel=0.1)
    labels = np.array(["a", "b", "c"])
    shares = rng.dirichlet(np.ones(3), size=50)
    truth = rng.choice(labels, 50)
    assert losses_of(shares, labels, truth).mean() == pytest.approx(log_loss(truth, shares, labels=labels))
    assert np.isfinite(losses_of(shares, labels, np.full(50, "unseen"))).all()


def test_the_split_and_the_rival_are_what_the_page_says(small):
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True)
    train, test = train_test_split(np.arange(178), test_size=0.25, random_state=0, stratify=y)
    model = contenders._fit_rbf("classification", X[train], y[train], 0)
    assert model.C in contenders.C_GRID
    assert f"C = {model.C:g}" in contenders._rbf_choice(model)
    assert accuracy_score(y[test], model.predict(X[test])) == model.score(X[test], y[test])


class _Terminal:
    def __init__(self, tty):
        self.text, self.tty = "", tty

    def isatty(self):
        return self.tty

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("tty", [True, False])
def test_progress_is_for_terminals_only(tty):
    stream = _Terminal(tty)
    progress = Progress(2, stream)
    with progress.step("first"):
        pass
    assert ("[1/2] first" in stream.text) is tty
    assert progress.seconds["first"] >= 0
