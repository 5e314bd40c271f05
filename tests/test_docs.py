"""The documentation cannot rot: its code runs, its command lines parse, its links lead somewhere.

The ``python`` blocks of a page run one after the other in one namespace.  Blocks with ``>>>`` are compared
with what they print; the others only have to run.
"""

from __future__ import annotations

import doctest
import pydoc
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import study_options

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SET_UP = ["pip install . && ntklib report", 'pip install ".[test]" && pytest']


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """First line number and text of the fenced blocks in a language."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S):
        yield text.count("\n", 0, found.start(1)), found[1]


def _id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_page(page: Path) -> list[str]:
    """Run the python blocks of a page and return what went wrong."""
    namespace: dict = {"__name__": "__main__"}
    failures: list[str] = []
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    for line, source in blocks(page, "python"):
        if ">>>" not in source:
            code = compile("\n" * line + source, str(page), "exec")
            exec(code, namespace)
            continue
        test = parser.get_doctest(source, namespace, _id(page), str(page), line)
        runner.run(test, out=failures.append, clear_globs=False)
        namespace.update(test.globs)
    return failures


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = run_page(page)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_command_lines_parse(page):
    from ntklib.lab.cli._app import build_parser

    for _, block in blocks(page, "(?:sh|console)"):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["ntklib"] and words[1:] not in (["--help"], ["--version"]):
                assert build_parser(words[1:]).parse_args(words[1:]).command.name == words[1]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(other), f"{target}: no such heading"


def test_the_readme_begins_with_the_two_set_up_commands():
    first = next(blocks(ROOT / "README.md", "sh"))[1]
    assert [line.split("  #")[0].strip() for line in first.splitlines()] == SET_UP


@pytest.mark.parametrize("page", ["architecture.md", "contributing.md", "lectures.md"])
def test_files_that_are_named_are_there(page):
    files = [f"/{path.relative_to(ROOT).as_posix()}" for path in ROOT.glob("*/**/*.py")]
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert len(named) > 5
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()


def test_tests_that_are_named_are_there():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "lectures.md").read_text(encoding="utf-8")))
    assert len(named) > 5
    assert {name for name in named if f"def {name}(" not in sources} == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "changelog.md"], ids=_id)
def test_names_that_are_written_in_full_are_there(page):
    for name in re.findall(r"`(ntklib(?:\.\w+)+)", page.read_text(encoding="utf-8")):
        assert pydoc.locate(name) is not None, name


def test_the_map_of_the_lectures_has_one_shape():
    """Every topic has its statement, its questions, names, a picture, and a command or lines of Python."""
    text = (ROOT / "docs" / "lectures.md").read_text(encoding="utf-8")
    topics = re.split(r"^## ", text, flags=re.M)[1:-1]  # misprints are last
    assert len(topics) > 15
    for topic in topics:
        title = topic.splitlines()[0]
        for part in ("$$", "| Question | Answer | Shown |", "- Names: `ntklib.", "- Picture: "):
            assert part in topic, f"{title}: no {part}"
        assert re.search(r"^```(?:sh|python)$", topic, flags=re.M), title


def test_the_page_of_studies_is_that_of_their_declarations():
    """After a change: ``python -m tests.study_options``."""
    assert study_options.PAGE.read_text(encoding="utf-8") == study_options.page()
