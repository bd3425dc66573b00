"""The protocol on the virtual bench: one plan, its steps' files, what drops out, and how it is taken up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from lacking_benches import take_away
from queue_runners import served_bench, unsafe_roles

from mho.errors import Aborted, InputError
from mho.extensions.characterise import (
    Characterisation,
    CharacterisationRequest,
    expected_steps,
    plan_protocol,
    rehearsed,
    write_plan,
)
from mho.instruments import open_bench
from mho.instruments.laboratory.accidents import BadCell
from mho.procedures import Form
from mho.procedures.chip_in_use import formed_cells_of
from mho.procedures.stream import Control, Event, Observer, Started
from mho.running.plan import PlannedRun, load_plan
from mho.runs import RunFile, Status

SEQUENCE = [
    "contact", "form", "map", "iv", "response", "response", "switching", "program", "noise", "disturb", "program",
    "retention", "endurance",
]  # fmt: skip
STEP = '[[steps]]\nprocedure = "{0}"\nname = "{0}"\nparameters = {{ array = "multiply", {1} }}\n'


def small_plan(
    folder: Path, *steps: tuple[str, str], bench: str = "simulated", preset: str = "ideal"
) -> Path:
    """Write a plan of a few steps, each after the one before."""
    folder.mkdir()
    cells = f'preset = "{preset}"\n' if preset else ""
    head = f'name = "small"\nbench = {json.dumps(bench)}\n{cells}seed = 1\n'
    (folder / "plan.toml").write_text(head + "".join(STEP.format(*step) for step in steps), "utf-8")
    return folder


CELLS = 'rows = "0:4", columns = "0:4"'
SOME = 'rows = "0,2", columns = "0,2"'
FOUR = [[0, 0], [0, 2], [2, 0], [2, 2]]
SHORT = (("contact", CELLS), ("form", f"{CELLS}, step = 0.2"), ("switching", f"{SOME}, cycles = 2"))


@pytest.mark.parametrize("bench", daily(["simulated", "stanford", "arrays"], ["arrays"]))
def test_the_plan_has_the_protocols_steps_in_their_order_and_passes_the_bench(
    bench: str, tmp_path: Path
) -> None:
    planned = plan_protocol(CharacterisationRequest(bench, seed=1, quick=True))
    assert planned.left_out == ()
    plan = load_plan(write_plan(planned, tmp_path / "new"))
    assert [run.procedure for run in plan.runs] == SEQUENCE
    assert [run.after for run in plan.runs] == [None, *range(1, 13)]
    assert {run.seed for run in plan.runs} == {1}
    with pytest.raises(InputError, match="exists already"):
        write_plan(planned, tmp_path / "new")


def test_worn_cells_are_none_of_those_that_noise_is_read_of() -> None:
    planned = plan_protocol(CharacterisationRequest("arrays", seed=1))
    steps = {run.procedure: run for run in load_plan_text(planned.text)}
    lines = {
        name: set(str(steps[name].parameters["rows"]).split(","))
        for name in ("noise", "disturb", "endurance")
    }
    assert not lines["noise"] & lines["disturb"]
    assert lines["disturb"] == lines["endurance"]


def load_plan_text(text: str) -> tuple[PlannedRun, ...]:
    from mho.running.plan import parse_plan

    return parse_plan(text, Path()).runs


def test_lines_of_ones_own_take_the_place_of_a_sample() -> None:
    planned = plan_protocol(CharacterisationRequest("arrays", rows="3, 1", columns="0:2", quick=True, seed=1))
    assert planned.cells.rows.tolist() == [1, 3]
    for wrong, said in (
        (CharacterisationRequest("arrays", rows="0:2"), "go together"),
        (CharacterisationRequest("arrays", rows="0", columns="0", cells=4), "leave out the number"),
        (CharacterisationRequest("arrays", cells=0), "no sample"),
    ):
        with pytest.raises(InputError, match=said):
            plan_protocol(wrong)


def test_what_a_bench_refuses_is_left_out_and_the_plan_says_why(tmp_path: Path) -> None:
    from mho.instruments.bench_file import load_bench_file

    text = load_bench_file("simulated").text.replace("voltage = 3.3", "voltage = 1.0")  # of the source line
    bench = tmp_path / "weak.toml"
    bench.write_text(text, "utf-8")
    planned = plan_protocol(CharacterisationRequest(str(bench), seed=1, quick=True))
    assert "switching" in dict(planned.left_out)
    assert "source line" in dict(planned.left_out)["switching"]
    plan = load_plan(write_plan(planned, tmp_path / "new"))
    assert "switching" not in [run.procedure for run in plan.runs]
    assert "Left out: switching" in planned.text


def test_what_a_bench_does_not_offer_is_left_out_with_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    take_away(monkeypatch, "sweep", "waveform")
    planned = plan_protocol(CharacterisationRequest("arrays", seed=1, quick=True))
    assert {"iv", "endurance"} <= {name.split()[0] for name in dict(planned.left_out)}
    assert "cannot run on bench 'arrays': nothing there serves `sweep`" in dict(planned.left_out)["iv"]
    assert 'procedure = "iv"' not in planned.text
    assert 'procedure = "switching"' in planned.text


@pytest.mark.thorough
def test_steps_are_files_of_their_own_on_one_chip(tmp_path: Path) -> None:
    ends = Characterisation(small_plan(tmp_path / "k", *SHORT)).carry_out()
    assert [end.end for end in ends] == ["finished"] * 3
    with RunFile(tmp_path / "k" / "03-switching.h5") as run:
        assert run.summary["unformed"] == 0  # the cells that the step before has formed
        assert run.provenance["after"].endswith("02-form.h5")
        assert (run.provenance["plan"], run.provenance["step"]) == ("small", "3")


@pytest.mark.thorough
def test_a_characterisation_stopped_half_way_comes_out_as_one_that_was_not(tmp_path: Path) -> None:
    whole = Characterisation(small_plan(tmp_path / "whole", *SHORT))
    whole.carry_out()
    folder = small_plan(tmp_path / "stopped", *SHORT)
    stopped = Characterisation(folder)
    with pytest.raises(Aborted):
        stopped.carry_out(stopping_at("Switch"))
    assert [planned.procedure for planned in stopped.remaining()] == ["switching"]
    ends = Characterisation(folder).carry_out()
    assert [end.end for end in ends] == ["kept", "kept", "finished"]
    with RunFile(folder / "03-switching.attempt-1.h5") as run:
        assert run.status is Status.ABORTED
    with RunFile(folder / "03-switching.h5") as one, RunFile(tmp_path / "whole" / "03-switching.h5") as other:
        np.testing.assert_array_equal(
            one.column("cycles", "conductance"), other.column("cycles", "conductance")
        )


def stopping_at(title: str):
    """Give runs a control that stops the one whose title begins so, once it has begun."""

    @contextmanager
    def during(planned: PlannedRun) -> Iterator[tuple[Sequence[Observer], Control]]:
        control = Control()

        def observe(event: Event) -> None:
            if isinstance(event, Started) and event.title.startswith(title):
                control.abort("enough")

        yield [observe], control

    return during


@pytest.mark.thorough
def test_broken_cells_drop_out_of_later_steps_and_their_files_say_why(tmp_path: Path) -> None:
    folder = small_plan(tmp_path / "k", *SHORT)
    with open_bench("simulated", preset="ideal", seed=1) as bench:
        BadCell(0.0, ("multiply", 2, 0))(bench.laboratory)
        ends = Characterisation(folder, bench).carry_out()
    assert [end.end for end in ends] == ["finished"] * 3
    assert ends[1].left_out == ""  # a yield is one of all cells
    assert "[2, 0] " in ends[2].left_out
    assert "row 2 left out, 1 taken instead" in ends[2].left_out
    with RunFile(folder / "03-switching.h5") as run:
        assert run.given["rows"] == "0:2"
        assert run.provenance["left_out"] == ends[2].left_out


@pytest.mark.thorough
def test_a_sample_without_a_spare_line_is_programmed_without_the_broken_one(tmp_path: Path) -> None:
    folder = small_plan(tmp_path / "k", *SHORT[:2], ("program", f'{CELLS}, digits = "levels.csv"'))
    np.savetxt(folder / "levels.csv", np.arange(16).reshape(4, 4) % 8, fmt="%d", delimiter=",")
    with open_bench("simulated", preset="ideal", seed=1) as bench:
        BadCell(10e-3, ("multiply", 2, 1))(bench.laboratory)
        ends = Characterisation(folder, bench).carry_out()
    assert ends[2].left_out == "[2, 1] short (01-contact.h5); row 2 left out"
    with RunFile(folder / "03-program.h5") as run:
        assert run.given["rows"] == "0:2,3"
        assert run.array("digits").shape == (3, 4)
        assert run.summary["cells_failed"] == 0


@pytest.mark.thorough
def test_of_a_sample_that_is_all_broken_nothing_is_left_to_do(tmp_path: Path) -> None:
    folder = small_plan(tmp_path / "k", *SHORT)
    with open_bench("simulated", preset="ideal", seed=1) as bench:
        for row, column in np.ndindex(4, 4):
            BadCell(10e-3, ("multiply", row, column))(bench.laboratory)
        ends = Characterisation(folder, bench).carry_out()
    assert ends[-1].end == "skipped"
    assert ends[-1].reason == "no cell of its lines is sound"


@pytest.mark.thorough
def test_forming_is_skipped_where_no_cell_is_virgin(tmp_path: Path) -> None:
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        first = small_plan(tmp_path / "a", *SHORT[:2], bench="arrays")
        Characterisation(first, bench).carry_out()
        again = Characterisation(small_plan(tmp_path / "b", *SHORT, bench="arrays"), bench)
        ends = again.carry_out()
    assert [end.end for end in ends] == ["finished", "skipped", "finished"]
    assert ends[1].reason == "no cell of the sample is virgin (01-contact.h5)"


@pytest.mark.thorough
def test_a_step_that_fails_is_told_and_the_next_one_begins(tmp_path: Path) -> None:
    steps = (SHORT[0], ("read", 'rows = "0:4000", columns = "0"'), SHORT[1])
    folder = small_plan(tmp_path / "k", *steps)
    ends = Characterisation(folder).carry_out()
    assert [end.end for end in ends] == ["finished", "failed", "finished"]
    assert "row 3999 is not among them" in ends[1].reason


@pytest.mark.thorough
def test_on_real_instruments_the_chip_is_as_it_was_left_and_the_bench_safe(tmp_path: Path) -> None:
    with served_bench(tmp_path) as (bench, laboratory):
        planned = plan_protocol(CharacterisationRequest(bench, seed=1, quick=True))
        assert planned.left_out == ()
        folder = small_plan(tmp_path / "k", *SHORT, bench=bench, preset="")
        with pytest.raises(Aborted):
            Characterisation(folder).carry_out(stopping_at("Switch"))
        assert not unsafe_roles(laboratory)
        ends = Characterisation(folder).carry_out()
        assert [end.end for end in ends] == ["kept", "kept", "finished"]
        assert not unsafe_roles(laboratory)
    with RunFile(folder / "03-switching.h5") as run:
        assert run.summary["unformed"] == 0
        assert run.provenance["resume_of"].endswith("03-switching.attempt-1.h5")
        assert "after" not in run.provenance
        assert run_formed(run) == formed_in(folder / "02-form.h5")  # also the cells that the step leaves


@pytest.mark.thorough
def test_on_real_instruments_a_step_knows_what_those_of_an_earlier_day_have_formed(tmp_path: Path) -> None:
    with served_bench(tmp_path) as (bench, _):
        steps = (("form", f"{SOME}, step = 0.2"), ("read", 'rows = "7", columns = "7"'))
        folder = small_plan(tmp_path / "k", *steps, bench=bench, preset="")
        Characterisation(folder).carry_out()
        assert formed_in(folder / "02-read.h5") == FOUR
        (folder / "02-read.h5").unlink()
        ends = Characterisation(folder).carry_out()
    assert [end.end for end in ends] == ["kept", "finished"]
    assert formed_in(folder / "02-read.h5") == FOUR


def run_formed(run: RunFile) -> list[list[int]]:
    """The cells that were formed when a run ended."""
    (cells,) = formed_cells_of(run)
    formed: list[list[int]] = np.argwhere(cells.mask).tolist()
    return formed


def formed_in(path: Path) -> list[list[int]]:
    with RunFile(path) as run:
        return run_formed(run)


@pytest.mark.thorough
def test_on_real_instruments_a_step_that_fails_has_formed_what_it_formed(tmp_path: Path, monkeypatch) -> None:
    plain = Form.execute

    def failing(form: Form, *rest: Any) -> Any:
        plain(form, *rest)
        raise InputError("no more")

    monkeypatch.setattr(Form, "execute", failing)
    with served_bench(tmp_path) as (bench, _):
        steps = (("form", f"{SOME}, step = 0.2"), ("read", 'rows = "7", columns = "7"'))
        folder = small_plan(tmp_path / "k", *steps, bench=bench, preset="")
        ends = Characterisation(folder).carry_out()
    assert [end.end for end in ends] == ["failed", "finished"]
    assert formed_in(folder / "02-read.h5") == FOUR


def test_a_characterisation_is_of_one_bench(tmp_path: Path) -> None:
    folder = small_plan(tmp_path / "k", *SHORT)
    with (folder / "plan.toml").open("a", encoding="utf-8") as file:
        file.write('[[sweep]]\nbench = ["simulated", "arrays"]\n')
    with pytest.raises(InputError, match="one chip on one bench"):
        Characterisation(folder)


@pytest.mark.thorough
def test_bench_time_is_told_before_and_rehearsed_on_twins(tmp_path: Path) -> None:
    folder = small_plan(tmp_path / "k", *SHORT, ("retention", f"{CELLS}, last = 100.0"))
    told = expected_steps(Characterisation(folder))
    assert [step.reason for step in told] == [""] * 4
    assert told[3].seconds == pytest.approx(100.0, rel=0.1)
    found = rehearsed(folder)
    assert [end.end for end, _ in found.steps] == ["finished"] * 4
    assert found.steps[3][1] == pytest.approx(100.0, rel=0.01)
    assert found.seconds > 100.0
    assert not list(folder.glob("*.h5"))
