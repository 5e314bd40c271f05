"""Arguments of studies: objects that check a parameter and describe its option on the command line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from typing import Any

from ntklib._core.validation import (
    check_flag,
    check_integer,
    check_integers,
    check_option,
    check_options,
    check_real,
    check_reals,
)
from ntklib.dynamics import OPTIMIZERS, Optimizer, as_optimizer

__all__ = ["Argument", "Flag", "Integer", "Integers", "OptimizerName", "Option", "Options", "Real", "Reals"]


class Argument(ABC):
    """Values that a parameter of a study may have, in its annotation: ``Annotated[int, Integer(2)]``.

    A default of None is allowed and not checked.
    """

    @abstractmethod
    def check(self, value: Any, name: str) -> Any:
        """Return the value in its own type.

        Raises
        ------
        TypeError, ValueError
            If it is not what the parameter may be; the message begins with ``name``.
        """

    @abstractmethod
    def option(self) -> dict[str, Any]:
        """Return the keywords of `argparse.ArgumentParser.add_argument`, without help and default."""


@dataclass(frozen=True)
class Integer(Argument):
    """An integer of at least ``minimum``."""

    minimum: int = 1

    def check(self, value: Any, name: str) -> int:
        return check_integer(value, name, minimum=self.minimum)

    def option(self) -> dict[str, Any]:
        return {"type": int, "metavar": "N"}


@dataclass(frozen=True)
class Real(Argument):
    """A number of at least ``minimum``, or above it (``strict``), and ``below``; or one of some words."""

    minimum: float = 0.0
    strict: bool = False
    below: float = inf
    words: tuple[str, ...] = ()

    def check(self, value: Any, name: str) -> float | str:
        if isinstance(value, str) and value in self.words:
            return value
        if isinstance(value, str) and self.words:
            known = " or ".join(map(repr, self.words))
            raise ValueError(f"{name} must be a number or {known}, got {value!r}.")
        number = check_real(value, name, minimum=self.minimum, strict=self.strict)
        if number >= self.below:
            raise ValueError(f"{name} must be less than {self.below:g}, got {number}.")
        return number

    def option(self) -> dict[str, Any]:
        return {"type": self._read if self.words else float, "metavar": "X"}

    def _read(self, text: str) -> float | str:
        return text if text in self.words else float(text)


@dataclass(frozen=True)
class Option(Argument):
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: Any, name: str) -> str:
        return check_option(value, name, self.words)

    def option(self) -> dict[str, Any]:
        return {"choices": self.words}


@dataclass(frozen=True)
class Flag(Argument):
    """True or False."""

    def check(self, value: Any, name: str) -> bool:
        return check_flag(value, name)

    def option(self) -> dict[str, Any]:
        from argparse import BooleanOptionalAction

        return {"action": BooleanOptionalAction}


@dataclass(frozen=True)
class Integers(Argument):
    """Different integers of at least ``minimum``, ``least`` of them or more; sorted."""

    minimum: int = 1
    least: int = 1
    example: str = "(64, 256, 1024)"

    def check(self, value: Any, name: str) -> list[int]:
        return check_integers(value, name, minimum=self.minimum, least=self.least, example=self.example)

    def option(self) -> dict[str, Any]:
        return {"type": int, "nargs": "+" if self.least else "*", "metavar": "N"}


@dataclass(frozen=True)
class Reals(Argument):
    """Different finite numbers of at least ``minimum``, or above it, ``least`` of them or more; sorted."""

    minimum: float = 0.0
    strict: bool = True
    least: int = 1
    example: str = "(0.1, 1, 10)"

    def check(self, value: Any, name: str) -> list[float]:
        return check_reals(
            value, name, minimum=self.minimum, strict=self.strict, least=self.least, example=self.example
        )

    def option(self) -> dict[str, Any]:
        return {"type": float, "nargs": "+" if self.least else "*", "metavar": "X"}


@dataclass(frozen=True)
class Options(Argument):
    """Different words, some of those given, in the order in which they are named."""

    words: tuple[str, ...]

    def check(self, value: Any, name: str) -> list[str]:
        return check_options(value, name, self.words)

    def option(self) -> dict[str, Any]:
        return {"nargs": "+", "choices": self.words}


@dataclass(frozen=True)
class OptimizerName(Argument):
    """An optimiser or the name of one."""

    def check(self, value: Any, name: str) -> str | Optimizer:
        as_optimizer(value)
        return value

    def option(self) -> dict[str, Any]:
        return {"choices": tuple(OPTIMIZERS)}
