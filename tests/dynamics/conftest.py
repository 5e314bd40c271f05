"""Values that an independent library printed."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def neural_tangents():
    """Arrays by name; see ``make_neural_tangents.py``. Times are turned into ours."""
    path = Path(__file__).parents[1] / "fixtures" / "neural_tangents.json"
    values = {
        name: value if name == "versions" else np.array(value)
        for name, value in json.loads(path.read_text(encoding="utf-8")).items()
    }
    values["times"] = np.append(values["times"], np.inf) / values["y"].size  # its loss is a mean
    return values
