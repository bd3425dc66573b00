"""A run file follows NXrram_array, and whatever is taken from it or changed in it is named."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import run_samples
from command_line import Shell
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT

from mho.cli.exit_codes import UNFINISHED
from mho.runs import RunFile, check_conformance
from mho.runs.nexus import FILE, Item, definition_text, entry_definition
from mho.runs.schema import DEFINITION, DEFINITION_VERSION

Change = Callable[[h5py.File], Any]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_samples.whole_run(tmp_path_factory.mktemp("nexus") / "run.h5")


def deviations(path: Path, change: Change, tmp_path: Path) -> tuple[str, ...]:
    copy = tmp_path / "changed.h5"
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+", libver="latest") as file:
        change(file)
    return check_conformance(copy).deviations


def removed(name: str) -> Change:
    return lambda file: file.__delitem__(name)


def without_attribute(name: str, attribute: str) -> Change:
    return lambda file: file[name].attrs.__delitem__(attribute)


def with_attribute(name: str, attribute: str, value: object) -> Change:
    return lambda file: file[name].attrs.__setitem__(attribute, value)


def with_values(name: str, values: object) -> Change:
    """Write a field anew, with its attributes."""

    def change(file: h5py.File) -> None:
        kept = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(kept)

    return change


def test_a_run_file_names_the_definition_that_it_follows(sound: Path):
    with h5py.File(sound) as file:
        assert file["entry/definition"].asstr()[()] == DEFINITION == "NXrram_array"
        assert file["entry/definition"].attrs["version"] == DEFINITION_VERSION
    assert check_conformance(sound).deviations == ()


@pytest.mark.parametrize(
    "make", daily([run_samples.failed_run, run_samples.other_run, run_samples.empty_run], 2)
)
def test_so_do_runs_that_failed_measured_something_else_or_did_nothing(
    make: Callable[[Path], Path], tmp_path: Path
):
    assert check_conformance(make(tmp_path / "run.h5")).conforms


def test_so_does_a_run_that_is_being_written(tmp_path: Path):
    with run_samples.SampleRun(tmp_path / "run.h5") as run:
        run.plan()
        run.cycle()
        run.writer.flush()
        assert check_conformance(tmp_path / "run.h5").deviations == ()


CHANGES: list[tuple[Change, str]] = [
    (removed("entry/title"), "/entry/title is missing; the definition requires it: what was done"),
    (removed("entry/procedure"), "/entry/procedure is missing"),
    (removed("entry/procedure/parameters"), "/entry/procedure/parameters is missing"),
    (removed("entry/chip/cells"), "/entry/chip/cells is missing"),
    (removed("entry/maps/multiply_pulses/time"), "/entry/maps/multiply_pulses/time is missing"),
    (without_attribute("entry/cycles/residual", "units"), "/entry/cycles/residual has no attribute units"),
    (without_attribute("entry/cycles", "signal"), "/entry/cycles has no attribute signal"),
    (without_attribute("entry/definition", "version"), "/entry/definition has no attribute version"),
    (
        with_attribute("entry/cycles/time", "units", "V"),
        "/entry/cycles/time has the unit 'V', which is not of the kind of 's'",
    ),
    (
        with_attribute("entry/pulses/conductance", "units", "A"),
        "/entry/pulses/conductance has the unit 'A', which is not of the kind of 'S'",
    ),
    (with_attribute("entry/log/time", "units", 3), "/entry/log/time has an attribute units that is no text"),
    (
        with_attribute("entry/cycles", "signal", "nothing"),
        "/entry/cycles has the attribute signal = 'nothing', which is none of its fields",
    ),
    (
        with_attribute("entry/cycles", "axes", ["cycle", "."]),
        "/entry/cycles has 2 axes for the 1 dimensions of its signal relative_error",
    ),
    (
        with_attribute("entry/maps/multiply_pulses", "signal", "time"),
        "/entry/maps/multiply_pulses has the attribute signal = 'time', not one of value",
    ),
    (with_values("entry/title", 7), "/entry/title holds integers, not NX_CHAR"),
    (with_values("entry/cycles/mvm_wrong", b"none"), "/entry/cycles/mvm_wrong holds text, not NX_NUMBER"),
    (with_values("entry/start_time", "yesterday"), "/entry/start_time is 'yesterday', no time as ISO 8601"),
    (with_values("entry/status", "done"), "/entry/status is 'done', not one of running, paused, finished"),
    (
        with_values("entry/cycles/residual", np.zeros(3)),
        "/entry/cycles/residual has 3 along dimension 1, and /entry/cycles/cycle has 5 (nRows)",
    ),
    (with_values("entry/cycles/residual", 1.0), "/entry/cycles/residual has the shape (), where 1 or more"),
    (
        with_values("entry/maps/multiply_pulses/row", np.arange(3)),
        "/entry/maps/multiply_pulses/row has 3 along dimension 1, and /entry/maps/multiply_pulses/value has 12 (nRow)",
    ),
    (
        with_values("entry/maps/multiply_pulses/row", np.arange(12.0)),
        "/entry/maps/multiply_pulses/row holds floats, not NX_INT",
    ),
    (
        with_attribute("entry/procedure", "NX_class", "NXcollection"),
        "/entry/procedure has the class NXcollection; NXprocess is expected",
    ),
    (without_attribute("entry/procedure", "NX_class"), "/entry/procedure has no attribute NX_class"),
    (
        lambda file: (file.__delitem__("entry/bench"), file.__setitem__("entry/bench", "a table")),
        "/entry/bench is a field, where a group is expected",
    ),
    (with_values("entry/definition", "NXsas"), "no entry says definition = NXrram_array; there is /entry"),
    (
        with_attribute("entry/definition", "version", "2.0"),
        "/entry follows version 2.0 of NXrram_array, this mho knows 1.1; update mho",
    ),
    (removed("entry"), "the file has no group of class NXentry"),
]


@pytest.mark.parametrize(
    ("change", "sentence"), daily(CHANGES, 8), ids=[sentence[:60] for _, sentence in CHANGES]
)
def test_each_deviation_is_named(sound: Path, tmp_path: Path, change: Change, sentence: str):
    found = deviations(sound, change, tmp_path)
    assert any(one.startswith(sentence) for one in found), found


def asked_for(item: Item, path: str) -> list[tuple[str, str, Item]]:
    """Return the path of the parent, and each item that has a name, below `path`."""
    found = []
    for one in item.members:
        if one.name:
            found.append((path, one.name, one))
        if one.kind == "group" and one.name:
            found += asked_for(one, f"{path}/{one.name}")
    return found


NAMED = asked_for(entry_definition(), "/entry")


@pytest.mark.thorough
@given(st.sampled_from(NAMED))
def test_whatever_has_a_name_may_be_left_out_if_the_definition_says_so(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, which: tuple[str, str, Item]
):
    parent, name, item = which
    present = []

    def change(file: h5py.File) -> None:
        group = file.get(parent, {})
        members = group.attrs if item.kind == "attribute" and group else group
        if name in members:
            present.append(name)
            del members[name]

    found = deviations(sound, change, tmp_path_factory.mktemp("without"))
    lost = any(name in one and "missing" in one for one in found)
    if name == "definition":
        assert found
    else:
        assert lost == (item.required and bool(present)), found


def test_a_unit_of_the_same_kind_will_do(sound: Path, tmp_path: Path):
    change = with_attribute("entry/pulses/conductance", "units", "uS")
    assert deviations(sound, change, tmp_path) == ()


def foreign(path: Path) -> Path:
    """Write the least that the definition asks for, by hand, with the texts of another language's library."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("measurement_1")
        entry.attrs["NX_class"] = np.bytes_("NXentry")
        entry["definition"] = "NXrram_array"
        entry["definition"].attrs["version"] = np.bytes_("1.0")
        entry["title"] = np.bytes_("reads of a block")
        entry["start_time"] = "2026-03-09T07:05:01+01:00"
        entry["status"] = "finished"
        for name, kind in (("procedure", "NXprocess"), ("bench", "NXcollection"), ("chip", "NXcollection")):
            entry.create_group(name).attrs["NX_class"] = kind
        entry["procedure/name"] = "read"
        entry.create_group("procedure/parameters").attrs["NX_class"] = "NXparameters"
        entry["chip/cells"] = "A1[0:2, 0:2]"
        table = entry.create_group("reads")
        table.attrs.update({"NX_class": "NXdata", "signal": "conductance", "axes": "time"})
        for name, unit, values in (("time", "ms", np.arange(3.0)), ("conductance", "uS", np.ones(3))):
            table[name] = values
            table[name].attrs["units"] = np.bytes_(unit)
        table["row"] = np.zeros(3, np.uint16)
        table["row"].attrs["units"] = ""
    return path


def test_a_file_of_somebody_else_follows_it_too(tmp_path: Path):
    assert check_conformance(foreign(tmp_path / "theirs.h5")).deviations == ()


def test_what_is_no_hdf5_file_shows_other_files_or_is_not_there_is_said(tmp_path: Path):
    (tmp_path / "text.h5").write_text("no")
    assert "is not an HDF5 file" in check_conformance(tmp_path / "text.h5").deviations[0]
    assert "there is no run file" in check_conformance(tmp_path / "nothing.h5").deviations[0]
    linked = foreign(tmp_path / "linked.h5")
    with h5py.File(linked, "r+") as file:
        file["measurement_1/more"] = h5py.ExternalLink("/etc/passwd", "/")
    assert "is a link into another file" in check_conformance(linked).deviations[0]


def test_a_group_that_leads_to_itself_is_no_trap(tmp_path: Path):
    path = foreign(tmp_path / "loop.h5")
    with h5py.File(path, "r+") as file:
        file["measurement_1/bench/again"] = file["measurement_1/bench"]
    assert "/measurement_1/bench/again/identity is missing" in check_conformance(path).deviations[0]


def test_the_definition_is_what_nexus_calls_one():
    (path,) = Path(__file__).parents[3].glob(f"mho/runs/nexus/{FILE}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports are behind the times
        validate = pytest.importorskip("nexusformat.nexus.validate")
    assert validate.lint_nxdl(path) == []
    assert path.read_text("utf-8") == definition_text()


def test_all_that_is_asked_for_is_described():
    def items(item: Item) -> list[Item]:
        return [item, *(below for one in item.members for below in items(one))]

    assert not [one.name for one in items(entry_definition())[1:] if not one.doc]


def test_the_command_lists_files_and_deviations(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shell = Shell(tmp_path / "runs", monkeypatch, capsys)
    code, out, _ = shell("verify", "--nexus", sound)
    assert (code, "follows it" in out) == (0, True)
    shutil.copyfile(sound, tmp_path / "changed.h5")
    with h5py.File(tmp_path / "changed.h5", "r+", libver="latest") as file:
        del file["entry/title"]
    code, out, _ = shell("verify", "--nexus", sound, tmp_path / "changed.h5")
    assert code == UNFINISHED
    assert "/entry/title is missing" in out
    code, out, _ = shell("verify", "--nexus", "--json", sound)
    assert json.loads(out) == [{"path": str(sound), "conforms": True, "deviations": []}]


def test_older_files_still_open_and_say_nothing_of_a_definition(sound: Path, tmp_path: Path):
    old = tmp_path / "old.h5"
    shutil.copyfile(sound, old)
    with h5py.File(old, "r+", libver="latest") as file:
        del file["entry/definition"]
    with RunFile(run_samples.seal_again(old)) as run:
        assert run.title
    assert check_conformance(old).deviations == ("no entry says definition = NXrram_array; there is /entry",)


PAGE = (ROOT / "docs/nexus.md").read_text("utf-8")


def rows_of(item: Item, path: str = "") -> list[str]:
    """Return the rows of the page's table, one an item."""
    rows = []
    for one in item.members:
        name = {
            "group": one.name or f"({one.type})",
            "field": one.name or "(any)",
            "attribute": f"@{one.name}",
        }
        place = f"{path}{name[one.kind]}" if one.kind == "attribute" else f"{path}/{name[one.kind]}"
        shape = ", ".join(length for _, length in one.dimensions) + (", …" if one.rank is None else "")
        kind = f"{one.type} [{shape}]" if one.dimensions else one.type
        words = f" ({', '.join(one.values)})" if one.values else ""
        needed = "yes" if one.required else ""
        rows.append(f"| `{place.lstrip('/')}` | {kind} | {one.units} | {needed} | {one.doc}{words} |")
        rows += rows_of(one, place)
    return rows


def test_the_page_lists_the_definition_as_it_is():
    assert [line for line in PAGE.splitlines() if line.startswith("| `")] == rows_of(entry_definition())


def test_the_file_that_the_page_writes_follows_the_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    exec(PAGE.partition("```python\n")[2].partition("```")[0], {})
    assert check_conformance("theirs.h5").deviations == ()
