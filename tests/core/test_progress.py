"""Progress of long work: what is counted where, what is written and when."""

import io
import os
import threading

import pytest

from ntklib._core import progress
from ntklib._core.progress import SILENT, Progress, counted, current_step, step, talk
from ntklib._core.threads import parallel_for


class Stream(io.StringIO):
    """Text, terminal or not, that tells when a number of lines has been written."""

    def __init__(self, tty=False, lines=2):
        super().__init__()
        self.tty, self.lines, self.full = tty, lines, threading.Event()

    def isatty(self):
        return self.tty

    def write(self, text):
        super().write(text)
        if self.getvalue().count("\n") >= self.lines:
            self.full.set()


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when told to."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_job_nothing_is_counted():
    with step("part", 10, "rows") as gauge:
        assert gauge is SILENT
        assert not gauge
        assert gauge.advance() is gauge.reach(3, "a word") is gauge.say("a line") is None
        assert current_step() is None
    assert counted(len, SILENT) is len
    with talk("fit", 0) as gauge:
        assert gauge is SILENT


def test_a_line_says_all_that_is_under_way(clock):
    job = Progress(stream=Stream())
    with job.step("fit"), step("comparing kernels", 10) as outer:
        outer.advance(2)
        with step("kernel 3 of 10"), step("sums", 1_000_000, "rows") as inner:
            assert job.line() == "fit > comparing kernels 20 % > kernel 3 of 10 > sums: rows 0 of 1,000,000"
            clock[0] += 30
            inner.reach(300_000, "a word")
            words = job.line().split(" > ")
            assert words[1:3] == ["comparing kernels 23 %, about 2 min left", "kernel 3 of 10"]
            assert words[3] == "sums: rows 300,000 of 1,000,000, a word, about 70 s left"
        with step("decomposition"):
            clock[0] += 7
            assert job.line().endswith(" > decomposition, 7 s so far")
    assert job.line() == ""
    assert current_step() is None


def test_a_bar_on_a_terminal_fits_its_width(clock, monkeypatch):
    job = Progress(4, stream=Stream(tty=True))
    with job.step("first"):
        pass
    with job.step("second"), step("a step with a long name") as _, step("rows", 4) as gauge:
        gauge.advance(2)
        monkeypatch.setenv("COLUMNS", "120")
        assert job.line() == "|#######             | [2/4] second > a step with a long name > rows 50 %"
        monkeypatch.setenv("COLUMNS", "50")
        assert job.line() == "|#######             | ... > rows 50 %"
        monkeypatch.setenv("COLUMNS", "12")
        assert job.line() == "|#######   "
    text = job.stream.getvalue()
    assert "[1/4] first" in text
    assert text.endswith("\r\x1b[K")
    assert list(job.seconds) == ["first", "second"]


def test_a_thread_writes_lines_while_the_work_says_nothing(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.001)
    stream = Stream(lines=3)
    with Progress(stream=stream).step("a long call"):
        assert stream.full.wait(60)
    assert set(stream.getvalue().splitlines()) == {"a long call"}
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_elsewhere_short_work_is_silent():
    stream = Stream()
    job = Progress(2, stream)
    with job.step("part"), step("inner", 3) as gauge:
        gauge.advance()
        gauge.say("only if the job is loud")
    assert stream.getvalue() == ""
    loud = Progress(stream=stream, loud=True)
    with loud.step("part"):
        loud.say("a line that stays")
    assert stream.getvalue() == "a line that stays\n"


def test_threads_of_a_pool_count_in_the_job(monkeypatch):
    job = Progress(stream=Stream())
    with job.step("fit"), step("all", 4000) as gauge:
        titles = []

        def work(_):
            with step("part of a thread") as own:
                titles.append(own.parent.title)
            for _ in range(1000):
                gauge.advance()

        parallel_for(counted(work, SILENT), range(4), threads=4)
        assert gauge.done == 4000
        assert titles == ["all"] * 4
        parallel_for(counted(lambda item: None, gauge), range(5), threads=2)
        assert gauge.done == 4005
    seen = []
    parallel_for(lambda _: seen.append(current_step()), range(3), threads=2)
    assert seen == [None] * 3


def test_a_job_inside_a_job_is_a_part_of_it():
    outer, inner = Progress(stream=Stream(), loud=True), Progress(2, stream=Stream(), loud=True)
    with outer.step("report"), inner.step("width 32"):
        assert outer.line() == "report > [1/2] width 32"
        inner.say("not a word")
        with talk("fit", 2) as own:
            assert own.job is outer
    assert inner.stream.getvalue() == outer.stream.getvalue() == ""
    assert list(inner.seconds) == ["width 32"]


def test_details_are_lines(capsys):
    with talk("fit", 2) as fit, step("training", 3, "iteration") as gauge:
        for k in range(4):
            gauge.reach(k, f"loss {4 - k}")
        fit.say("done")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[:4] == [f"training: iteration {k} of 3, loss {4 - k}" for k in range(4)]
    assert lines[4] == "done"
    assert [line.split(":")[0] for line in lines[5:]] == ["training", "fit"]
    assert out == ""


def test_an_error_ends_the_job():
    job = Progress(stream=Stream(tty=True))
    with pytest.raises(KeyboardInterrupt), job.step("fit"), step("part"):
        raise KeyboardInterrupt
    assert current_step() is None
    assert job.stream.getvalue().endswith("\r\x1b[K")
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_a_stream_that_is_closed_stops_nothing(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.001)
    stream = Stream(lines=1)
    with Progress(stream=stream).step("fit"):
        assert stream.full.wait(60)
        stream.close()
        for thread in threading.enumerate():
            if thread.name == "progress":
                thread.join(60)
                assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_is_silent():
    with Progress(stream=Stream()).step("fit"):
        child = os.fork()
        if child == 0:
            os._exit(0 if current_step() is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert current_step() is not None
