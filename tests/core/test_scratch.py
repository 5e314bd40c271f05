"""Large arrays for a while: on the disk without a trace, or refused with the figures."""

import os
import shutil
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import config_context

from ntklib._core.scratch import scratch_array


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_small_arrays_are_in_memory_and_large_ones_in_a_file_without_a_name(folder):
    assert type(scratch_array((3, 2), float, "rows")) is np.ndarray
    with config_context(working_memory=1):
        array = scratch_array((2**17, 3), np.float32, "rows")
        labels = scratch_array((2**15,), "U4", "labels")
    assert type(array) is type(labels) is np.memmap
    assert os.listdir(folder) == []
    assert not array.any()
    array[-1] = labels[5:9] = 7
    assert (array.sum(), labels[8]) == (21, "7")


def test_a_folder_that_is_not_there_is_not_replaced_in_silence(folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folder / "nowhere"))
    with (
        config_context(working_memory=1),
        pytest.raises(OSError, match="TMPDIR names no folder"),
    ):
        scratch_array((2**20,), float, "rows")


def test_no_room_on_the_disk(folder, monkeypatch):
    with config_context(working_memory=1), monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
        with pytest.raises(OSError, match=r"rows take 8.0 GiB on the disk and 1.0 GiB are free; set TMPDIR"):
            scratch_array((2**30,), float, "rows")

        def full(*_):
            raise OSError(28, "No space left on device")

        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match=r"and 1.0 GiB are free; set TMPDIR"):
            scratch_array((2**20,), float, "rows")
    assert os.listdir(folder) == []
