"""Networks under the bounds that lazy-training theorems certify."""

from .result import DecaySetting, LazyDecayStudy
from .study import lazy_decay_study

__all__ = ["DecaySetting", "LazyDecayStudy", "lazy_decay_study"]
