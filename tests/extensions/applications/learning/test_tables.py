"""Tables of measurements: what is read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.extensions.applications.learning.tables import load_regressors, sample_tables


def test_samples_are_as_they_were_published():
    longley, iris = load_regressors("longley"), load_regressors("iris", classes=True)
    assert sample_tables() == ["iris", "longley"]
    assert (longley.rows, len(longley.columns), longley.target) == (16, 6, "employed")
    assert longley.observed.sum() == 1045072.0  # NIST StRD
    assert longley.columns[0] == "deflator"
    assert (iris.rows, iris.columns[2], iris.classes) == (100, "petal_length", ("versicolor", "virginica"))
    np.testing.assert_allclose(
        iris.values[:50].mean(axis=0), [5.936, 2.770, 4.260, 1.326]
    )  # Fisher, Table II
    np.testing.assert_allclose(iris.values[50:].mean(axis=0), [6.588, 2.974, 5.552, 2.026])
    assert iris.observed.tolist() == [0.0] * 50 + [1.0] * 50


def test_a_table_is_read_from_csv_npz_and_columns_alike(tmp_path):
    columns = {"a": [1.0, 2.0, 4.0], "b": [0.5, -1.0, 2e3], "y": [1.0, 0.0, 1.0]}
    csv, npz = tmp_path / "t.csv", tmp_path / "t.npz"
    csv.write_text("# a comment\na; b;y\n1;0.5;1\n2;-1;0\n\n4;2e3;1\n")
    np.savez(npz, **columns)
    for source in (csv, npz, columns):
        table = load_regressors(source, "y", "b, a")
        assert (table.columns, table.target) == (("b", "a"), "y")
        np.testing.assert_array_equal(table.values, np.array([columns["b"], columns["a"]]).T)
        np.testing.assert_array_equal(table.observed, columns["y"])


GOOD = "a,b,y\n1,2,3\n2,2.5,5\n3,1,4\n"


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        (GOOD, "Y", "has no column 'Y'; it has a, b, y"),
        ("employed,x\n1,2\n3,4\n", "employd", "did you mean employed?"),
        ("a,y\n1,2\nx,3\n", "y", "column 'a', row 2, says 'x', which is no number"),
        ("a,y\n1,2\n,3\n", "y", "column 'a', row 2, is empty, which is no number"),
        ("a,y\n1,2\nnan,3\n", "y", "column 'a', row 2, is nan; fill it in"),
        ("a,y\n1,2\n3,inf\n", "y", "column 'y', row 2, is inf"),
        ("a,b,y\n1,7,2\n2,7,3\n", "y", "column 'b' is 7 in every row; a constant explains nothing"),
        ("a,y\n1,2\n2,2\n", "y", "column 'y' is 2 in every row"),
        ("a,a,y\n1,2,3\n2,3,4\n", "y", "two columns called 'a'"),
        ("a,,y\n1,2,3\n2,3,4\n", "y", "column 2 has no name"),
        ("a,y\n1,2\n3\n", "y", "line 3: 1 values for 2 columns"),
        ("1,2\n3,4\n", "", "the first line names the columns"),
        ("a,y\n", "", "holds no table"),
        ("y\n1\n2\n", "y", "has the one column 'y'"),
        ("a,y\n1,2\n", "y", "has one row"),
    ],
)
def test_what_is_no_table_is_refused_with_the_place(tmp_path, text, target, words):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_regressors(path, target)
    assert words in str(error.value)


def test_files_that_are_none_are_refused(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 no archive")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("a,y\n1,2\n2,\xe4\n".encode("latin-1"))
    matrix = tmp_path / "matrix.npz"
    np.savez(matrix, X=np.ones((2, 2)), y=np.ones(2))
    for source, words in (
        (broken, "no whole .npz file"),
        (latin, "is not UTF-8"),
        (matrix, "'X' has the shape (2, 2)"),
        (tmp_path / "absent.csv", "does not exist"),
        (tmp_path / "table.ods", "unknown suffix '.ods'"),
        ("longly", "there is no table called 'longly'; there are iris, longley"),
        (7, "the table is int"),
        ({"a": [1, 2], "y": [1, 2, 3]}, "'y' has 3 rows and 'a' has 2"),
    ):
        with pytest.raises(InputError) as error:
            load_regressors(source)
        assert words in str(error.value)


def test_classes_are_two(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,y\n1,red\n2,blue\n3,green\n")
    with pytest.raises(
        InputError, match=r"'y' has 3 classes \(blue, green, red\); logistic regression takes two"
    ):
        load_regressors(path, classes=True)
    with pytest.raises(InputError, match="cannot explain itself"):
        load_regressors("longley", "employed", "employed, gnp")
