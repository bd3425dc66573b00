"""`mho bench check`: each instrument by itself, a table of what is wrong, and no output changed but for the contact."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.checks import BenchReport, CheckFinding, ContactCheck, check_bench, classify_contact
from mho.instruments.laboratory.accidents import BadCell, OpenInterlock, StuckSwitch
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.roles import Reading
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack

pytestmark = pytest.mark.usefixtures("own_locks")

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
ENTRIES = load_bench_file("simulated").bench.instruments
CELL = ("multiply", 3, 4)
CHECK = '\n[check]\nresistor = 100e3\ncell = ["multiply", 3, 4]\n'
SOURCES = ("smu", "gate", "pulser")


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """Twins that a bench file of real instruments finds behind ``check@mho``."""
    laboratory = Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)
    register_rack("check", laboratory)
    with laboratory.daq_session():
        yield laboratory
    unregister_rack("check")


def real(folder: Path, *changes: tuple[str, str], check: str = CHECK) -> str:
    start, end = TEXT.index("\n[simulation]"), TEXT.index("[instruments.smu]")
    text = f'visa = "check@mho"\n{TEXT[:start]}\n{TEXT[end:]}'
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "real.toml"
    path.write_text(text + check, encoding="utf-8")
    return str(path)


def found(report: BenchReport, subject: str, what: str) -> CheckFinding:
    (finding,) = [f for f in report.findings if (f.subject, f.what) == (subject, what)]
    return finding


def verdicts(report: BenchReport, verdict: str) -> set[tuple[str, str]]:
    return {(f.subject, f.what) for f in report.findings if f.verdict == verdict}


def outputs(lab: Laboratory) -> list[object]:
    twins = [lab.devices[getattr(ENTRIES, role).address] for role in SOURCES]
    levels = lab.daq.levels(ENTRIES.daq.outputs).tolist()
    return [repr(twin.output_on) for twin in twins] + [twins[0].level, twins[1].level, levels]


def overhear(lab: Laboratory) -> list[tuple[str, bool]]:
    """Note what every terminal is driven to."""
    seen: list[tuple[str, bool]] = []
    drive = lab.lines.drive

    def noting(terminal: str, volts: float, connected: bool) -> None:
        seen.append((terminal, volts))
        drive(terminal, volts, connected)

    lab.lines.drive = noting
    return seen


def test_a_good_bench_with_its_resistor_is_all_well(lab, tmp_path):
    BadCell(1 / 100e3, CELL)(lab)
    before = outputs(lab)
    driven = overhear(lab)
    report = check_bench(real(tmp_path))
    assert report.ok
    assert verdicts(report, "note") == set()
    assert "SIM00001, firmware 1.7.12b" in found(report, "smu", "identity").detail
    assert found(report, "bench", "contact").detail.startswith("ok: ")
    assert outputs(lab) == before
    assert max(abs(volts) for terminal, volts in driven if terminal == "bit line") <= 0.101
    assert lab.incidents == []
    assert lab.monitor.terminals["bit line"].current <= 1.1e-6
    assert lab.monitor.terminals["bit line"].pulses == lab.monitor.terminals["source line"].pulses == 0


@pytest.fixture
def heated(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the bench file of a real bench with a chuck, and the twin behind it."""
    source = load_bench_file("heated")
    laboratory = Laboratory(source, preset="ideal", seed=1)
    start, end = source.text.index("\n[simulation]"), source.text.index("[instruments.smu]")
    path = tmp_path / "real.toml"
    path.write_text(f'visa = "warm@mho"\n{source.text[:start]}\n{source.text[end:]}', encoding="utf-8")
    register_rack("warm", laboratory)
    with laboratory.daq_session():
        yield str(path), laboratory.devices[source.bench.instruments.chuck.address]
    unregister_rack("warm")


def test_a_chuck_tells_its_temperature_and_that_its_heater_is_off(heated):
    name, twin = heated
    before = {number: vars(loop).copy() for number, loop in twin.loops.items()}
    report = check_bench(name)
    assert report.ok
    assert found(report, "chuck", "identity").detail.startswith("LSCI MODEL336")
    assert found(report, "chuck", "output").live is False
    assert found(report, "chuck", "mode").detail.startswith("298.1")
    assert {number: vars(loop) for number, loop in twin.loops.items()} == before


@pytest.mark.parametrize(
    ("message", "what", "detail"),
    [
        (b"SETP 1,320;RANGE 1,3", "output", "on"),
        (b"INTYPE A,3,1,0,1,2", "mode", "other units than kelvin"),
        (b"OUTMODE 1,3,1,0", "mode", "not in closed loop"),
    ],
)
def test_a_chuck_that_is_on_or_set_up_otherwise_is_wrong(heated, message, what, detail):
    name, twin = heated
    twin.write(message)
    report = check_bench(name)
    assert verdicts(report, "wrong") == {("chuck", what)}
    assert detail in found(report, "chuck", what).detail


def test_a_chuck_with_a_broken_sensor_is_wrong(heated):
    name, twin = heated
    twin.break_sensor(65)
    assert "gives no valid reading" in found(check_bench(name), "chuck", "mode").detail


def test_without_a_resistor_no_output_is_touched(lab, tmp_path):
    driven = overhear(lab)
    report = check_bench(real(tmp_path, check=""))
    assert report.ok
    assert verdicts(report, "note") == {("bench", "contact")}
    assert driven == [] or all(volts == 0.0 for _, volts in driven)
    assert found(report, "board", "switches").verdict == "ok"
    assert (lab.board.mode, lab.board.path) == ("SAFE", "OPEN")


@pytest.mark.parametrize("role", ["smu", "gate", "pulser", "board"])
def test_one_that_does_not_answer_keeps_no_other_from_being_checked(lab, tmp_path, role):
    address = getattr(ENTRIES, role).address
    lab.faults.append(Fault(address, "disconnect", times=10**6))
    report = check_bench(real(tmp_path))
    assert not report.ok
    finding = found(report, role, "connection")
    assert finding.verdict == "wrong"
    assert address in finding.detail
    assert "check the cable" in finding.advice
    if role in SOURCES:
        assert found(report, "board", "switches").advice == "mend the connection, then check again"
    others = {"smu", "gate", "pulser", "daq", "board"} - {role}
    assert all(found(report, other, "identity").verdict == "ok" for other in others)
    assert (lab.board.mode, lab.board.path) == ("SAFE", "OPEN")


def test_a_daq_that_is_missing_is_one_line(lab, tmp_path):
    lab.daq.unplug("Dev1")
    report = check_bench(real(tmp_path))
    assert "daq" in {subject for subject, _ in verdicts(report, "wrong")}
    assert found(report, "smu", "identity").verdict == "ok"


def test_another_model_is_named(lab, tmp_path):
    lab.devices[ENTRIES.gate.address].identity = "ACME,MODEL 9000,1,1.0"
    report = check_bench(real(tmp_path))
    finding = found(report, "gate", "connection")
    assert "'ACME,MODEL 9000,1,1.0' answered" in finding.detail
    assert finding.advice == "check the address"


def test_errors_in_a_queue_are_told_and_taken_out(lab, tmp_path):
    lab.devices[ENTRIES.pulser.address].write(b"FOO\n")
    first, second = (check_bench(real(tmp_path)) for _ in range(2))
    assert found(first, "pulser", "errors").verdict == "note"
    assert "-113" in found(first, "pulser", "errors").detail
    assert found(second, "pulser", "errors").verdict == "ok"


def test_an_open_interlock_is_wrong_only_where_it_matters(lab, tmp_path):
    OpenInterlock(ENTRIES.smu.address)(lab)
    assert found(check_bench(real(tmp_path)), "smu", "interlock").verdict == "note"
    higher = real(tmp_path, ("voltage = 4.6", "voltage = 60"))
    assert found(check_bench(higher), "smu", "interlock").verdict == "wrong"


def test_limits_are_compared_with_the_instruments(lab, tmp_path):
    report = check_bench(
        real(tmp_path, ("voltage = 4.6", "voltage = 60"), ("voltage = 1.0 ", "voltage = 30"))
    )
    assert verdicts(report, "note") >= {("pulser", "limits"), ("daq", "limits")}
    assert found(report, "pulser", "limits").detail == (
        "bit line: limit of 60 V, the instrument gives 10 V; bit line: above 5 V edges of 1e-08 s exceed the slew limit "
        "of 4e+08 V/s"
    )
    assert found(report, "smu", "limits").verdict == "ok"


def test_reading_beyond_the_limits_is_wrong(lab, tmp_path):
    report = check_bench(real(tmp_path, ("gate = 2.5", "gate = 4.5")))
    assert found(report, "bench", "reading").verdict == "wrong"
    assert "4.5 V exceeds the limit of 4 V" in found(report, "bench", "reading").detail


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("smu", b":SOUR:VOLT 0.3;:OUTP ON\n"),
        ("gate", b":SOUR:VOLT 1.0;:OUTP ON\n"),
        ("pulser", b":OUTP2 ON\n"),
        ("board", b":MODE MULT\n"),
    ],
)
def test_what_somebody_left_on_stays_so_and_no_switch_moves(lab, tmp_path, role, message):
    lab.devices[getattr(ENTRIES, role).address].write(message)
    before, mode = outputs(lab), lab.board.mode
    report = check_bench(real(tmp_path))
    assert (outputs(lab), lab.board.mode) == (before, mode)
    assert lab.incidents == []
    assert found(report, role, "mode" if role == "board" else "output").verdict == "wrong"
    assert "mho bench safe" in found(report, role, "mode" if role == "board" else "output").advice
    for what in (("board", "switches"), ("bench", "contact")):
        assert found(report, *what).detail.startswith("not tried: ")
        assert found(report, *what).advice == "`mho bench safe`, then check again"


@pytest.mark.parametrize("setting", ["path", "mode"])
def test_a_stuck_switch_is_found(lab, tmp_path, setting):
    StuckSwitch(setting)(lab)
    report = check_bench(real(tmp_path))
    assert found(report, "board", "switches").verdict == "wrong"
    assert (
        "a switch may be stuck"
        in found(report, "board", "switches").detail + found(report, "board", "switches").advice
    )


@pytest.mark.parametrize(
    ("conductance", "contact"),
    daily(
        [(0.0, "open"), (1 / 180e3, "off"), (1 / 105e3, "off"), (1 / 3e3, "short"), (10e-3, "short")],
        [(0.0, "open"), (1 / 105e3, "off"), (1 / 3e3, "short")],
    ),
)
def test_a_bad_contact_is_told_apart_and_ends_safe(lab, tmp_path, conductance, contact):
    BadCell(conductance, CELL)(lab)
    before = outputs(lab)
    finding = found(check_bench(real(tmp_path)), "bench", "contact")
    assert finding.verdict == "wrong"
    assert finding.detail.startswith(f"{contact}: ")
    assert finding.advice
    assert outputs(lab) == before
    assert lab.monitor.terminals["bit line"].current <= 10.6e-6


@pytest.mark.parametrize("role", daily(["smu", "gate", "board"], 1))
def test_a_check_that_fails_midway_ends_safe(lab, tmp_path, role):
    address = getattr(ENTRIES, role).address
    before = outputs(lab)
    struck = 0
    for index in range(0, 60, 3):
        fault = Fault(address, "refusal", after=index)
        lab.faults[:] = [fault]
        check_bench(real(tmp_path))
        struck += fault.seen > index
        assert outputs(lab) == before
        assert (lab.board.mode, lab.board.path) == ("SAFE", "OPEN")
    assert struck >= 4
    assert lab.incidents == []


def test_a_signal_waits_until_the_contact_check_is_over(lab, tmp_path):
    BadCell(1 / 100e3, CELL)(lab)
    before, seen = outputs(lab), []
    accident = Fault(
        ENTRIES.smu.address,
        "accident",
        match=b":READ?",
        accident=lambda rack: signal.raise_signal(signal.SIGTERM),
    )
    lab.faults.append(accident)
    previous = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(outputs(lab)))
    try:
        report = check_bench(real(tmp_path))
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert accident.seen == 2
    assert seen == [before]
    assert report.ok


def test_the_simulated_bench_carries_its_resistor(tmp_path):
    path = tmp_path / "simulated.toml"
    path.write_text(TEXT + CHECK, encoding="utf-8")
    report = check_bench(str(path), seed=1)
    assert report.ok
    assert found(report, "bench", "contact").verdict == "ok"
    assert check_bench().ok


def test_a_bench_in_use_is_refused(lab, tmp_path):
    from mho.instruments.opening.opening import open_bench

    with open_bench(real(tmp_path)), pytest.raises(BenchError, match="in use"):
        check_bench(real(tmp_path))
    assert check_bench(real(tmp_path, check="")).ok  # and no lock is left behind


@pytest.mark.parametrize(
    "line", ["resistor = 1e3", "resistor = 100e3\ntolerance = 2", "resistor = 100e3\ncell = [1]"]
)
def test_a_check_that_would_hurt_or_makes_no_sense_is_refused(tmp_path, line):
    path = tmp_path / "bench.toml"
    path.write_text(f"{TEXT}\n[check]\n{line}\n", encoding="utf-8")
    with pytest.raises(BenchError, match="check"):
        check_bench(str(path))


# --- the judgement ---


def readings(conductance: float, offset: float = 0.0) -> list[Reading]:
    return [Reading(volts, volts * conductance + offset, False) for volts in (0.05, 0.1)]


@given(st.floats(20e3, 100e6), st.floats(-1e-7, 1e-7), st.floats(0.02, 50))
def test_a_resistor_is_judged_by_its_slope(resistor, offset, factor):
    contact, ohms = classify_contact(readings(factor / resistor, offset), resistor, 0.1)
    assert ohms == pytest.approx(resistor / factor, rel=1e-3)
    expected = (
        ContactCheck.SHORT if factor > 10.001
        else ContactCheck.OPEN if factor < 0.0999
        else ContactCheck.OK if abs(1 / factor - 1) < 0.0999
        else ContactCheck.OFF
    )  # fmt: skip
    if min(abs(factor - 10), abs(factor - 0.1), abs(abs(1 / factor - 1) - 0.1)) > 2e-3:
        assert contact is expected


def test_a_trip_or_an_overflow_is_a_short_and_no_current_an_open():
    tripped = [Reading(0.05, 1e-6, False), Reading(0.01, 1e-5, True)]
    assert classify_contact(tripped, 1e5, 0.1) == (ContactCheck.SHORT, 0.0)
    assert classify_contact([Reading(0.05, math.nan, False)] * 2, 1e5, 0.1) == (ContactCheck.SHORT, 0.0)
    nothing = [Reading(0.05, 1e-12, False), Reading(0.1, -1e-12, False)]
    assert classify_contact(nothing, 1e5, 0.1) == (ContactCheck.OPEN, np.inf)
