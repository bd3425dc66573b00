"""Runs compared: what differs is found, what is the same is counted, what cannot be compared is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mho.analysis.comparisons import compare_files
from mho.errors import InputError
from mho.runs import Layout, RecordedParameter, RunHeader, RunWriter, Status

BENCH = 'name = "desk"\n[simulation]\npreset = "pku"\n'


def write(path: Path, **given: object) -> Path:
    """A run of `Solve` with a few settings and results; `result`, `units`, `preset`, `seed`, `bench`, ... as given."""
    parameters = {"bits": RecordedParameter(given.get("bits", 24), "bit"), "rows": RecordedParameter("0:8")}
    provenance = {
        "seed": str(given.get("seed", 1)),
        "preset": str(given.get("preset", "pku")),
        "packages": f"numpy=={given.get('numpy', '2.0')}\nscipy==1",
    }
    header = RunHeader(
        "Solve", str(given.get("procedure", "Solve")), "5", parameters, bench=str(given.get("bench", BENCH)),
        provenance=provenance, instruments={"smu": {"identity": "2450", "nplc": str(given.get("nplc", 1))}},
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with RunWriter.create(path, header, Layout()) as writer:
        writer.set_result(given.get("result", {"error": 1e-6}), given.get("units", {}))
        writer.finish(Status(given.get("status", "finished")), str(given.get("reason", "")))
    return path


def lot(folder: Path, preset: str, errors: list[float]) -> list[Path]:
    return [
        write(folder / f"{preset}-{seed}.h5", preset=preset, seed=seed, result={"error": one, "cells": 8})
        for seed, one in enumerate(errors)
    ]


def test_two_runs_differ_where_they_do(tmp_path: Path) -> None:
    first = write(
        tmp_path / "a.h5",
        result={"error": 1e-6, "gain": 2, "cells": 8, "method": "plain"},
        units={"gain": "S"},
    )
    second = write(
        tmp_path / "b.h5", bits=12, seed=2, nplc=10, numpy="2.1", bench=BENCH + "# moved\n",
        result={"error": 4e-6, "gain": 3, "cells": 8, "method": "cg"}, units={"gain": "S"},
    )  # fmt: skip
    found = compare_files([first, second])
    assert {one.name: one.values for one in found.settings} == {
        "bits": ("24 bit", "12 bit"),
        "seed": ("1", "2"),
        "smu: nplc": ("1", "10"),
    }
    assert [(one.name, one.values) for one in found.packages] == [("numpy", ("2.0", "2.1"))]
    assert [(one.what, one.lines) for one in found.texts] == [("bench file", ("+ # moved",))]
    assert [(one.name, one.values) for one in found.words] == [("method", ("plain", "cg"))]
    moved = [one for one in found.results if one.differs]
    assert [(one.name, one.unit) for one in moved] == [
        ("error", ""),
        ("gain", "S"),
    ]  # the largest ratio first
    assert moved[0].effects[0].ratio == pytest.approx(4.0)
    assert not moved[0].effects[0].difference.known
    assert any("single run" in one for one in found.notes)
    assert any("another seed draws other cells" in one for one in found.notes)


def test_with_one_seed_the_same_draw_is_said(tmp_path: Path) -> None:
    found = compare_files([write(tmp_path / "a.h5"), write(tmp_path / "b.h5", bits=12)])
    assert any("the same seed, 1" in one for one in found.notes)


def test_real_benches_are_not_told_of_seeds(tmp_path: Path) -> None:
    real = {"bench": 'name = "probe station"\n', "preset": ""}
    found = compare_files([write(tmp_path / "a.h5", **real), write(tmp_path / "b.h5", **real)])
    assert not any("seed" in one for one in found.notes)


@pytest.mark.thorough
def test_groups_have_intervals_and_what_varies_in_all_of_them_is_no_difference(tmp_path: Path) -> None:
    lot(tmp_path, "ideal", [1.0, 2.0, 3.0, 4.0, 5.0])
    lot(tmp_path, "pku", [11.0, 12.0, 13.0, 14.0, 15.0])
    found = compare_files([tmp_path], by="preset")
    assert [(side.name, len(side.runs)) for side in found.sides] == [("ideal", 5), ("pku", 5)]
    assert [(one.name, one.values) for one in found.settings] == [("preset", ("ideal", "pku"))]
    assert found.varied == ("seed",)
    error = found.results[0]
    assert error.name == "error"
    assert (error.samples[1].count, error.samples[1].median) == (5, 13.0)
    difference = error.effects[0].difference
    assert difference.value == 10.0
    assert 5.0 < difference.low < 10.0 < difference.high < 15.0
    assert error.effects[0].cliffs_delta.value == 1.0
    assert not found.results[1].differs
    # as printed, for some of it is nan, which equals nothing
    assert repr(compare_files([tmp_path], by="preset")) == repr(found)


def test_one_lot_against_another(tmp_path: Path) -> None:
    lot(tmp_path / "before", "pku", [1.0, 2.0])
    lot(tmp_path / "after", "pku", [1.0, 2.0, 3.0])
    found = compare_files([tmp_path / "before"], against=[tmp_path / "after"])
    assert [(side.name, len(side.runs)) for side in found.sides] == [("before", 2), ("after", 3)]
    assert any("fewer than 5 runs" in one for one in found.notes)
    means = compare_files([tmp_path / "before"], against=[tmp_path / "after"], centre="mean")
    assert means.results[0].effects[0].difference.value == 0.5


def test_groups_are_ordered_by_number_and_named_with_their_unit(tmp_path: Path) -> None:
    for bits in (24, 8, 12):
        write(tmp_path / f"{bits}.h5", bits=bits)
    found = compare_files([tmp_path], by="bits")
    assert [side.name for side in found.sides] == ["bits 8 bit", "bits 12 bit", "bits 24 bit"]


def test_runs_of_different_kinds_are_compared_in_what_they_have(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5", result={"error": 1.0, "bits": 3})
    second = write(tmp_path / "b.h5", procedure="Invert", result={"error": 2.0, "settling": 4.0})
    found = compare_files([first, second])
    assert [one.name for one in found.results] == ["error"]
    assert found.alone == {"a": ("bits",), "b": ("settling",)}
    assert found.notes[0] == "Runs of different kinds, Invert, Solve: what they have in common is compared."


def test_with_nothing_in_common_there_is_no_comparison(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5", result={"bits": 3, "virtual_seconds": 1.0})
    second = write(tmp_path / "b.h5", procedure="IV", result={"sets": 4, "virtual_seconds": 2.0})
    with pytest.raises(InputError, match="runs of IV and Solve have no result in common"):
        compare_files([first, second])


def test_results_in_other_units_are_not_compared_and_named(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5", result={"gain": 1.0, "error": 1.0}, units={"gain": "S"})
    second = write(tmp_path / "b.h5", result={"gain": 1.0, "error": 1.0}, units={"gain": "V"})
    found = compare_files([first, second])
    assert [one.name for one in found.results] == ["error"]
    assert "Not compared, as their units differ: gain." in found.notes


def test_unfinished_runs_are_used_and_marked_damaged_ones_named(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5", preset="ideal", status="aborted", reason="enough")
    (tmp_path / "c.h5").write_bytes(b"no run file")
    found = compare_files([tmp_path], by="preset")
    assert found.marked == (("b", "aborted: enough"),)
    assert [one.path.name for one in found.skipped] == ["c.h5"]


def test_long_differences_of_texts_are_bounded(tmp_path: Path) -> None:
    many = "".join(f"# line {number}\n" for number in range(500))
    found = compare_files([write(tmp_path / "a.h5"), write(tmp_path / "b.h5", bench=BENCH + many)])
    assert (len(found.texts[0].lines), found.texts[0].left_out) == (60, 440)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    found = compare_files([write(tmp_path / "x" / "a.h5"), write(tmp_path / "y" / "a.h5", seed=2)])
    assert [side.name for side in found.sides] == ["x/a", "y/a"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"places": ["a.h5"]}, "1 sides are given; 2 to 12 can be compared"),
        ({"places": ["."]}, "is a folder: say by what its runs are grouped"),
        ({"places": ["."], "by": "colour"}, "no run has anything called 'colour'"),
        ({"places": ["."], "by": "preset"}, "by preset there is 1 group"),
        ({"places": ["none.h5"]}, "does not exist"),
        ({"places": ["empty"], "by": "preset"}, "is a folder without run files"),
        ({"places": ["bad"], "by": "preset"}, "none of 1 run files can be read"),
        ({"places": ["a.h5"], "against": ["bad"]}, "of bad no run can be read"),
        ({"places": ["a.h5"], "against": ["a.h5"], "by": "preset"}, "do not go together"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(given, said, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.h5"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run.h5").write_bytes(b"no run file")
    paths = {key: [Path(one) for one in value] if key != "by" else value for key, value in given.items()}
    with pytest.raises(InputError, match=said):
        compare_files(**paths)


def test_a_side_that_cannot_be_read_is_left_out_where_two_are_left(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.h5")
    (tmp_path / "bad.h5").write_bytes(b"no run file")
    found = compare_files([tmp_path / f"{name}.h5" for name in ("a", "bad", "b")])
    assert [side.name for side in found.sides] == ["a", "b"]
    assert [one.path.name for one in found.skipped] == ["bad.h5"]
    with pytest.raises(InputError, match="of bad no run can be read"):
        compare_files([tmp_path / "a.h5", tmp_path / "bad.h5"])
