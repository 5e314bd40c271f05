"""The command line: ``ntklib report | study | fit | predict | info | warmup``, also ``python -m ntklib``.

A command is a module-level :class:`Command` record; it joins the program by being listed in ``COMMANDS``.
"""

from ._app import COMMANDS, main
from ._command import Command

__all__ = ["COMMANDS", "Command", "main"]
