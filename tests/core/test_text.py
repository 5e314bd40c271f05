"""Tables of text."""

import numpy as np
import pytest

from ntklib._core.text import text_list, text_table


def test_columns_are_aligned():
    rows = [("linear", np.float32(0.25), 3), ("a", float("nan"), 10)]
    assert text_table(["model", "score", "n"], rows, left=1).splitlines() == [
        "model   score   n",
        "linear   0.25   3",
        "a           -  10",
    ]
    assert text_table(["x"], []) == "x"


@pytest.mark.parametrize(("n", "ends"), [(6, [0, 1, 2, 3, 4, 5]), (7, [0, 1, 2, "...", 5, 6])])
def test_the_middle_of_a_long_table_is_left_out(n, ends):
    lines = text_table(["step"], ((i,) for i in range(n)), limit=6).splitlines()
    assert [line.strip() for line in lines[1:]] == [str(end) for end in ends]


def test_texts_stand_beside_their_names():
    assert text_list([("loss", "0.5"), ("path length", "2")]) == ["  loss         0.5", "  path length  2"]
