"""The page docs/studies.md, made from the declarations of the studies: ``python -m tests.study_options``."""

import argparse
from pathlib import Path

from ntklib.lab.cli._app import build_parser
from ntklib.lab.registry import STUDIES, load_study

PAGE = Path(__file__).parents[1] / "docs" / "studies.md"
GUIDES = {
    "width": "convergence.md",
    "linearization": "lazy-training.md",
    "lazy-accuracy": "lazy-training.md",
    "lazy-decay": "lazy-studies.md",
    "scale": "lazy-studies.md",
    "criterion": "lazy-studies.md",
    "homogeneity": "lazy-studies.md",
    "landscapes": "landscapes.md",
    "valley": "optimizers.md",
    "parameterization": "scaling-with-width.md",
    "rescaling": "scaling-with-width.md",
    "implicit-bias": "implicit-bias.md",
    "feature-learning": "feature-learning.md",
    "learning-curve": "learning-curves.md",
    "kernel-evolution": "phases.md",
    "phase-diagram": "phases.md",
}
_COMMON = {
    "help",
    "traceback",
    "out",
    "force",
    "format",
    "seed",
    "delimiter",
    "decimal",
    "encoding",
    "data_option",
}
_HEAD = """# Studies

Every study is a function of `ntklib.lab.studies` and a command, `ntklib study NAME`. Besides the options
below all take `--seed`, `--out`, `--force` and `--format` ([command line](command-line.md#study)), and those
that read a table the options on [text files](command-line.md#text-files).
"""


def page():
    """Return the page: for every study its description, its options and its examples."""
    return "\n".join([_HEAD, *(section(name) for name in STUDIES)])


def section(name):
    """Return the section on a study."""
    declaration = load_study(name)
    doc, function = declaration.docstring, declaration.function.__name__
    rows = [row(action) for action in actions(name) if action.dest not in _COMMON]
    return "\n".join(
        [
            f"## {name}",
            "",
            f"{doc.summary}: `{function}`. {doc.description} [More]({GUIDES[name]}).",
            "",
            "```text",
            *declaration.examples.splitlines(),
            "```",
            "",
            "| option | meaning |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def actions(name):
    """Return the options of a study's command."""
    parser = build_parser(["study", name])
    for verb in ("study", name):
        (names,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = names.choices[verb]
    return parser._actions


def row(action):
    """Return the row of an option, or of the table, which may be named without."""
    values = "" if action.choices is None else ": " + ", ".join(f"`{choice}`" for choice in action.choices)
    text = (action.help % {"default": action.default}).replace("|", "\\|")
    names = action.option_strings[:1] or ["DATA", "--data DATA"]
    return f"| {' or '.join(f'`{name}`' for name in names)} | {text}{values} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
