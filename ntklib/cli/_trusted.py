"""The types a model file may hold beyond those skops trusts by itself (scikit-learn's and NumPy's).

Only classes whose construction from stored attributes runs no code of the file's choosing belong here: plain
records, kernels and estimators. A kernel that wraps a user's function does not.
"""

TRUSTED_TYPES: tuple[str, ...] = (
    "ntklib.estimators._classifier_cv.NTKClassifierCV",
    "ntklib.estimators._regressor_cv.NTKRegressorCV",
    "ntklib.estimators._search.PenaltyPath",
    "ntklib.kernels.objects.ArcCosine",
    "ntklib.kernels.objects.NNGP",
    "ntklib.kernels.objects.NTK",
    "ntklib.solvers._records.Solution",
    "numpy.dtype",
)
