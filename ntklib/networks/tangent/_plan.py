"""From what a user asks of a tangent kernel to the plan that `_gram` follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ntklib._core.validation import check_integer

from .. import binding as binding
from ..derivatives import layers as layers
from ..params import Params
from ..spec import Spec
from ._gram import Plan

__all__ = ["make_plan"]

_FORMS = ("trace", "full", "diagonal")


def make_plan(
    spec: Spec, params: Params, n_features: int, dtype: np.dtype, output: str | int, weighted: bool
) -> Plan:
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
    pairs = list(zip(spec.scalings(n_features), steps, strict=True))
    return Plan(
        copies=copies,
        weights=tuple(half * step[0] * scaling.weight**2 for scaling, step in pairs),
        biases=tuple(half * step[1] * scaling.bias**2 if spec.biases else 0.0 for scaling, step in pairs),
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
