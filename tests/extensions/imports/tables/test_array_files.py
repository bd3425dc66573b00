"""Arrays of NumPy, MATLAB, HDF5 and JSON are tables; which array, and what its dimensions count, may have to be said."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

import mho
from mho.errors import InputError
from mho.extensions.imports import TableReading, guess
from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.tables.array_files import ArrayLines
from mho.extensions.imports.tables.text_tables import open_lines
from mho.runs import RunFile

VOLTS = np.concatenate([np.linspace(0.0, 1.5, 16), np.linspace(1.5, 0.0, 16)])
COLUMNS = {"V": VOLTS, "I": 1e-6 * VOLTS}


def lines(path: Path, dataset: str = "", axes: tuple[str, ...] = ()) -> list[list[str]]:
    return [text.split("\t") for _, text in ArrayLines(path, dataset, axes).numbered(1)]


def of_npz(path: Path) -> None:
    np.savez(path, **COLUMNS)


def of_mat(path: Path) -> None:
    scipy.io.savemat(path, COLUMNS)


def of_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, values in COLUMNS.items():
            file[f"measured/{name}"] = values


def of_compound(path: Path) -> None:
    rows = np.zeros(len(VOLTS), dtype=[("V", "f8"), ("I", "f8")])
    rows["V"], rows["I"] = COLUMNS["V"], COLUMNS["I"]
    np.save(path, rows)


def of_lists(path: Path) -> None:
    path.write_text(json.dumps({name: values.tolist() for name, values in COLUMNS.items()}))


def of_records(path: Path) -> None:
    pairs = zip(*(values.tolist() for values in COLUMNS.values()), strict=True)
    path.write_text(json.dumps([{"V": v, "I": i} for v, i in pairs]))


def of_split(path: Path) -> None:
    rows = np.stack([*COLUMNS.values()], axis=1).tolist()
    path.write_text(json.dumps({"columns": [*COLUMNS], "index": [*range(len(rows))], "data": rows}))


WRITERS = {
    "t.npz": of_npz, "t.mat": of_mat, "t.h5": of_hdf5, "t.npy": of_compound, "lists.json": of_lists,
    "records.json": of_records, "split.json": of_split,
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_columns_are_an_iv_curve_wherever_they_are(tmp_path: Path, name: str):
    path = tmp_path / name
    WRITERS[name](path)
    found = guess(path)
    assert (found.best.measurement.name, found.sure) == ("iv", True), found.best.reasons
    with RunFile(import_measurement(path, found.best.reading, tmp_path / "run.h5")) as run:
        assert run.table("sweeps")["current"] == pytest.approx(COLUMNS["I"])
        assert run.table("sweeps")["voltage"] == pytest.approx(COLUMNS["V"])


def test_a_matrix_is_a_map_of_reads(tmp_path: Path):
    path = tmp_path / "t.npy"
    np.save(path, 1e-6 * np.arange(1.0, 13.0).reshape(3, 4))
    found = guess(path, kinds=["reads"]).best
    with RunFile(import_measurement(path, found.reading, tmp_path / "run.h5")) as run:
        assert run.map("conductance") == pytest.approx(1e-6 * np.arange(1.0, 13.0).reshape(3, 4))


def test_dimensions_become_columns(tmp_path: Path):
    path = tmp_path / "t.npz"
    np.savez(path, G=np.arange(12.0).reshape(2, 3, 2), other=np.zeros(3))
    found = lines(path, "G", ("cycle", "row", "column"))
    assert found[0] == ["cycle", "row", "column", "G"]
    assert found[1:4] == [["0", "0", "0", "0.0"], ["0", "0", "1", "1.0"], ["0", "1", "0", "2.0"]]
    assert found[-1] == ["1", "2", "1", "11.0"]


def test_places_of_a_dimension_are_columns_and_unnamed_ones_go_fastest(tmp_path: Path):
    path = tmp_path / "t.npy"
    np.save(path, np.arange(12.0).reshape(2, 3, 2))  # points, quantities, sweeps
    found = lines(path, "", ("", "I||V", "sweep"))
    assert found == [
        ["sweep", "I", "V"], ["0", "0.0", "4.0"], ["0", "6.0", "10.0"], ["1", "1.0", "5.0"], ["1", "7.0", "11.0"],
    ]  # fmt: skip


def test_matrices_of_one_shape_are_columns_beside_row_and_column(tmp_path: Path):
    path = tmp_path / "t.npz"
    np.savez(path, G=np.array([[1.0, 2.0]]), done=np.array([[True, False]]))
    assert lines(path) == [["row", "column", "G", "done"], ["0", "0", "1.0", "1"], ["0", "1", "2.0", "0"]]


@pytest.mark.parametrize(
    ("dataset", "axes", "said"),
    [
        ("", (), r"has arrays of several shapes: G \(2 x 3 x 4\), t \(3\); say --dataset NAME"),
        ("X", (), r"has no array 'X'; it has G"),
        ("G", (), "has 3 dimensions; say what they count, such as --axes pulse,column,row"),
        ("G", ("row", "column"), "has 3 dimensions; say what they count"),
        ("G", ("cycle", "a|b|c", "d|e"), "one dimension of one array can be columns"),
        ("G", ("a|b|c", "row", "column"), r"dimension 1 of G \(2 x 3 x 4\) has 2 places, and --axes names 3"),
    ],
)
def test_what_makes_no_table_is_said(tmp_path: Path, dataset: str, axes: tuple[str, ...], said: str):
    path = tmp_path / "t.npz"
    np.savez(path, G=np.zeros((2, 3, 4)), t=np.zeros(3))
    with pytest.raises(InputError, match=said):
        ArrayLines(path, dataset, axes)


def test_nothing_is_unpickled(tmp_path: Path):
    path = tmp_path / "t.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is a NumPy array that cannot be read"):
        ArrayLines(path)
    np.savez(tmp_path / "t.npz", a=np.array([{"a": 1}, 2], dtype=object))
    with pytest.raises(InputError, match="array 'a' holds object, no column of numbers"):
        ArrayLines(tmp_path / "t.npz", "a")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mho.extensions.imports.tables.array_files.MOST_BYTES", 1000)
    np.savez_compressed(tmp_path / "t.npz", a=np.zeros(1000))
    with pytest.raises(InputError, match="are read at most"):
        ArrayLines(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON that cannot be read"), ("3", "holds no columns"), ("{}", "holds no columns"),
        ('{"a": "b"}', "no array of numbers"),
    ],
)  # fmt: skip
def test_json_without_columns_is_said(tmp_path: Path, text: str, said: str):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=said):
        ArrayLines(tmp_path / "t.json")


def test_our_own_run_is_no_table(tmp_path: Path):
    run = mho.run(mho.procedures.Read(rows="0", columns="0"), "arrays", seed=1, output=tmp_path / "own.h5")
    with pytest.raises(InputError, match="is a run file of mho"):
        guess(Path(run.path))


def test_a_text_has_one_table(tmp_path: Path):
    (tmp_path / "t.csv").write_text("V,I\n0,1\n")
    with pytest.raises(InputError, match="is a text file, which has one table"):
        open_lines(tmp_path / "t.csv", "G")


def test_a_reading_says_which_array_and_what_it_counts(tmp_path: Path):
    path = tmp_path / "t.npz"
    np.savez(path, G=1e-6 * np.arange(1.0, 13.0).reshape(3, 2, 2), t=np.zeros(3))
    reading = TableReading("response", {"pulse": "pulse"}, dataset="G", axes=("pulse", "row", "column"))
    with RunFile(import_measurement(path, reading, tmp_path / "run.h5")) as run:
        assert run.table("responses")["conductance"][:5] == pytest.approx([1e-6, 2e-6, 3e-6, 4e-6, 5e-6])
        assert run.table("responses")["pulse"][4] == 1


def npy_of(shape: tuple[int, ...], data: bytes = b"\0" * 64) -> bytes:
    """Return a NumPy file whose header says `shape`, with other data."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return file.getvalue() + data


@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**40, 2**40), (-1, 4), (10**30,), (9,)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_says_more_than_the_file_has_is_refused(
    tmp_path: Path, shape: tuple[int, ...], packed: bool
):
    path = tmp_path / ("t.npz" if packed else "t.npy")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("G.npy", npy_of(shape))
    else:
        path.write_bytes(npy_of(shape))
    with pytest.raises(InputError, match=r"its header says .* of float64, and the file is shorter"):
        ArrayLines(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000 + "]" * 200_000, "it is nested too deeply"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        (json.dumps({"V": ["x" * 20_000, "1"]}), "a text in it has more than 10000 characters"),
        ('{"V": [' + "9" * 5000 + "]}", "cannot be read"),
    ],
)
def test_json_beyond_reading_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError) as caught:
        ArrayLines(tmp_path / "t.json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    place=st.integers(0, 400),
    byte=st.integers(0, 255),
    kind=st.sampled_from(["t.npy", "t.npz", "t.json"]),
)
def test_a_damaged_file_of_arrays_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, kind: str
):
    path = tmp_path_factory.mktemp("damaged") / kind
    values = np.arange(12.0).reshape(6, 2)
    if kind == "t.npz":
        np.savez(path, G=values)
    elif kind == "t.npy":
        np.save(path, values)
    else:
        path.write_text(json.dumps({"V": [1.0, 2.0], "I": [1e-6, 2e-6]}))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(bytes(content))
    try:
        for _ in open_lines(path).numbered(1):
            pass
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
