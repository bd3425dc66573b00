"""Two run files compared: what is equal, what is not, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from daily import daily

import mho.runs.integrity.comparison as comparison
from mho.runs import Array, Column, Layout, Map, RunHeader, RunWriter, Status, Table
from mho.runs.integrity.comparison import Change, DatasetComparison, compare_runs, compare_surroundings


@pytest.fixture(autouse=True)
def files_as_runs_leave_them() -> None:
    """Leave the files as large as they are: what is compared is their contents."""


def write(
    path: Path, *, rows: int = 5, edit: Callable[[dict[str, np.ndarray]], None] | None = None, **told: object
) -> Path:
    """Write a run whose data `edit` may change before."""
    data = {
        "x": np.arange(float(rows)),
        "v": np.arange(3.0 * rows).reshape(rows, 3),
        "image": np.array([[1.0, np.nan], [0.0, 4.0]]),
        "matrix": np.eye(2),
    }
    if edit:
        edit(data)
    table = Table("points", (Column("x", "V"), Column("v", shape=(3,))), "x", "x")
    layout = Layout(
        (table,), (Map("heat", "K", np.arange(2), np.arange(2)),), (Array("matrix", data["matrix"]),)
    )
    with RunWriter.create(
        path, RunHeader("t", "p", "1", {}, cells=str(told.get("cells", ""))), layout
    ) as run:
        run.emit_block("points", {"x": data["x"], "v": data["v"]})
        run.snapshot("heat", data["image"], time=1.0)
        run.log("INFO", str(told.get("message", "all is well")))
        moment = {"wall_seconds": np.random.default_rng().random()}
        run.set_result(
            {"found": told.get("found", 1), "within": {"kept": told.get("kept", 1)} | moment} | moment
        )
        run.finish(Status(str(told.get("status", "finished"))))
    return path


def differences(found: tuple[DatasetComparison, ...]) -> dict[str, str]:
    return {one.name: one.difference for one in found if not one.equal}


def test_two_runs_with_the_same_data_are_equal(tmp_path: Path):
    found = compare_runs(write(tmp_path / "a.h5"), write(tmp_path / "b.h5"))
    assert differences(found) == {}
    assert {"points/x", "points/v", "maps/heat/value", "maps/heat/time"} <= {one.name for one in found}


def test_what_only_a_newer_run_has_is_an_addition_where_that_is_said_and_what_it_lacks_is_not(tmp_path: Path):
    def written(name: str, columns: str, **result: object) -> Path:
        layout = Layout((Table("points", tuple(map(Column, columns))),))
        with RunWriter.create(tmp_path / name, RunHeader("t", "p", "1", {}), layout) as run:
            run.emit_block("points", {column: np.arange(3.0) for column in columns})
            run.set_result(result)
        return tmp_path / name

    old = written("old.h5", "x", found=1, within={"kept": 1}, each=[{"a": 1}])
    new = written("new.h5", "xy", found=1, within={"kept": 1, "more": 2}, each=[{"a": 1, "b": 2}], rho=0.1)
    assert differences(compare_runs(old, new, with_additions=True)) == {}
    assert set(differences(compare_runs(old, new))) == {"points/y", "result"}
    assert set(differences(compare_runs(new, old, with_additions=True))) == {"points/y", "result"}
    other = written("other.h5", "xy", found=2, within={"kept": 1}, each=[{"a": 1}])
    assert set(differences(compare_runs(old, other, with_additions=True))) == {"result"}


def test_messages_between_those_of_before_are_additions_and_one_that_is_gone_is_not(tmp_path: Path):
    def written(name: str, *messages: str) -> Path:
        with RunWriter.create(tmp_path / name, RunHeader("t", "p", "1", {}), Layout(())) as run:
            for message in messages:
                run.log("INFO", message)
        return tmp_path / name

    old = written("old.h5", "rho 0.1", "3 cells failed", "done")
    new = written("new.h5", "levels do not fit", "rho 0.1", "3 cells failed", "saved 2 cycles", "done")
    assert differences(compare_runs(old, new, with_additions=True)) == {}
    assert set(differences(compare_runs(old, new))) == {"log"}
    assert set(differences(compare_runs(new, old, with_additions=True))) == {"log"}
    other = written("other.h5", "more", "rho 0.1", "4 cells failed", "done")
    assert set(differences(compare_runs(old, other, with_additions=True))) == {"log"}


def test_which_cells_are_formed_is_compared_where_both_runs_ended_and_the_first_has_a_record(tmp_path: Path):
    def written(name: str, formed: str) -> Path:
        header = RunHeader("t", "p", "1", {}, formed_bytes=100)
        with RunWriter.create(tmp_path / name, header, Layout()) as run:
            run.set_formed(formed)
        return tmp_path / name

    one, other, old = written("one.h5", "cells a"), written("other.h5", "cells b"), written("old.h5", "")
    assert differences(compare_runs(one, one)) == {}
    assert set(differences(compare_runs(one, other))) == {"formed cells"}
    assert differences(compare_runs(one, other, as_far_as_first=True)) == {}
    assert differences(compare_runs(old, one)) == {}  # of before there was a record


def one_element(data: dict[str, np.ndarray]) -> None:
    data["v"][3, 1] += 1e-12


def a_cell(data: dict[str, np.ndarray]) -> None:
    data["image"][0, 1] = 5.0


def a_sign(data: dict[str, np.ndarray]) -> None:
    data["image"][1, 0] = -0.0


def a_shape(data: dict[str, np.ndarray]) -> None:
    data["matrix"] = np.eye(3)


@pytest.mark.parametrize(
    ("edit", "name", "said"),
    daily(
        [
            (one_element, "points/v", "from [3, 1] on: 10.0 and 10.000000000001"),
            (a_cell, "maps/heat/value", "from [0, 0, 1] on: nan and 5.0"),
            (a_sign, "maps/heat/value", "the same numbers with other bits"),
            (a_shape, "arrays/matrix", "float64 (2, 2) and float64 (3, 3)"),
        ],
        2,
    ),
)
def test_the_first_place_that_differs_is_named(
    tmp_path: Path, edit: Callable[[dict[str, np.ndarray]], None], name: str, said: str
):
    found = differences(compare_runs(write(tmp_path / "a.h5"), write(tmp_path / "b.h5", edit=edit)))
    assert list(found) == [name]
    assert next(iter(found.values())).startswith(said)


def test_a_place_far_down_is_found_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(comparison, "BLOCK_BYTES", 64)

    def edit(data: dict[str, np.ndarray]) -> None:
        data["x"][97] = 0.0

    found = compare_runs(write(tmp_path / "a.h5", rows=100), write(tmp_path / "b.h5", rows=100, edit=edit))
    assert differences(found) == {"points/x": "from [97] on: 97.0 and 0.0"}


def test_a_run_that_broke_off_is_compared_as_far_as_it_went(tmp_path: Path):
    short, whole = (
        write(tmp_path / "a.h5", status="aborted", message="stopped"),
        write(tmp_path / "b.h5", rows=8),
    )
    assert differences(compare_runs(short, whole, as_far_as_first=True)) == {}
    assert differences(compare_runs(short, whole))["points/x"] == "5 rows and 8"
    assert differences(compare_runs(whole, short, as_far_as_first=True))["points/x"] == "8 rows and 5"


def test_an_array_that_a_run_had_not_come_to_is_no_difference(tmp_path: Path):
    def unfilled(data: dict[str, np.ndarray]) -> None:
        data["matrix"][:] = np.nan

    short, whole = write(tmp_path / "a.h5", edit=unfilled, status="aborted"), write(tmp_path / "b.h5")
    assert differences(compare_runs(short, whole, as_far_as_first=True)) == {}
    assert "arrays/matrix" in differences(compare_runs(short, whole))
    assert "arrays/matrix" in differences(compare_runs(whole, short, as_far_as_first=True))


@pytest.mark.parametrize(
    ("told", "name", "said"),
    daily(
        [
            ({"message": "other words"}, "log", '0: "INFO all is well" and "INFO other words"'),
            ({"found": 2}, "result", "found: 1 and 2"),
            ({"kept": 2}, "result", 'within: {"kept": 1} and {"kept": 2}'),
            ({"cells": "inv[0:8]"}, "cells", '"" and "inv[0:8]"'),
            ({"status": "failed"}, "outcome", 'status: "finished" and "failed"'),
        ],
        2,
    ),
)
def test_what_is_told_is_compared_too(tmp_path: Path, told: dict[str, object], name: str, said: str):
    assert differences(compare_runs(write(tmp_path / "a.h5"), write(tmp_path / "b.h5", **told))) == {
        name: said
    }


def test_surroundings_are_compared_package_by_package():
    then = {"mho_version": "1", "host": "a", "packages": "numpy==2.0\nscipy==1.0\nold==3"}
    now = {"mho_version": "1", "host": "b", "packages": "numpy==2.1\nscipy==1.0\nnew==1", "git_commit": "abc"}
    assert compare_surroundings(then, now) == (
        Change("git_commit", "", "abc"),
        Change("new", "", "1"),
        Change("numpy", "2.0", "2.1"),
        Change("old", "3", ""),
    )


def digital(path: Path, error: float, read: float, tolerance: float, **found: object) -> Path:
    table = Table(
        "cycles", (Column("error", digital=tolerance), Column("read", "S"), Column("count", dtype="i4")), "error", "count"
    )  # fmt: skip
    layout = Layout((table,), (), (Array("x", np.array([error, 1.0]), digital=tolerance),))
    with RunWriter.create(path, RunHeader("t", "p", "1", {}), layout) as run:
        run.emit("cycles", error=1.0, read=1.0, count=1)
        run.emit("cycles", error=error, read=read, count=2)
        run.set_result(found)
    return path


LAST = 0.1 * (1 + 2**-52)


@pytest.mark.parametrize(
    ("second", "differ"),
    daily(
        [
            ((LAST, 0.1, 1e-11), set()),
            ((0.1 + 1e-3, 0.1, 1e-11), {"cycles/error", "arrays/x"}),
            ((LAST, LAST, 1e-11), {"cycles/read"}),
            ((LAST, 0.1, 0.0), {"cycles/error", "arrays/x"}),
            ((0.9, 0.1, 1e9), {"cycles/error", "arrays/x"}),
        ],
        3,
    ),
    ids=["last digit", "more", "what was read", "not declared", "a file that forgives all"],
)
def test_what_was_computed_digitally_has_a_tolerance_and_nothing_else(second, differ, tmp_path: Path):
    first = digital(tmp_path / "a.h5", 0.1, 0.1, second[2])
    found = compare_runs(first, digital(tmp_path / "b.h5", *second))
    assert set(differences(found)) == differ
    assert {one.name for one in found if one.rounded} == (
        {"cycles/error", "arrays/x"} - differ if second[2] else set()
    )


@pytest.mark.parametrize(
    ("then", "now", "equal"),
    daily(
        [
            ({"relative_error": 0.1}, {"relative_error": LAST}, True),
            (
                {"certificate": {"residual": 0.1}, "bits": 24},
                {"certificate": {"residual": LAST}, "bits": 24},
                True,
            ),
            ({"cycles": [{"bits": 3.1, "cycle": 1}]}, {"cycles": [{"bits": 3.1 + 1e-9, "cycle": 1}]}, True),
            ({"conductance": 0.1}, {"conductance": LAST}, False),
            ({"bits": 24}, {"bits": 23}, False),
            ({"certificate": {"residual": 0.1}}, {"certificate": {}}, False),
            (
                {"certificate": {"residual": 0.1, "why": "a"}},
                {"certificate": {"residual": 0.1, "why": "b"}},
                False,
            ),
        ],
        3,
    ),
)
def test_a_result_has_the_tolerance_of_its_names(then, now, equal, tmp_path: Path):
    first = digital(tmp_path / "a.h5", 0.1, 0.1, 0.0, **then)
    found = compare_runs(first, digital(tmp_path / "b.h5", 0.1, 0.1, 0.0, **now))
    assert (differences(found) == {}) is equal
    assert ("result" in [one.name for one in found if one.rounded]) is equal


@pytest.mark.parametrize(
    ("then", "now", "equal"),
    daily(
        [
            (
                "rho is 0.914, 0.1 bits a cycle",
                "rho is 0.915, 0.1 bits a cycle",
                True,
            ),  # rounded the other way
            ("residual 1.27e-12 of 8 rows", "residual 1.28e-12 of 8 rows", True),
            ("residual 9.9e-16", "residual 1.3e-15", True),  # both are rounding
            ("rho is 0.914", "rho is 0.924", False),
            ("residual 1.27e-9", "residual 1.37e-9", False),
            ("3 of 80 integers were wrong", "4 of 80 integers were wrong", False),
            ("3 cells", "3 lines", False),
            ("leaks 3.1e-12 A", "leaks 5.2e-12 A", False),  # was measured
            ("block 0.5", "block 0.5 0.5", False),
        ],
        4,
    ),
)
def test_a_sentence_may_differ_in_the_last_digit_of_a_number_and_nothing_else(then, now, equal, tmp_path):
    (log,) = (
        one
        for one in compare_runs(write(tmp_path / "a.h5", message=then), write(tmp_path / "b.h5", message=now))
        if one.name == "log"
    )
    assert (log.equal, log.rounded) == (equal, equal)
