"""Warnings that name the line of the user's code they are about."""

from __future__ import annotations

import os
import sys
import warnings

import joblib
import sklearn

_HERE = os.path.dirname(os.path.dirname(__file__))
_INSIDE = tuple(
    os.path.join(folder, "") for folder in (_HERE, *map(os.path.dirname, (sklearn.__file__, joblib.__file__)))
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line that is outside of this library, of scikit-learn and of joblib.

    However many calls lie between: depths that are counted by hand are wrong as soon as a call is added.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
