"""How rows get into chunks: checksums as HDF5 computes them, big rows compressed, nothing lost when interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from daily import daily
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import RunFileError
from mho.runs import Array, Column, Layout, Map, RunFile, RunHeader, RunWriter, Table, Verdict, verify
from mho.runs.index.card import read_card
from mho.runs.integrity.seal import data_digest
from mho.runs.reading.chunks import create_growing, fletcher32
from mho.runs.writing.appending import Growing

HEADER = RunHeader("chunks", "P", "1", {})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(min_size=1, max_size=400), repeat=st.integers(1, 90))
def test_our_checksum_is_the_one_hdf5_computes(data: bytes, repeat: int) -> None:
    values = np.frombuffer(data * repeat, np.uint8)
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset("a", data=values, chunks=values.shape, fletcher32=True)
        file.flush()
        _, stored = dataset.id.read_direct_chunk((0,))
    assert stored == values.tobytes() + fletcher32(values.tobytes())


@pytest.mark.parametrize("values", [np.zeros(8192, "u1"), np.full(8192, 0xFF, "u1"), np.zeros(1, "u1")])
def test_the_checksum_of_the_extremes(values: np.ndarray) -> None:
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset("a", data=values, chunks=values.shape, fletcher32=True)
        assert dataset.id.read_direct_chunk((0,))[1][-4:] == fletcher32(values.tobytes())


class Interruption(BaseException):
    """Comes from outside, like a second Ctrl-C."""


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
)
@given(
    lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    broken=st.integers(0, 30),
    shape=st.sampled_from([(), (3,), (600,)]),
    half_way=st.booleans(),
)
def test_an_interrupted_write_is_written_over_by_the_next(
    lengths: list[int], broken: int, shape: tuple[int, ...], half_way: bool
) -> None:
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        dataset = create_growing(file, "a", "f8", shape)
        growing = Growing(dataset)
        put, calls = growing._put, iter(range(10**6))
        stored = growing._dataset

        def put_or_break(filled: int) -> None:
            if next(calls) == broken:
                if half_way:  # the dataset has grown, and its chunk is not written
                    growing._dataset = None
                    with contextlib.suppress(AttributeError):
                        put(filled)
                    growing._dataset = stored
                raise Interruption
            put(filled)

        growing._put = put_or_break  # type: ignore[method-assign]
        expected = np.zeros((0, *shape))
        for number, length in enumerate(lengths):
            length = length if len(shape) == 0 else length % 40 + 1
            rows = np.random.default_rng(number).random((length, *shape))
            try:
                growing.write(len(expected), rows)
            except Interruption:
                rows = rows[: length // 2 + 1] + 1.0  # what comes next is shorter, and other than before
                growing.write(len(expected), rows)
            expected = np.concatenate([expected, rows])
        np.testing.assert_array_equal(dataset[: len(expected)], expected)
        assert growing.digest() == data_digest(dataset.id)


def test_small_rows_are_checksummed_and_big_ones_compressed_too(tmp_path: Path) -> None:
    layout = Layout(
        (Table("t", (Column("x"), Column("wave", shape=(1000,))), "x", "x"),),
        (Map("small", "S", np.arange(4), np.arange(4)), Map("big", "S", np.arange(64), np.arange(64))),
        (Array("few", np.arange(9.0)), Array("many", np.ones((300, 300)))),
    )
    with RunWriter.create(tmp_path / "run.h5", HEADER, layout) as run:
        for _ in range(20):
            run.emit("t", x=1.0, wave=np.zeros(1000))
            run.snapshot("small", np.ones((4, 4)))
            run.snapshot("big", np.ones((64, 64)))
        run.log("INFO", "x")
        run.flush()
        kinds = {}
        with h5py.File(run.path, "r", swmr=True) as file:
            for name in (
                "t/x", "t/wave", "maps/small/value", "maps/big/value", "arrays/few/value", "arrays/many/value",
                "log/message",
            ):  # fmt: skip
                dataset = file["entry"][name]
                kinds[name] = (dataset.fletcher32, dataset.compression)
            assert file["entry/maps/big/value"].id.get_storage_size() < 20 * 64 * 64
    assert set(kinds.values()) == {(True, None), (True, "gzip")}
    assert [name for name, (_, packed) in kinds.items() if packed] == [
        "t/wave", "maps/big/value", "arrays/many/value",
    ]  # fmt: skip


def test_a_slow_run_leaves_no_holes_in_its_file(tmp_path: Path) -> None:
    """Each flush writes the last chunk again, in its own place."""
    layout = Layout((Table("t", (Column("x"), Column("y")), "x", "y"),))
    with RunWriter.create(tmp_path / "run.h5", HEADER, layout) as run:
        run.emit("t", x=1.0, y=2.0)
        run.flush()
        before = run.path.stat().st_size
        for _ in range(300):
            run.emit("t", x=1.0, y=2.0)
            run.flush()
    assert run.path.stat().st_size - before < 20_000


def test_an_array_is_filled_in_again_and_again(tmp_path: Path) -> None:
    large = np.random.default_rng(2).random((200, 200))
    layout = Layout(arrays=(Array("small", np.full(3, np.nan)), Array("large", np.full((200, 200), np.nan))))
    with RunWriter.create(tmp_path / "run.h5", HEADER, layout) as run, RunFile(run.path) as file:
        assert np.isnan(file.array("large")).all()
        for turn in range(3):
            run.set_array("small", [turn, 1.0, 2.0])
            run.set_array("large", large * turn)
            run.flush()
    with RunFile(run.path) as file:
        np.testing.assert_array_equal(file.array("small"), [2, 1, 2])
        np.testing.assert_array_equal(file.array("large"), large * 2)
    assert verify(run.path).verdict is Verdict.SOUND


# ---------------------------------------------------------------------- waveforms, images, and those of many lengths

SHAPED = Table(
    "shots",
    (
        Column("time", "s"),
        Column("wave", "V", shape=(50,)),
        Column("image", "A", dtype="u2", shape=(3, 4)),
        Column("burst", "A", shape=(6,), ragged=True),
        Column("codes", dtype="i4", shape=(4, 2), ragged=True),
    ),
    "wave",
    "time",
)


def test_waveforms_images_and_bursts_of_any_length_come_back(tmp_path: Path) -> None:
    wave, image = np.sin(np.arange(50.0)), np.arange(12).reshape(3, 4)
    with RunWriter.create(tmp_path / "run.h5", HEADER, Layout((SHAPED,))) as run:
        run.emit("shots", time=0.0, wave=wave, image=image, burst=[1.0, 2.0], codes=np.ones((3, 2), "i4"))
        run.emit("shots", time=1.0, wave=wave, image=image, burst=[], codes=[])
        run.emit_block(
            "shots",
            {
                "time": [2.0, 3.0],
                "wave": np.stack([wave, wave]),
                "image": np.stack([image, image]),
                "burst": [[1.0], np.arange(6.0)],
                "codes": [[[1, 2]], [[3, 4], [5, 6]]],
            },
        )
    with RunFile(run.path) as file:
        shots = file.table("shots")
        assert list(shots) == ["time", "wave", "image", "burst", "burst_length", "codes", "codes_length"]
        np.testing.assert_array_equal(shots["burst_length"], [2, 0, 1, 6])
        np.testing.assert_array_equal(shots["burst"][0], [1, 2, *[np.nan] * 4])
        np.testing.assert_array_equal(shots["codes"][2], [[1, 2], [0, 0], [0, 0], [0, 0]])
        assert shots["image"].dtype == np.uint16
        np.testing.assert_array_equal(shots["wave"][3], wave)
        assert [len(one) for one in file.ragged("shots", "burst")] == [2, 0, 1, 6]
        assert [one.shape for one in file.ragged("shots", "codes", start=1)] == [(0, 2), (1, 2), (2, 2)]
    assert verify(run.path).verdict is Verdict.SOUND


GOOD = {"time": 0.0, "wave": np.zeros(50), "image": np.zeros((3, 4), int), "burst": [1.0], "codes": [[1, 2]]}


@pytest.mark.parametrize(
    ("values", "message"),
    daily(
        [
            ({"burst": np.zeros(7)}, r"shots\.burst has shape \(7,\) and was declared as at most 6 long"),
            ({"burst": 1.0}, r"shots\.burst has shape \(\)"),
            ({"burst": ["x"]}, r"shots\.burst is <U1"),
            ({"codes": [[1, 2, 3]]}, r"shots\.codes has shape \(1, 3\)"),
            ({"codes": [[1.5, 2]]}, r"shots\.codes is float64"),
            ({"codes": [[1], [1, 2]]}, r"shots\.codes is no array"),
            ({"burst_length": 3}, "has unknown burst_length"),
        ],
        3,
    ),
)
def test_a_ragged_value_that_does_not_fit_is_refused(
    tmp_path: Path, values: dict[str, object], message: str
) -> None:
    with RunWriter.create(tmp_path / "run.h5", HEADER, Layout((SHAPED,))) as run:
        with pytest.raises(RunFileError, match=message):
            run.emit("shots", **(GOOD | values))
        run.emit("shots", **GOOD)
        with pytest.raises(RunFileError, match="lacks burst"):
            run.emit("shots", **{name: value for name, value in GOOD.items() if name != "burst"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((Column("a", ragged=True),), "is ragged and has no shape"),
        ((Column("a", shape=(2,), ragged=True), Column("a_length")), "'a_length' is declared 2 times"),
    ],
)
def test_a_ragged_column_that_no_file_can_hold_is_refused(
    new_path: Callable[[], Path], columns: tuple[Column, ...], message: str
) -> None:
    with pytest.raises(RunFileError, match=message):
        RunWriter.create(new_path(), HEADER, Layout((Table("t", columns, "a", "a"),)))


# ---------------------------------------------------------------------- files of the first schema


def test_a_file_of_the_first_schema_is_read_verified_and_told_apart(tmp_path: Path) -> None:
    layout = Layout((Table("t", (Column("x"),), "x", "x"),), arrays=(Array("matrix", np.eye(3)),))
    with RunWriter.create(tmp_path / "run.h5", HEADER, layout) as run:
        run.emit("t", x=1.0)
    with h5py.File(run.path, "r+", libver="latest") as file:
        file.attrs["mho_schema"] = 1
        entry = file["entry"]
        values = entry["arrays/matrix/value"][()]
        del entry["seal"], entry["arrays/matrix"], entry["writer/process_birth"], entry["result"]
        entry["summary"] = np.bytes_(b'{"bits": 7}')
        entry["arrays/matrix"] = values
        entry["arrays/matrix"].attrs["units"] = "S"
    with RunFile(run.path) as old:
        np.testing.assert_array_equal(old.array("matrix"), np.eye(3))
        assert old.array_unit("matrix") == "S"
        np.testing.assert_array_equal(old.column("t", "x"), [1.0])
        assert (old.summary, old.result_units) == ({"bits": 7}, {})
    assert [(one.name, one.number) for one in read_card(run.path).results] == [("bits", 7.0)]
    found = verify(run.path)
    assert found.verdict is Verdict.SOUND
    assert "no seal" in found.findings[0]
