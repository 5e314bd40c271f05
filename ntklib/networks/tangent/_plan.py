"""The plan of a tangent kernel: layers, how much they count, and the form that a user asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ntklib._core.validation import check_integer

from .. import binding as binding
from ..derivatives import layers as layers
from ..params import Params
from ..spec import Spec

__all__ = ["TangentPlan", "make_plan"]

_FORMS = ("trace", "full", "diagonal")


@dataclass(frozen=True)
class TangentPlan:
    """Copies, the weight of each layer's arrays in the kernel, and the form of the result."""

    copies: tuple[layers.Copy, ...]
    weights: tuple[float, ...]
    biases: tuple[float, ...]
    form: str
    n_outputs: int
    dtype: np.dtype

    @cached_property
    def trained(self) -> list[int]:
        """Layers that contribute."""
        return [layer for layer, included in enumerate(self.copies[0].include) if included]

    @property
    def top(self) -> int:
        """The output layer, whose signals are the identity."""
        return len(self.weights) - 1

    def shape(self, n: int, m: int) -> tuple[int, ...]:
        """Shape of the kernel between n and m rows."""
        k = self.n_outputs
        return {"trace": (n, m), "diagonal": (n, m, k), "full": (n, k, m, k)}[self.form]

    def transposed(self, tile: np.ndarray) -> np.ndarray:
        """The tile on the other side of the diagonal."""
        return tile.transpose({"trace": (1, 0), "diagonal": (1, 0, 2), "full": (2, 3, 0, 1)}[self.form])

    def place(self, out: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """View of the output, with or without a leading axis of layers, that a tile goes to."""
        if self.form == "trace":
            return out[..., rows, columns]
        return out[..., rows, columns, :] if self.form == "diagonal" else out[..., rows, :, columns, :]


def make_plan(spec: Spec, params: Params, dtype: np.dtype, output: str | int, weighted: bool) -> TangentPlan:
    """Check what is asked of the kernel, and say how much each layer's weights and biases count in it."""
    copies = binding.bind(spec, params, dtype)
    k, form = spec.n_outputs, output
    if not isinstance(output, str):
        index = check_integer(output, "output", minimum=0)
        if index >= k:
            raise ValueError(f"output={index}, but the network's outputs are 0 to {k - 1}.")
        copies = tuple(_one_output(copy, index) for copy in copies)
        k, form = 1, "trace"
    elif output not in _FORMS:
        raise ValueError(f"output must be 'trace', 'full', 'diagonal' or an integer; got {output!r}.")
    steps = spec.steps() if weighted else ((1.0, 1.0),) * (spec.depth + 1)
    half = copies[0].coefficient ** 2
    pairs = list(zip(copies[0].layers, steps, strict=True))
    return TangentPlan(
        copies=copies,
        weights=tuple(half * step[0] * layer.weight_multiplier**2 for layer, step in pairs),
        biases=tuple(
            half * step[1] * layer.bias_multiplier**2 if spec.biases else 0.0 for layer, step in pairs
        ),
        form=str(form),
        n_outputs=k,
        dtype=dtype,
    )


def _one_output(copy: layers.Copy, index: int) -> layers.Copy:
    """The copy without its other outputs."""
    last = copy.layers[-1]
    bias = None if last.bias is None else last.bias[index : index + 1]
    last = replace(last, weight=np.ascontiguousarray(last.weight[index : index + 1]), bias=bias)
    return replace(copy, layers=(*copy.layers[:-1], last))
