"""The parts of a search for scales: gradients, rounds, penalties, standard errors, folds."""

import numpy as np
import pytest
from scipy import sparse

from ntklib import NTK, Laplace, NTKRegressor
from ntklib.estimators._units import make_units
from ntklib.estimators.ridge.learned.difference import blocks_of, jackknife
from ntklib.estimators.ridge.learned.gradients import column_scales, gradient_squares, mean_scales, varies
from ntklib.estimators.ridge.learned.on_folds import FoldRounds, climb
from ntklib.estimators.ridge.learned.recursion import Recursion, rows_of_gradients
from ntklib.estimators.ridge.learned.search import three_folds

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
X[:, 3] = 1.5
TARGETS = np.stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 0]], axis=1)
WEIGHTS = RNG.uniform(0.5, 2.0, 30)


@pytest.mark.parametrize("kernel", [NTK(depth=1, bias_std=0.5), Laplace(2.0, norm=2)], ids=["ntk", "laplace"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weights"])
def test_squares_are_those_of_differences_of_predictions(kernel, weights):
    model = NTKRegressor(kernel, alpha=0.1).fit(X, TARGETS)
    rows, h = RNG.normal(size=(30, 4)), 1e-6
    rows[:, 3] = 1.5
    slopes = [
        (model.predict(rows + h * unit) - model.predict(rows - h * unit)) / (2 * h) for unit in np.eye(4)
    ]
    expected = np.array([np.average(np.square(slope).sum(axis=1), weights=weights) for slope in slopes])
    expected[3] = 0.0  # constant
    for form in (np.asarray, sparse.csr_array):
        squares = gradient_squares(model.predict_gradient, form(rows), 2, weights)
        np.testing.assert_allclose(squares / squares.sum(), expected / expected.sum(), rtol=1e-5)


def test_scales_have_the_trace_of_the_identity_and_no_unit():
    squares = np.array([4.0, 1.0, 0.0, 0.0])
    scales = column_scales(squares)
    assert np.square(scales).sum() == pytest.approx(4)
    assert scales[0] / scales[1] == pytest.approx(2)
    assert column_scales(np.zeros(3)) is None
    assert varies(sparse.csr_array(X)).tolist() == varies(X).tolist() == [True, True, True, False]


def test_means_of_scales_are_those_of_diagonals():
    scales = [np.sqrt([3.0, 1.0]), np.sqrt([1.0, 3.0]), np.sqrt([0.5, 3.5])]
    np.testing.assert_allclose(np.square(mean_scales(scales)), [1.5, 2.5], rtol=1e-15)
    assert mean_scales([None, None, None]) is None


def test_rounds_against_a_twin_in_plain_numpy():
    """Exponentials of distances, normal equations, and derivatives written out."""
    length, penalty = 1.7, np.array([1.0, 0.1, 0.01])
    scales = np.ones(4)
    for place in (1, 2):
        z = X * scales
        gaps = z[:, None] - z[None]
        distances = np.sqrt(np.square(gaps).sum(axis=2))
        K = np.exp(-distances / length)
        system = np.block(
            [[K + penalty[place] * np.diag(1 / WEIGHTS), np.ones((30, 1))], [np.ones((1, 30)), 0]]
        )
        coefficients = np.linalg.solve(system, np.vstack([TARGETS, np.zeros((1, 2))]))[:30]
        pull = np.divide(-K / length, distances, out=np.zeros_like(K), where=distances > 0)
        slopes = np.einsum("ij,ijc,jp->icp", pull, gaps, coefficients) * scales[:, None]
        diagonal = WEIGHTS @ np.square(slopes).sum(axis=2)
        scales = np.sqrt(4 * diagonal / diagonal.sum())
    units = make_units(X, TARGETS, WEIGHTS, precomputed=False)
    recursion = Recursion(Laplace(length, norm=2), units, lambda scale: penalty * scale, True, np.arange(30))
    recursion.repeat(1)
    recursion.repeat(2)
    np.testing.assert_allclose(recursion.scales, scales, rtol=1e-8, atol=1e-12)


def test_no_scales_are_learned_of_coefficients_beyond_the_floats():
    units = make_units(X[:20], TARGETS[:20], None, precomputed=False)
    recursion = Recursion(Laplace(1.7, norm=2), units, lambda scale: np.array([scale]), True, np.arange(20))
    recursion.begin()
    fit = recursion.fit(0)
    fit.dual_coef[0] = np.inf
    assert not recursion.advance(fit)
    assert recursion.scales is None


def test_climbing_finds_the_top_of_a_hill_and_goes_no_further():
    def climbed(heights, *places):
        seen = []

        def rank(place):
            seen.append(place)
            return heights[place], 0.0

        return climb(rank, places[0], len(heights), places[1]), sorted(set(seen))

    hill = [0, 1, 2, 5, 4, 3, 0]
    assert climbed(hill, 1, 1) == (3, [1, 2, 3, 4])
    assert climbed(hill, 5, 1) == (3, [2, 3, 4, 5, 6])
    assert climbed(hill, 0, 3) == (3, [0, 3, 6])
    assert climbed([1.0, 2.0, 2.001, 3.0], 1, 1) == (1, [0, 1, 2])  # a thousandth is no gain
    assert climbed([1.0, 2.0, 2.003, 3.0], 1, 1) == (3, [1, 2, 3])
    assert climbed([-np.inf, -np.inf, 1.0], 1, 1) == (2, [1, 2])


def test_of_equal_scores_what_decides_leads_uphill():
    ranks = [(0.9, -3.0), (0.9, -2.0), (0.9, -2.5), (0.5, 0.0)]
    assert climb(ranks.__getitem__, 0, 4, 1) == 1


def test_known_penalties_are_the_only_ones_tried_but_for_the_last():
    penalties = np.array([1.0, 0.3, 0.1, 0.03, 0.01, 0.003])
    units = make_units(X[:20], TARGETS[:20], None, precomputed=False)

    def recursion():
        return Recursion(Laplace(1.7, norm=2), units, lambda scale: penalties * scale, True, np.arange(20))

    def score(values):
        return -float(np.square(values[0] - TARGETS[20:]).mean()), 0.0

    trials = FoldRounds([recursion()], [X[20:]], [None], score).run([5, 0, 2])
    assert [list(trial.tried) for trial in trials[:2]] == [[5], [0]]
    assert set(trials[2].tried) >= {2, 3}
    assert trials[2].rank == max(trials[2].tried.values())
    as_good = [place for place, (rank, _) in trials[2].tried.items() if trials[2].rank[0] <= 0.999 * rank]
    assert trials[2].start == min(as_good)
    twin = recursion()
    twin.repeat(5)
    twin.repeat(0)
    fit = NTKRegressor(twin.kernel, alpha=float(penalties[trials[2].place])).fit(X[:20], TARGETS[:20])
    np.testing.assert_allclose(trials[2].values[0], fit.predict(X[20:]), rtol=1e-8)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = RNG.normal(size=20)

    def mean(block):
        return float(np.delete(values, block).mean() if block is not None else values.mean())

    difference, error = jackknife(mean, 20)
    assert difference == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(20))


def test_blocks_are_even_and_keep_groups_together():
    order = RNG.permutation(100)
    assert np.bincount(blocks_of(order, None)).tolist() == [5] * 20
    groups = np.repeat(["a", "b", "c", "d"], 25)
    blocks = blocks_of(order, groups)
    assert sorted({(group, block) for group, block in zip(groups, blocks, strict=True)}, key=str) == [
        (group, blocks[groups == group][0]) for group in "abcd"
    ]
    assert len(set(blocks)) == 4


def test_folds_keep_the_shares_of_classes():
    labels = np.repeat([0, 1, 2], [30, 12, 3])
    splits = three_folds(RNG.permutation(45), labels)
    for train, test in splits:
        assert np.bincount(labels[test]).tolist() == [10, 4, 1]
        assert sorted([*train, *test]) == list(range(45))


def test_folds_hold_out_copies_together():
    labels, copies = np.repeat([0, 1], [40, 20]), np.repeat(np.arange(30), 2)
    order = RNG.permutation(60)
    splits = three_folds(order, labels, copies)
    for train, test in splits:
        assert not np.intersect1d(copies[train], copies[test]).size
        assert np.isin(np.bincount(labels[test]), [12, 14, 6, 8]).all()
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(60))
    assert three_folds(order, labels, np.arange(60) % 2) == []
    for ours, others in zip(
        three_folds(order, labels, np.arange(60)), three_folds(order, labels), strict=True
    ):
        np.testing.assert_array_equal(ours[1], others[1])


def test_rows_of_gradients_come_first_in_the_order():
    order = RNG.permutation(1000)
    train = np.arange(0, 1000, 2)
    chosen = train[rows_of_gradients(order, train)]
    even = [unit for unit in order if unit % 2 == 0]
    assert chosen.tolist() == sorted(even[:250])
