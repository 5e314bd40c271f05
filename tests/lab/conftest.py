"""What tests of the laboratory share."""

import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine


@pytest.fixture(scope="module", autouse=True)
def layout():
    """Pictures are not arranged, which takes longer than drawing them; modules on pictures override this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda engine, figure: None)
        yield
