"""What every part takes for a source of random numbers."""

import numpy as np
import pytest

from ntklib._validation import random_generator
from ntklib.networks import TwoLayerNet


def numbers(random_state):
    return random_generator(random_state).integers(1000, size=4).tolist()


def test_the_same_seed_gives_the_same_numbers():
    expected = np.random.default_rng(3).integers(1000, size=4).tolist()
    assert numbers(3) == numbers(np.int64(3)) == expected
    assert numbers(np.random.default_rng(3)) == numbers(np.random.SeedSequence(3)) == expected
    assert numbers(np.random.RandomState(3)) == numbers(np.random.RandomState(3)) != expected
    assert numbers(None) != numbers(None)


def test_a_generator_goes_on():
    rng = np.random.default_rng(3)
    assert random_generator(rng) is rng
    assert numbers(rng) != numbers(rng)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, int])
def test_networks_take_them_all(make):
    net, X = TwoLayerNet(4), np.eye(2)
    assert net.init(2, make(1)) == net.init(2, make(1))
    first, second = (net.ntk_mean(X, draws=3, random_state=make(1)) for _ in range(2))
    np.testing.assert_array_equal(first.mean, second.mean)


@pytest.mark.parametrize(("bad", "error"), [("0", TypeError), (0.5, TypeError), (-1, ValueError)])
def test_others_are_refused(bad, error):
    for call in (
        random_generator,
        lambda bad: TwoLayerNet(4).init(2, bad),
        lambda bad: TwoLayerNet(4).ntk_mean(np.eye(2), draws=2, random_state=bad),
    ):
        with pytest.raises(error, match="random_state must be"):
            call(bad)
