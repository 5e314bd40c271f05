"""The section on the lazy-training theorem: losses under what was promised of them."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from ntklib.lab.studies.lazy_decay.pictures import draw_under_bounds
from ntklib.plotting import HistoryDisplay

from ._figures import figure
from ._tables import cell, heading, table
from ._theorem import Lazy
from ._width import rounded

if TYPE_CHECKING:
    from ._records import Analysis

_DASH = "&ndash;"


def theorem(analysis: Analysis) -> str | None:
    """Show what is certain of a wide network before it is trained, and that it comes true."""
    found = analysis.theorem
    if found is None:
        return None
    first, sharper = found.promises["A"], found.promises["A'"]
    repeated = ""
    if found.n_repeated:
        repeated = (
            f" (repeated rows, {found.n_repeated} of the {found.n_candidates} looked at, were left out: "
            "nothing can be promised of equal rows with different targets)"
        )
    return (
        "<p>All of this rests on a theorem: multiply the outputs of a network by a large enough number, its "
        "<b>scale</b>, and it learns by moving its weights so little that it trains like a linear model, "
        "which is what a kernel is. The error on the training rows then shrinks exponentially, and nothing "
        "can get in the way. How large is large enough depends on the network and the rows, and can be "
        "computed before training starts.</p>"
        f"<p>Here it is computed for {found.n_rows} training rows that are far from one another{repeated}, "
        f"and a network with one hidden layer of {found.width:,} neurons (activation erf), all weights "
        "trained, that starts with outputs 0. Two theorems are applied: <b>A</b>, a classical form, and the "
        f"sharper <b>A&prime;</b>.</p>{_constants(found)}{_decay(found)}{_promises(found)}"
        "<p>Both promise something of gradient flow, where weights move continuously. Gradient descent "
        "follows the flow closely if its steps are small; the time t is then the number of steps times the "
        "step size.</p>"
        f"<p>An ordinary network has scale 1. A&prime; would promise something there from a width of "
        f"about <b>{_large(sharper.certifying_width)}</b> on, A from about "
        f"<b>{_large(first.certifying_width)}</b>. But a promise that cannot be given before may be kept "
        "nevertheless, and proved afterwards: the eigenvalues that the network's kernel had along the way "
        f"bound the loss of that one run.</p>{_run(found)}"
    )


def _constants(found: Lazy) -> str:
    beta = found.promises["A'"].jacobian_lipschitz
    rows = [
        ("&sigma;<sub>min</sub>", found.sigma_min, "how much outputs respond to the weights, at least"),
        ("&sigma;<sub>max</sub>", found.sigma_max, "and at most"),
        ("&beta;", beta, "how fast these responses can change as the weights move"),
        ("|y|", found.residual, "how far the outputs have to go"),
    ]
    return table(
        None,
        [
            [f'<th scope="row">{name}</th>', cell(f"{value:.3g}"), f"<td>{text}</td>"]
            for name, value, text in rows
        ],
    )


def _decay(found: Lazy) -> str:
    def draw(ax) -> None:
        draw_under_bounds(
            ax,
            found.times,
            {"network": found.loss, "its linear model": found.linear_loss},
            {f"promised by theorem {name}": one.loss_bound for name, one in found.promises.items()},
            {"promised of the linear model": found.linear_loss_bound},
        )
        ax.set_xlabel("time t")

    return figure(
        "theorem-flow",
        draw,
        alt="loss of a network against time, below the bounds of two theorems",
        caption=f"The square loss on {found.n_rows} rows at scale {_number(found.scale)}, from which on both "
        "theorems hold. The promises were made before training; what they exclude is shaded. "
        "A&prime; promises almost what is certain of the linear model here.",
    )


def _promises(found: Lazy) -> str:
    names = {"A": "theorem A", "A'": "theorem A\N{PRIME}"}
    promises = [found.promises[name] for name in names]
    measured = (_DASH, f"{found.loss[-1]:.2g}", f"{found.distance:.3g}", _DASH)
    rows = {
        "holds from scale": [_number(one.scale_threshold) for one in promises],
        f"loss at the end, from {found.loss[0]:.3g}: at most": [
            f"{one.loss_bound[-1]:.2g}" for one in promises
        ],
        "weights move by at most": [f"{one.distance_bound:.3g}" for one in promises],
        "width for scale 1, about": [_large(one.certifying_width) for one in promises],
    }
    body = [
        [heading(title), *map(cell, values), cell(actual)]
        for (title, values), actual in zip(rows.items(), measured, strict=True)
    ]
    return table([f"at scale {_number(found.scale)}", *names.values(), "measured"], body)


def _run(found: Lazy) -> str:
    run = found.run
    steps = np.arange(len(run.loss))
    curves = {"loss": (steps, run.loss), "proved afterwards": (steps, run.loss_bound)}
    strayed = " Here the weights moved too far for it to prove that the loss falls."
    return figure(
        "theorem-run",
        HistoryDisplay(curves).plot,
        alt="loss of gradient descent against steps, below the bound proved for it",
        caption=f"The same network at scale 1, {steps[-1]} steps of gradient descent of size "
        f"{run.learning_rate:.3g}. The upper line includes what is lost by taking steps, by looking at the "
        "kernel now and then only, and by rounding." + ("" if run.loss_bound[-1] < run.loss[0] else strayed),
    )


def _number(value: float) -> str:
    """Write three digits without an exponent where that is short.

    Examples
    --------
    >>> _number(1641.58), _number(0.123456), _number(2.5e7)
    ('1,642', '0.123', '2.5e+07')
    """
    return f"{value:,.0f}" if 1000 <= value < 1e7 else f"{value:.3g}"


def _large(count: int | None) -> str:
    """Write a width, beyond a billion as a power of ten.

    Examples
    --------
    >>> _large(12_345), _large(3_400_000_000_000), _large(None)
    ('12,000', '3 &times; 10<sup>12</sup>', '&ndash;')
    """
    if count is None:
        return _DASH
    if count < 1e9:
        return rounded(count)
    power = floor(log10(count))
    digit = round(count / 10**power)
    return f"{digit} &times; 10<sup>{power}</sup>" if digit < 10 else f"10<sup>{power + 1}</sup>"
