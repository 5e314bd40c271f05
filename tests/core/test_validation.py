"""What every part takes for a source of random numbers, and for a sequence of settings."""

import numpy as np
import pytest

from ntklib._core.validation import check_integers, check_options, check_reals, random_generator
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


@pytest.mark.parametrize(
    ("check", "given", "options", "found"),
    [
        (check_integers, (4, 2, np.int64(4)), {"minimum": 1}, [2, 4]),
        (check_reals, np.array([3.0, 0.5, 3.0]), {"minimum": 0}, [0.5, 3.0]),
        (check_reals, [], {"minimum": 0, "least": 0}, []),
        (check_options, ["b", "a", "b"], {"options": ("a", "b", "c")}, ["b", "a"]),
    ],
    ids=["integers", "reals", "none", "options"],
)
def test_sequences_come_back_without_repeats(check, given, options, found):
    assert check(given, "things", **options) == found


@pytest.mark.parametrize(
    ("check", "given", "options", "error", "message"),
    [
        (check_integers, 4, {"minimum": 1}, TypeError, "things must be a sequence of integers such as"),
        (check_reals, "12", {"minimum": 0}, TypeError, "things must be a sequence of numbers such as"),
        (check_options, "a", {"options": ("a", "b")}, TypeError, "sequence of names, some of 'a', 'b'"),
        (check_integers, (), {"minimum": 1}, ValueError, "things is empty"),
        (check_integers, (2, 2), {"minimum": 1, "least": 2}, ValueError, "at least 2 different ones"),
        (
            check_reals,
            (0.0,),
            {"minimum": 0, "strict": True},
            ValueError,
            "each of things must be finite",
        ),
        (check_options, ("c",), {"options": ("a", "b")}, ValueError, "each of things must be one of"),
    ],
    ids=["number", "text", "one name", "empty", "repeated", "not positive", "unknown"],
)
def test_bad_sequences_are_refused(check, given, options, error, message):
    with pytest.raises(error, match=message):
        check(given, "things", **options)
