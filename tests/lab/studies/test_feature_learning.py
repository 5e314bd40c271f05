"""Teachers and students: plain formulas and plain descent, known limits, what scale and width change."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

import ntklib
from ntklib.dynamics import Recording, train
from ntklib.lab.parts import PARTS, announcing
from ntklib.lab.studies import FeatureLearningStudy, feature_learning_study
from ntklib.lab.studies.feature_learning.measure import Sizes, compare, jobs_of, trial
from ntklib.lab.studies.feature_learning.teacher import (
    COSINES,
    Teacher,
    draw_sample,
    neurons,
    rescaled,
    student,
)
from ntklib.networks import Params

TINY = {
    "scales": (0.1, 1.0),
    "widths": (16, 32),
    "n_features": 3,
    "n_train": 12,
    "n_test": 20,
    "width": 6,
    "reference_width": 64,
    "steps": 12,
    "n_draws": 2,
}
SIZES = Sizes((0.05, 1.0, 40.0), (16, 32), 64, 4, 30, 40, 20, 3, 150)
FACTORS = {"sum": 1.0, "ntk": 12**-0.5, "mean_field": 1 / 12}


def by_hand(W, v, x):
    return sum(v[j] * max(0.0, W[j] @ x) for j in range(len(v)))


@pytest.fixture(scope="module")
def study():
    return feature_learning_study(
        (0.02, 0.2, 2.0),
        (16, 32, 128),
        n_features=15,
        n_train=150,
        n_test=150,
        width=30,
        reference_width=256,
        steps=250,
        n_draws=5,
    )


@pytest.fixture(scope="module")
def sample():
    return draw_sample(
        np.random.default_rng(0), n_features=4, n_train=15, n_test=10, teacher_width=3, amplitude=2.5
    )


@pytest.mark.parametrize("name", FACTORS)
def test_students_are_the_sums_they_are_said_to_be(name, sample):
    pupil = student(12, name)
    assert pupil.factor == pytest.approx(FACTORS[name])
    start = pupil.network.init(4, 0)
    assert not pupil.network.apply(start, sample.X).any()
    W, v = neurons(start)
    assert W.shape == (12, 4)
    np.testing.assert_array_equal(v[:6], -v[6:])
    rng = np.random.default_rng(1)
    other = Params({name: rng.standard_normal(array.shape) for name, array in start.items()})
    outputs = [FACTORS[name] * by_hand(*neurons(other), x) for x in sample.X]
    np.testing.assert_allclose(pupil.network.apply(other, sample.X), outputs, rtol=1e-12)


@pytest.mark.parametrize("name", FACTORS)
def test_students_that_are_the_teacher_have_its_kernel(name, sample):
    """However many neurons share a direction; the largest stable step follows from it."""
    teacher, pupil = sample.teacher, student(12, name)
    mass = teacher.amplitude / pupil.factor
    arrays = {name: np.zeros_like(array) for name, array in pupil.network.init(4, 0).items()}
    for neuron, (k, share) in enumerate([(0, 0.3), (0, 0.7), (1, 1.0), (2, 0.5), (2, 0.5)]):
        copy = "" if teacher.signs[k] > 0 else "mirror_"
        arrays[f"{copy}W0"][neuron] = np.sqrt(share * mass) * teacher.directions[k]
        arrays[f"{copy}W1"][0, neuron] = np.sqrt(share * mass)
    params = Params(arrays)
    np.testing.assert_allclose(pupil.network.apply(params, sample.X), sample.y, atol=1e-12)
    assert teacher.alignment(*neurons(params)) == pytest.approx(1)
    kernel = pupil.network.ntk(params, sample.X, weighted=True)
    multiplier = {"sum": 1, "ntk": 1, "mean_field": 6}[name]
    np.testing.assert_allclose(kernel, multiplier * pupil.factor * teacher.kernel(sample.X), atol=1e-12)
    top = np.linalg.eigvalsh(kernel)[-1]
    assert pupil.learning_rate(3.0, teacher.curvature(sample.X)) == pytest.approx(1 / (3.0 + top))


def test_alignment_counts_neurons_by_mass_and_sign():
    teacher = Teacher(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0]), 1.0)
    W = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    masses = np.array([2 * 1.0, 3 * 2.0, 2**0.5 * 0.5])
    cosines = np.array([1.0, 0.0, 2**-0.5])  # the second points along the wrong sign's
    assert teacher.alignment(W, np.array([1.0, 2.0, -0.5])) == pytest.approx(masses @ cosines / masses.sum())
    law = dict(zip(COSINES.round(2), teacher.law(W, np.array([1.0, 2.0, -0.5])), strict=True))
    shares = masses / masses.sum()
    np.testing.assert_allclose(
        [law[-0.5], law[0.5], law[0.7], law[0.71], law[1.0]],
        [0, shares[1], shares[1], shares[1:].sum(), 1],
        atol=1e-12,
    )
    positive = teacher._replace(signs=np.array([1.0, 1.0]))
    assert positive.alignment(W[:1], np.array([-1.0])) == 0


def test_teachers_can_be_told_apart_and_see_rows():
    for seed in range(30):
        options = {"n_features": 2, "n_train": 2, "n_test": 1, "teacher_width": 3}
        drawn = draw_sample(np.random.default_rng(seed), **options)
        T = drawn.teacher.directions
        angles = np.degrees(np.arccos(np.abs([T[0] @ T[1], T[0] @ T[2], T[1] @ T[2]])))
        assert angles.min() >= 30
        assert drawn.y.any()
        np.testing.assert_allclose(np.linalg.norm(drawn.X, axis=1), 1)


def test_trainings_are_plain_gradient_descent():
    """Every job, written out in neurons; and what is measured of it."""
    jobs, _ = jobs_of(SIZES, (0, 0))
    assert len(jobs) == 2 + 3 + 2 * 2 + 1
    steps = 25
    for job in jobs:
        W, v = neurons(job.start)
        start = np.concatenate([W.ravel(), v])
        factor, X, y = job.student.factor, job.sample.X, job.sample.y
        scale = factor * (len(v) / 2 if job.name.startswith("mean_field") else 1)
        for _ in range(steps):
            Z = X @ W.T
            r = factor * np.maximum(Z, 0) @ v - y
            step = job.learning_rate * scale
            W, v = (
                W - step * ((Z > 0) * v * r[:, None]).T @ X,
                v - step * r @ np.maximum(Z, 0),
            )
        found = job.run(steps, 10)
        f = factor * np.maximum(job.sample.X_test @ W.T, 0) @ v
        np.testing.assert_allclose(found["outputs"][1], f, atol=1e-9 * np.abs(job.sample.y_test).max())
        test_loss, best, train_loss, alignment, _, movement = found["measures"]
        targets = job.sample.y_test
        assert test_loss == pytest.approx(np.sum((f - targets) ** 2) / np.sum(targets**2), rel=1e-6)
        assert best <= test_loss
        r = factor * np.maximum(X @ W.T, 0) @ v - y
        assert train_loss == pytest.approx(r @ r / (y @ y), rel=1e-6)
        assert alignment == pytest.approx(job.sample.teacher.alignment(W, v), rel=1e-6)
        moved = np.linalg.norm(np.concatenate([W.ravel(), v]) - start) / np.linalg.norm(start)
        assert movement == pytest.approx(moved, rel=1e-6)


def test_scaled_weights_are_scaled_outputs(sample):
    """Weights times s train as outputs times s^2 do, steps being larger by s^-2."""
    pupil, s = student(12, "sum"), 0.3
    start = pupil.network.init(4, 0)
    options = {"steps": 30, "X_test": sample.X_test}
    small = train(pupil.network, sample.X, sample.y, params=rescaled(start, s), learning_rate=0.02, **options)
    scaled = student(12, "sum").network.set_params(scale=12**0.5 * s**2)
    same = train(scaled, sample.X, sample.y, params=start, learning_rate=0.02 / s**2, **options)
    np.testing.assert_allclose(small.test_outputs, same.test_outputs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(small.distance, s * same.distance, rtol=1e-9, atol=1e-12)


def test_lazy_limits():
    """Large scales become the tangent model; both linear models are iterated here in function space."""
    values = compare(SIZES, (0, 0))
    jobs, _ = jobs_of(SIZES, (0, 0))
    found = {job.name: job for job in jobs}
    assert values["scale 40.0: measures"][0] == pytest.approx(values["tangent"], rel=1e-3)
    assert abs(values["scale 1.0: measures"][0] / values["tangent"] - 1) > 1e-2
    lazy, wide = found["scale 40.0"], found["mean_field 64"]
    net = lazy.student.network
    J, J_test = (net.jacobian(lazy.start, rows) for rows in (lazy.sample.X, lazy.sample.X_test))
    ntk = ntklib.NTK()
    for name, sample, K, across in (
        ("tangent", lazy.sample, J @ J.T, J_test @ J.T),
        ("kernel", wide.sample, ntk(wide.sample.X), ntk(wide.sample.X_test, wide.sample.X)),
    ):
        dual, rate = np.zeros(len(K)), 1 / np.linalg.eigvalsh(K)[-1]
        for _ in range(SIZES.steps):
            dual += rate * (sample.y - K @ dual)
        errors = across @ dual - sample.y_test
        assert values[name] == pytest.approx(errors @ errors / (sample.y_test @ sample.y_test), rel=1e-6)
    assert values["distance"].shape == (2, 2)
    assert values["plane 0.05: points"].shape == (len(values["plane 0.05: step"]), 16, 2)


def test_outputs_in_the_mean_field_scatter_like_the_root_of_the_width():
    """Independent students on one clock: squared differences fall in proportion to the width."""
    sample = draw_sample(
        np.random.default_rng(3), n_features=4, n_train=20, n_test=30, teacher_width=3, amplitude=20.0
    )
    squares, end = {}, sample.teacher.curvature(sample.X)
    for m in (64, 256, 1024):
        pupil, outputs = student(m, "mean_field"), []
        for draw in range(24):
            rng = np.random.default_rng([m, draw])
            history = train(
                pupil.network, sample.X, sample.y, params=pupil.network.init(4, rng), steps=15,
                learning_rate=pupil.learning_rate(5.0, end), X_test=sample.X_test,
                record=Recording(every=15, gradient_norms=False),
            )  # fmt: skip
            outputs.append(history.test_outputs[-1])
        pairs = np.square(np.array(outputs[::2]) - outputs[1::2]).mean(axis=1)
        squares[m] = m * pairs.mean(), m * pairs.std(ddof=1) / np.sqrt(len(pairs))
        assert squares[m][1] < 0.25 * squares[m][0]
    for m in (64, 256):
        difference = squares[m][0] - squares[1024][0]
        assert abs(difference) < 5 * np.hypot(squares[m][1], squares[1024][1])


def gap(study, name, lower, higher):
    """Mean over the draws of a difference between two rows, of logarithms for losses, in standard errors."""
    values = np.log(study.draws[name]) if name == "test_loss" else study.draws[name]
    found = values[higher] - values[lower]
    return found.mean() / (found.std(ddof=1) / np.sqrt(len(found)))


def test_small_scales_learn_the_teachers_neurons(study):
    small, middle, large = study.rows("scale")
    assert gap(study, "test_loss", small, large) > 5
    assert gap(study, "test_loss", small, middle) > 5
    assert gap(study, "alignment", large, small) > 5
    assert study.test_loss[small] < 0.1 * study.test_loss[large]
    assert study.alignment[small] > 0.85
    assert abs(study.alignment[large] - study.start_alignment[large]) < 0.05
    assert study.movement[small] > 100 * study.movement[large]
    assert study.test_loss[large] == pytest.approx(study.tangent_loss, rel=0.1)
    small, large = study.rows("plane")
    assert gap(study, "alignment", large, small) > 5
    assert study.alignment[small] > 0.8
    assert study.movement[small] > 50 * study.movement[large]


def test_the_parameterization_decides_what_width_does(study):
    """Divided by the root of the width outputs become lazier; divided by the width they do not."""
    ntk, mean_field = study.rows("ntk"), study.rows("mean_field")
    assert (np.diff(study.movement[ntk]) < -0.1).all()
    assert gap(study, "alignment", ntk[-1], ntk[0]) > 5
    assert gap(study, "alignment", ntk[-1], mean_field[-2]) > 5
    assert gap(study, "test_loss", mean_field[-2], ntk[-1]) > 5
    assert study.kernel_loss > 2 * study.test_loss[ntk[-1]]
    np.testing.assert_allclose(study.movement[mean_field], study.movement[mean_field].mean(), rtol=0.15)
    limit = study.limit
    assert limit.laws.shape == (4, 201)
    assert gap(study, "law_distance", 2, 0) > 3
    wasserstein = np.sum(np.abs(limit.laws[0] - limit.laws[-1])) * 0.01
    assert study.draws["law_distance"][0, 0] == pytest.approx(wasserstein)
    assert (limit.distance[:, 0] > 1.3 * limit.distance[:, -1]).all()
    assert abs(limit.exponent[0] + 0.5) < 5 * limit.exponent_se[0]
    np.testing.assert_allclose(limit.effective_width, [16 * 256 / 272, 256 / 9, 256 / 3])


def bytes_of(study):
    return json.dumps(study.to_dict(), sort_keys=True)


def test_the_same_bytes_at_any_thread_count():
    found = set()
    for threads in (1, 3):
        with ntklib.set_threads(threads):
            found.add(bytes_of(feature_learning_study(**TINY)))
    assert len(found) == 1


def test_a_study_goes_on_and_says_how_long_it_takes(tmp_path):
    said = []
    with announcing(said.append):
        first = feature_learning_study(**TINY, out=tmp_path)
    assert said[0].startswith("feature-learning: 18 trainings, about ")
    names = {path.name for path in (tmp_path / PARTS).iterdir()}
    assert names == {"feature-learning-draw-0.npz", "feature-learning-draw-1.npz"}
    (tmp_path / PARTS / "feature-learning-draw-1.npz").unlink()
    with announcing(said.append):
        assert feature_learning_study(**TINY, out=tmp_path) == first
        assert said[1].startswith("feature-learning: 9 trainings, about ")
        feature_learning_study(**TINY, out=tmp_path)
    assert len(said) == 2
    with pytest.raises(ValueError, match="steps was 12, is 13"):
        feature_learning_study(**{**TINY, "steps": 13}, out=tmp_path)
    count, seconds = trial(SIZES, (0, 0))
    assert count == 10
    assert 0 < seconds < 60


def test_the_result(study, tmp_path):
    assert isinstance(study, FeatureLearningStudy)
    assert "tangent model: test loss" in study.headline()
    assert "outputs come near those of width 256" in study.headline()
    assert study.part.tolist() == ["plane"] * 2 + ["scale"] * 3 + ["ntk"] * 3 + ["mean_field"] * 4
    assert study.width.tolist() == [16] * 2 + [30] * 3 + [16, 32, 128] * 2 + [256]
    np.testing.assert_allclose(study.test_loss, study.draws["test_loss"].mean(axis=1))
    for path in study.paths.values():
        assert path.points.shape == (len(path.step), 16, 2)
        np.testing.assert_allclose(np.linalg.norm(path.teacher, axis=1), 1)
    assert np.abs(study.paths["small"].points[0]).max() < 0.05
    assert np.abs(study.paths["small"].points[-1]).max() > 0.3
    study = feature_learning_study(**TINY)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {
        "results.json",
        "results.csv",
        "paths.png",
        "scale.png",
        "width.png",
        "limit.png",
        "laws.png",
    }
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["limit"]["exponent"] == study.limit.exponent.tolist()


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_paths_are_drawn_side_by_side(study, axes):
    assert study.plot(axes) is axes
    panels = axes.child_axes
    assert len(panels) == 2
    for panel, path in zip(panels, study.paths.values(), strict=True):
        ends = [line.get_xydata()[-1].tolist() for line in panel.lines]
        assert path.points[-1, 0].tolist() in ends
        assert panel.get_xlim()[1] > np.abs(path.points).max()
    assert panels[0].get_title() == "weights of scale 0.05 at the start"
    assert labels(axes)[0] == "teacher"


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("scale", {"after training", "best in training", "tangent model"}),
        ("width", {r"$1/\sqrt{m}$", "$1/m$", r"analytic NTK, the limit of $1/\sqrt{m}$"}),
        ("limit", {r"$\propto (1/m + 1/M)^{1/2}$"}),
        ("laws", {"width 16", "width 32", "width 128", "width 256"}),
    ],
)
def test_curves(study, axes, picture, expected):
    study.plot(axes, picture=picture)
    assert set(labels(axes)) >= expected
    drawn = axes.lines[0].get_xydata()
    assert drawn.shape == ((201, 2) if picture == "laws" else (3, 2))
    if picture == "scale":
        np.testing.assert_array_equal(drawn[:, 1], study.test_loss[study.rows("scale")])
    if picture == "limit":
        assert len(labels(axes)) == 3
        guide = axes.lines[-2].get_xydata()[:, 1]
        np.testing.assert_allclose(guide[0] / guide[2], np.sqrt((1 / 16 + 1 / 256) / (1 / 128 + 1 / 256)))


def test_what_cannot_be_drawn(study):
    with pytest.raises(ValueError, match="picture must be one of 'paths'"):
        study.plot(picture="speed")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scales": 1.0}, TypeError, "sequence of numbers"),
        ({"scales": [1.0]}, ValueError, "at least 2 different"),
        ({"scales": [0.0, 1.0]}, ValueError, "greater than 0"),
        ({"widths": [16, 33]}, ValueError, "each width must be even"),
        ({"widths": [8, 32]}, ValueError, "two of 16 or more"),
        ({"width": 5}, ValueError, "width must be even"),
        ({"reference_width": 32}, ValueError, "must exceed all widths"),
        ({"n_features": 1}, ValueError, "n_features must be at least 2"),
        ({"teacher_width": 9}, ValueError, "at most 8"),
        ({"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        feature_learning_study(**{**TINY, **options})
