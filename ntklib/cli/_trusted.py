"""The types a model file may hold beyond those skops trusts by itself (scikit-learn's and NumPy's)."""

TRUSTED_TYPES: tuple[str, ...] = ()
