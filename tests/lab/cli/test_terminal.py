"""What reaches the terminal, a spreadsheet and the disk: escaped, quoted or refused; data to the letter."""

import csv
import io
import os
import sys

import pytest

from ntklib.lab.cli import main
from ntklib.lab.cli._command import printable

EVIL = "red\x1b[31m\x9b\u202e\u2066\u200b\r\n\u2028end"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model whose labels and column name a terminal or a spreadsheet would obey."""
    folder = tmp_path_factory.mktemp("terminal")
    with (folder / "d.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([EVIL, "y"])
        writer.writerows([i % 10, ("=1+1", EVIL)[i % 10 > 4]] for i in range(40))
    assert main(["fit", str(folder / "d.csv"), "--target", "y", "--out", str(folder / "m.ntk")]) == 0
    return folder


def labels(text):
    return [row[0] for row in csv.reader(io.StringIO(text, newline=""))]


def test_lines_for_people_are_printable():
    assert printable("plain ä 漢 'q' \\") == "plain ä 漢 'q' \\"
    assert printable(EVIL) == r"red\x1b[31m\x9b\u202e\u2066\u200b\r\n\u2028end"
    assert printable("\ud800\U000e0001") == r"\ud800\U000e0001"
    assert printable("x" * 100_000) == "x" * 2000 + "... (100000 characters)"
    assert printable("x" * 100_000, None) == "x" * 100_000


def test_names_and_cells_in_errors_and_notes(folder, tmp_path, capsys):
    out, data = str(tmp_path / f"m{EVIL}.ntk"), tmp_path / f"d{EVIL.replace('/', '')}.csv"
    refused = f'"{EVIL}",y\n' + "1,a\nx,b\n2,a\n3,b\n4,a\n"
    fitted = f'"{EVIL}",y\n' + "a,1\nb,0\n" * 20
    for text, code in ((refused, 2), (fitted, 0)):
        data.write_text(text, encoding="utf-8", newline="")
        capsys.readouterr()
        assert main(["fit", str(data), "--target", "y", "--out", out]) == code
        captured = capsys.readouterr()
        lines = (captured.err + captured.out).split("\n")
        assert lines.pop() == ""
        assert len(lines) == (1 if code else 6)
        assert all(line.isprintable() for line in lines)
    commands = ["fit", EVIL], ["predict", EVIL, EVIL], [EVIL], ["report", "--data", EVIL]
    for arguments in (*commands, ["fit", "--traceback", EVIL]):
        capsys.readouterr()
        assert main([*arguments, "--out", out, "--force"]) == 2
        assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_labels_are_data_to_the_letter_where_no_terminal_shows_them(folder, tmp_path, capsys):
    out = tmp_path / "p.csv"
    command = ["predict", str(folder / "m.ntk"), str(folder / "d.csv")]
    expected = ["prediction", *(("=1+1", EVIL)[i % 10 > 4] for i in range(40))]
    capsys.readouterr()
    assert main(command) == 0
    text, err = capsys.readouterr()
    assert labels(text) == expected
    assert "--safe-csv quotes them" in err
    assert main([*command, "--out", str(out)]) == 0
    assert labels(out.read_bytes().decode()) == expected
    capsys.readouterr()
    assert main([*command, "--safe-csv", "--proba"]) == 0
    text, err = capsys.readouterr()
    assert labels(text) == [f"'{label}" if label[0] == "=" else label for label in expected]
    assert "--safe-csv" not in err
    (header,) = [line for line in text.split("\n") if "probability_=1+1" in line]
    assert header.startswith('"prediction",')


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_is_shown_labels_escaped(folder, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["predict", str(folder / "m.ntk"), str(folder / "d.csv")]) == 0
    assert r"red\x1b[31m\x9b\u202e" in screen.getvalue()
    assert all(line.isprintable() for line in screen.getvalue().split("\n"))


def test_outputs_that_are_no_files_are_refused_even_by_force(folder, tmp_path, capsys):
    data, model = folder / "d.csv", folder / "m.ntk"
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "nowhere").symlink_to("missing")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(os.listdir(tmp_path))
    for name, message in (
        ("link", "is a link to kept"),
        ("nowhere", "is a link to missing"),
        ("pipe", "is a pipe"),
        ("/dev/null", "is a device"),
        ("x" * 300, "cannot be written"),
        ("a\0b", "cannot be written"),
    ):
        for command in (["fit", data, "--target", "y"], ["predict", model, data]):
            for force in ([], ["--force"]):
                capsys.readouterr()
                assert main([*map(str, command), "--out", str(tmp_path / name), *force]) == 2
                out, err = capsys.readouterr()
                assert (out, err.count("\n")) == ("", 1)
                assert message in err
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "kept").read_text() == "kept"


def test_results_that_are_links_are_not_replaced(tmp_path, capsys):
    (tmp_path / "report.html").symlink_to("elsewhere")
    command = ["report", "--data", "wine", "--out", str(tmp_path)]
    for force, message in (([], "--force overwrites"), (["--force"], "report.html: is a link to elsewhere")):
        capsys.readouterr()
        assert main([*command, *force]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "report", "study"])
def test_every_command_reads_decimal_commas_and_other_encodings(tmp_path, capsys, command):
    """The same numbers, in the way of a German spreadsheet."""
    rows = [(0.5 * (i % 7), f"{'öä'[i % 2]}", i % 7 > 3) for i in range(40)]
    plain = tmp_path / "plain.csv"
    plain.write_text("größe,art,y\n" + "".join(f"{a},{b},{int(c)}\n" for a, b, c in rows), encoding="utf-8")
    german = tmp_path / "german.csv"
    text = "größe;art;y\n" + "".join(f"{a};{b};{int(c)}\n".replace(".", ",") for a, b, c in rows)
    german.write_bytes(text.encode("cp1252"))
    options = ["--delimiter", ";", "--decimal", ",", "--encoding", "cp1252", "--target", "y"]
    if command == "fit":
        predictions = []
        for data, how in ((plain, ["--target", "y"]), (german, options)):
            model = str(tmp_path / "m.ntk")
            assert main(["fit", str(data), *how, "--out", model, "--force"]) == 0
            capsys.readouterr()
            assert main(["predict", model, str(data), *how[:-2], "--proba"]) == 0
            predictions.append(capsys.readouterr().out)
        assert predictions[0] == predictions[1]
    elif command == "study":
        tables = []
        for data, how in ((plain, ["--target", "y"]), (german, options)):
            size = ["--widths", "4", "8", "--draws", "2", "--max-samples", "20", "--format", "csv"]
            capsys.readouterr()
            assert main(["study", "width", "--data", str(data), *how, *size]) == 0
            tables.append(capsys.readouterr().out)
        assert tables[0] == tables[1]
    else:
        from ntklib.lab.cli._app import build_parser
        from ntklib.lab.cli._command import data_of, read_table
        from ntklib.lab.cli._report import _command_line

        words = ["report", "--data", str(german), *options]
        arguments = build_parser(words).parse_args(words)
        assert read_table(data_of(arguments), arguments).values[0][1] == "0,5"
        line = _command_line(arguments)
        assert "--decimal ," in line
        assert "--encoding cp1252" in line


def test_predictions_from_far_away_are_finite_or_refused(folder, tmp_path, capsys):
    data = tmp_path / "far.csv"
    for number, code in (("1e149", (0, 2)), ("1e200", (2,))):
        data.write_text(f'"{EVIL}"\n{number}\n', encoding="utf-8", newline="")
        capsys.readouterr()
        assert main(["predict", str(folder / "m.ntk"), str(data), "--proba"]) in code
        shown = capsys.readouterr().out
        assert "nan" not in shown
        assert "inf" not in shown
