"""Every goal of the accuracy table, sample by sample; a failure prints the worst one."""

import pytest

from tests import array_accuracy
from tests.accuracy_table import GOALS, worst


@pytest.mark.parametrize("goal", GOALS + array_accuracy.GOALS, ids=lambda goal: goal.name)
def test_goal(goal):
    samples = goal.samples()
    at = worst(samples)
    missed = sum(not sample.ratio <= 1 for sample in samples)
    assert not missed, (
        f"{missed} of {len(samples)} samples miss {goal.statement}; "
        f"the worst by {at.ratio:.3g}: error {float(at.error):.3g} at {at.case}"
    )
