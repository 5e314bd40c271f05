"""Estimators on Dask collections: arrays and data frames on many machines, or larger than memory.

They need the extra ``dask``, and nothing else imports them. Each has the parameters of its local twin, which
`to_local` returns, fitted.
"""

try:
    import dask.array
    import dask.dataframe  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"ntklib.dask needs Dask ({error}): install the extra, pip install 'ntklib[dask]'."
    ) from error

from .client import check_workers
from .features import DaskNystromFeatures
from .graph import map_parts
from .ridge import DaskNTKClassifier, DaskNTKRegressor
from .search import DaskNTKClassifierCV, DaskNTKRegressorCV

__all__ = [
    "DaskNTKClassifier",
    "DaskNTKClassifierCV",
    "DaskNTKRegressor",
    "DaskNTKRegressorCV",
    "DaskNystromFeatures",
    "check_workers",
    "map_parts",
]
