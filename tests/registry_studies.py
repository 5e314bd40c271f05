"""Every study with options that make it quick, for what holds of all of them."""

from ntklib.lab.cli._study import STUDIES

_WINE = ["--data", "wine", "--max-samples"]

QUICK = {
    "width": [*_WINE, 12, "--widths", 8, 32, "--draws", 3],
    "linearization": [*_WINE, 30, "--widths", 8, 32, "--draws", 2, "--steps", 4],
    "lazy-accuracy": [*_WINE, 40, "--scales", 0.1, 1, "--width", 6, "--train", 12, "--steps", 5],
    "lazy": ["--data", "wine", "--widths", 8, 16, "--rows", 2, "--factors", 1, "--below", "--horizon", 1],
    "scale": [*_WINE, 4, "--scales", 1, 10, "--width", 5, "--rtol", 1e-6, "--remaining", 0.3],
    "criterion": [*_WINE, 6, "--widths", 8, 16, "--draws", 2, "--parameterizations", "ntk", "mup"],
    "homogeneity": [*_WINE, 5, "--factors", 1, 2, "--depths", 1, 2, "--degrees", 1, "--width", 6],
    "valley": ["--learning-rates", 0.05, "--rhos", 0, 0.1, "--dimension", 3, "--starts", 2, "--steps", 50],
    "parameterization": [
        *_WINE, 10, "--widths", 8, 16, "--parameterizations", "ntk", "mup", "--draws", 2, "--steps", 0,
    ],
    "rescaling": [*_WINE, 10, "--factors", 0.5, 2, "--width", 8, "--steps", 4],
    "implicit-bias": [*_WINE, 12, "--parts", "norm", "margin", "--width", 8, "--horizon", 100],
    "features": [
        "--scales", 0.1, 1, "--widths", 16, 32, "--features", 3, "--train", 12, "--test", 20, "--width", 6,
        "--reference-width", 64, "--steps", 10, "--draws", 2,
    ],
}  # fmt: skip

assert QUICK.keys() == {study.name for study in STUDIES}
