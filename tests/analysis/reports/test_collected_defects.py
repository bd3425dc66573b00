"""Defective cells are collected from the maps of classes of any run, whole lines as lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mho.analysis.reports import collect_defects
from mho.analysis.reports.defects import whole_lines
from mho.chip_maps.chip import read_chip_text
from mho.chip_maps.defects import CLASSES, OUTCOMES
from mho.errors import ChipMapError, InputError, RunFileError
from mho.procedures.cells.programming.strategy import Outcome
from mho.runs import Layout, Map, RunHeader, RunWriter

CHIP = read_chip_text("zuo2025")  # inverting array of 8 x 8
OPEN, STUCK_ON = CLASSES.index("open"), CLASSES.index("stuck on")


def run_file(
    path: Path, codes: np.ndarray | None, rows=None, chip: str = CHIP, array: str = "invert"
) -> Path:
    """A run that classified cells of an array, and read them after 3 pulses."""
    shape = (8, 8) if codes is None else codes.shape
    lines = np.arange(shape[0]) if rows is None else np.asarray(rows), np.arange(shape[1])
    maps = [Map(f"{array}_{what}", "", *lines) for what in ("conductance", "pulses", "defects")]
    header = RunHeader("contact", "Contact", "1", {}, chip=chip)
    with RunWriter.create(path, header, Layout(maps=tuple(maps))) as writer:
        writer.snapshot(f"{array}_conductance", np.full(shape, 2e-6))
        writer.snapshot(f"{array}_pulses", np.full(shape, 3.0))
        if codes is not None:
            writer.snapshot(f"{array}_defects", np.full(shape, np.nan))
            writer.snapshot(f"{array}_defects", codes.astype(float))
    return path


def test_each_bad_cell_has_class_run_and_what_was_seen(tmp_path):
    codes = np.zeros((2, 8))
    codes[1, 3], codes[0, 0] = STUCK_ON, np.nan
    found = collect_defects([run_file(tmp_path / "a.h5", codes, rows=[4, 6])])
    (one,) = found.defects.defects
    assert str(one.place) == "invert[6, 3]"
    assert (one.defect, one.run, one.reason) == ("stuck on", "a.h5", "read 2 uS after 3 pulses")
    assert found.defects.chip == "zuo2025"


def test_a_line_of_which_every_cell_is_open_is_one_finding(tmp_path):
    codes = np.zeros((8, 8))
    codes[2], codes[5, 5] = OPEN, STUCK_ON
    found = collect_defects([run_file(tmp_path / "a.h5", codes)]).defects.defects
    assert [str(one.place) for one in found] == ["invert row 2", "invert[5, 5]"]


def test_lines_are_whole_only_where_all_their_cells_were_seen():
    codes = np.zeros((3, 4), np.int64)
    codes[1], codes[:, 2] = OPEN, OPEN
    lines = np.arange(3), np.arange(4)
    assert [where for where, _ in whole_lines(codes, *lines, (3, 4))] == [(1, slice(None)), (slice(None), 2)]
    assert [where for where, _ in whole_lines(codes, *lines, (3, 5))] == [(slice(None), 2)]
    assert not list(whole_lines(codes, *lines, (4, 5)))
    codes[1] = STUCK_ON
    assert [name for _, name in whole_lines(np.where(codes == OPEN, 0, codes), *lines, (3, 4))] == []


def test_runs_that_say_nothing_are_named_and_those_of_two_chips_refused(tmp_path):
    good = run_file(tmp_path / "a.h5", np.zeros((8, 8)))
    killed = run_file(tmp_path / "b.h5", None)
    found = collect_defects([good, killed])
    assert found.defects.defects == ()
    assert found.without == ((killed, "(Contact, finished) ended before its cells were classified"),)
    with pytest.raises(InputError, match=r"b\.h5 .*: name runs of program, refresh or contact"):
        collect_defects([killed])
    other = run_file(tmp_path / "c.h5", np.zeros((8, 8)), chip=CHIP.replace('"zuo2025"', '"mine"'))
    with pytest.raises(InputError, match=r"a\.h5 was made on chip 'zuo2025' and .*c\.h5 on 'mine'"):
        collect_defects([good, other])


def test_contacts_are_classes_in_the_list_and_an_unformed_cell_is_no_defect(tmp_path):
    codes = np.full((2, 8), 3.0)  # good
    codes[0, :5] = [0, 1, 2, 4, -1]  # open, short, unformed, leaky, not read
    path = tmp_path / "a.h5"
    lines = np.arange(2), np.arange(8)
    layout = Layout(maps=(Map("invert_contact", "", *lines),))
    with RunWriter.create(path, RunHeader("contact", "Contact", "1", {}, chip=CHIP), layout) as writer:
        writer.snapshot("invert_contact", codes)
    found = collect_defects([path]).defects.defects
    assert [(one.column, one.defect) for one in found] == [(0, "open"), (1, "short"), (3, "leaky")]


def test_outcomes_of_programming_are_classes_in_the_list():
    assert {one.name: name for one, name in zip(Outcome, OUTCOMES, strict=True)} == {
        "IN_WINDOW": "good",
        "UNFORMED": "unformed",
        "STUCK_LOW": "stuck off",
        "STUCK_HIGH": "stuck on",
        "OUT_OF_PULSES": "unsteady",
        "LEFT_WINDOW": "good",
    }


def test_what_a_chip_does_not_have_is_refused(tmp_path):
    with pytest.raises(ChipMapError, match="has the code 99; its codes are 0 to 7"):
        collect_defects([run_file(tmp_path / "a.h5", np.full((8, 8), 99))])
    with pytest.raises(ChipMapError, match="lies outside its 8 x 8"):
        collect_defects([run_file(tmp_path / "b.h5", np.full((1, 8), STUCK_ON), rows=[9])])
    with pytest.raises(ChipMapError, match="'elsewhere_defects', but its chip 'zuo2025' has no such array"):
        collect_defects([run_file(tmp_path / "c.h5", np.full((1, 8), STUCK_ON), array="elsewhere")])


# --- cells that our own pulses destroyed ---


def lost(row: int, column: int, cause: str = "over-voltage") -> dict[str, object]:
    return {
        "array": "invert",
        "row": row,
        "column": column,
        "cause": cause,
        "stress": "4.5 V on the bit line",
    }


def with_result(path: Path, cells: object, codes: np.ndarray | None = None) -> Path:
    lines = np.arange(8), np.arange(8)
    maps = () if codes is None else (Map("invert_outcome", "", *lines),)
    with RunWriter.create(path, RunHeader("any", "Any", "1", {}, chip=CHIP), Layout(maps=maps)) as writer:
        if codes is not None:
            writer.snapshot("invert_outcome", codes.astype(float))
        writer.set_result({"lost_cells": cells})
    return path


def test_a_cell_that_our_pulses_destroyed_says_so_whatever_the_run_found_of_it(tmp_path):
    codes = np.zeros((8, 8))
    codes[1, 2], codes[3, 3] = Outcome.STUCK_HIGH, Outcome.STUCK_HIGH
    cells = [lost(1, 2), lost(5, 6, "deep RESET"), lost(7, 7)]
    found = collect_defects([with_result(tmp_path / "a.h5", cells, codes)]).defects.defects
    assert [(str(one.place), one.defect, one.kind, one.lost_by) for one in found] == [
        ("invert[1, 2]", "stuck on", "stuck on, by our pulses", "over-voltage, 4.5 V on the bit line"),
        ("invert[3, 3]", "stuck on", "stuck on", ""),
        ("invert[5, 6]", "stuck off", "stuck off, by our pulses", "deep RESET, 4.5 V on the bit line"),
        ("invert[7, 7]", "stuck on", "stuck on, by our pulses", "over-voltage, 4.5 V on the bit line"),
    ]


def test_a_run_without_classes_tells_the_cells_that_it_destroyed(tmp_path):
    found = collect_defects([with_result(tmp_path / "a.h5", [lost(1, 2)])]).defects.defects
    assert [(str(one.place), one.kind) for one in found] == [("invert[1, 2]", "stuck on, by our pulses")]


@pytest.mark.parametrize(
    "cells", [3, "invert", [3], [{"array": "invert"}], [{**lost(1, 2), "row": "x"}], {"a": 1}]
)
def test_a_list_of_destroyed_cells_that_is_none_is_damage(cells, tmp_path):
    with pytest.raises(RunFileError, match=r"a\.h5: `lost_cells` in its result is no list of cells"):
        collect_defects([with_result(tmp_path / "a.h5", cells)])


def test_destroyed_cells_that_the_chip_does_not_have_are_refused(tmp_path):
    with pytest.raises(ChipMapError, match="lies outside its 8 x 8"):
        collect_defects([with_result(tmp_path / "a.h5", [lost(9, 2)])])
