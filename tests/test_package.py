"""What `import ntklib` gives."""

import pytest

import ntklib


def test_every_public_name_is_there():
    for name in ntklib.__all__:
        assert getattr(ntklib, name) is not None


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'kernel'"):
        ntklib.kernel  # noqa: B018
