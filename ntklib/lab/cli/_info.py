"""``ntklib info`` and ``ntklib warmup``: a model file, and the state of the installation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ._command import Command, note, printable


def _no_options(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    pass


def _model_option(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a file written by ntklib fit, to describe")


def _run_info(arguments: argparse.Namespace) -> None:
    if arguments.model is not None:
        _describe(arguments.model)
        return
    from ntklib._info import show_versions

    show_versions()


def _describe(path: str) -> None:
    """Print what a model file holds."""
    from ntklib._core.naming import describe_choice
    from ntklib._core.text import text_table
    from ntklib.lab.tables import column_uses

    from ._model_file import load_model
    from ._scores import scores_text

    model = load_model(path, note)
    preprocessor, estimator = model.pipeline[0], model.pipeline[-1]
    names = [*model.schema.columns, *model.schema.left_out]
    uses = column_uses(model.schema, preprocessor, names)
    n_rows, n_inputs = estimator.X_fit_.shape
    kind = "centres" if estimator.solve_.method == "nystrom" else "rows"
    print(f"model:   {printable(path)}")
    print(f"target:  {printable(model.target)}, {model.task} ({printable(model.reason)})")
    if model.task == "classification":
        classes = [str(label) for label in estimator.classes_.tolist()]
        more = f", ... ({len(classes)} in all)" if len(classes) > 8 else ""
        print(f"classes: {printable(', '.join(classes[:8]))}{more}")
    print("kernel:  " + "\n       + ".join(describe_choice(estimator)))
    if estimator.learned_features_ is not None:
        print(f"scales:  {estimator.learned_features_.words.removeprefix('scales of columns ')}")
    print(f"fit:     {n_rows} {kind}, {n_inputs} inputs")
    if model.scores:
        score = f"{scores_text(model.scores)} on {model.scores['rows']} rows"
        print(f"score:   {score}, each predicted by a fit without it")
    rows = [[printable(one.name, 60), one.holds, one.treatment, str(one.n_inputs or "-")] for one in uses]
    print()
    print(text_table(["column", "holds", "what is done", "inputs"], rows, left=3))


def _run_warmup(arguments: argparse.Namespace) -> None:
    from ntklib._info import warmup

    seconds = warmup()
    print(f"all kernels are compiled and kept for later processes ({seconds:.1f} s)")


INFO = Command(
    name="info",
    summary="describe a model file; or print versions, threads, BLAS and where compiled code is kept",
    description="Describe a model that ntklib fit wrote. Without one, print what a bug report should say\n"
    "about this installation.",
    examples="  ntklib info\n  ntklib info houses.ntk",
    add_options=_model_option,
    run=_run_info,
)

WARMUP = Command(
    name="warmup",
    summary="compile all kernels once, so that later runs start fast",
    description="Compile every loop and keep the result in Numba's cache for later processes.",
    examples="  ntklib warmup",
    add_options=_no_options,
    run=_run_warmup,
)
