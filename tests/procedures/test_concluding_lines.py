"""Every procedure concludes with a line that is true of what its run file holds."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st
from safety_runs import PROCEDURES

from mho.instruments import open_bench
from mho.procedures import Form, Program
from mho.procedures.catalogue import make_procedure
from mho.procedures.manifest import core_entries
from mho.procedures.wording import counted, lost_cells, quantity, verified_cells
from mho.running.execution import run
from mho.runs import Conclusion, RunFile, Status, outcome_line

ON_CELLS = {"retention", "noise", "disturb", "endurance", "switching", "response"}
"""Those that leave unformed cells out, and so find nothing on a fresh chip."""


@pytest.mark.parametrize("name", daily(core_entries(), 5))
def test_every_procedure_has_a_line_and_says_where_nothing_was_measured(name: str, tmp_path: Path):
    path = tmp_path / "run.h5"
    procedure = PROCEDURES[name]()
    if "forming" in procedure.form():
        procedure.forming = "no"
    run(procedure, "arrays", seed=1, output=path)
    with RunFile(path) as file:
        conclusion = file.conclusion
        assert conclusion is not None
        assert file.status is Status.FINISHED
        assert conclusion.line
        assert len(conclusion.line) < 250
        assert not re.search(r"\b(nan|None|inf)\b|  |,,|, $|: $|\.$", conclusion.line), conclusion.line
        unformed = max(file.summary.get(one, 0) for one in ("unformed", "virgin"))
        nothing = unformed == file.summary.get("cells") and name != "contact"  # which tells that they are
        assert nothing >= (name in ON_CELLS)
        assert conclusion.measured is not nothing
        told = outcome_line(file.status, file.reason, conclusion)
        line = "finished, nothing measured: {0} of {0} cells unformed".format(file.summary.get("cells"))
        assert told.startswith(line) is nothing
        warned = [one.message for one in file.log() if one.level == "WARNING"]
        assert len(conclusion.warnings) == len(set(warned))


def retention(file: RunFile) -> str:
    table = file.table("retention")
    last = table["elapsed"] == table["elapsed"].max()
    digits = table["level"][last]
    counts = [file.summary[f"level_{digit}"]["cells"] for digit in digits]
    inside = round(float(np.dot(counts, table["inside"][last])))
    outside = 4 - round(float(np.dot(counts, table["inside"][table["elapsed"] == table["elapsed"].min()])))
    return f"{inside} of 4 cells in their windows after 100 s" + (
        f", {outside} outside before$" if outside else "$"
    )


def disturb(file: RunFile) -> str:
    left = file.map("multiply_leaves")
    outside = int((left == 0).sum())
    return (
        f"{int((np.isfinite(left) & (left > 0)).sum())} of {counted(4 - outside, 'cell')} left their windows"
    )


def endurance(file: RunFile) -> str:
    return f"{int(np.isfinite(file.table('lifetimes')['failed']).sum())} of 4 windows failed in 3 cycles"


def switching(file: RunFile) -> str:
    cells = len(set(zip(*(file.table("cycles")[name] for name in ("row", "column")), strict=True)))
    return f"{cells} cells cycled {int(file.table('cycles')['cycle'].max()) + 1:,} times, window "


def noise(file: RunFile) -> str:
    table = file.table("noise")
    return f"{len(table['row'])} cells read, noise .* %, {int((table['levels'] == 2).sum())} with telegraph"


def response(file: RunFile) -> str:
    rows = file.table("responses")
    cells = len(set(zip(rows["row"], rows["column"], strict=True)))
    return f"(curve of )?{cells} cells (fitted|measured)"


def iv(file: RunFile) -> str:
    loops = file.table("loops")
    sets, resets = (int(np.isfinite(loops[name]).sum()) for name in ("v_set", "v_reset"))
    return f"{len(loops['sweep'])} loops of 4 cells: {sets} SET.*, {resets} RESET"


def contact(file: RunFile) -> str:
    classes = file.map("multiply_contact")
    return f"4 cells: {int((classes == 3).sum())} good"


def form(file: RunFile) -> str:
    return "4 of 4 cells conducted before"


MANY = {"cells": {"rows": "0:2", "columns": "0:2"}}
TRUTHS: dict[str, tuple[Callable[[RunFile], str], dict[str, object]]] = {
    "retention": (retention, {"last": 100.0}),
    "disturb": (disturb, {"pulses": 100}),
    "endurance": (endurance, {"cycles": 3}),
    "switching": (switching, {"cycles": 5}),
    "noise": (noise, {"samples": 64, "series": 1}),
    "response": (response, {"points": 12, "repeats": 2}),
    "iv": (iv, {}),
    "contact": (contact, {}),
    "form": (form, {}),
}


@pytest.mark.parametrize("name", daily(TRUTHS, ["retention", "contact"]))
def test_the_counts_of_a_line_are_those_of_the_tables(name: str, tmp_path: Path):
    truth, parameters = TRUTHS[name]
    with open_bench("arrays", seed=3) as bench:
        run(Form(**MANY["cells"]), bench, seed=1, output=tmp_path / "form.h5")
        if name == "retention":
            digits = np.array([[2, 4], [5, 7]])
            run(Program(digits=digits), bench, seed=1, output=tmp_path / "program.h5")
        run(make_procedure(name, {**MANY["cells"], **parameters}), bench, seed=1, output=tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert file.conclusion is not None
        assert re.match(truth(file), file.conclusion.line), (truth(file), file.conclusion.line)
        assert file.conclusion.measured is (name != "form")


def test_programming_says_how_many_cells_are_in_their_windows_and_which_our_pulses_broke(tmp_path: Path):
    digits = np.random.default_rng(0).integers(0, 4, (6, 6))
    program = Program(digits=digits, write_verify="attempts = 4")
    result = run(program, "arrays", seed=1, output=tmp_path / "a.h5", preset="stanford")
    inside = int((np.abs(result.achieved) < np.inf).sum()) - result.failed
    with RunFile(tmp_path / "a.h5") as file:
        assert file.conclusion is not None
        assert file.map("multiply_conductance").shape == (6, 6)
        assert file.conclusion.line.startswith(verified_cells(36, result.failed))
        assert f"{inside}" in file.conclusion.line
        assert bool(file.conclusion.warnings) is bool(result.failed)
    broken = replace(result, failed=0, summary=result.summary | {"lost_by_pulses": 7})
    plan = None
    assert program.conclude(plan, broken).line == "36 cells in their windows, 7 lost by our pulses"  # type: ignore[arg-type]


def test_cells_that_were_formed_and_never_programmed_are_told_as_outside_before(tmp_path: Path):
    kept = make_procedure("retention", {**MANY["cells"], "last": 100.0})
    run(kept, "arrays", seed=3, output=tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert file.conclusion is not None
        assert "outside before" in retention(file)
        assert re.match(retention(file), file.conclusion.line), file.conclusion.line


@pytest.mark.parametrize(("bits", "converged"), [(24, True), (44, False)])
def test_a_solve_says_what_it_proved(bits: int, converged: bool, tmp_path: Path):
    matrix = np.array([[0.8, 0.2], [0.1, 0.7]])
    solve = make_procedure("solve", {"bits": bits, "max_cycles": 6 if converged else 1})
    solve.matrix = matrix
    run(solve, "arrays", seed=1, output=tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert file.conclusion is not None
        proved = int(file.summary["bits"])
        assert file.summary["converged"] is converged
        if converged:
            saved = "the chip saved no cycle (2, 2 without it)"
            assert file.conclusion.line == f"converged, {proved} bits proved, {saved}"
        else:  # one cycle was allowed with the chip
            told = f"{proved} bits proved, without the chip 2 cycles do: {file.summary['reason']}"
            assert file.conclusion.line == f"not converged, {told}"


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_counts_in_words_can_be_read_back(cells: int, failed: int):
    failed = min(cells, failed)
    told = verified_cells(cells, failed)
    numbers = [int(one.replace(",", "")) for one in re.findall(r"[\d,]+", told)]
    assert numbers == ([cells] if not failed else [cells - failed, cells])


@given(st.floats(1e-12, 1e8), st.sampled_from(["V", "S", "s", ""]), st.booleans())
def test_a_quantity_can_be_read_back_to_three_digits(value: float, unit: str, negative: bool):
    value = -value if negative else value
    number, _, told = quantity(value, unit).partition(" ")
    factor = {"": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12}[told.removesuffix(unit)]
    assert told.endswith(unit)
    assert float(number.replace(",", "")) * factor == pytest.approx(value, rel=6e-3)


def test_no_lost_cells_are_no_part_of_a_line():
    assert lost_cells({}) == lost_cells({"lost_by_pulses": 0}) == lost_cells({"lost_by_pulses": None}) == ""
    assert Conclusion("x", measured=True).text == "x"
