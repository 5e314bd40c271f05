"""Declaration of studies: from one decorated function come its checks, its documentation and its command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from ntklib._core.validation import check_integer, check_rows
from ntklib.networks import MLP, TwoLayerNet

from .arguments import Argument
from .check_samples import check_samples
from .docstring import Docstring

__all__ = [
    "NETWORK_OPTIONS",
    "TRAINED_OPTIONS",
    "Declaration",
    "Networks",
    "RowSource",
    "declaration_of",
    "study",
]

P = ParamSpec("P")
R = TypeVar("R")

NETWORK_OPTIONS = (
    "depth",
    "activation",
    "parameterization",
    "trainable",
    "weight_std",
    "bias_std",
    "input_scaling",
    "output_init",
    "symmetric",
)
"""Options of a network that commands offer unless a study says otherwise."""

TRAINED_OPTIONS = tuple(name for name in NETWORK_OPTIONS if name != "trainable")
"""Those of networks all of whose layers are trained."""


@dataclass(frozen=True)
class RowSource:
    """Rows that a study computes on.

    Parameters
    ----------
    kind : {"rows", "samples", "classes", "two classes"}
        The study takes ``X`` alone; or also ``y``: numbers (its command standardises the target), class
        labels, or labels of two classes, where ``X`` and ``y`` may be None.
    max_samples : int
        How many rows the command draws by default.
    held_out : float, default=0
        Share of the rows that the command passes as ``X_test``.
    every_layer : bool, default=True
        For samples: whether all layers of the network must be trained.
    several_outputs : bool, default=False
        For samples: whether targets may be of several outputs; then the study checks them itself.
    """

    kind: Literal["rows", "samples", "classes", "two classes"]
    max_samples: int = 200
    held_out: float = 0.0
    every_layer: bool = True
    several_outputs: bool = False

    @property
    def target(self) -> str:
        """Help of ``--target``."""
        return {
            "rows": "a column that is no input",
            "samples": "what to predict; of classes, the later half against the rest",
            "classes": "the classes",
            "two classes": "the classes",
        }[self.kind]


@dataclass(frozen=True)
class Networks:
    """Networks that a study takes in its parameter ``network``.

    Parameters
    ----------
    options : tuple of str, default=NETWORK_OPTIONS
        Those the command offers; their defaults are those of the parameter's.  Without "depth", networks have
        one hidden layer.
    width : bool, default=False
        Whether the command offers ``--width``: not in studies that go through widths.
    """

    options: tuple[str, ...] = NETWORK_OPTIONS
    width: bool = False

    def checked(self, network: Any) -> TwoLayerNet | MLP:
        """Return the network if it is one that the study takes."""
        if not isinstance(network, TwoLayerNet | MLP):
            raise TypeError(f"network must be a TwoLayerNet or an MLP, got {network!r}.")
        if "depth" not in self.options and network.depth != 1:
            raise ValueError(
                f"the network has {network.depth} hidden layers; this study is of networks with one."
            )
        return network


@dataclass(frozen=True)
class Declaration:
    """A study as it was declared."""

    function: Callable[..., Any]
    rows: RowSource | None
    networks: Networks | None
    examples: str

    @cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.function, include_extras=True)

    @cached_property
    def result(self) -> Any:
        """The class of the result."""
        return self._hints["return"]

    @property
    def name(self) -> str:
        """The name of the study: of its command, its results and its parts."""
        return self.result.study

    @cached_property
    def arguments(self) -> dict[str, Argument]:
        """Parameters with a checked annotation, by name."""
        arguments = {}
        for name in self.signature.parameters:
            hint = self._hints[name]
            # "Annotated[int, Integer()] | None" as well
            for part in (hint, *get_args(hint)):
                if get_origin(part) is Annotated and isinstance(get_args(part)[1], Argument):
                    arguments[name] = get_args(part)[1]
        return arguments

    def default(self, name: str) -> Any:
        """Return the default of a parameter."""
        return self.signature.parameters[name].default

    @cached_property
    def docstring(self) -> Docstring:
        """The docstring, with what is the same in all studies filled in."""
        return Docstring(self.function.__doc__ or "").with_parameters(
            self._common(), self.signature.parameters
        )

    def _common(self) -> dict[str, tuple[str, str]]:
        """Type and description of parameters that studies share."""
        entries = {
            "random_state": (
                "int, default=0",
                "Seed.  The random numbers of a part depend on it and on the part alone: results are the "
                "same bytes at any number of threads, and parts can be added later.",
            ),
            "out": (
                "str, Path or None, default=None",
                "Folder in which each part is kept as soon as it is finished, so that a study that was "
                "killed goes on from there.  The result is written by its method ``save`` only.",
            ),
            "progress": (
                "Progress or None, default=None",
                "None writes to standard error: a bar on a terminal, a line every half minute elsewhere.",
            ),
        }
        if self.rows is not None:
            entries["X"] = ("array-like or CSR matrix of shape (n_samples, n_features)", "Rows.")
            y = "Targets." if self.rows.kind == "samples" else "Class labels."
            entries["y"] = ("array-like of shape (n_samples,)", y)
        if self.networks is not None:
            default = " ".join(repr(self.default("network")).split())
            entries["network"] = (f"TwoLayerNet or MLP, default={default}", "Its width does not matter.")
        return entries

    def checked(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments by name, checked, with defaults filled in.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what its annotation says.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values = bound.arguments
        for name, argument in self.arguments.items():
            if values[name] is not None or self.default(name) is not None:
                values[name] = argument.check(values[name], name)
        if "random_state" in values:
            values["random_state"] = check_integer(values["random_state"], "random_state", minimum=0)
        if self.networks is not None:
            values["network"] = self.networks.checked(values["network"])
        if self.rows is not None and (self.rows.kind == "rows" or self.rows.several_outputs):
            values["X"] = check_rows(values["X"]).astype(np.float64, copy=False)
        elif self.rows is not None and self.rows.kind == "samples":
            values["X"], values["y"] = check_samples(
                values["X"], values["y"], values.get("network"), every_layer=self.rows.every_layer
            )
        return dict(values)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Run the study with checked arguments and return its result."""
        return self.function(**self.checked(*args, **kwargs))


def study(
    *, rows: RowSource | None = None, networks: Networks | None = None, examples: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function to be a study.

    Its arguments are checked before it runs: those annotated by an `Argument`, ``random_state``, and as
    declared here ``X``, ``y`` and ``network``.  Its docstring gets the parameters that all studies share.  A
    study is listed in `ntklib.lab.studies`, which gives it its command.

    Parameters
    ----------
    rows : RowSource or None, default=None
        The rows in its parameters ``X`` and ``y``, if it has them.
    networks : Networks or None, default=None
        The networks in its parameter ``network``, if it has it.
    examples : str
        Command lines with a word on each, shown at the end of the command's help.

    Returns
    -------
    callable
        The decorator.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        declaration = Declaration(function, rows, networks, inspect.cleandoc(examples))

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            return declaration.run(*args, **kwargs)

        run.__doc__ = str(declaration.docstring)
        run.declaration = declaration  # type: ignore[attr-defined]
        return run

    return declare


def declaration_of(function: Callable[..., Any]) -> Declaration:
    """Return the declaration of a study."""
    return function.declaration  # type: ignore[attr-defined]
