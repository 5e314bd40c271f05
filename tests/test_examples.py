"""The gallery: the build of the documentation runs its scripts, these are the rules they keep."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(FOLDER.rglob("*.py"))


def test_there_are_enough_and_each_stands_in_a_section():
    assert len(SCRIPTS) >= 24
    assert all(script.parent.parent == FOLDER for script in SCRIPTS)


def test_the_site_knows_every_section():
    conf = (FOLDER.parent / "docs" / "conf.py").read_text(encoding="utf-8")
    sections = {script.parent for script in SCRIPTS}
    assert all((section / "GALLERY_HEADER.rst").exists() for section in sections)
    named = next(
        ast.literal_eval(node.value)
        for node in ast.parse(conf).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SECTIONS"
    )
    assert set(named) == {section.name for section in sections}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_script_has_a_title_a_text_and_a_picture(script):
    text = script.read_text(encoding="utf-8")
    title, underline, blank, *summary = ast.get_docstring(ast.parse(text)).splitlines()
    assert len(underline) >= len(title)
    assert set(underline) == {"="}
    assert not blank
    assert summary
    assert "# %%\n# " in text
    assert "plt.subplots(" in text
    assert text.endswith("plt.show()\n")
