from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from daily import daily
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.errors import Aborted, MhoError, RunFileError
from mho.runs import (
    Array,
    Column,
    Layout,
    Map,
    RecordedParameter,
    RunFile,
    RunHeader,
    RunWriter,
    Status,
    Table,
)

CYCLE = {"cycle": 1, "residual": 0.5, "solution": [1.0, 2.0, 3.0], "settled": True}


def test_everything_written_is_read_back(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    before = datetime.now().astimezone() - timedelta(milliseconds=2)
    with RunWriter.create(tmp_path / "deep" / "down" / "run.h5", header, layout) as run:
        run.emit("cycles", **CYCLE)
        run.emit("cycles", cycle=2, residual=np.float64(0.25), solution=np.zeros(3), settled=np.False_)
        run.emit_block("reads", {"current": np.array([1e-7, 2e-7])})
        run.emit("reads", current=3)
        run.snapshot("conductance", np.full((2, 3), 5e-6), time=1.5)
        run.snapshot("conductance", [[1, 2, 3], [4, 5, 6]])
        run.set_array("solution", [7.0, 8.0, 9.0])
        run.log("INFO", "größer\nals ein ℧")
        run.set_settings("smu", {"nplc": "10"})
        run.set_result({"residual": np.float64(1e-7), "bits": [np.int64(3)], "say": "ü"})

    with RunFile(run.path) as file:
        assert file.status is Status.FINISHED
        assert file.reason == ""
        assert file.title == header.title
        assert (file.procedure, file.version) == ("Solve", "1.2")
        assert file.parameters == dict(header.parameters)
        assert [type(p.value) for p in file.parameters.values()] == [int, float, bool, str, type(None), int]
        assert list(file.parameters) == list(header.parameters)
        assert (file.bench, file.chip, file.cells) == (header.bench, header.chip, header.cells)
        assert file.instruments == {name: dict(s) for name, s in header.instruments.items()}
        assert file.settings_after == {"smu": {"nplc": "10"}, "daq": {}}
        assert file.provenance == dict(header.provenance)
        assert file.summary == {"residual": 1e-7, "bits": [3], "say": "ü"}
        assert file.end_time is not None
        assert before <= file.start_time <= file.end_time <= datetime.now().astimezone()

        assert file.tables == ("cycles", "reads")
        assert file.maps == ("conductance",)
        assert file.arrays == ("matrix", "solution")
        assert file.default == "maps/conductance"

        cycles = file.table("cycles")
        assert list(cycles) == ["cycle", "residual", "solution", "settled"]
        assert [str(column.dtype) for column in cycles.values()] == ["int64", "float64", "float64", "bool"]
        np.testing.assert_array_equal(cycles["cycle"], [1, 2])
        np.testing.assert_array_equal(cycles["solution"], [[1, 2, 3], [0, 0, 0]])
        np.testing.assert_array_equal(cycles["settled"], [True, False])
        assert file.units("cycles") == {"cycle": "", "residual": "", "solution": "V", "settled": ""}
        np.testing.assert_array_equal(file.column("reads", "current"), [1e-7, 2e-7, 3])
        np.testing.assert_array_equal(file.column("reads", "current", start=2), [3])
        assert len(file.table("reads", start=9)["current"]) == 0
        assert (file.length("cycles"), file.length("reads")) == (2, 3)

        rows, columns = file.map_axes("conductance")
        np.testing.assert_array_equal(rows, [4, 5])
        np.testing.assert_array_equal(columns, [0, 2, 7])
        np.testing.assert_array_equal(file.map("conductance", 0), np.full((2, 3), 5e-6))
        np.testing.assert_array_equal(file.map("conductance"), [[1, 2, 3], [4, 5, 6]])
        first, second = file.map_times("conductance")
        assert first == 1.5
        assert 0 <= second < 60
        assert file.map_unit("conductance") == "S"

        np.testing.assert_array_equal(file.array("matrix"), np.arange(6.0).reshape(2, 3))
        np.testing.assert_array_equal(file.array("solution"), [7, 8, 9])
        assert file.array_unit("matrix") == "S"
        (entry,) = file.log()
        assert (entry.level, entry.message) == ("INFO", "größer\nals ein ℧")
        assert 0 <= entry.time < 60


def test_a_finished_file_opens_without_mho(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit("cycles", **CYCLE)
    with h5py.File(run.path, "r") as file:
        assert file["entry/cycles/residual"][0] == 0.5
        assert file["entry/title"].asstr()[()] == header.title
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def test_a_run_without_any_data_is_a_run(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run.h5", RunHeader("", "P", "1", {}), Layout()):
        pass
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FINISHED
        assert (file.tables, file.maps, file.arrays, file.default) == ((), (), (), "")
        assert (file.log(), file.summary, file.parameters, file.instruments) == ([], {}, {}, {})


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    daily(
        [
            (ValueError("no ℧"), Status.FAILED, "ValueError: no ℧"),
            (ZeroDivisionError(), Status.FAILED, "ZeroDivisionError"),
            (Aborted("by the user"), Status.ABORTED, "Aborted: by the user"),
            (KeyboardInterrupt(), Status.ABORTED, "KeyboardInterrupt"),
            (SystemExit(3), Status.ABORTED, "SystemExit: 3"),
        ],
        3,
    ),
)
def test_the_file_says_how_the_run_ended(
    tmp_path: Path, header: RunHeader, layout: Layout, error: BaseException, status: Status, reason: str
) -> None:
    def run_into_trouble() -> None:
        with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
            run.emit("reads", current=1.0)
            raise error

    with pytest.raises(type(error)) as raised:
        run_into_trouble()
    assert raised.value is error
    with RunFile(tmp_path / "run.h5") as file:
        assert (file.status, file.reason) == (status, reason)
        assert file.end_time is not None
        assert file.length("reads") == 1


def test_finish_within_the_block_is_the_last_word(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.finish(Status.ABORTED, "x" * 5000)
        with pytest.raises(RunFileError, match="closed"):
            run.emit("reads", current=1.0)
        with pytest.raises(RunFileError, match="closed"):
            run.log("INFO", "late")
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.ABORTED
        assert file.reason.endswith("x…")
        assert 2000 < len(file.reason) < 5000


def test_a_run_cannot_finish_as_running(tmp_path: Path, header: RunHeader) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, Layout()) as run:
        with pytest.raises(ValueError, match="running"):
            run.finish(Status.RUNNING)
        run.log("INFO", "still open")


def test_a_long_message_is_kept_whole_in_several_entries(tmp_path: Path, header: RunHeader) -> None:
    message = "".join(f"{i} Ω, " for i in range(1000))
    with RunWriter.create(tmp_path / "run.h5", header, Layout()) as run:
        run.log("a level beyond sixteen bytes", message)
        run.log("INFO", "")
    with RunFile(run.path) as file:
        *pieces, last = file.log()
    assert len(pieces) > 5
    assert "".join(piece.message.removeprefix("…") for piece in pieces) == message
    assert {piece.level for piece in pieces} == {"a level beyon…"}
    assert last.message == ""


# ---------------------------------------------------------------------- what is refused


def test_an_existing_file_is_never_overwritten(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    path = tmp_path / "run.h5"
    path.write_text("mine")
    with pytest.raises(RunFileError, match=r"run\.h5 exists already.*choose another output"):
        RunWriter.create(path, header, layout)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, header: RunHeader, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    monkeypatch.setattr(Path, "exists", lambda _: False)
    path.write_text("mine")
    with pytest.raises(RunFileError, match="exists already"):
        RunWriter.create(path, header, layout)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFileError, match=r"file[\\/]run\.h5 cannot be created.*choose another output"):
        RunWriter.create(tmp_path / "file" / "run.h5", header, layout)


@pytest.mark.parametrize(
    ("values", "message"),
    daily(
        [
            ({"cycle": 1}, "lacks residual, solution, settled"),
            (CYCLE | {"pulse": 1}, "has unknown pulse"),
            (
                {"cycel": 1, **{k: v for k, v in CYCLE.items() if k != "cycle"}},
                "lacks cycle and has unknown cycel",
            ),
            (CYCLE | {"cycle": 1.5}, r"cycles\.cycle is float64 \(1\.5\)"),
            (CYCLE | {"cycle": 2**70}, r"cycles\.cycle"),
            (CYCLE | {"settled": 1}, r"cycles\.settled"),
            (CYCLE | {"solution": [1.0, 2.0]}, r"cycles\.solution has shape \(2,\).*\(3,\)"),
            (CYCLE | {"solution": 1.0}, r"cycles\.solution has shape \(\)"),
            (CYCLE | {"solution": [[1.0], [1.0, 2.0]]}, r"cycles\.solution is no array"),
            (CYCLE | {"residual": "good"}, "'cycles' does not fit"),
            (CYCLE | {"residual": [1.0, 2.0]}, "'cycles' does not fit"),
            (CYCLE | {"residual": 1j}, "'cycles' does not fit"),
        ],
        4,
    ),
)
def test_a_row_that_does_not_fit_is_refused_where_it_is_emitted(
    tmp_path: Path, header: RunHeader, layout: Layout, values: dict[str, object], message: str
) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit("cycles", **CYCLE)
        with pytest.raises(RunFileError, match=message):
            run.emit("cycles", **values)
        run.emit("cycles", **CYCLE)
    with RunFile(run.path) as file:
        assert file.length("cycles") == 2


def test_a_block_that_does_not_fit_is_refused_whole(tmp_path: Path, header: RunHeader) -> None:
    layout = Layout((Table("t", (Column("a", dtype="u1"), Column("b")), "a", "b"),))
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit_block("t", {"a": [1, 2], "b": [1, 2]})
        for block, message in [
            ({"a": [1, 2], "b": [1.0]}, "t.b has shape"),
            ({"a": [1, 300], "b": [1, 2]}, "beyond the range"),
            ({"a": [1, -1], "b": [1, 2]}, "beyond the range"),
            ({"a": [1.0, 2.0], "b": [1, 2]}, "declared as uint8"),
            ({"a": [1, 2]}, "lacks b"),
            ({"a": [1, 2], "b": ["x", "y"]}, "declared as float64"),
        ]:
            with pytest.raises(RunFileError, match=message):
                run.emit_block("t", block)
        run.emit_block("t", {"a": [], "b": []} | {"a": np.zeros(0, "u1")})
    with RunFile(run.path) as file:
        np.testing.assert_array_equal(file.table("t")["a"], [1, 2])


def test_undeclared_names_are_refused_with_those_declared(
    tmp_path: Path, header: RunHeader, layout: Layout
) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        for call in (
            lambda: run.emit("cycle", a=1),
            lambda: run.emit_block("cycle", {}),
            lambda: run.snapshot("g", np.zeros((2, 3))),
            lambda: run.set_array("x", [1]),
            lambda: run.set_settings("file", {}),
        ):
            with pytest.raises(RunFileError, match="not declared in this run; declared: "):
                call()
        with pytest.raises(RunFileError, match=r"map 'conductance'.*shape \(3, 2\)"):
            run.snapshot("conductance", np.zeros((3, 2)))
        with pytest.raises(RunFileError, match=r"array 'solution'.*shape \(2,\)"):
            run.set_array("solution", [1.0, 2.0])
        with pytest.raises(RunFileError, match="the result takes 70013 bytes"):
            run.set_result({"long": "x" * 70000 + "y"})
        with pytest.raises(RunFileError, match="the result cannot be stored as JSON"):
            run.set_result({"it": object()})
    with RunFile(run.path) as file:
        assert file.summary == {}
        for read in (
            lambda: file.table("g"),
            lambda: file.column("cycles", "g"),
            lambda: file.map("g"),
            lambda: file.array("g"),
        ):
            with pytest.raises(RunFileError, match=r"run\.h5 has no .*'g'.*; it has "):
                read()
        with pytest.raises(RunFileError, match="0 images"):
            file.map("conductance")


COLUMN = Column("a")
TABLE = Table("t", (COLUMN,), "a", "a")
AXIS = np.arange(2)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout((TABLE, TABLE)), "'t' is declared 2 times"),
        (Layout((Table("t", (COLUMN, COLUMN), "a", "a"),)), "'a' is declared 2 times"),
        (Layout((Table("t", (COLUMN,), "b", "a"),)), "cannot plot 'b'"),
        (Layout((Table("t", (), "a", "a"),)), "no columns"),
        (Layout((Table("log", (COLUMN,), "a", "a"),)), "'log' is taken"),
        (Layout((Table("a/b", (COLUMN,), "a", "a"),)), "no identifier"),
        (Layout((Table("t", (Column("a", dtype="U5"),), "a", "a"),)), "only numbers"),
        (Layout((Table("t", (Column("a", dtype="volts"),), "a", "a"),)), "only numbers"),
        (Layout((Table("t", (Column("a", shape=(2, 0)),), "a", "a"),)), "holds nothing"),
        (Layout(maps=(Map("m", "S", AXIS, AXIS[:0]),)), "no cells"),
        (Layout(maps=(Map("m", "S", AXIS[None], AXIS),)), "one-dimensional"),
        (Layout(arrays=(Array("x", np.array(["text"])),)), "not numbers"),
        (Layout((TABLE,), default="maps/t"), "'maps/t' is not among the declared t"),
    ],
)
def test_a_layout_no_file_can_hold_is_refused(
    tmp_path: Path, header: RunHeader, layout: Layout, message: str
) -> None:
    with pytest.raises(RunFileError, match=message):
        RunWriter.create(tmp_path / "run.h5", header, layout)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "header",
    [
        RunHeader("t", "P", "1", {"a/b": RecordedParameter(1)}),
        RunHeader("t", "P", "1", {"a": RecordedParameter([1])}),  # type: ignore[arg-type]
        RunHeader("t", "P", "1", {}, instruments={"file": {}}),
    ],
)
def test_a_header_no_file_can_hold_leaves_nothing_behind(tmp_path: Path, header: RunHeader) -> None:
    with pytest.raises(MhoError, match=r"a/b|'a' is a list|called 'file'"):
        RunWriter.create(tmp_path / "run.h5", header, Layout())
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------- any rows in any blocks

DTYPES = ["?", "u1", "i2", "i8", "f4", "f8", ">f8", "c16"]


@st.composite
def columns_and_blocks(draw: st.DrawFn) -> tuple[tuple[Column, ...], list[list[np.ndarray]]]:
    columns = tuple(
        Column(f"c{i}", dtype=draw(st.sampled_from(DTYPES)), shape=draw(st.sampled_from([(), (2,), (1, 3)])))
        for i in range(draw(st.integers(1, 3)))
    )
    lengths = draw(st.lists(st.sampled_from([0, 1, 1, 1, 5, 5000]), max_size=4))
    blocks = []
    for length in lengths:
        seed = np.random.default_rng(draw(st.integers(0, 99)))
        blocks.append([_numbers(seed, (length, *c.shape), np.dtype(c.dtype)) for c in columns])
    return columns, blocks


def _numbers(seed: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return seed.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)


@pytest.mark.thorough
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(case=columns_and_blocks(), flush=st.booleans())
def test_rows_come_back_as_emitted_whatever_the_blocks(
    new_path: Callable[[], Path],
    case: tuple[tuple[Column, ...], list[list[np.ndarray]]],
    flush: bool,
) -> None:
    columns, blocks = case
    layout = Layout((Table("t", columns, "c0", "c0"),))
    with RunWriter.create(new_path(), RunHeader("t", "P", "1", {}), layout) as run:
        for block in blocks:
            if len(block[0]) == 1:
                run.emit("t", **{c.name: values[0] for c, values in zip(columns, block, strict=True)})
            else:
                run.emit_block("t", {c.name: values for c, values in zip(columns, block, strict=True)})
            if flush:
                run.flush()
    with RunFile(run.path) as file:
        table = file.table("t")
        for index, column in enumerate(columns):
            expected = [block[index] for block in blocks]
            empty = np.zeros((0, *column.shape), column.dtype)
            np.testing.assert_array_equal(table[column.name], np.concatenate([empty, *expected]))
            assert table[column.name].dtype == np.dtype(column.dtype)


def test_a_stage_that_overflows_loses_nothing(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        for number in range(10_000):
            run.emit("reads", current=float(number))
    with RunFile(run.path) as file:
        np.testing.assert_array_equal(file.column("reads", "current"), np.arange(10_000.0))


def test_many_threads_may_write_at_once(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:

        def write(thread: int) -> None:
            for number in range(300):
                run.emit("reads", current=thread + number / 1000)
                if number % 100 == 0:
                    run.log("INFO", f"{thread} {number}")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with RunFile(run.path) as file:
        expected = [thread + number / 1000 for thread in range(4) for number in range(300)]
        np.testing.assert_array_equal(np.sort(file.column("reads", "current")), expected)
        assert len(file.log()) == 12
