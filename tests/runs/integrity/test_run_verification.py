"""What `verify` finds out about a run file: sound, interrupted, changed, damaged or unreadable, and where."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from daily import daily
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.errors import RunFileError
from mho.runs import (
    Column,
    Layout,
    RunFile,
    RunHeader,
    RunWriter,
    Status,
    Table,
    Verdict,
    clear_writer_flag,
    verify,
)
from mho.runs.integrity.seal import BLOCK_BYTES, SEAL, bytes_to_verify, data_digest, read_seal, values_digest

StartChild = Callable[[str, Path], "subprocess.Popen[str]"]
Killed = Callable[[Path], Path]


@pytest.fixture(scope="module")
def written() -> list[bytes]:
    """The file of a run that ended, once it was written: each test changes a copy."""
    return []


@pytest.fixture
def finished(tmp_path: Path, written: list[bytes], header: RunHeader, layout: Layout) -> Path:
    path = tmp_path / "run.h5"
    if not written:
        with RunWriter.create(path, header, layout) as run:
            run.emit_block("reads", {"current": np.arange(10_000.0)})
            run.emit("cycles", cycle=1, residual=0.5, solution=[1.0, 2.0, 3.0], settled=True)
            run.snapshot("conductance", np.ones((2, 3)))
            run.set_array("solution", [1.0, 2.0, 3.0])
            run.log("INFO", "hello")
        written.append(path.read_bytes())
    path.write_bytes(written[0])
    return path


def corrupt(path: Path, dataset: str, chunk: int, byte: int = 100) -> None:
    """Flip a byte where the values of a dataset are."""
    with h5py.File(path, "r") as file:
        place = file[dataset].id.get_chunk_info(chunk).byte_offset + byte
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1
    path.write_bytes(contents)


def test_a_run_that_ended_is_sound_and_verifying_changes_nothing(finished: Path) -> None:
    before = finished.read_bytes()
    found = verify(finished)
    assert (found.verdict, found.status, found.findings) == (Verdict.SOUND, Status.FINISHED, ())
    assert finished.read_bytes() == before


def test_no_group_says_when_it_was_made_so_that_a_copy_has_the_same_bytes(finished: Path) -> None:
    with h5py.File(finished, "r") as file:
        groups = [file["entry"]]
        file["entry"].visititems(
            lambda _, item: groups.append(item) if isinstance(item, h5py.Group) else None
        )
        assert len(groups) > 5
        assert {h5py.h5o.get_info(group.id).btime for group in groups} == {0}


def test_a_run_that_failed_is_sound_too(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit("reads", current=1.0)
        run.finish(Status.FAILED, "ValueError: no ℧")
    found = verify(run.path)
    assert (found.verdict, found.status) == (Verdict.SOUND, Status.FAILED)


def test_a_table_whose_name_begins_like_the_seal_is_sealed_too(tmp_path: Path) -> None:
    layout = Layout((Table("sealing", (Column("gap", "s"),)),))
    with RunWriter.create(tmp_path / "run.h5", RunHeader("t", "p", "1", {}), layout) as run:
        run.emit("sealing", gap=1.0)
    assert verify(run.path).findings == ()
    with h5py.File(run.path, "r+") as file:
        file["entry/sealing/gap"][0] = 2.0
    assert verify(run.path).findings == ("/entry/sealing/gap was changed",)


def test_a_flipped_bit_is_found_where_it_is(finished: Path) -> None:
    corrupt(finished, "entry/reads/current", 1)
    corrupt(finished, "entry/arrays/solution/value", 0, 3)
    found = verify(finished)
    assert found.verdict is Verdict.DAMAGED
    assert found.findings == (
        "/entry/reads/current: rows 4096 to 8191 are damaged",
        "/entry/arrays/solution/value: rows 0 to 2 are damaged",
    )


def test_damage_is_found_where_nothing_was_sealed(finished: Path) -> None:
    with h5py.File(finished, "r+") as file:
        assert len(read_seal(file)) > 10
        del file[SEAL]
        assert read_seal(file) == {}
    corrupt(finished, "entry/reads/current", 1)
    found = verify(finished)
    assert found.verdict is Verdict.DAMAGED
    assert "/entry/reads/current: rows 4096 to 8191 are damaged" in found.findings


def test_values_in_no_chunks_have_the_digest_of_all_of_them(tmp_path: Path) -> None:
    values = np.arange(BLOCK_BYTES // 8 + 5.0)  # more than a block of them
    with h5py.File(tmp_path / "x.h5", "w") as file:
        whole = file.create_dataset("whole", data=values)
        parts = file.create_dataset("parts", data=values, chunks=(4096,))
        assert data_digest(whole.id) == values_digest(values, None) != data_digest(parts.id)
        assert data_digest(parts.id) == values_digest(values, 4096)


def test_the_bytes_to_verify_are_those_of_all_datasets_as_they_are_unpacked(finished: Path) -> None:
    sizes: list[int] = []
    with h5py.File(finished) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    assert bytes_to_verify(finished) == sum(sizes) > 80_000


def test_a_text_with_room_for_megabytes_is_what_was_written_last(tmp_path: Path) -> None:
    """It is neither packed nor unpacked again where it is the same."""
    header = RunHeader("t", "p", "1", {}, formed="cells a", formed_bytes=2_000_000)
    for name in ("one.h5", "other.h5"):
        with RunWriter.create(tmp_path / name, header, Layout()) as run:
            for formed in ("cells a", "cells b", "cells a"):
                run.set_formed(formed)
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        assert file["entry/chip/formed"][0] == b"cells a"
        file["entry/chip/formed"][0] = b"cells b"
    assert verify(tmp_path / "one.h5").verdict is Verdict.SOUND
    assert verify(tmp_path / "other.h5").findings == ("/entry/chip/formed was changed",)


@pytest.mark.parametrize("length", [7000, 1])
def test_texts_larger_than_a_block_are_sealed_chunk_by_chunk(length: int, tmp_path: Path) -> None:
    values = np.full(length, b"a", f"S{4 * BLOCK_BYTES // 7000 if length > 1 else 2 * BLOCK_BYTES}")
    values[-1] = b"b"
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        texts = file.create_dataset("texts", data=values, chunks=(min(length, 3000),), compression="gzip")
        assert data_digest(texts.id) == values_digest(values, min(length, 3000))


NO_SEAL = "/entry/seal is missing or not filled in, so that other changes cannot be told"


def shorten(file: h5py.File, name: str, length: int) -> None:
    """Leave the first entries of the seal's paths or digests."""
    kept = file["entry/seal"][name][:length]
    del file["entry/seal"][name]
    file["entry/seal"][name] = kept


def reinterpret(file: h5py.File, name: str, dtype: str) -> None:
    """Leave the bytes of a dataset and its attributes, and take its values for those of another type."""
    values, attributes = file[name][()].view(dtype), dict(file[name].attrs)
    rows = file[name].chunks
    del file[name]
    file.create_dataset(name, data=values, chunks=rows).attrs.update(attributes)


EDITS: list[tuple[str, Callable[[h5py.File], object]]] = [
    (
        "/entry/reads/current was changed",
        lambda file: file["entry/reads/current"].__setitem__(7, 0.0),
    ),
    (
        "/entry/cycles/solution was changed",
        lambda file: file["entry/cycles/solution"].attrs.modify("units", "mV"),
    ),
    ("/entry/title was changed", lambda file: file["entry/title"].__setitem__((), b"Another")),
    ("/entry/note was added", lambda file: file.create_dataset("entry/note", data=1.0)),
    ("/entry/alias was added", lambda file: file.__setitem__("entry/alias", h5py.SoftLink("/nowhere"))),
    ("/entry/maps/round was added", lambda file: file.__setitem__("entry/maps/round", file["entry"])),
    (
        "/entry/arrays/solution/value was changed",
        lambda file: reinterpret(file, "entry/arrays/solution/value", "<i8"),
    ),
    ("/entry/sealed was added", lambda file: file.create_group("entry/sealed")),
    ("/entry/seal/note was added", lambda file: file.create_dataset("entry/seal/note", data=1.0)),
    ("/entry/title was changed", lambda file: file["entry/title"].attrs.create("note", h5py.Empty("S7"))),
    (
        "/ was changed",
        lambda file: h5py.h5a.create(
            file.id, b"caf\xe9", h5py.h5t.STD_I8LE, h5py.h5s.create(h5py.h5s.SCALAR)
        ),
    ),
    (NO_SEAL, lambda file: file.__delitem__("entry/seal")),
    (NO_SEAL, lambda file: (file.__delitem__("entry/seal"), file.attrs.modify("mho_schema", 2))),
    (NO_SEAL, lambda file: file["entry/seal/sha256"].__setitem__(0, b"")),
    (NO_SEAL, lambda file: file["entry/seal/sha256"].__setitem__(-1, b"")),
    (NO_SEAL, lambda file: file["entry/seal/sha256"].__setitem__(Ellipsis, b"")),
    (NO_SEAL, lambda file: shorten(file, "sha256", 1)),
    (NO_SEAL, lambda file: (shorten(file, "sha256", 0), shorten(file, "path", 0))),
    ("/entry/title was added", lambda file: (shorten(file, "sha256", 2), shorten(file, "path", 2))),
    ("/entry/log/level is missing", lambda file: file.__delitem__("entry/log/level")),
    ("/ was changed", lambda file: file.attrs.modify("creator", "somebody")),
    ("/entry/reads/current was changed", lambda file: file["entry/reads/current"].resize(9_999, axis=0)),
]


@pytest.mark.parametrize(("finding", "edit"), EDITS)
def test_an_edit_by_another_program_is_seen(
    finished: Path, finding: str, edit: Callable[[h5py.File], object]
) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        edit(file)
    found = verify(finished)
    assert finding in found.findings
    assert found.verdict is Verdict.CHANGED
    assert len(found.findings) < 5 or finding.endswith("was added")
    with RunFile(finished) as run:
        assert set(run.tables) == {"reads", "cycles"}


def test_a_fact_that_cannot_be_decoded_is_named_by_what_is_wrong_with_it(finished: Path) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        file["entry/start_time"][()] = b"yesterday"
    found = verify(run_samples.seal_again(finished))
    assert found.verdict is Verdict.DAMAGED
    assert found.findings == ("Invalid isoformat string: 'yesterday'",)


@pytest.mark.parametrize("part", daily([0.0, 0.01, 0.3, 0.9, 0.999], 3))
def test_a_file_cut_short_is_unreadable_and_says_so(finished: Path, part: float) -> None:
    contents = finished.read_bytes()
    finished.write_bytes(contents[: int(len(contents) * part)])
    found = verify(finished)
    assert found.verdict is Verdict.UNREADABLE
    assert "truncated" in found.findings[0] or "beginning is damaged" in found.findings[0]


def test_what_is_no_run_file_is_named_and_no_error(tmp_path: Path, finished: Path) -> None:
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["entry/data"] = [1, 2]
    (tmp_path / "text.h5").write_text("voltage,current\n")
    with h5py.File(finished, "r+", libver="latest") as file:
        file.attrs["mho_schema"] = 99
    for path, finding in [
        (tmp_path / "foreign.h5", "no run file of mho"),
        (tmp_path / "text.h5", "not an HDF5 file"),
        (tmp_path / "none.h5", "there is no run file"),
        (finished, "has schema 99, this mho reads up to"),
    ]:
        found = verify(path)
        assert found.verdict is Verdict.UNREADABLE
        assert finding in found.findings[0]


def test_a_missing_part_is_told_though_nothing_was_sealed(tmp_path: Path, killed: Killed) -> None:
    path = killed(tmp_path / "run.h5")
    clear_writer_flag(path)
    with h5py.File(path, "r+", libver="latest") as file:
        del file["entry/log/level"]
    found = verify(path)
    assert (found.verdict, found.findings) == (Verdict.DAMAGED, ("/entry/log/level is missing",))


def test_running_and_interrupted_are_told_apart(tmp_path: Path, start_child: StartChild) -> None:
    child = start_child("silent", tmp_path / "run.h5")
    assert verify(tmp_path / "run.h5").verdict is Verdict.RUNNING
    child.kill()
    child.wait()
    found = verify(tmp_path / "run.h5")
    assert (found.verdict, found.status) == (Verdict.INTERRUPTED, Status.INTERRUPTED)
    assert "mho recover" in found.findings[0]


def tear(path: Path) -> None:
    """Leave the last chunk of a table as a writer does that is killed in the middle of writing it."""
    with RunFile(path) as file:
        chunk = file._file["entry/points/a"].id.get_chunk_info(0)
    contents = bytearray(path.read_bytes())
    contents[chunk.byte_offset + 24 : chunk.byte_offset + 32] = b"new row!"
    path.write_bytes(contents)


def test_a_writer_killed_in_the_middle_of_a_chunk_costs_no_row(tmp_path: Path, killed: Killed) -> None:
    path = killed(tmp_path / "run.h5")
    tear(path)
    assert verify(path).verdict is Verdict.INTERRUPTED
    with RunFile(path) as file:
        np.testing.assert_array_equal(file.column("points", "a"), [0.25, 1.25, 2.25])
        np.testing.assert_array_equal(file.table("points", start=1)["a"], [1.25, 2.25])


def test_in_a_finished_file_no_checksum_is_overlooked(finished: Path) -> None:
    corrupt(finished, "entry/reads/current", 2)
    with RunFile(finished) as file, pytest.raises(Exception, match="is damaged"):
        file.column("reads", "current")


@pytest.mark.thorough
def test_a_file_that_another_program_has_locked_is_named_so(finished: Path) -> None:
    with h5py.File(finished, "r+", libver="latest"):
        script = f"from mho.runs import verify; print(*verify({str(finished)!r}).findings)"
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "is locked by another program" in said.stdout


def test_a_mark_that_no_writer_set_is_damage_and_nobody_waits_for_that_writer(finished: Path) -> None:
    contents = bytearray(finished.read_bytes())
    contents[11] ^= 4  # as if this process, which lives, were writing it
    finished.write_bytes(contents)
    assert verify(finished).verdict is Verdict.UNREADABLE
    with pytest.raises(RunFileError, match="is damaged"):
        RunFile(finished)


@pytest.mark.thorough
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(place=st.floats(0, 0.999), mask=st.integers(1, 255))
def test_whatever_byte_is_hit_verify_answers(finished: Path, place: float, mask: int) -> None:
    contents = finished.read_bytes()
    hit = bytearray(contents)
    hit[int(place * len(hit))] ^= mask
    finished.write_bytes(hit)
    try:
        assert isinstance(verify(finished).verdict, Verdict)
    finally:
        finished.write_bytes(contents)


def test_a_dataset_without_any_value_is_a_change(finished: Path) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        del file["entry/title"]
        file["entry/title"] = h5py.Empty("S7")
    found = verify(finished)
    assert found.verdict is not Verdict.SOUND
    assert "/entry/title was changed" in str(found)


@pytest.mark.parametrize(("name", "target"), [("title", "/nowhere"), ("maps", "/entry")])
def test_a_link_that_is_broken_or_leads_back_where_data_were_is_a_change(
    finished: Path, name: str, target: str
) -> None:
    with h5py.File(finished, "r+") as file:
        del file[f"entry/{name}"]
        file[f"entry/{name}"] = h5py.SoftLink(target)
    found = verify(finished)
    assert found.verdict is Verdict.CHANGED
    assert f"/entry/{name} was changed" in found.findings


@pytest.mark.parametrize("status", [None, 1.5, b"\xf8"])
def test_a_file_that_does_not_say_how_its_run_stands_is_damaged(finished: Path, status: object) -> None:
    with h5py.File(finished, "r+", libver="latest") as file:
        del file["entry/status"]
        if status is not None:
            file["entry/status"] = status
    found = verify(finished)
    assert (found.verdict, found.status) == (Verdict.DAMAGED, "")
    assert "is damaged: " in found.findings[0]
