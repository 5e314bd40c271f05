"""Measure every accuracy goal and write the table of docs/accuracy.md.

Run from the repository's root: ``python -m benchmarks.accuracy``.
"""

from __future__ import annotations

from pathlib import Path

from tests import array_accuracy
from tests.accuracy_table import GOALS, Goal, worst

HEAD = """# Accuracy

Errors of the kernels against arithmetic of 120 digits and more on the very float rows they were given: angles
down to 1e-12 from 0 and from pi, near-duplicate, coincident, parallel and antiparallel rows, norms from
1e-150 to 1e150 where the result is a float, and lengths weight_std |x| from 1e-300 to 1e300 times bias_std.
Each line is one goal: the bound on the absolute error, the number of entries measured, and the largest error
in units of its bound (1 or less meets the goal). The same samples are asserted in
`tests/kernels/test_accuracy.py`; `python -m benchmarks.accuracy` makes this page.

`tests/kernels/test_fuzz.py` draws 10,000 other pairs of rows in every run, over all activations, kernel
options, sizes and both types, and holds them to these bounds: 1e-12 sqrt(K_xx K_zz) in float64, 4e-6 |exact|
+ 10 eps sqrt(K_xx K_zz) in float32, and 1e-10 (1 + |exact|) more for activations by quadrature. It prints
its seed where it fails.

Deep networks of large weights magnify small angles, and with them the rounding of the rows themselves: with
8 layers of erf and weight_std=1000, changing each entry of two close rows of size 30 by a unit in its last
place changes their exact NTK by 2.6e-8 sqrt(K_xx K_zz) (`tests/kernels/test_near.py` asserts it). No
arithmetic on such rows is closer than that. The lines "Close rows" below bound the error by 1e-12
sqrt(K_xx K_zz) and a multiple of that change, computed exactly for each pair; where a network does not
magnify, the second term is nothing. `tests/kernels/test_near.py` holds gradients there to their bound and
four times their own such change, and `tests/kernels/test_even.py` both, and gradients in the inputs, for even
activations (cos, the Gaussian) on rows far shorter than 1 / weight_std: a layer makes their lengths all but
equal, and the layers that follow magnify what is left of the difference.

Gradients in the inputs (`gradient_x`) are within 1e-12 of their largest entry beside a kink, down to an ulp
from it, in deep networks of steps, ramps and powers with biases, and never NaN
(`tests/kernels/test_input_gradients.py` asserts it).

| kernel | bound | entries | error / bound |
|---|---|---:|---:|
"""


ARRAYS = """
## Arrays of other libraries

Under scikit-learn's `array_api_dispatch` kernels are computed in the library of the rows, in float64, with
formulas of their own; these are their errors, with `array-api-strict`. Rows of float32 have results of
float32. Of nearly opposite rows an angle is known to 1e-8 only, and steps take a root of it at every layer;
so they do of close rows. The lines "near opposite" are of networks without a bias, since a bias turns
opposite rows apart. Rows longer than 1e150 or shorter than 1e-150 are out of range there. A
[fit](many-rows.md#arrays-of-other-libraries) in float32 is not refined.

| kernel | bound | entries | error / bound |
|---|---|---:|---:|
"""


def table(goals: list[Goal]) -> str:
    """Measure goals and return their lines."""
    lines = []
    for goal in goals:
        samples = goal.samples()
        bound = goal.statement.replace("|", "\\|")
        lines.append(f"| {goal.name} | {bound} | {len(samples)} | {worst(samples).ratio:.2g} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    text = HEAD + table(GOALS) + ARRAYS + table(array_accuracy.GOALS)
    (Path(__file__).parents[1] / "docs" / "accuracy.md").write_text(text)


if __name__ == "__main__":
    main()
