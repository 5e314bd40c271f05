"""The verdict: the best model, the next one, and what their paired difference allows to say."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from ntklib.lab.report import verdict_text
from ntklib.lab.report._verdict import judge, paired_difference
from ntklib.lab.report.scores import Score, resamples

N = 400
Y = np.arange(N) % 2
DRAWS = resamples(N, 0)


def model(title, wrong, key="model"):
    predicted = Y.copy()
    predicted[wrong] = 1 - predicted[wrong]
    score = Score(accuracy_score(Y, predicted), 0.0, 1.0, "")
    return SimpleNamespace(title=title, key=key, predicted=predicted, scores={"accuracy": score})


CONSTANT = model("most frequent class", np.arange(1, N, 2), "constant")


def sentence(*models):
    data = SimpleNamespace(task="classification", target="kind", n_test=N)
    verdict = judge(models, "classification", Y, DRAWS)
    return verdict_text(SimpleNamespace(data=data, verdict=verdict, models=models))


def test_the_interval_is_that_of_paired_rows():
    one, other = model("one", np.arange(40)), model("other", np.arange(60))
    lead = paired_difference("classification", Y, one.predicted, other.predicted, DRAWS)
    assert lead.value == pytest.approx(20 / N)
    # differences are 0 or 1: sigma / sqrt(n) of a share of 5 %, much less than that of unpaired rows
    width = 2 * 1.96 * np.sqrt(0.05 * 0.95 / N)
    assert lead.high - lead.low == pytest.approx(width, rel=0.15)


def test_a_lead_beyond_chance():
    text = sentence(model("kernel machine", np.arange(60)), model("random forest", np.arange(20)), CONSTANT)
    assert text.startswith("The random forest predicts kind best: accuracy 95.0 % on 400 rows that no model ")
    assert (
        "10.0 points ahead of the kernel machine, a difference beyond chance (95 % interval of the " in text
    )


def test_a_lead_that_may_be_chance():
    text = sentence(model("kernel machine", np.arange(20)), model("forest", np.arange(18, 40)), CONSTANT)
    assert "The kernel machine predicts kind best" in text
    assert "0.5 points ahead of the forest, a difference that may be chance" in text


def test_equal_models():
    text = sentence(model("kernel machine", np.arange(20)), model("forest", np.arange(20)), CONSTANT)
    assert text.startswith("The kernel machine and the forest predict kind equally well: accuracy 95.0 %")


@pytest.mark.parametrize("wrong", [197, 230])
def test_nothing_better_than_the_constant(wrong):
    text = sentence(model("kernel machine", np.arange(wrong)), CONSTANT)
    assert text.startswith("No model predicts kind better than the most frequent class beyond chance")


def test_a_single_model():
    assert sentence(model("kernel machine", [])) == (
        "The kernel machine reaches accuracy 100.0 % on 400 rows it had not seen."
    )
