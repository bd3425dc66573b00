"""The PXIe-6571 of the docs at a row of devices on its twin, and an analogue output of an NI device as their gate."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path

import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InputError, InstrumentError, LimitError
from mho.instruments.bench.locking import _keys
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.roles import Cell, Pulse
from mho.instruments.simulated.faults import DaqFault

BENCHES = ROOT / "docs/benches"
BENCH = str(BENCHES / "digital-pattern.toml")
DEVICES = [Cell("device", row, 0) for row in range(8)]
SET, RESET = Pulse("set", 3.8, 10e-6, 1.6), Pulse("reset", 3.0, 1e-6, 2.8)


def rehearsed(path: str = BENCH, **options):
    return open_rehearsal(load_bench_file(path), seed=1, **options)


def described(folder: Path, *changes: tuple[str, str]) -> str:
    for path in BENCHES.glob("*"):
        if path.suffix in (".py", ".toml"):
            (folder / path.name).write_bytes(path.read_bytes())
    text = Path(BENCH).read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "lab.toml").write_text(text, "utf-8")
    return str(folder / "lab.toml")


def library(bench):
    """Return what stands for the module `nidigital`."""
    return bench.laboratory.libraries["PXI1Slot4"]


def test_a_device_is_formed_reset_and_set_and_the_others_of_its_row_stay():
    with rehearsed() as bench:
        for device in DEVICES[:3]:
            assert bench.read(device) < 1e-7
            bench.pulse(device, SET)
        before = [bench.read(one) for one in DEVICES]
        assert [one > 5e-6 for one in before] == [True] * 3 + [False] * 5
        bench.pulse(DEVICES[1], RESET, 2)  # positive at the line that all have
        after = [bench.read(one) for one in DEVICES]
        assert after[1] < 0.1 * before[1]
        assert_allclose([after[0], after[2]], [before[0], before[2]], rtol=0.2)
        bench.pulse(DEVICES[1], SET)
        assert bench.read(DEVICES[1]) > 10 * after[1]
    assert bench.laboratory.incidents == []


def test_the_twin_resets_what_a_driver_leaves_at_0_v(monkeypatch):
    with rehearsed() as bench:
        for device in DEVICES[:2]:
            bench.pulse(device, SET)
        before = [bench.read(one) for one in DEVICES[:2]]
        ni = library(bench)
        monkeypatch.setattr(type(ni.pin["BL0"]), "level", level_as_if_never_off)
        bench.pulse(DEVICES[1], RESET, 2)
        assert all(bench.read(one) < 0.2 * was for one, was in zip(DEVICES[:2], before, strict=True))


def level_as_if_never_off(pin, pulsing=False):
    """Return the level of a pin that the driver could not switch off."""
    return pin.high if pin.selected_function.name == "DIGITAL" and pulsing else pin.forced


def test_wide_and_many_pulses_are_vectors_of_a_time_set(monkeypatch):
    with rehearsed() as bench:
        strikes = []
        monkeypatch.setattr(
            type(library(bench).cells), "pulse", lambda self, cell, *pulse: strikes.append((cell, *pulse))
        )
        bench.pulse(DEVICES[3], Pulse("set", 1.0, 10e-9, 1.0))
        bench.pulse(DEVICES[3], Pulse("set", 1.0, 40e-6, 1.0))
        bench.pulse(DEVICES[3], Pulse("reset", 1.0, 1e-3, 1.0), 3)
        assert [(cell[1], volts, count) for cell, volts, _, count in strikes] == [
            (3, 1.0, 1),
            (3, 1.0, 1),
            (3, -1.0, 3),
        ]
        assert_allclose([width for _, _, width, _ in strikes], [10e-9, 40e-6, 1e-3])
        strikes.clear()
        bench.pulse(DEVICES[3], Pulse("set", 1.0, 1e-6, 1.0), 70000)
        assert [count for *_, count in strikes] == [65535, 4465]


def test_every_way_out_leaves_the_pins_at_0_v_and_disconnected():
    with rehearsed() as bench:
        bench.read(DEVICES[0])
        pins = library(bench).pin
        assert {pin.level() for pin in pins.values()} == {0.0}
        assert bench.instruments.tester.output_enabled
        assert bench.laboratory.live() == ("gate",)
        library(bench).push_error(-1, "nobody is there")
        with pytest.raises(InstrumentError, match="PXI1Slot4: -1074130544: -1 nobody is there"):
            bench.pulse(DEVICES[0], SET)
        bench.pulse(DEVICES[0], SET)
    assert {pin.level() for pin in pins.values()} == {None}
    assert {pin.forced for pin in pins.values()} == {0.0}
    assert bench.laboratory.live() == ()


def test_a_pin_that_stays_connected_is_told(monkeypatch):
    with rehearsed() as bench:
        bench.read(DEVICES[0])
        driver = bench.instruments.tester
        monkeypatch.setattr(type(driver), "_set", lambda self, name, value: None)
        with pytest.raises(InstrumentError, match="still has a pin connected"):
            driver.make_safe()
        monkeypatch.undo()


def test_a_ppmu_limits_at_its_range_and_what_it_does_not_do_is_refused(tmp_path):
    narrow = described(
        tmp_path,
        ("current_limit = 128e-6", "current_limit = 2e-6"),
        ("current_range = 128e-6", "current_range = 2e-6"),
    )
    with rehearsed(narrow) as bench:
        bench.pulse(DEVICES[0], SET)
        with pytest.raises(BenchError, match="ran into the current limit of 2e-06 A"):
            bench.read(DEVICES[0])
    with rehearsed(described(tmp_path, ("current_limit = 128e-6", "current_limit = 1e-6"))) as bench:
        bench.pulse(DEVICES[0], SET)  # the range is 128 uA, and more than the limit flows: told as limited
        with pytest.raises(BenchError, match="ran into the current limit of 1e-06 A"):
            bench.read(DEVICES[0])
    for change, says in (
        (("nplc = 0.1 ", "nplc = 10 "), "is an aperture of 0.2 s, and a PPMU has"),
        (("current_range = 128e-6", "current_range = 0.05"), "a PPMU reads 0.032 A at most, not 0.05 A"),
    ):
        with rehearsed(described(tmp_path, change)) as bench, pytest.raises(LimitError, match=says):
            bench.read(DEVICES[0])
    with rehearsed(beyond=True) as bench:
        for pulse, says in (
            (Pulse("set", 1.0, 5e-9, 0.0), "a pattern here has 1e-08 to 2.6214 s"),
            (Pulse("set", 6.5, 1e-6, 0.0), "6.5 V: a pin of a PXIe-6571 has -2 V to 6 V"),
        ):
            with pytest.raises(LimitError, match=says):
                bench.check_pulse(pulse)
        with pytest.raises(LimitError, match=r"-2\.5 V: a pin"):
            bench.sweep(DEVICES[0], [-2.5])


def test_without_the_library_of_the_maker_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "nidigital", None)
    source = load_bench_file(BENCH)
    from mho.instruments.opening.opening import role_openers

    openers = role_openers(source, "", lambda: None, None)
    with pytest.raises(BenchError, match=r"DigitalPattern needs what is not there .*nidigital.*: install it"):
        openers["tester"]()


def test_the_fake_has_the_signatures_of_the_real_library():
    nidigital = pytest.importorskip("nidigital")
    spec = importlib.util.spec_from_file_location("fake_nidigital", BENCHES / "simulated_digital_pattern.py")
    fake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake)
    session = nidigital.Session
    base = session.__mro__[1]
    for own, theirs in ((fake.SimulatedSession, session), (fake.Pins, base)):
        for name, method in vars(own).items():
            if (
                name.startswith("_")
                or not inspect.isfunction(method)
                or name in ("ask", "check", "current", "period_of")
            ):
                continue
            wanted = list(inspect.signature(getattr(theirs, name)).parameters)
            assert list(inspect.signature(method).parameters) == wanted, name
    assert (
        list(inspect.signature(fake.SimulatedSession.__init__).parameters)[2:]
        == (list(inspect.signature(session.__init__).parameters)[1:])
    )
    for name in (*fake.SETTINGS, "instrument_model", "serial_number", "instrument_firmware_revision"):
        inspect.getattr_static(base, name)  # raises where there is none
    for name in ("SelectedFunction", "PPMUMeasurementType", "PPMUOutputFunction", "PPMUApertureTimeUnits",
                 "TerminationMode", "DriveFormat", "WriteStaticPinState", "SequencerRegister"):  # fmt: skip
        theirs = getattr(nidigital, name)
        assert {one.name: one.value for one in getattr(fake, name)}.items() <= {
            one.name: one.value for one in theirs
        }.items()
    assert issubclass(nidigital.errors.DriverError, nidigital.errors.Error)


# --- an analogue output as a bare voltage source ---


def test_an_output_is_the_gate_and_is_read_back():
    with rehearsed() as bench:
        bench.read(DEVICES[0])
        gate = bench.instruments.gate
        assert gate.level == pytest.approx(2.5, abs=2e-3)
        assert gate.output_enabled
        assert bench.laboratory.monitor.extremes()["word line"].highest == pytest.approx(2.5, rel=1e-3)
        assert "PXIe-6363 (PXI1Slot3" in gate.identify()
    assert bench.laboratory.live() == ()


def test_an_output_that_cannot_be_brought_to_0_v_is_told():
    with rehearsed() as bench:
        bench.read(DEVICES[0])
        twin, gate = bench.laboratory.libraries["PXI1Slot3/ao0"], bench.instruments.gate
        twin.system._interpreter._faults = [
            DaqFault("refusal", match="write_analog_f64", code=-200022, times=1)
        ]
        with pytest.raises(InstrumentError, match="bringing the outputs to 0 V"):
            gate.make_safe()
        assert bench.laboratory.live() == ("gate",)
        gate.make_safe()
        assert bench.laboratory.live() == ()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 11.0, -11.0, "high"])
def test_a_level_or_limit_that_is_none_is_refused_before_anything_moves(wrong):
    with rehearsed() as bench:
        gate = bench.instruments.gate
        gate.hold(1.0)
        with pytest.raises(LimitError):
            gate.hold(wrong)
        with pytest.raises(LimitError):
            gate.configure(current_limit=wrong)
        assert gate.level == pytest.approx(1.0, abs=2e-3)


def test_its_series_resistor_is_its_current_limit(tmp_path):
    def opened(series):
        line = 'terminal = "word line"'
        return rehearsed(described(tmp_path, (line, f"{line}\noptions = {{ series = {series} }}")))

    with opened("'1 kohm'") as bench:
        says = r"10 V through its series resistor are 0.01 A, more than the 0.001 A"
        with pytest.raises(LimitError, match=says):
            bench.read(DEVICES[0])
    for wrong in ("'wide'", "0"):
        with pytest.raises(InputError, match=r"`series` of output PXI1Slot3/ao0 is"):
            opened(wrong)


def test_its_device_is_locked_and_is_no_address_of_visa():
    entries = load_bench_file(BENCH).bench.instruments
    assert entries.daqmx_lists() == ["PXI1Slot3/ao0"]
    assert "PXI1Slot3/ao0" not in entries.addresses()
    assert "DAQ PXI1SLOT3" in _keys(entries)
