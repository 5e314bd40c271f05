"""Libraries of arrays that tests run with: the strict one, and torch where it is installed.

Torch is too large for the extra ``test`` and for CI, where these tests run with the strict one alone: install
it, ``pip install torch``, to run them with both. CuPy, which needs a GPU, has a stand-in in one test.
"""

import os
from contextlib import contextmanager
from unittest import mock

import array_api_strict
import numpy as np
import sklearn

NAMESPACES = [array_api_strict]
try:
    import torch
except ImportError:
    pass
else:
    NAMESPACES.append(torch)


@contextmanager
def dispatch():
    """Switch scikit-learn's dispatch on, which asks for SciPy's own."""
    with (
        mock.patch.dict(os.environ, SCIPY_ARRAY_API="1"),
        sklearn.config_context(array_api_dispatch=True),
    ):
        yield


def numbers(array):
    """The values of an array of any of them."""
    return np.asarray(array)


def name(library):
    return library.__name__
