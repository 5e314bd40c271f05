"""The record of parameters: named, read-only, finite, saved whole, copied by nobody."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from ntklib.networks import MLP, Params, TwoLayerNet

NETWORKS = [
    TwoLayerNet(4),
    TwoLayerNet(4, bias_std=0.5, symmetric=True),
    MLP((4, 3), n_outputs=2, bias_std=0.1),
    MLP((2,) * 12, symmetric=True),
]
EVERY = pytest.mark.parametrize("net", NETWORKS, ids=repr)


@pytest.fixture
def params():
    return MLP((4, 3), bias_std=0.2).init(3, 0)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_through_a_file(net, dtype, tmp_path):
    params = net.init(3, 0, dtype=dtype)
    path = tmp_path / "params.npz"
    params.save(path)
    found = Params.load(path)
    assert found == params
    assert found.names == params.names
    for name in params.names:
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(found[name], params[name])
        assert not found[name].flags.writeable
    assert [file.name for file in tmp_path.iterdir()] == ["params.npz"]
    X = np.ones((2, 3), dtype)
    np.testing.assert_array_equal(net.apply(found, X), net.apply(params, X))


def test_the_name_of_the_file_is_the_one_given(params, tmp_path):
    params.save(str(tmp_path / "weights"))
    assert Params.load(tmp_path / "weights") == params


def test_nothing_is_overwritten_unasked(params, tmp_path):
    path = tmp_path / "params.npz"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"params.npz"):
        params.save(path)
    assert path.read_bytes() == b"precious"
    params.save(path, overwrite=True)
    assert Params.load(path) == params


def test_other_files_are_refused(params, tmp_path):
    path = tmp_path / "file"
    for content in (b"", b"hello, world", b"PK\x03\x04 cut short"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="file"):
            Params.load(path)
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(ValueError, match="array"):
        Params.load(tmp_path / "array.npy")
    np.savez(tmp_path / "objects.npz", W0=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"objects.npz"):
        Params.load(tmp_path / "objects.npz")
    params.save(tmp_path / "half.npz")
    whole = (tmp_path / "half.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="half"):
        Params.load(tmp_path / "half.npz")
    with pytest.raises(FileNotFoundError):
        Params.load(tmp_path / "nowhere.npz")


def test_arrays_are_read_only(params):
    for name in params.names:
        with pytest.raises(ValueError, match="read-only"):
            params[name][:] = 0
    with pytest.raises((AttributeError, TypeError)):
        params.names = ()
    with pytest.raises(TypeError):
        params["W0"] = np.zeros((4, 3))
    with pytest.raises((AttributeError, TypeError)):
        params._arrays = {}


def test_arrays_given_may_change_afterwards():
    W = np.ones((2, 3))
    params = Params({"W0": W, "W1": W[:1].T[:, :1] @ np.ones((1, 2))})
    view = W[:]
    view.flags.writeable = False
    other = Params({"W0": view})
    W[:] = np.nan
    np.testing.assert_array_equal(params["W0"], 1)
    np.testing.assert_array_equal(other["W0"], 1)


def test_copies_are_the_record_itself(params):
    assert copy.copy(params) is params
    assert copy.deepcopy(params) is params
    assert clone(params) is params
    assert copy.deepcopy({"a": [params]})["a"][0] is params


def test_pickle(params):
    found = pickle.loads(pickle.dumps(params))
    assert found == params
    assert hash(found) == hash(params)
    assert not found["W0"].flags.writeable


def test_equality_is_one_truth_value(params):
    again = MLP((4, 3), bias_std=0.2).init(3, 0)
    assert (params == again) is True
    assert (params != again) is False
    assert hash(params) == hash(again)
    assert (params == params.replace(W0=params["W0"] + 1)) is False
    assert (params == MLP((4, 3)).init(3, 0)) is False
    assert (params == MLP((4, 3), bias_std=0.2).init(3, 0, dtype=np.float32)) is False
    for other in (None, 1, "W0", params["W0"], {"W0": params["W0"]}):
        assert (params == other) is False
        assert (other == params) is False
        assert (params != other) is True


def test_equal_numbers_of_another_type_or_name_are_another_record():
    ones = Params({"W0": np.ones((2, 3))})
    assert ones == Params({"W0": [[1, 1, 1], [1, 1, 1]]})
    assert ones != Params({"W0": np.ones((2, 3), np.float32)})
    assert ones != Params({"W1": np.ones((2, 3))})
    assert ones != Params({"W0": np.ones((3, 2))})
    assert ones != Params({"W0": np.ones((1, 3))})


def test_a_parameter_of_an_estimator(params):
    """What holds a record can be compared, cloned and printed."""

    class Holder(BaseEstimator):
        def __init__(self, params=None):
            self.params = params

    holder = Holder(params)
    assert clone(holder).params is params
    assert len(repr(holder)) < 200
    assert holder.get_params()["params"] is params


def test_repr_is_short(params):
    assert repr(params) == "Params(W0=4x3, b0=4, W1=3x4, b1=3, W2=1x3, b2=1, float64)"
    assert len(repr(NETWORKS[-1].init(3, 0))) < 120


def test_behaves_like_a_mapping(params):
    assert list(params) == list(params.names) == ["W0", "b0", "W1", "b1", "W2", "b2"]
    assert len(params) == 6
    assert "W1" in params
    assert "W3" not in params
    assert params.size == sum(array.size for _, array in params.items())
    with pytest.raises(KeyError, match=r"W9.*W0"):
        params["W9"]


def test_replace(params):
    found = params.replace(b1=np.zeros(3))
    np.testing.assert_array_equal(found["b1"], 0)
    assert found["W0"] is params["W0"]
    with pytest.raises(KeyError, match="W9"):
        params.replace(W9=np.zeros(3))
    with pytest.raises(ValueError, match=r"W0.*\(4, 3\)"):
        params.replace(W0=np.zeros(3))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "empty"),
        ({"W0": np.array([[1.0, np.nan]])}, r"W0.*NaN"),
        ({"W0": np.ones((1, 1)), "b0": [np.inf]}, r"b0.*infinity"),
        ({"W0": np.ones((0, 2))}, r"W0.*empty"),
        ({"W0": np.array([["a"]])}, "W0"),
        ({"W0": np.array([[1j]])}, r"W0.*complex"),
        ({"W0": np.array([[None]])}, "W0"),
    ],
)
def test_bad_arrays(arrays, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Params(arrays)


def test_types_of_arrays():
    assert Params({"W0": np.ones((1, 2), np.float32)}).dtype == np.float32
    assert Params({"W0": np.ones((1, 2), np.float32), "b0": np.ones(1)}).dtype == np.float64
    assert Params({"W0": [[1, 2]]}).dtype == np.float64
