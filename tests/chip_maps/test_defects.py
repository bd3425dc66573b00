"""A chip's list of defects is read strictly, only grows, and is what placement goes by."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho import platforms
from mho.chip_maps import defects as defects_module
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.defects import (
    CLASSES,
    DefectFinding,
    DefectList,
    add_defects,
    chip_with_defects,
    parse_defects,
    with_defects,
)
from mho.chip_maps.placement import known_bad, place
from mho.errors import ChipMapError

CHIP = load_chip_map("reference")
EARLY, LATE = "2026-03-09T07:05:01+00:00", "2026-03-09T09:05:01+02:00"  # two seconds of one moment


def finding(row: int | None = 1, column: int | None = 2, **changed: object) -> DefectFinding:
    facts = {"array": "multiply", "defect": "stuck on", "found": EARLY, "run": "a.h5"}
    return DefectFinding(row=row, column=column, **(facts | changed))


findings = st.builds(
    finding,
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 3)),
    defect=st.sampled_from(CLASSES[1:]),
    lost_by=st.sampled_from(
        ["", "over-voltage, 4.5 V on the bit line", "deep RESET, 3 V on the source line"]
    ),
    found=st.sampled_from([EARLY, LATE, "2026-03-09T07:05:02+00:00"]),
    run=st.text(max_size=8),
    reason=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
)


@pytest.mark.thorough
@given(st.lists(findings, max_size=8))
def test_a_list_is_read_as_it_was_written(found):
    whole = DefectList(chip="reference", map_sha256="ab").merged(found)
    assert parse_defects(whole.text()) == whole


@pytest.mark.thorough
@given(st.lists(findings, max_size=5), st.data())
def test_merging_is_the_same_in_any_order_and_loses_no_place(found, data):
    empty = DefectList(chip="reference")
    shuffled = data.draw(st.permutations(found))
    cut = data.draw(st.integers(0, len(found)))
    once, parts = empty.merged(found), empty.merged(shuffled[:cut]).merged(shuffled[cut:])
    key = [(one.place, one.moment, one.run, one.defect, one.lost_by) for one in once.defects]
    assert key == [(one.place, one.moment, one.run, one.defect, one.lost_by) for one in parts.defects]
    assert {one.place for one in once.defects} == {one.place for one in found}


def test_of_several_findings_about_a_cell_the_latest_counts():
    later = finding(defect="leaky", found="2026-03-10T07:05:01+00:00")
    for one, other in itertools.permutations([finding(), later]):
        assert DefectList(chip="c").merged([one]).merged([other]).defects == (later,)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{ array = "multiply", defect = "open", found = "EARLY" }', "has a row, a column, or both"),
        ('{ array = "multiply", row = 1, defect = "dead", found = "EARLY" }', "Input should be 'stuck on'"),
        ('{ array = "multiply", row = 1, defect = "open", found = "today" }', "'today' is no date and time"),
        (
            '{ array = "multiply", row = 1, defect = "open", found = "2026-03-09T07:05:01" }',
            "offset from UTC",
        ),
        (
            '{ array = "multiply", row = -1, defect = "open", found = "EARLY" }',
            "greater than or equal to 0",
        ),
        (
            '{ array = "multiply", rows = 1, defect = "open", found = "EARLY" }',
            "unknown key; did you mean 'row'",
        ),
        (
            '{ array = "multiply", row = 1, defect = "open", found = "EARLY" },'
            '{ array = "multiply", row = 1, defect = "short", found = "EARLY" }',
            "multiply row 1 is listed twice",
        ),
    ],
)
def test_what_is_wrong_in_a_list_is_said(line, message):
    with pytest.raises(ChipMapError, match=r"mine\.toml") as refused:
        parse_defects(f'chip = "reference"\ndefects = [{line.replace("EARLY", EARLY)}]', "mine.toml")
    assert message in str(refused.value)


def test_a_list_of_another_chip_is_refused_with_both_names():
    with pytest.raises(ChipMapError, match=r"is of chip 'other', but the chip map is of 'reference'"):
        chip_with_defects(CHIP, DefectList(chip="other").text())


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (finding(1024, 0), r"multiply\[1024, 0\], which lies outside its 1024 x 1024"),
        (finding(None, 1024), r"multiply column 1024, which lies outside"),
        (finding(array="nowhere"), r"no array 'nowhere'; it has invert_positive, invert_negative, multiply"),
    ],
)
def test_what_the_chip_does_not_have_is_refused(one, message):
    with pytest.raises(ChipMapError, match=message):
        with_defects(CHIP, DefectList(chip="reference", defects=(one,)))


def test_listed_cells_and_lines_join_the_chip_map_s_and_are_avoided():
    own = CHIP.model_copy(
        update={
            "arrays": tuple(a.model_copy(update={"bad_cells": ((0, 0),)}) for a in CHIP.arrays),
        }
    )
    listed = DefectList(chip="reference", defects=(finding(), finding(5, None), finding(None, 7)))
    chip = with_defects(own, listed)
    bad = known_bad(chip.array("multiply"))
    assert bad[0, 0]
    assert bad[1, 2]
    assert bad[5].all()
    assert bad[:, 7].all()
    assert bad.sum() == 2 + 1024 + 1024 - 1
    assert not known_bad(chip.array("multiply"))[tuple(place(chip.array("multiply"), 30, 30).cells())].any()
    assert known_bad(chip.array("invert_positive")).sum() == 1


def test_a_list_grows_and_the_hash_of_the_map_follows(tmp_path):
    path = tmp_path / "chip.defects.toml"
    _, new = add_defects(path, DefectList(chip="reference", map_sha256="a", defects=(finding(),)))
    assert new == 1
    whole, new = add_defects(
        path, DefectList(chip="reference", map_sha256="b", defects=(finding(), finding(3, 4)))
    )
    assert (new, whole.map_sha256) == (1, "b")
    assert parse_defects(path.read_text("utf-8")) == whole
    assert [one.place.row for one in whole.defects] == [1, 3]
    # Windows removes the file of a lock with it
    assert {one.name for one in tmp_path.iterdir()} - {f".{path.name}.lock"} == {path.name}


def test_a_list_of_another_chip_or_one_that_is_damaged_stays_as_it_is(tmp_path):
    path, new = tmp_path / "chip.defects.toml", DefectList(chip="reference", defects=(finding(),))
    path.write_text(DefectList(chip="other").text(), "utf-8")
    with pytest.raises(ChipMapError, match="is of chip 'other', and the runs are of 'reference'"):
        add_defects(path, new)
    path.write_text("chip = ", "utf-8")
    with pytest.raises(ChipMapError, match="not valid TOML"):
        add_defects(path, new)
    assert path.read_text("utf-8") == "chip = "


def test_a_list_that_cannot_be_written_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "chip.defects.toml"
    add_defects(path, DefectList(chip="reference", defects=(finding(),)))
    before = path.read_bytes()

    def full(self: object, draft: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(platforms.here), "replace", full)
    with pytest.raises(ChipMapError, match="No space left on device"):
        add_defects(path, DefectList(chip="reference", defects=(finding(9, 9),)))
    assert path.read_bytes() == before
    # Windows removes the file of a lock with it
    assert {one.name for one in tmp_path.iterdir()} - {f".{path.name}.lock"} == {path.name}


def test_what_another_program_adds_meanwhile_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "chip.defects.toml"
    add_defects(path, DefectList(chip="reference", defects=(finding(),)))
    replaced, others = defects_module._replaced, [finding(8, 8), finding(9, 9)]

    def beaten(path: Path, text: str, before: tuple[int, int] | None) -> bool:
        if others:
            mine = parse_defects(path.read_text("utf-8")).merged([others.pop()])
            path.write_text(mine.text(), "utf-8")
        return replaced(path, text, before)

    monkeypatch.setattr(defects_module, "_replaced", beaten)
    add_defects(path, DefectList(chip="reference", defects=(finding(3, 4),)))
    listed = {one.place[1:] for one in parse_defects(path.read_text("utf-8")).defects}
    assert listed == {(1, 2), (3, 4), (8, 8), (9, 9)}


def test_two_processes_that_add_at_the_same_moment_lose_nothing(tmp_path, monkeypatch):
    path = tmp_path / "chip.defects.toml"
    replace, started = platforms.here.replace, []

    def slow(
        self: object, draft: Path, target: Path
    ) -> None:  # the moment between the last look and the new file
        if not started:
            other = DefectList(chip="reference", defects=(finding(8, 8),))
            started.append(threading.Thread(target=add_defects, args=(path, other)))
            started[0].start()
            started[0].join(0.1)
        replace(draft, target)

    monkeypatch.setattr(type(platforms.here), "replace", slow)
    add_defects(path, DefectList(chip="reference", defects=(finding(),)))
    started[0].join()
    assert {one.place[1:] for one in parse_defects(path.read_text("utf-8")).defects} == {(1, 2), (8, 8)}


def test_what_our_pulses_destroyed_stays_so_in_any_order_of_the_runs():
    early = DefectFinding(
        array="multiply", row=1, column=2, defect="stuck on", found="2026-03-09T07:00:00+00:00",
        lost_by="over-voltage, 4.5 V on the bit line",
    )  # fmt: skip
    late = DefectFinding(
        array="multiply", row=1, column=2, defect="unsteady", found="2026-03-10T07:00:00+00:00", run="b.h5"
    )
    for one, other in ((early, late), (late, early)):
        (found,) = DefectList(chip="c").merged([one]).merged([other]).defects
        assert (found.defect, found.run, found.lost_by) == ("unsteady", "b.h5", early.lost_by)
        assert parse_defects(DefectList(chip="c").merged([found]).text()).defects == (found,)
    assert 'lost_by = "over-voltage' in DefectList(chip="c").merged([early]).text()
    assert "lost_by" not in DefectList(chip="c").merged([late]).text()
