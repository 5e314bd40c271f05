"""10,000 random pairs of rows in random kernels, against exact values: a fresh seed in every run.

A failure prints the seed; ``NTKLIB_FUZZ_SEED=... pytest tests/kernels/test_fuzz.py`` repeats the run.
"""

import os
import secrets

import numpy as np
from mpmath import mp, mpf

from tests.kernel_fuzz import ENTRIES, draw, exact, exact_gradient

SEED = int(os.environ.get("NTKLIB_FUZZ_SEED") or secrets.randbits(48))
INPUTS = int(os.environ.get("NTKLIB_FUZZ_INPUTS") or 10_000)


def _bounds(case, truth, scale):
    """What docs/accuracy.md promises, entry by entry."""
    eps = mpf(float(np.finfo(case.rows.dtype).eps))
    if case.rows.dtype == np.float32:
        bounds = mpf("4e-6") * abs(truth) + 10 * eps * scale
    else:
        bounds = mpf("1e-12") * scale
    if case.entry.oracle is None:
        bounds = bounds + mpf("1e-10") * (1 + abs(truth))
    return bounds + 2 * mpf(float(np.finfo(case.rows.dtype).smallest_subnormal))


def faults(case):
    """What is wrong with a kernel's values on its rows."""
    X = case.form(case.rows)
    K, truth = case.kernel(X), exact(case)
    n, info = len(K), np.finfo(K.dtype)
    if not np.array_equal(K, K.T, equal_nan=True):
        yield "not symmetric"
    if not np.array_equal(case.kernel.diag(X), np.diag(K), equal_nan=True):
        yield "the diagonal is another"
    with mp.workdps(60):
        roots = np.array([mp.sqrt(mpf(truth[i, i])) for i in range(n)])
        scale = np.outer(roots, roots)
        truth = truth * mpf(1)
        bounds = _bounds(case, truth, scale)
        for kind, values in (("", K), ("cross ", case.kernel(case.form(case.rows[:2]), X))):
            for i, j in np.ndindex(*values.shape):
                value = float(values[i, j])
                if np.isinf(value) and abs(truth[i, j]) + bounds[i, j] >= mpf(float(info.max)) / 2:
                    continue
                error = abs(mpf(value) - truth[i, j])
                if not error <= bounds[i, j]:
                    yield (
                        f"{kind}K[{i}, {j}] = {value!r} for {mp.nstr(truth[i, j], 17)}, "
                        f"off by {float(error / bounds[i, j]) if mp.isfinite(error) else value:.3g} bounds"
                    )
    if np.all(np.isfinite(K)) and np.diag(K).min() > info.tiny / info.eps:
        root = np.sqrt(np.diag(K).astype(float))
        least = np.linalg.eigvalsh(K / np.outer(root, root))[0]
        slack = max(float(bounds[i, j] / scale[i, j]) for i, j in np.ndindex(n, n))
        if least < -n * (slack + 4 * float(info.eps)):
            yield f"not positive semidefinite: {least:.3g}"


def gradient_faults(case):
    """What is wrong with its derivatives; those of smooth kernels cancel between rows far longer than 1."""
    if case.entry.oracle is None or (case.entry.order is None and abs(case.rows).max() > 10):
        return
    K, gradient = case.kernel(case.form(case.rows), eval_gradient=True)
    truths, root = exact_gradient(case), np.sqrt(np.diag(K).astype(float))
    if not np.all(np.isfinite(K)) or root.min() < 1e-140:
        return
    for i, j, k in np.ndindex(*gradient.shape):
        truth = truths[i, j, k]
        bound = mpf("1e-10") * abs(truth) + mpf("1e-12") * mpf(float(root[i] * root[j]))
        if not abs(mpf(float(gradient[i, j, k])) - truth) <= bound:
            yield f"gradient[{i}, {j}, {k}] = {gradient[i, j, k]!r} for {mp.nstr(truth, 17)}"


def test_every_kernel_on_every_kind_of_rows():
    seen, index, found = 0, 0, []
    while seen < INPUTS:
        case = draw(np.random.default_rng([SEED, index]), ENTRIES[index % len(ENTRIES)])
        wrong = [*faults(case), *(gradient_faults(case) if index % 8 == 3 else ())]
        found += [f"case {index}: {fault}\n    {case}" for fault in wrong]
        index += 1
        seen += len(case.rows) * (len(case.rows) + 1) // 2
    assert not found, f"NTKLIB_FUZZ_SEED={SEED}: {len(found)} faults\n" + "\n".join(found[:10])
