"""Minibatches: unbiased exactly, by enumeration of everything that could be drawn."""

import itertools
import math

import numpy as np
import pytest

from ntklib.dynamics import GradientDescent, Minibatches, Momentum

N = 5
GRADIENTS = np.array([[1.0, -2.0], [0.5, 3.0], [-4.0, 0.0], [2.0, 2.5], [0.0, 7.0]])  # of single samples
TOTAL = GRADIENTS.sum(axis=0)


def estimate(batch):
    return batch.scale * GRADIENTS[batch.rows].sum(axis=0)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_without_replacement_every_batch_of_the_epoch_is_unbiased(size):
    minibatches = Minibatches(N, size)
    for part in range(minibatches.per_epoch):
        found = [estimate(minibatches._cut(np.array(p), part)) for p in itertools.permutations(range(N))]
        np.testing.assert_allclose(np.mean(found, axis=0), TOTAL, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_with_replacement_every_batch_is_unbiased(size):
    minibatches = Minibatches(N, size, replace=True)
    draws = itertools.product(range(N), repeat=size)
    found = [estimate(minibatches._cut(np.array(draw), 0)) for draw in draws]
    np.testing.assert_allclose(np.mean(found, axis=0), TOTAL, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_variance_of_the_estimate(size):
    single = np.mean(np.sum((GRADIENTS - GRADIENTS.mean(axis=0)) ** 2, axis=1))
    with_replacement = N**2 / size * single
    for replace, draws, expected in (
        (True, itertools.product(range(N), repeat=size), with_replacement),
        (False, itertools.permutations(range(N)), with_replacement * (N - size) / (N - 1)),
    ):
        minibatches = Minibatches(N, size, replace=replace)
        found = np.array([estimate(minibatches._cut(np.array(draw), 0)) for draw in draws])
        assert np.mean(np.sum((found - TOTAL) ** 2, axis=1)) == pytest.approx(expected, rel=1e-12)


def test_all_orders_come_up_equally_often():
    """Chi-squared with 5 degrees of freedom, mean 5 and standard deviation sqrt(10): 5 sigma is 20.8."""
    minibatches = Minibatches(3, 2, random_state=0)
    counts = dict.fromkeys(itertools.permutations(range(3)), 0)
    for epoch in range(6000):
        order = np.concatenate([minibatches.batch(2 * epoch + part).rows for part in range(2)])
        counts[tuple(order.tolist())] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 5 + 5 * math.sqrt(10)


def test_draws_with_replacement_are_uniform():
    minibatches = Minibatches(4, 2, replace=True, random_state=0)
    counts = np.zeros((4, 4))
    for k in range(8000):
        counts[tuple(minibatches.batch(k).rows)] += 1
    assert np.sum((counts - 500) ** 2 / 500) < 15 + 5 * math.sqrt(30)  # 15 degrees of freedom


def test_an_epoch_has_every_sample_once():
    minibatches = Minibatches(23, 5, random_state=1)
    assert minibatches.per_epoch == 5
    orders = []
    for epoch in range(3):
        batches = [minibatches.batch(5 * epoch + part) for part in range(5)]
        assert [batch.scale for batch in batches] == [23 / 5] * 4 + [23 / 3]
        orders.append(np.concatenate([batch.rows for batch in batches]))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.arange(23))
    assert not np.array_equal(orders[0], orders[1])


def test_batches_are_functions_of_number_and_seed():
    first, second = (Minibatches(20, 3, random_state=7) for _ in range(2))
    backward = {k: second.batch(k).rows for k in reversed(range(30))}
    for k, batch in zip(range(30), first, strict=False):
        np.testing.assert_array_equal(batch.rows, backward[k])
    assert any(
        not np.array_equal(Minibatches(20, 3, random_state=8).batch(k).rows, backward[k]) for k in range(3)
    )


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators_seed_it_and_move_on(make):
    rng = make(3)
    once, again = Minibatches(50, 50, replace=True, random_state=rng), Minibatches(50, 5, random_state=rng)
    same = Minibatches(50, 50, replace=True, random_state=make(3))
    np.testing.assert_array_equal(once.batch(0).rows, same.batch(0).rows)
    assert again.batch(0).rows.shape == (5,)
    assert Minibatches(50, 5).batch(0).rows.shape == (5,)


def test_all_samples_in_one_batch_are_a_slice():
    for minibatches in (Minibatches(5), Minibatches(5, 5), Minibatches(5, replace=True)):
        batch = minibatches.batch(3)
        assert batch.rows == slice(None)
        assert batch.scale == 1.0
    assert not isinstance(Minibatches(5, 5, replace=True, random_state=0).batch(0).rows, slice)
    assert repr(Minibatches(9, 2)) == "Minibatches(2 of 9, without replacement)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"n_samples": 3, "batch_size": 0}, "batch_size must be at least 1"),
        ({"n_samples": 3, "batch_size": 4}, "batch_size is 4 and there are 3 samples"),
        ({"n_samples": 3, "random_state": -1}, "random_state must be at least 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Minibatches(**arguments)
    with pytest.raises(ValueError, match="k must be at least 0"):
        Minibatches(3).batch(-1)


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("optimizer", [GradientDescent(0.002), Momentum(0.0005, 0.8)])
def test_stochastic_descent_finds_an_interpolant(replace, optimizer):
    """Where all samples can be fitted, the noise dies with the error and the step need not be lowered."""
    rng = np.random.default_rng(0)
    A, w_true = rng.standard_normal((40, 3)), np.array([1.0, -2.0, 0.5])
    y = A @ w_true
    minibatches = Minibatches(40, 8, replace=replace, random_state=0)
    state = optimizer.start(np.zeros(3))
    for _ in range(600):
        batch = minibatches.batch(state.steps)
        rows = A[batch.rows]
        optimizer.step(state, lambda w: batch.scale * rows.T @ (rows @ w - y[batch.rows]))  # noqa: B023
    np.testing.assert_allclose(state.position, w_true, atol=1e-8)
