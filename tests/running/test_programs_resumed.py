"""A program that was killed goes on with its cells: verified ones are read, not written, and no pulse is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cell_records import cell_record
from daily import daily

from mho import run
from mho.errors import Aborted, ChipMapError, InputError
from mho.instruments.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.laboratory.serving import Server, served_text, write_served
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.platforms import here
from mho.procedures import Program, Refresh, stream
from mho.procedures.stream import Control, Progress
from mho.running.continuing import rerun, resume
from mho.runs import RunFile, Status

DIGITS = np.random.default_rng(7).integers(0, 8, (8, 9))

CHILD = """
import random, sys, threading, time
from mho import run
from mho.platforms import here
from mho.procedures import Program, Refresh
from mho.running.continuing import resume
from mho.runs import RunFile
{body}
"""
KILLED_AT = """
from mho.procedures import stream
from mho.procedures.stream import Progress
stream.PACE = -1.0  # every cell is announced, however fast the computer
def kill(event):
    if isinstance(event, Progress) and (done := event.detail.get("pulses", 0)) >= {pulses}:
        with RunFile("1.h5") as file:
            while (file.column("pulses", "kind") > 0).sum() < done:  # until they are on the disk
                time.sleep(0.01)
                file.refresh()
        here.kill_this()
run({procedure}, {bench!r}, seed=5, output="1.h5", observers=[kill], **{conditions})
"""


def killed(folder: Path, body: str) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD.format(body=body)], cwd=folder, check=False)
    assert here.is_kill(child.returncode)


def check_whole(path: Path) -> None:
    """Every cell is verified, none was written after it was in its window, no pulse is without its reads."""
    record = cell_record(path)
    with RunFile(path) as file:
        assert record.verified == record.cells - file.summary["cells_failed"]
    assert record.needless == record.unread == 0
    with RunFile(path) as file:
        assert file.summary["pulses"] == record.pulses
        assert file.summary["reads"] == record.reads


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("digits.npy", DIGITS)


@pytest.mark.thorough
def test_a_killed_program_goes_on_with_its_chip_and_is_repeated_whole(digits, tmp_path):
    procedure = "Program(digits='digits.npy')"
    killed(tmp_path, KILLED_AT.format(pulses=90, procedure=procedure, bench="simulated", conditions={}))
    with RunFile("1.h5") as file:
        assert file.status is Status.INTERRUPTED
        before = file.table("pulses")
    result = resume("1.h5", output="2.h5")
    check_whole(result.path)
    assert result.failed == 0
    assert 0 < result.summary["taken_over"] < DIGITS.size
    with RunFile(result.path) as file:
        for name, values in file.table("pulses").items():
            np.testing.assert_array_equal(values[: len(before[name])], before[name])
        taken = before["row"] * 9 + before["column"]
        later = slice(len(before["row"]), None)
        rewritten = file.column("pulses", "row")[later] * 9 + file.column("pulses", "column")[later]
        first_visit = rewritten[file.column("pulses", "kind")[later] > 0][0]
        assert first_visit >= taken.max()  # it begins with the cell that the kill met, or the next one
        assert (np.diff(file.column("pulses", "time")) >= 0.0).all()
        assert file.provenance["after"] == file.provenance["resume_of"] == str(tmp_path / "1.h5")
    assert rerun("2.h5", output="3.h5").equal
    again = resume("2.h5", output="4.h5")  # of nothing that is left but to verify
    check_whole(again.path)
    assert again.summary["taken_over"] == DIGITS.size


@pytest.mark.parametrize("bench", daily(["simulated", "arrays"], ["arrays"]))
def test_a_program_stopped_again_and_again_is_whole_at_the_end(bench, tmp_path, monkeypatch):
    """Whatever stops it: each attempt is aborted at the pulses it has come to."""
    monkeypatch.setattr(stream, "PACE", -1.0)
    path, limits = tmp_path / "0.h5", iter((20, 75, 76))
    procedure: object = Program(digits=DIGITS)
    for number in range(4):
        control, limit = Control(), next(limits, 10**9)

        def stop(event: object, control: Control = control, limit: int = limit) -> None:
            if isinstance(event, Progress) and event.detail.get("pulses", 0) >= limit:
                control.abort("enough")

        target = tmp_path / f"{number}.h5"
        try:
            if number == 0:
                run(procedure, bench, seed=5, output=target, observers=[stop], control=control)
            else:
                resume(path, output=target, observers=[stop], control=control)
        except Aborted:
            path = target
        else:
            break
    check_whole(target)
    assert number == (3 if bench == "simulated" else 1)  # `arrays` programs the block at once


@pytest.mark.thorough
def test_a_run_that_was_killed_before_its_first_read_is_begun_anew(digits, tmp_path):
    body = """
import mho.procedures.cells.programming.programmer as programmer
programmer.Programmer._read = lambda *given: here.kill_this()
run(Program(digits='digits.npy'), seed=5, output='1.h5')
"""
    killed(tmp_path, body)
    result = resume("1.h5", output="2.h5")
    check_whole(result.path)
    assert result.summary["taken_over"] == 0


@pytest.mark.thorough
def test_a_killed_refresh_goes_on(digits, tmp_path):
    run(Program(digits="digits.npy"), preset="relaxing", seed=5, output="0.h5")
    killed(
        tmp_path,
        KILLED_AT.format(
            pulses=30, procedure="Refresh(of='0.h5', wait=86400.0)", bench="simulated",
            conditions={"after": "0.h5"},
        ),
    )  # fmt: skip
    result = resume("1.h5", output="2.h5")
    whole = run(Refresh(of="0.h5", wait=86400.0), "simulated", seed=5, after="0.h5", output="whole.h5")
    check_whole(result.path)
    np.testing.assert_array_equal(result.before, whole.before)
    assert result.summary["in_window_before"] == whole.summary["in_window_before"]
    assert result.summary["virtual_seconds"] < 90000.0  # it has not waited twice
    assert rerun("2.h5", output="3.h5").equal


@pytest.mark.thorough
def test_a_refresh_that_was_killed_before_its_first_read_waits_for_it(digits, tmp_path):
    run(Program(digits="digits.npy", passes=0), preset="relaxing", seed=5, output="0.h5")
    body = """
import mho.procedures.cells.programming.programmer as programmer
from mho.procedures import Refresh
programmer.Programmer.reread = lambda *given: here.kill_this()
run(Refresh(of='0.h5', wait=86400.0), 'simulated', seed=5, output='1.h5', after='0.h5')
"""
    killed(tmp_path, body)
    result = resume("1.h5", output="2.h5")
    whole = run(Refresh(of="0.h5", wait=86400.0), "simulated", seed=5, after="0.h5", output="whole.h5")
    np.testing.assert_array_equal(result.before, whole.before)
    assert result.summary["virtual_seconds"] > 86400.0


# --- real instruments: served twins, known by their sockets, whose chip outlives whoever programs it ---


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Laboratory]]:
    source = load_bench_file("switched")
    laboratory = Laboratory(stand_in(source), preset="pku", seed=1)
    with Server(laboratory, 0) as server:
        write_served(tmp_path / "served.toml", served_text(source, server.endpoints))
        yield str(tmp_path / "served.toml"), laboratory


def pulses_on_chip(laboratory: Laboratory) -> int:
    return int(laboratory.monitor.pulses)


@pytest.mark.thorough
def test_on_real_instruments_what_a_kill_loses_is_one_pulse_at_most(digits, served, tmp_path):
    bench, laboratory = served
    body = KILLED_AT.format(
        pulses=60, procedure="Program(digits='digits.npy', row=2, column=3)", bench=bench, conditions={}
    )
    killed(tmp_path, body)
    with RunFile("1.h5") as file:
        recorded = int((file.column("pulses", "kind") > 0).sum())
    assert 0 <= pulses_on_chip(laboratory) - recorded <= 1
    again = Program(digits="digits.npy", row=2, column=3)
    result = run(again, bench, seed=5, output="2.h5", resume_of="1.h5")
    check_whole(result.path)
    assert 0 <= pulses_on_chip(laboratory) - result.summary["pulses"] <= 1
    assert result.summary["taken_over"] > 0
    with RunFile("2.h5") as file, RunFile("1.h5") as first:
        assert (np.diff(file.column("pulses", "time")) >= 0.0).all()
        np.testing.assert_allclose(file.array("clock_zero"), first.array("clock_zero"), atol=0.1)
    with pytest.raises(InputError, match=r"it is at multiply.* and this run elsewhere; take the same"):
        run(Program(digits="digits.npy"), bench, output="3.h5", resume_of="1.h5")
    with pytest.raises(InputError, match="its digits are others; take the same"):
        run(Program(digits=7 - DIGITS, row=2, column=3), bench, output="4.h5", resume_of="1.h5")
    other = tmp_path / "other.toml"
    chip = load_bench_file("switched").chip_text
    text = Path(bench).read_text("utf-8").replace('chip = "reference"', 'chip = "chip.toml"')
    other.write_text(text, "utf-8")
    Path("chip.toml").write_text(chip.replace('name = "reference"', 'name = "another"', 1), "utf-8")
    with pytest.raises(InputError, match="was made on chip 'reference', and this bench holds chip 'another'"):
        run(again, str(other), output="5.h5", resume_of="1.h5")
    Path("chip.toml").write_text(chip.replace("0.37e-6, 5e-6", "0.4e-6, 5e-6"), "utf-8")
    with pytest.raises(ChipMapError, match="with other levels than its chip map has now"):
        run(again, str(other), output="6.h5", resume_of="1.h5")


@pytest.mark.thorough
def test_a_pulse_whose_verify_read_does_not_come_is_in_the_record(digits, tmp_path):
    control = Control()
    seen: list[int] = []

    class Stopping(Control):
        def check(self) -> None:  # before every operation of the bench
            seen.append(1)
            if len(seen) > 60 and len(pulses) > recorded():
                self.abort("between a pulse and its read")
            super().check()

    pulses: list[int] = []
    control = Stopping()

    def recorded() -> int:
        return len(rows)

    rows: list[int] = []
    from mho.instruments import open_bench

    with open_bench("simulated", seed=5) as bench:
        pulse, read = bench.pulse, bench.read
        bench.pulse = lambda *given: (pulse(*given), pulses.append(1))[0]
        bench.read = lambda *given: (read(*given), rows.append(1) if len(pulses) > len(rows) else None)[0]
        with pytest.raises(Aborted):
            run(Program(digits="digits.npy"), bench, seed=5, output="1.h5", control=control)
    with RunFile("1.h5") as file:
        kinds, reads = file.column("pulses", "kind"), file.column("pulses", "conductance")
    assert (kinds > 0).sum() == len(pulses)
    assert np.isnan(reads[-1])
    assert np.isfinite(reads[:-1]).all()
    check_whole(resume("1.h5", output="2.h5").path.resolve())
