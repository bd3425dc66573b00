"""A table is found in a text file, whatever encoding, separator, preamble and header it has."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.extensions.imports.tables import TextTable


def table(folder: Path, text: str | bytes, names: list[str] | None = None) -> TextTable:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TextTable(path, names)


def numbers(found: TextTable) -> list[list[float | None]]:
    return [[found.form.number(field) for field in line.fields] for line in found.lines()]


WANTED = [[0.0, 1.5], [0.5, 2.5], [1.0, 3.5]]


@pytest.mark.parametrize(
    ("text", "header", "units"),
    [
        ("V,I\n0,1.5\n0.5,2.5\n1,3.5\n", ("V", "I"), ()),
        ("V;I\n0;1,5\n0,5;2,5\n1;3,5\n", ("V", "I"), ()),
        ("V\tI\n0\t1,5\n0,5\t2,5\n1\t3,5\n", ("V", "I"), ()),
        ("V I\n0 1.5\n 0.5  2.5\n1 3.5\n", ("V", "I"), ()),
        ("V,I\nV,uA\n0,1.5\n0.5,2.5\n1,3.5\n", ("V", "I"), ("V", "uA")),
        ("V,I\n(V),[uA]\n0,1.5\n0.5,2.5\n1,3.5\n", ("V", "I"), ("(V)", "[uA]")),
        ("0,1.5\n0.5,2.5\n1,3.5\n", (), ()),
        ("# V, I\n0,1.5\n0.5,2.5\n1,3.5\n", ("V", "I"), ()),
        ("Model,2450,04\nDate,2026-11-27\n\nV,I\n0,1.5\n0.5,2.5\n1,3.5\n", ("V", "I"), ()),
        ("V,I,\n0,1.5,\n0.5,2.5,\n1,3.5,\n", ("V", "I"), ()),
        (
            "Title, x\nDataName, V, I\nDataValue, 0, 1.5\nDataValue, 0.5, 2.5\nDataValue, 1, 3.5\n",
            ("V", "I"),
            (),
        ),
        ("V,I\r\n0,1.5\r\n0.5,2.5\r\n1,3.5", ("V", "I"), ()),
        ("V\tI\n0\t1.5\n0.5\t2.5\n1\t3.5\n".encode("utf-16"), ("V", "I"), ()),
        ("V\tI\n0\t1.5\n0.5\t2.5\n1\t3.5\n".encode("utf-16-le"), ("V", "I"), ()),
        (gzip.compress(b"V\tI\n0\t1.5\n0.5\t2.5\n1\t3.5\n", mtime=0), ("V", "I"), ()),
    ],
)
def test_a_table_is_found_however_it_is_written(
    tmp_path: Path, text: str | bytes, header: tuple[str, ...], units: tuple[str, ...]
):
    found = table(tmp_path, text)
    assert (found.form.header, found.form.units) == (header, units)
    assert numbers(found) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "V,I\n0,1\n1,2\n\n0,3\n1,4\n",
        "V,I\n0,1\n1,2\nV,I\n0,3\n1,4\n",
        "Set, a\nDataName, V, I\nDataValue, 0, 1\nDataValue, 1, 2\n\n"
        "Set, b\nDataName, V, I\nDataValue, 0, 3\nDataValue, 1, 4\n",
    ],
)
def test_tables_below_one_another_are_told_apart(tmp_path: Path, text: str):
    assert [line.part for line in table(tmp_path, text).lines()] == [0, 0, 1, 1]


def test_lines_keep_their_numbers_in_the_file(tmp_path: Path):
    assert [
        line.number for line in table(tmp_path, "made by hand\n# c\n\nV,I\n0,1\n\n# d\n1,2\n").lines()
    ] == [5, 8]


def test_a_row_of_numbers_above_a_matrix_is_its_header(tmp_path: Path):
    found = table(tmp_path, ",0,1,2\n0,5,6,7\n1,8,9,10\n")
    assert found.form.header == ("", "0", "1", "2")
    assert len(numbers(found)) == 2


def test_names_of_a_recipe_repeat_to_the_end_of_the_line(tmp_path: Path):
    found = table(tmp_path, "7\t1\t2\t3\t4\n8\t5\t6\t7\t8\n", ["cell", "a{n}", "b{n}"])
    assert found.form.header == ("cell", "a1", "b1", "a2", "b2")
    with pytest.raises(InputError, match="has 4 columns, and the recipe names cell"):
        table(tmp_path, "7\t1\t2\t3\n8\t5\t6\t7\n", ["cell", "a{n}", "b{n}"])
    with pytest.raises(InputError, match="for a table without one"):
        table(tmp_path, "x,y\n1,2\n", ["a", "b"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "is a spreadsheet or an archive, no text"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (bytes(range(256)) * 4, "bytes that are 0"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (gzip.compress(b"V,I\n0,1\n", mtime=0)[:-6], "cannot be read"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes, said: str):
    with pytest.raises(InputError, match=said):
        list(table(tmp_path, content).lines())


def test_a_line_beyond_all_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mho.extensions.imports.tables.text_tables.LONGEST_LINE", 100)
    with pytest.raises(InputError, match="line 2 has more than 100 characters"):
        table(tmp_path, "V,I\n" + "1" * 200 + "\n")


@pytest.mark.thorough
@given(
    mark=st.sampled_from("\t;, "),
    comma=st.booleans(),
    header=st.booleans(),
    preamble=st.integers(0, 3),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    values=st.lists(
        st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6)), min_size=3, max_size=3),
        min_size=2,
        max_size=12,
    ),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, mark: str, comma: bool, header: bool, preamble: int, encoding: str,
    values: list[list[float]],
):  # fmt: skip
    comma = comma and mark != ","
    lines = [f"setting {number} of the µ-meter" for number in range(preamble)] if header else []
    lines += [mark.join(("alpha", "beta", "gamma"))] if header else []
    texts = [[f"{x:.6f}" for x in row] for row in values]
    lines += [mark.join(text.replace(".", ",") if comma else text for text in row) for row in texts]
    found = table(tmp_path_factory.mktemp("any"), "\n".join(lines).encode(encoding))
    assert numbers(found) == values
    assert found.form.header == (("alpha", "beta", "gamma") if header else ())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    try:
        for line in table(tmp_path_factory.mktemp("any"), content).lines():
            assert all(isinstance(field, str) for field in line.fields)
    except InputError as error:
        assert str(error)  # noqa: PT017


def test_missing_values_are_not_numbers(tmp_path: Path):
    found = table(tmp_path, "V,I\n0,1\n1,\n2,nan\n3,---\n4,x\n")
    read = [row[1] for row in numbers(found)]
    assert read[0] == 1.0
    assert all(value is not None and math.isnan(value) for value in read[1:4])
    assert read[4] is None
