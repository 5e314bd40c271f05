"""Docstrings in numpydoc's format, read for the help of commands and completed with shared parameters."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

__all__ = ["Docstring", "plain_text"]

_INDENT: Any = {"initial_indent": " " * 4, "subsequent_indent": " " * 4}
_ROLE = re.compile(r":\w+:`([^`]*)`")


def plain_text(text: str) -> str:
    """Return a paragraph on one line, without markup."""
    return " ".join(_ROLE.sub(r"\1", text).replace("`", "").split())


@dataclass(frozen=True)
class Docstring:
    """A docstring and the parts of it that commands show.

    Examples
    --------
    >>> from ntklib.lab.docstring import Docstring
    >>> doc = Docstring('''Add numbers.
    ...
    ... Parameters
    ... ----------
    ... a : int
    ...     The first one.  Not zero.
    ... ''')
    >>> doc.summary, doc.help("a")
    ('Add numbers', 'The first one')
    >>> sorted(doc.with_parameters({"b": ("int", "The second one.")}, ["a", "b"]).parameters)
    ['a', 'b']
    """

    text: str

    def __str__(self) -> str:
        return inspect.cleandoc(self.text)

    @property
    def summary(self) -> str:
        """The first line, as a phrase."""
        return plain_text(str(self).partition("\n\n")[0]).removesuffix(".")

    @property
    def description(self) -> str:
        """The first paragraph after the summary."""
        return plain_text(str(self).split("\n\n")[1])

    def help(self, parameter: str) -> str:
        """Return the first sentence on a parameter, as a phrase."""
        sentence = re.split(r"\.\s", self.parameters[parameter] + " ")[0]
        return plain_text(sentence)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The descriptions of the parameters by name."""
        lines = str(self).splitlines()
        start, end = self._section()
        bodies: dict[str, list[str]] = {}
        names: list[str] = []
        for line in lines[start:end]:
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.partition(" : ")[0].split(",")]
                bodies |= {name: [] for name in names}
            for name in names if line.startswith(" ") else []:
                bodies[name].append(line.strip())
        return {name: " ".join(body) for name, body in bodies.items()}

    def _section(self) -> tuple[int, int]:
        """First line of the parameters and the line after their last."""
        lines = str(self).splitlines()
        headings = [i for i, line in enumerate(lines) if i and line and set(line) == {"-"}]
        try:
            here = next(i for i in headings if lines[i - 1] == "Parameters")
        except StopIteration:
            return len(lines), len(lines)
        later = [i - 1 for i in headings if i > here]
        end = later[0] if later else len(lines)
        while not lines[end - 1].strip():
            end -= 1
        return here + 1, end

    def with_parameters(self, entries: Mapping[str, tuple[str, str]], order: Iterable[str]) -> Docstring:
        """Return the docstring with entries (type, description) for parameters that it leaves out.

        Parameters
        ----------
        entries : mapping of str to pair of str
        order : iterable of str
            All parameters of the function; an entry stands before the next one that is described.
        """
        lines = str(self).splitlines()
        start, end = self._section()
        blocks: dict[str, list[str]] = {}
        names: list[str] = []
        for line in lines[start:end]:
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.partition(" : ")[0].split(",")]
                blocks[names[0]] = []
            blocks[names[0]].append(line)
        described = self.parameters
        result: list[str] = []
        for name in order:
            if name in blocks:
                result += blocks[name]
            elif name not in described and name in entries:
                kind, text = entries[name]
                result += [
                    f"{name} : {kind}",
                    *textwrap.wrap(text, 100, initial_indent=" " * 4, subsequent_indent=" " * 4),
                ]
        if start == len(lines):
            lines += ["", "Parameters", "----------"]
            start = end = len(lines)
        return replace(self, text="\n".join([*lines[:start], *result, *lines[end:]]))
