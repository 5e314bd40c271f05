"""Summaries of the rows of a table, which are added up block by block and merged.

They do not depend on how the rows are cut into blocks: a summary of all rows is the merged summary of its
parts, in their order.
"""

from .cells import LARGEST, MOST_TEXTS, NumberSummary, Occurrences, TextSummary
from .medians import MedianSearch
from .moments import ExactMoments
from .table_summary import TableSummary, summarise

__all__ = [
    "LARGEST",
    "MOST_TEXTS",
    "ExactMoments",
    "MedianSearch",
    "NumberSummary",
    "Occurrences",
    "TableSummary",
    "TextSummary",
    "summarise",
]
