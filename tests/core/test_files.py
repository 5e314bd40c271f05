"""Files that appear whole or not at all, and CSV that a spreadsheet may open."""

import csv
import io
import os
import socket
import stat

import numpy as np
import pytest

from ntklib._core.files import csv_text, open_regular, write_atomically


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / ("n" * 250)  # as long as names may be: what lies beside it meanwhile has another
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    with pytest.raises(FileExistsError):
        write_atomically(path, "newer", overwrite=False)
    assert path.read_bytes() == b"new"


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("target", ["file", "nothing", "folder"])
def test_links_are_neither_followed_nor_replaced(tmp_path, target):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(FileExistsError, match="is a link to " + target):
        write_atomically(link, "new")
    assert os.readlink(link) == target
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "link"]


def test_what_is_no_file_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("pipe")
    os.mkdir("folder")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket")
        for path, word in {
            "pipe": "pipe",
            "socket": "socket",
            "folder": "folder",
            "/dev/null": "device",
        }.items():
            before = os.lstat(path).st_mode
            with pytest.raises(FileExistsError, match=word):
                write_atomically(path, "new")
            assert os.lstat(path).st_mode == before
            with pytest.raises(OSError, match=word):
                open_regular(path)


def test_only_text_that_begins_as_a_formula_is_quoted():
    labels = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", 'a"b', "a=b", "", "'=1"]
    columns = {"=label": np.array(labels, dtype=object), "number": -np.arange(1.0, 14.0)}
    safe = list(csv.reader(io.StringIO(csv_text(columns, safe=True), newline="")))
    exact = list(csv.reader(io.StringIO(csv_text(columns), newline="")))
    assert [row[0] for row in exact] == ["=label", *labels]
    assert [row[0] for row in safe] == ["'=label", *(f"'{label}" for label in labels[:9]), *labels[9:]]
    assert [row[1] for row in safe] == [row[1] for row in exact]  # a negative number is no formula
    assert csv_text(columns, safe=True).count('"-1.0"') == 0
