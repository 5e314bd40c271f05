"""Every study with options that make it quick, and with options that are none of their defaults."""

_WINE = ["--data", "wine", "--max-samples"]
_NETWORK = [
    "--weight-std", 1.3, "--bias-std", 0.5, "--input-scaling", "fan_in", "--output-init", "rademacher",
    "--trainable", "hidden", "--symmetric",
]  # fmt: skip
"""Options of networks, all but depth, activation and parameterisation."""
_TRAINED = [option for option in _NETWORK if option not in ("--trainable", "hidden")]
"""The same for studies of networks all of whose layers are trained."""
_TWO = ["--parameterizations", "ntk", "mup"]

QUICK = {
    "width": [*_WINE, 12, "--widths", 8, 32, "--draws", 3],
    "linearization": [*_WINE, 30, "--widths", 8, 32, "--draws", 2, "--steps", 4],
    "lazy-accuracy": [*_WINE, 40, "--scales", 0.1, 1, "--width", 6, "--train", 12, "--steps", 5],
    "lazy-decay": [
        *[*_WINE, 4, "--widths", 8, 16, "--samples", 2, "--factors", 1, "--below", "--horizon", 0.3],
        *["--times", 4],
    ],
    "scale": [*_WINE, 4, "--scales", 1, 10, "--width", 5, "--rtol", 1e-6, "--remaining", 0.3],
    "criterion": [*_WINE, 6, "--widths", 8, 16, "--draws", 2, *_TWO],
    "homogeneity": [*_WINE, 5, "--factors", 1, 2, "--depths", 1, "--degrees", 1, 2, "--width", 6],
    "landscapes": ["--learning-rates", 0.5, 2.1, "--curvatures", 0.1, "--starts", 3, "--steps", 30],
    "valley": ["--learning-rates", 0.05, "--rhos", 0, 0.1, "--dimension", 3, "--starts", 2, "--steps", 50],
    "parameterization": [*_WINE, 10, "--widths", 8, 16, *_TWO, "--draws", 2, "--steps", 0],
    "rescaling": [*_WINE, 10, "--factors", 0.5, 2, "--width", 8, "--steps", 4],
    "implicit-bias": [
        *[*_WINE, 12, "--parts", "norm", "margin", "--width", 8, "--horizon", 30, "--network-horizon", 3],
        *["--steps", 100],
    ],
    "feature-learning": [
        *["--scales", 0.1, 1, "--widths", 16, 32, "--features", 3, "--train", 12, "--test", 20, "--width", 6],
        *["--reference-width", 64, "--steps", 10, "--draws", 2],
    ],
    "phase-diagram": [
        *[*_WINE, 30, "--widths", 4, 8, "--scales", 0.1, 10, "--train", 10, "--draws", 2, "--steps", 20],
    ],
    "kernel-evolution": [
        *[*_WINE, 40, "--epochs", 1, 2, "--width", 6, "--train", 15, "--fresh", 12, "--batch-size", 5],
        *["--draws", 2],
    ],
    "learning-curve": [
        *[*_WINE, 30, "--train", 5, 10, "--widths", 8, "--draws", 2, "--network-draws", 2, "--steps", 20],
    ],
}
"""A run of a second or two."""

OTHER = {
    "width": (
        [*_NETWORK, "--depth", 2, "--activation", "erf", "--parameterization", "mean_field"],
        [*_NETWORK, "--degree", 2],
    ),
    "linearization": (
        [*_NETWORK[:-1], "--input-scaling", "none", "--activation", "relu", "--no-symmetric"],
        ["--depth", 2, "--learning-rate", 1e-4],
        ["--degree", 2, "--parameterization", "mean_field", "--learning-rate", 1e-4],
    ),
    "lazy-accuracy": (
        [*_NETWORK[:-1], "--depth", 2, "--activation", "erf", "--parameterization", "mean_field"],
        ["--momentum", 0.5, "--draws", 2, "--degree", 2, "--width", 512],
    ),
    "lazy-decay": (
        ["--times", 5, "--max-samples", 10, "--activation", "softplus", "--trainable", "hidden"],
        [
            *["--weight-std", 1.3, "--input-scaling", "none", "--output-init", "gaussian"],
            *["--bias-std", 0.5, "--parameterization", "mean_field"],
        ],
        ["--no-symmetric", "--weight-std", 0.3, "--widths", 4096, "--samples", 1, "--degree", 2],
    ),
    "scale": (
        [*_NETWORK[:-1], "--input-scaling", "none", "--offset", 0.1, "--depth", 2],
        ["--parameterization", "mean_field", "--activation", "softplus"],
        ["--degree", 3],
    ),
    "criterion": (
        ["--activation", "erf", "--scale", 2, "--output-init", "rademacher", "--no-symmetric"],
        ["--degree", 2],
    ),
    "homogeneity": (["--depths", 1, 2, "--degrees", 1],),
    "landscapes": (["--slope", 3, "--threshold", 0.5, "--spread", 2, "--tolerance", 0.2],),
    "valley": (["--path-steps", 20],),
    "parameterization": (
        [*_TRAINED, "--depth", 2, "--activation", "leaky_relu", "--parameterization", "mup"],
        [*_TRAINED, "--degree", 2, "--optimizer", "adam"],
    ),
    "rescaling": (
        [*_TRAINED, "--depth", 2, "--activation", "leaky_relu", "--parameterization", "mup"],
        [*_TRAINED, "--degree", 2],
    ),
    "implicit-bias": (
        [
            "--noise",
            0.2,
            "--weight",
            5,
            "--penalty",
            1,
            "--network-horizon",
            3,
            "--steps",
            30,
            "--left-out",
            3,
        ],
    ),
    "feature-learning": (["--teacher-width", 2],),
    "phase-diagram": (
        ["--tasks", "spiral", "--depth", 2, "--activation", "erf", "--tolerance", 0.1],
        ["--weight-std", 1.3, "--bias-std", 0.5, "--input-scaling", "fan_in", "--output-init", "rademacher"],
        ["--degree", 2],
    ),
    "kernel-evolution": (
        [*_TRAINED[:-1], "--depth", 1, "--activation", "erf", "--parameterization", "mup"],
        ["--scale", 10, "--penalty", 0.1, "--degree", 2],
    ),
    "learning-curve": (
        ["--penalty", 1, "--widths", "--depth", 2, "--activation", "erf", "--tolerance", 0.1],
        ["--weight-std", 1.3, "--bias-std", 0.5, "--input-scaling", "fan_in", "--output-init", "rademacher"],
        ["--degree", 2],
    ),
}
"""Commands, by options to add to the quick ones: together they name every option but those on files."""
