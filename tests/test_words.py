"""Wording of the source: docstrings open as SciPy's do, and names are nouns."""

from __future__ import annotations

import ast
from pathlib import Path

FILES = sorted((Path(__file__).parents[1] / "ntklib").rglob("*.py"))
QUESTIONS = {"What", "How", "Whether", "Which", "Where", "Why", "When", "Who"}
VERBS = {"found", "said", "shown"}


def nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def wrong_openings(source: str) -> list[str]:
    """Docstrings whose summary is a question without a question mark, not a noun phrase or an imperative."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = {ast.get_docstring(node) for node in nodes(source) if isinstance(node, kinds)} - {None}
    return [text.splitlines()[0] for text in texts if text.split(maxsplit=1)[0].strip(",.") in QUESTIONS]


def verbs_as_names(source: str) -> list[str]:
    """Variables that are named by a participle."""
    return [
        f"{node.lineno}: {node.id}"
        for node in nodes(source)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VERBS
    ]


def check(rule) -> dict[str, list[str]]:
    """Faults by file."""
    return {str(path): wrong for path in FILES if (wrong := rule(path.read_text(encoding="utf-8")))}


def test_docstrings_open_with_a_noun_phrase_or_an_imperative():
    assert check(wrong_openings) == {}


def test_variables_are_not_named_by_participles():
    assert check(verbs_as_names) == {}


def test_a_wrong_opening_is_noticed():
    assert wrong_openings('"""What it does."""') == ["What it does."]
    assert wrong_openings('def f():\n    """Whether it does."""') == ["Whether it does."]
    assert wrong_openings('class A:\n    """Rows of a table."""') == []


def test_a_participle_is_noticed():
    assert verbs_as_names("found = 1\nfor said in found: pass") == ["1: found", "2: said"]
    assert verbs_as_names("print(found)\nfoundation = 1") == []
