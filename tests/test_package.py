"""What `import ntklib` gives."""

import subprocess
import sys

import pytest

import ntklib


def test_every_public_name_is_there():
    for name in ntklib.__all__:
        assert getattr(ntklib, name) is not None


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'kernel'"):
        ntklib.kernel  # noqa: B018


def test_studies_are_imported_when_they_are_asked_for():
    code = (
        "import sys, ntklib; assert 'ntklib.lab.studies' not in sys.modules; "
        "ntklib.lab.studies.width_study; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
