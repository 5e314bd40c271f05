"""What holds of every study: its command, its documentation, its pictures, its bytes."""

import doctest
import json
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import ntklib
from ntklib.lab.cli import main
from ntklib.lab.cli._app import build_parser
from ntklib.lab.cli._study import option_of, read_arguments
from ntklib.lab.registry import STUDIES, load_study
from tests.registry_studies import OTHER, QUICK

ON_FILES = {"--target", "--classes", "--delimiter", "--decimal", "--encoding"}
"""Options on how a file is read, the same code for all studies: see tests/lab/cli."""


@pytest.fixture(scope="module")
def painting():
    """Pictures are arranged and painted, as users see them."""


@pytest.fixture(scope="module")
def result_of():
    """The result of a command, at two threads."""
    known = {}

    def run(study, *options):
        command = ["study", study, *map(str, [*QUICK[study], *options])]
        if tuple(command) not in known:
            arguments = build_parser(command).parse_args(command)
            with ntklib.set_threads(2):
                known[tuple(command)] = arguments.study.run(**read_arguments(arguments, arguments.study))
        return known[tuple(command)]

    return run


def test_every_study_is_registered_once():
    assert QUICK.keys() == OTHER.keys() == set(STUDIES)
    functions = [name for name in ntklib.lab.studies.__all__ if name.endswith("_study")]
    assert sorted(functions) == sorted(f"{name.replace('-', '_')}_study" for name in STUDIES)


@pytest.mark.parametrize("study", STUDIES)
def test_one_name_everywhere(study):
    declaration = load_study(study)
    assert declaration.name == study
    assert declaration.function.__name__ == f"{study.replace('-', '_')}_study"
    assert declaration.function.__module__ == f"ntklib.lab.studies.{study.replace('-', '_')}.study"


@pytest.mark.parametrize("study", STUDIES)
def test_the_docstring_describes_every_parameter_and_has_an_example(study):
    """The example itself runs with all those of the package: ``pytest --doctest-modules --pyargs ntklib``."""
    declaration = load_study(study)
    assert declaration.docstring.parameters.keys() == declaration.signature.parameters.keys()
    assert all(declaration.docstring.parameters.values())
    function = getattr(ntklib.lab.studies, declaration.function.__name__)
    name = f"{function.__module__}.{function.__name__}"
    found = doctest.DocTestFinder().find(sys.modules[function.__module__])
    (examples,) = (test.examples for test in found if test.name == name)
    assert examples


@pytest.mark.parametrize("study", STUDIES)
def test_the_help_names_every_argument(study, capsys):
    declaration = load_study(study)
    assert main(["study", study, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"examples:\n  ntklib study {study}" in text
    assert declaration.docstring.description.split()[0] in text
    for name in declaration.arguments:
        assert option_of(name) in text
    assert main(["study", "--help"]) == 0
    assert study in capsys.readouterr().out


@pytest.mark.parametrize("study", STUDIES)
def test_every_option_reaches_the_study(study, result_of, monkeypatch):
    """Set to a value that is not its default, it changes what the study is called with."""
    declaration = load_study(study)
    command = ["study", study]
    default = vars(build_parser(command).parse_args(command))
    changed = set()
    for options in OTHER[study]:
        arguments = build_parser(command).parse_args([*command, *map(str, [*QUICK[study], *options])])
        changed |= {name for name, value in vars(arguments).items() if value != default[name]}
        values = read_arguments(arguments, declaration)
        for name in declaration.arguments:
            assert values[name] == getattr(arguments, name) or sorted(values[name]) == sorted(
                getattr(arguments, name)
            )
        if declaration.networks is not None:
            params = values["network"].get_params()
            for name in {*declaration.networks.options} - {"depth", "activation"}:
                assert params[name] == getattr(arguments, name)
            degree = getattr(arguments, "degree", None)
            assert params["activation"] == (
                arguments.activation if degree is None else ntklib.kernels.RectifiedPower(degree)
            )
            if "depth" in declaration.networks.options:
                assert values["network"].depth == arguments.depth
            if declaration.networks.width:
                assert set(values["network"].hidden_widths) == {arguments.width}
        result_of(study, *options)
    unchanged = default.keys() - changed
    on_files = {option.strip("-").replace("-", "_") for option in ON_FILES}
    assert unchanged <= on_files | {"out", "force", "format", "seed", "study", "command", "traceback", "data"}


@pytest.mark.parametrize("study", STUDIES)
def test_the_seed_matters(study, result_of):
    first, second = (result_of(study, *seed).to_dict() for seed in ((), ("--seed", 1)))
    assert (first.pop("random_state"), second.pop("random_state")) == (0, 1)
    assert first != second


@pytest.mark.parametrize("study", STUDIES)
def test_the_same_bytes_at_any_number_of_threads(study, result_of):
    command = ["study", study, *map(str, QUICK[study])]
    arguments = build_parser(command).parse_args(command)
    with ntklib.set_threads(1):
        alone = arguments.study.run(**read_arguments(arguments, arguments.study))
    assert json.dumps(alone.to_dict()) == json.dumps(result_of(study).to_dict())


@pytest.mark.parametrize("study", STUDIES)
def test_the_result_prints_saves_and_draws(study, result_of, tmp_path):
    result = result_of(study)
    assert result.study == study
    assert str(result).startswith(result.headline())
    table = result.table()
    assert tuple(table) == result.columns
    assert len({len(column) for column in table.values()}) == 1
    assert f"    {result.columns[0]} : " in type(result).__doc__
    for picture in result.pictures:
        ax = Figure().add_subplot()
        assert result.plot(ax, picture=picture) is ax
        assert ax.lines or ax.collections or ax.patches or ax.images
        assert ax.get_xlabel() or ax.child_axes  # side by side, in panels without axes
    result.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"results.json", "results.csv", *(f"{name}.png" for name in result.pictures)}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["study"] == study
    for name, column in table.items():
        if column.dtype.kind == "f":
            found = np.array([np.nan if value is None else value for value in content["table"][name]])
            np.testing.assert_array_equal(found[np.isfinite(column)], column[np.isfinite(column)])
