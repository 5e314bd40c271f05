"""Model files from strangers: whatever the file, one printable line and exit code 2, and no harm done."""

import copy
import importlib
import io
import itertools
import json
import os
import random
import socket
import struct
import sys
import tracemalloc
import types
import zipfile
from functools import partial

import numpy as np
import pytest
import sklearn

from ntklib.estimators import NTKClassifierCV
from ntklib.kernels import NNGP, NTK, Laplace
from ntklib.lab.cli import main
from ntklib.lab.cli._archive import ArchiveError, read_archive, write_archive
from ntklib.lab.cli._model import TablePredictor, _estimator
from ntklib.lab.cli._model_file import DUMP, HEADER, load_model, save_model
from ntklib.lab.tables import DataError, load_table
from ntklib.solvers import Solution


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two fitted models, of labels and of a number, and a table to predict."""
    folder = tmp_path_factory.mktemp("models")
    lines = [f"{i},{i * i % 7},{'' if i == 3 else i % 5},{'uvw'[i % 3]}" for i in range(30)]
    for name, target in (("labels", lambda i: "pq"[i % 2]), ("numbers", lambda i: i * 0.37 % 1)):
        rows = "".join(f"{line},{target(i)}\n" for i, line in enumerate(lines))
        (folder / f"{name}.csv").write_text(f"a,b,c,t,y\n{rows}")
        command = ["fit", folder / f"{name}.csv", "--target", "y", "--impute", "median"]
        assert main([*map(str, command), "--out", str(folder / f"{name}.ntk")]) == 0
    (folder / "new.csv").write_text("a,b,c,t\n1,2,3,u\n4,5,6,z\n")
    return folder


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, content, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def refused(capsys, folder, path, message=""):
    """Check that a file given as a model ends in one printable line that holds ``message``."""
    code, out, err = run(capsys, "predict", path, folder / "new.csv")
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert message in err


def header_of(folder, name="labels"):
    return json.loads(members(folder / f"{name}.ntk")[HEADER])


ODD = [None, True, -1, 10**30, 1e308, float("nan"), "", "\x1b[31m", "x" * 3000, [], {}, ["a"], [1, {}]]


def test_every_field_of_the_header_may_be_of_any_type(folder, tmp_path, capsys):
    content, header = members(folder / "labels.ntk"), header_of(folder)
    fits = {"target", "reason", "ntklib_version"}  # any text will do
    for field, value in itertools.product(header, ODD):
        if (field in fits and isinstance(value, str)) or (field in {"left_out", "scores"} and value == {}):
            continue
        path = pack(tmp_path / "bad.ntk", {**content, HEADER: json.dumps(header | {field: value})})
        if field == "impute" and value is None:
            refused(capsys, folder, path, "do not fit together")
        else:
            refused(capsys, folder, path)
    for field in header:
        rest = {key: value for key, value in header.items() if key != field}
        refused(capsys, folder, pack(tmp_path / "bad.ntk", {**content, HEADER: json.dumps(rest)}))


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000,
        b'{"format":' * 200_000,
        b'{"format": "ntklib-model", "format_version": 1e400, "ntklib_version": "1"}',
        b'{"format": "ntklib-model", "format_version": ' + b"9" * 5000 + b"}",
        b'{"a": [' + b"[]," * 3_000_000 + b"[]]}",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"",
    ],
    ids=["lists", "objects", "1e400", "digits", "items", "bytes", "a list", "a number", "nothing"],
)
@pytest.mark.parametrize("name", [HEADER, DUMP])
def test_json_that_is_none_or_too_much(folder, tmp_path, capsys, name, text):
    content = members(folder / "labels.ntk") | {name: text}
    refused(capsys, folder, pack(tmp_path / "bad.ntk", content, zipfile.ZIP_DEFLATED), "")


def test_a_header_of_another_table_does_not_fit(folder, tmp_path, capsys):
    content, header = members(folder / "labels.ntk"), header_of(folder)
    numeric, text = "numeric", "text"
    for change in (
        {"columns": ["a"], "kinds": [numeric]},
        {"kinds": [text] * 4},
        {"kinds": [numeric] * 4},
        {"kinds": [text, numeric, numeric, numeric]},
        {"columns": [*"abctz"], "kinds": [numeric] * 3 + [text, numeric]},
        {"columns": [*"abcd"], "kinds": [numeric] * 3 + [text], "task": "regression"},
        {"columns": [], "kinds": []},
        {"columns": [*"aact"]},
        {"columns": ["a", "b", "c\0", "t"]},
        {"columns": ["a", "b", " ", "t"]},
    ):
        refused(capsys, folder, pack(tmp_path / "bad.ntk", {**content, HEADER: json.dumps(header | change)}))
    mixed = {**content, HEADER: json.dumps(header_of(folder, "numbers"))}
    refused(capsys, folder, pack(tmp_path / "bad.ntk", mixed), "do not fit together")


def change_somewhere(random_state, document):
    """Replace, remove or exchange a random place of parsed JSON."""
    places, left = [], [document]
    while left:
        node = left.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in items:
            places.append((node, key))
            left.append(value)
    (node, key), (other, its) = random_state.choice(places), random_state.choice(places)
    kind = random_state.random()
    if kind < 0.6:
        node[key] = random_state.choice([*ODD, "1e999", "[1, 2]", "TypeNode", "builtins", "ndarray"])
    elif kind < 0.8:
        node[key] = copy.deepcopy(other[its])
    else:
        del node[key]


def test_random_damage(folder, tmp_path, capsys):
    random_state, path = random.Random(0), tmp_path / "bad.ntk"
    for trial in range(48):
        source = folder / random_state.choice(["labels.ntk", "numbers.ntk"])
        if trial % 4 == 0:
            path.write_bytes(source.read_bytes()[: random_state.randrange(source.stat().st_size)])
        elif trial % 4 == 1:
            data = bytearray(source.read_bytes())
            data[random_state.randrange(len(data))] ^= 1 << random_state.randrange(8)
            path.write_bytes(data)
        else:
            content = members(source)
            name = DUMP
            if trial % 4 == 2:
                document = json.loads(content[name])
                change_somewhere(random_state, document)
                content[name] = json.dumps(document).encode()
            else:
                name = random_state.choice([name for name in content if name.endswith(".npy")])
                data = bytearray(content[name])
                data[random_state.randrange(128)] = random_state.randrange(32, 127)
                content[name] = bytes(data)
            pack(path, content)
        code, out, err = run(capsys, "predict", path, folder / "new.csv")
        assert code in (0, 2), (trial, err)  # a change of what matters to nobody is none
        assert all(line.isprintable() for line in err.splitlines())
        assert code == 0 or (out == "" and err.count("\n") == 1), (trial, err)


def test_types_and_ways_to_build_them_are_a_closed_list(folder, tmp_path, capsys):
    content = members(folder / "labels.ntk")
    schema = json.loads(content[DUMP])
    for loader, module, name in (
        ("ObjectNode", "sklearn.ensemble._forest", "RandomForestClassifier"),
        ("FunctionNode", "numpy", "add"),
        ("OperatorFuncNode", "operator", "methodcaller"),
        ("MethodNode", "builtins", "str"),
        ("ConstructorFromReduceNode", "builtins", "list"),
        ("RandomGeneratorNode", "numpy.random", "Generator"),
        (["JsonNode"], "builtins", "str"),
        ("TypeNode", "os", "system\x1b[2J"),
    ):  # all but the last are skops' own to trust, or have been
        node = {"__loader__": loader, "__module__": module, "__class__": name, "content": {}, "attrs": {}}
        bad = {**content, DUMP: json.dumps(schema | {"extra": [node]})}
        refused(capsys, folder, pack(tmp_path / "bad.ntk", bad), "refused, it holds types")


def types_in(node):
    """Every type that is named anywhere in a dump."""
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node['__module__']}.{node['__class__']}"
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from types_in(value)


@pytest.mark.parametrize("name", ["labels", "numbers"])
def test_types_of_ntklib_are_kept_by_their_public_names(folder, name):
    schema = json.loads(members(folder / f"{name}.ntk")[DUMP])
    ours = {kind for kind in types_in(schema) if kind.startswith("ntklib")}
    assert "ntklib.kernels.NTK" in ours or "ntklib.kernels.NNGP" in ours
    for kind in ours:
        package, _, own = kind.rpartition(".")
        assert not any(part.startswith("_") for part in kind.split("."))
        assert own in importlib.import_module(package).__all__


def test_a_file_is_read_after_its_classes_moved(folder, tmp_path, capsys, monkeypatch):
    """Classes in other modules than when the file was written, as after an upgrade of ntklib."""
    before = run(capsys, "predict", folder / "labels.ntk", folder / "new.csv")
    elsewhere = types.ModuleType("ntklib.elsewhere")
    monkeypatch.setitem(sys.modules, "ntklib.elsewhere", elsewhere)
    for kind in (NTK, NNGP, NTKClassifierCV, Solution):
        monkeypatch.setattr(kind, "__module__", "ntklib.elsewhere")
        monkeypatch.setattr(elsewhere, kind.__name__, kind, raising=False)
    assert run(capsys, "predict", folder / "labels.ntk", folder / "new.csv") == before
    assert before[0] == 0
    save_model(load_model(folder / "labels.ntk"), tmp_path / "again.ntk")
    assert b"elsewhere" not in members(tmp_path / "again.ntk")[DUMP]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (NTK.__module__, "NTK"),  # the module it is defined in
        ("ntklib.kernels", "EmpiricalNTK"),
        ("ntklib.estimators", "NTK"),
        ("ntklib.kernels.NTK", "from_params"),
        ("ntklib", "NTK"),
    ],
)
def test_names_of_ntklib_other_than_those_it_writes_are_refused(folder, tmp_path, capsys, module, name):
    content = members(folder / "labels.ntk")
    node = {"__loader__": "ObjectNode", "__module__": module, "__class__": name, "content": {}, "attrs": {}}
    bad = {**content, DUMP: json.dumps(json.loads(content[DUMP]) | {"extra": [node]})}
    refused(
        capsys,
        folder,
        pack(tmp_path / "bad.ntk", bad),
        f"refused, it holds types that ntklib does not write: {module}.{name}",
    )


def test_settings_that_fit_does_not_use(folder, tmp_path, capsys):
    """Processes by the million or a kernel of a billion layers, in types that are all allowed."""
    content = members(folder / "labels.ntk")
    schema = json.loads(content[DUMP])

    def number(value):
        text = json.dumps(value)
        return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": text}

    def holders(node, key):
        if isinstance(node, dict):
            if key in node and "__loader__" in (node[key] if isinstance(node[key], dict) else {}):
                yield node
            for value in node.values():
                yield from holders(value, key)
        elif isinstance(node, list):
            for value in node:
                yield from holders(value, key)

    for key, value in (("n_jobs", 10**6), ("depth", 10**9), ("depth", "3"), ("sparse_threshold", 2)):
        changed = copy.deepcopy(schema)
        found = list(holders(changed, key))
        assert found
        for node in found:
            node[key] = number(value)
        bad = {**content, DUMP: json.dumps(changed)}
        refused(capsys, folder, pack(tmp_path / "bad.ntk", bad), "do not fit together")


def test_arrays_that_are_longer_than_their_file(folder, tmp_path, capsys):
    content = members(folder / "labels.ntk")
    name = next(name for name in content if name.endswith(".npy"))
    for dtype, shape in (
        ("<f8", (10**9,)),
        ("<U0", (10**12,)),
        ("|V0", (10**9,)),
        ("|O", (1,)),
        ("<c16", (0,)),
        ("<M8[s]", (0,)),
    ):
        head = repr({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
        refused(capsys, folder, pack(tmp_path / "bad.ntk", {**content, name: data}), "cannot be rebuilt")


def bomb(path, content, megabytes):
    pack(path, content)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("zeros.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(megabytes):
            file.write(bytes(2**20))
    return path


def test_a_file_that_would_expand_a_thousandfold_takes_no_memory(folder, tmp_path, capsys):
    path = bomb(tmp_path / "bomb.ntk", members(folder / "labels.ntk"), 600)
    load_model(folder / "labels.ntk")  # imports what there is to import
    tracemalloc.start()
    try:
        refused(capsys, folder, path, "would expand to")
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_a_size_the_archive_lies_about_takes_no_memory(tmp_path):
    content = {"small.npy": b"1"}
    data = bytearray(bomb(tmp_path / "bomb.zip", content, 200).read_bytes())
    at = data.rfind(b"PK\x01\x02")  # the central directory's entry of the large member
    assert struct.unpack_from("<I", data, at + 24)[0] == 200 * 2**20
    struct.pack_into("<I", data, at + 24, 1000)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="damaged"):
            read_archive(io.BytesIO(data))
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_archives_put_together_in_other_ways(folder, tmp_path, capsys):
    content, path = members(folder / "labels.ntk"), tmp_path / "bad.ntk"
    refused(capsys, folder, pack(path, content, zipfile.ZIP_BZIP2), "compressed in a way")
    refused(capsys, folder, pack(path, content, zipfile.ZIP_LZMA), "compressed in a way")
    for name in ("/etc/passwd", "../up", "a/b.npy", "C:\\x", "\x1b[2J", " ", "x" * 300):
        refused(capsys, folder, pack(path, {**content, name: b"x"}), "a member has the name")
    pack(path, content)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(DUMP, content[DUMP])
    refused(capsys, folder, path, "twice")
    data = bytearray(pack(path, content).read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(capsys, folder, path, "encrypted")


def test_what_is_no_file_is_refused_without_waiting(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("pipe")
    os.mkfifo("pipe.csv")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket")
        kinds = {"pipe": "a pipe", "socket": "a socket", "/dev/zero": "a device", ".": "a folder"}
        for path, word in kinds.items():
            refused(capsys, folder, path, f"is {word}")
    code, _, err = run(capsys, "predict", folder / "labels.ntk", "pipe.csv")
    assert code == 2
    assert "pipe.csv: is a pipe" in err


def test_large_models_are_written_so_that_they_are_read(monkeypatch):
    """The bound of the reader holds for whatever the writer is given."""
    monkeypatch.setattr("ntklib.lab.cli._archive.SPARE", 2**16)
    noise = np.random.default_rng(0).bytes(2**18)
    for content in (
        {"zeros.npy": bytes(2**22)},
        {"zeros.npy": bytes(2**22), "text.json": b"[1, 2, 3]" * 1000},
        {"noise.npy": noise, "zeros.npy": bytes(2**20), "half.npy": noise[: 2**16] + bytes(2**18)},
        {f"{i}.npy": bytes(2**15) for i in range(30)},
    ):
        assert read_archive(io.BytesIO(write_archive(content))) == content


def test_a_model_with_a_sparse_table_is_read_back(tmp_path, capsys, monkeypatch):
    """One-hot columns shrink by more than any bound allows: they are stored as they are."""
    monkeypatch.setattr("ntklib.lab.cli._archive.SPARE", 2**10)
    rows = "".join(f"c{i % 150},{i % 2}\n" for i in range(300))
    (tmp_path / "d.csv").write_text(f"c,y\n{rows}")
    data, path = str(tmp_path / "d.csv"), tmp_path / "m.ntk"
    assert main(["fit", data, "--target", "y", "--out", str(path)]) == 0
    code, out, _ = run(capsys, "predict", path, data)
    assert code == 0
    assert len(out.splitlines()) == 301


def test_a_model_with_a_laplace_kernel_is_read_back(tmp_path, capsys):
    X = np.random.default_rng(0).standard_normal((80, 3))
    rows = [",".join(f"{value:.4f}" for value in [*row, np.sign(row).sum() + 0.05 * row[0]]) for row in X]
    (tmp_path / "steps.csv").write_text("\n".join(["a,b,c,y", *rows, ""]))
    path = tmp_path / "steps.ntk"
    assert main(["fit", str(tmp_path / "steps.csv"), "--target", "y", "--out", str(path)]) == 0
    loaded = load_model(path)
    assert isinstance(loaded.pipeline[-1].kernel_, Laplace)
    values = loaded.pipeline.predict(X)
    assert np.corrcoef(values, np.sign(X).sum(axis=1))[0, 1] > 0.9
    low, high = loaded.pipeline[-1].prediction_limits_
    assert low <= values.min() < values.max() <= high


def test_too_many_categories_are_refused_when_they_are_written(folder, tmp_path, monkeypatch):
    model = TablePredictor.fit(load_table(folder / "labels.csv"), target="y", impute="median")
    monkeypatch.setattr("ntklib.lab.cli._model_file.MAX_PARTS", 100)
    with pytest.raises(DataError, match="too many categories"):
        save_model(model, tmp_path / "m.ntk")


def test_another_version_of_scikit_learn_is_noted_in_one_line(folder, tmp_path, capsys):
    content = members(folder / "labels.ntk")
    version = json.dumps(json.dumps(sklearn.__version__)).encode()
    schema = content[DUMP].replace(version, b'"\\"1.0\\""')
    assert schema != content[DUMP]
    path = pack(tmp_path / "old.ntk", {**content, DUMP: schema})
    code, _, err = run(capsys, "predict", path, folder / "new.csv")
    assert code == 0
    assert err.count("scikit-learn") == 1
    assert "written with scikit-learn '1.0'" in err


def test_text_of_the_file_reaches_the_terminal_escaped(folder, tmp_path, capsys):
    content, header = members(folder / "labels.ntk"), header_of(folder)
    evil = "9\nline two\r\x1b[31m\x9b31m\u202egnp.exe\u2028\ud800"
    for change in (
        {"format_version": 3, "ntklib_version": evil},
        {"format": evil},
        {"columns": ["a", "b", evil, "t"]},
    ):
        refused(capsys, folder, pack(tmp_path / "bad.ntk", {**content, HEADER: json.dumps(header | change)}))
    refused(capsys, folder, tmp_path / "none\n\x1b[31m.ntk", "none\\n\\x1b[31m.ntk")


def test_a_model_on_centres_predicts_as_it_did(folder, tmp_path, capsys, monkeypatch):
    """Tables of more rows than an exact search takes are fitted on centres; their files hold arrays only."""
    monkeypatch.setattr("ntklib.solvers.solver.EXACT_SEARCH_ROWS", 20)
    for name in ("labels", "numbers"):
        file = tmp_path / f"{name}.ntk"
        code, _, err = run(
            capsys, "fit", folder / f"{name}.csv", "--target", "y", "--impute", "median", "--out", file
        )
        assert code == 0
        assert "30 rows are more than the 20 up to which solver='auto' is exact" in err
        model = load_model(file)
        estimator = model.pipeline[-1]
        assert estimator.solve_.method == "nystrom"
        assert run(capsys, "predict", file, folder / "new.csv")[0] == 0
        if name == "numbers":
            X = np.zeros((2, estimator.n_features_in_))
            mean, std = estimator.predict(X, return_std=True)
            assert np.isfinite(mean).all()
            assert (std > 0).all()


def few_search_rows(make, *arguments):
    """The estimator of a fit, whose search has fewer rows than the table."""
    return make(*arguments).set_params(max_search_samples=110)


def test_a_model_with_learned_features_predicts_as_it_did(tmp_path, capsys, monkeypatch):
    X = np.random.default_rng(0).normal(size=(120, 5))
    table = np.column_stack([X, np.sin(2 * X[:, 0])])
    np.savetxt(tmp_path / "d.csv", table, delimiter=",", header="a,b,c,d,e,y", comments="", fmt="%.17g")
    path = tmp_path / "m.ntk"
    monkeypatch.setattr("ntklib.lab.cli._model._estimator", partial(few_search_rows, _estimator))
    code, out, _ = run(capsys, "fit", tmp_path / "d.csv", "--target", "y", "--out", path)
    assert code == 0
    estimator = load_model(path).pipeline[-1]
    assert estimator.learned_features_.kept
    assert estimator.learned_features_.n_samples == 110  # held-out scores of all rows notwithstanding
    words = "\nscales:  learned in "
    assert words in out
    assert words in run(capsys, "info", path)[1]
    assert "on 120 rows, each predicted by a fit without it" in run(capsys, "info", path)[1]
    assert np.argmax(estimator.kernel_.scales) == 0
    code, out, _ = run(capsys, "predict", path, tmp_path / "d.csv")
    assert code == 0
    predicted = [float(line.split(",")[-1]) for line in out.splitlines()[1:121]]
    assert np.corrcoef(predicted, table[:, -1])[0, 1] > 0.99
