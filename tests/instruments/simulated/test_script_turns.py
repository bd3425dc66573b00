"""A TSP script that does not end stalls nobody else, and is ended from outside: by device clear, `abort`, or closing."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import pyvisa

from mho.instruments import simulated

ENDLESS, OTHER, METER = "GPIB0::26::INSTR", "GPIB0::27::INSTR", "GPIB0::24::INSTR"
PATIENCE = 60.0  # s; a script by itself would go on for hours
LOOPS = {
    "instructions": "while true do end",
    "calls": "while true do smua.measure.i() end",
    "caught": "while true do pcall(function() local i = 0 while true do i = i + 1 end end) end",
}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[pyvisa.ResourceManager]:
    """Return a manager of two 2636B and a 2450; scripts have a budget that they cannot use up."""
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.INSTRUCTIONS", 10**13)
    monkeypatch.setattr("mho.instruments.simulated.tsp.lua.CALLS", 10**12)
    models = {ENDLESS: "keithley2636b", OTHER: "keithley2636b", METER: "keithley2450"}
    with simulated.rack(models, simulated.Resistor(1e4), exact=True) as rack:
        yield pyvisa.ResourceManager(rack.visa_library)


def opened(manager: pyvisa.ResourceManager, address: str) -> pyvisa.resources.MessageBasedResource:
    return manager.open_resource(address, read_termination="\n", write_termination="\n")


@contextmanager
def running(connection: pyvisa.resources.MessageBasedResource, script: str) -> Iterator[threading.Thread]:
    """Run a script in a thread; the block begins when it runs, and has to see to its end."""
    connection.write("print('before')")
    connection.read()
    thread = threading.Thread(target=connection.write, args=[f"print('runs') {script}"], daemon=True)
    thread.start()
    while not connection.visalib._sessions[connection.session].device._output:
        thread.join(1e-3)
        assert thread.is_alive()
    yield thread


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_others_answer_meanwhile_and_device_clear_ends_it(manager, loop):
    endless, other, meter = (opened(manager, address) for address in (ENDLESS, OTHER, METER))
    with running(endless, loop) as script:
        meter.write(":SOUR:VOLT 1;:OUTP ON")
        assert float(meter.query(":MEAS:CURR?")) == pytest.approx(1e-4)
        assert other.query("print(6 * 7)") == "4.20000e+01"
        assert script.is_alive()
        endless.clear()
        script.join(PATIENCE)
        assert not script.is_alive()
    assert endless.query("print(1 + 1)") == "2.00000e+00"  # and not what the script has printed
    assert endless.query("print(errorqueue.next())").startswith(
        "-2.86000e+02\tTSP Runtime error: the script was aborted"
    )
    assert endless.query("print(errorqueue.count)") == "0.00000e+00"


def test_abort_by_another_session_ends_it_and_does_nothing_else(manager):
    first, second = opened(manager, ENDLESS), opened(manager, ENDLESS)
    second.write("abort")
    assert second.query("x = 3 print(errorqueue.count)") == "0.00000e+00"
    with running(first, LOOPS["instructions"]) as script:
        second.write("abort")
        script.join(PATIENCE)
        assert not script.is_alive()
    assert second.read() == "runs"
    assert second.query("print(x, errorqueue.count)") == "3.00000e+00\t1.00000e+00"


def test_closing_the_last_session_ends_it_and_closing_another_does_not(manager):
    first, second = opened(manager, ENDLESS), opened(manager, ENDLESS)
    with running(first, LOOPS["instructions"]) as script:
        second.close()
        script.join(0.2)
        assert script.is_alive()
        first.close()
        script.join(PATIENCE)
        assert not script.is_alive()
    third = opened(manager, ENDLESS)
    assert third.read() == "runs"
    assert third.query("print(errorqueue.count)") == "1.00000e+00"


# Python drops an interrupt that falls into the clearing up of a weak reference and reports it: a
# user presses the keys again, and so does this test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_control_c_ends_it_whatever_the_script_catches(manager, loop):
    endless = opened(manager, ENDLESS)
    ended = threading.Event()

    def press() -> None:
        time.sleep(0.2)
        while not ended.is_set():
            _thread.interrupt_main()
            ended.wait(10.0)

    pressing = threading.Thread(target=press)

    def interrupted() -> None:
        pressing.start()
        endless.write(loop)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    ended.set()
    pressing.join()
    assert endless.query("print(1)") == "1.00000e+00"


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_a_transport_gets_the_turn_between_two_slices(manager, loop):
    endless = opened(manager, ENDLESS)
    device = endless.visalib._sessions[endless.session].device
    turns = []

    def pause() -> None:
        turns.append(1)
        if len(turns) == 20:
            device.abort()

    device.pause = pause
    endless.write(loop)
    assert len(turns) == 20
    turns.clear()
    endless.write("for i = 1, 200 do smua.measure.i() end")  # short ones give it up to nobody
    assert not turns
