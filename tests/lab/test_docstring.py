"""Docstrings of studies: read for the help of commands, completed with shared parameters."""

from ntklib.lab.docstring import Docstring

TEXT = """Measure *something* of `ReLU`.

Plain words on it, with :math:`x` and ``code``.

More, which the help leaves out.

Parameters
----------
a, b : int
    Two numbers.  Not
    zero.
c : float, default=1.5
    Third number, 1.5 at most.

Returns
-------
float
"""


def test_it_is_read():
    doc = Docstring(TEXT)
    assert doc.summary == "Measure *something* of ReLU"
    assert doc.description == "Plain words on it, with x and code."
    assert list(doc.parameters) == ["a", "b", "c"]
    assert doc.help("a") == doc.help("b") == "Two numbers"
    assert doc.help("c") == "Third number, 1.5 at most"


def test_it_is_completed_in_the_order_of_the_signature():
    entries = {"X": ("array", "Rows."), "c": ("int", "Not taken."), "seed": ("int", "Seed.")}
    lines = str(Docstring(TEXT).with_parameters(entries, ["X", "a", "b", "c", "seed"])).splitlines()
    start = lines.index("----------")
    assert lines[start + 1 : start + 10] == [
        "X : array",
        "    Rows.",
        "a, b : int",
        "    Two numbers.  Not",
        "    zero.",
        "c : float, default=1.5",
        "    Third number, 1.5 at most.",
        "seed : int",
        "    Seed.",
    ]
    assert lines[start + 10 :] == ["", "Returns", "-------", "float"]


def test_a_docstring_without_parameters_gets_the_section():
    text = str(Docstring("Do it.").with_parameters({"a": ("int", "One.")}, ["a"]))
    assert text == "Do it.\n\nParameters\n----------\na : int\n    One."
    assert Docstring("Do it.").parameters == {}
