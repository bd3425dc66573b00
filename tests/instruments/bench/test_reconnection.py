"""A lost connection is opened anew: that one only, the same instrument, outputs off, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyvisa import VisaIOError
from pyvisa.constants import StatusCode

from mho.errors import BenchError, ConnectionRestored, InstrumentError, MhoError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench.reconnection import Connection, Reconnecting, connection_lost
from mho.instruments.bench_file.entries import Reconnect
from mho.instruments.simulated.faults import Fault

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
ROLES = ["smu", "gate", "pulser", "board"]
CELL = Cell("multiply", 3, 7)
FORM = Pulse("set", 4.0, 1e-6, 1.6)
WAIT, TRIES = 0.5, 3


def write_bench(folder: Path, text: str = TEXT, tries: int = TRIES) -> str:
    path = folder / "bench.toml"
    for role in [*ROLES, "daq"]:
        header = f"[instruments.{role}]\n"
        text = text.replace(header, f"{header}reconnect = {{ tries = {tries}, wait = {WAIT} }}\n")
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(write_bench(tmp_path), preset="ideal", seed=1) as opened:
        yield opened
        opened.laboratory.faults.clear()


def address(bench: Bench, role: str) -> str:
    return str(getattr(bench.file.instruments, role).address)


def twin(bench: Bench, role: str):
    return bench.laboratory.devices[address(bench, role)]


def lose(bench: Bench, role: str, opens: int | None = 1, kind: str = "disconnect", **which) -> Fault:
    fault = Fault(address(bench, role), kind, opens=opens, **which)
    bench.laboratory.faults.append(fault)
    return fault


def is_off(bench: Bench, role: str) -> bool:
    device = twin(bench, role)
    if role == "pulser":
        return not any(device.output_on.values())
    return (device.mode, device.path) == ("SAFE", "OPEN") if role == "board" else not device.output_on


# --- by default ---


def test_without_the_key_a_lost_connection_stays_lost_and_drivers_are_bare():
    bench = open_bench(seed=1)
    assert not any(isinstance(i, Reconnecting) for i in bench.instruments.by_name().values())
    fault = lose(bench, "smu", opens=1)
    with pytest.raises(InstrumentError, match="CONN_LOST"):
        bench.instruments.smu.identify()
    with pytest.raises(BenchError, match="NOT CONFIRMED SAFE: smu"):
        bench.safe()
    assert fault.opened == 0
    bench.close()


@pytest.mark.parametrize("value", ["{ tries = 0 }", "{ wait = 1.0 }", "{ tries = 3, wait = -1 }", "3"])
def test_a_wrong_key_is_named(tmp_path, value):
    path = tmp_path / "bench.toml"
    path.write_text(TEXT.replace("[instruments.smu]\n", f"[instruments.smu]\nreconnect = {value}\n"), "utf-8")
    with pytest.raises(BenchError, match=r"instruments\.smu\.reconnect"):
        open_bench(str(path))


# --- what only asks ---


@pytest.mark.parametrize("kind", daily(["disconnect", "cut"], ["cut"]))
@pytest.mark.parametrize("role", ROLES)
def test_a_question_is_repeated_when_nothing_was_driven(bench, role, kind):
    instrument = getattr(bench.instruments, role)
    expected = instrument.identify(), instrument.settings()
    fault = lose(bench, role, opens=2, kind=kind)
    start = bench.now()
    assert instrument.identify() == expected[0]
    assert fault.opened == 2
    assert bench.now() - start == pytest.approx(2 * WAIT, abs=0.1)
    assert instrument.settings() == expected[1]


def test_only_the_resource_that_was_lost_is_opened(bench):
    others = {
        role: getattr(bench.instruments, role).adapter.connection.session for role in ROLES if role != "gate"
    }
    before = bench.instruments.gate.adapter.connection.session
    lose(bench, "gate")
    bench.instruments.gate.identify()
    assert bench.instruments.gate.adapter.connection.session != before
    assert others == {
        role: getattr(bench.instruments, role).adapter.connection.session for role in ROLES if role != "gate"
    }


def test_a_property_is_asked_again(bench):
    lose(bench, "board")
    assert bench.instruments.board.input_conductance == pytest.approx(35e-6)


def test_a_board_whose_watchdog_was_disarmed_is_at_rest(bench):
    """As on the way out of every run, before its settings are kept."""
    bench.read(CELL)
    bench.safe()
    bench.instruments.board.arm_watchdog(0.0)
    lose(bench, "board", match=b":MODE?")
    assert bench.instruments.board.settings()["mode"] == "SAFE"


# --- what acts ---


@pytest.mark.parametrize("role", ["smu", "gate"])
def test_an_interrupted_command_is_raised_and_not_repeated(bench, role):
    bench.prepare()
    bench.instruments.gate.hold(2.0)
    meter = getattr(bench.instruments, role)
    lose(bench, role, match=b":SOUR:VOLT 1.5")
    with pytest.raises(InstrumentError, match=r"lost during 'hold' and is back; the outputs are off"):
        meter.hold(1.5)
    assert is_off(bench, role)
    assert twin(bench, role).level == 0.0


def test_a_question_while_something_is_driven_is_raised_too(bench):
    bench.prepare()
    lose(bench, "gate")
    with pytest.raises(InstrumentError, match="lost during 'settings' and is back"):
        bench.instruments.gate.settings()
    assert is_off(bench, "gate")
    bench.instruments.gate.identify()


@pytest.mark.parametrize("role", ["smu", "gate"])
def test_settings_are_restored_after_the_power_was_gone(bench, role):
    bench.prepare()
    device = twin(bench, role)

    class PowerCut(Fault):
        def heals(self) -> bool:
            device.write(b"*RST\n")
            return True

    def state() -> tuple[float, float, bool]:
        return device.limit, device.meter.nplcs["CURR"], device.meter.auto["CURR"]

    wanted = state()
    bench.laboratory.faults.append(PowerCut(address(bench, role), "disconnect"))
    with pytest.raises(InstrumentError, match="is back"):
        getattr(bench.instruments, role).hold(0.3)
    assert state() == wanted == (1e-4, 0.01, False)
    assert not device.output_on


def test_the_outputs_go_off_before_anything_else_is_sent(bench):
    bench.prepare()
    bench.instruments.gate.hold(2.0)
    device, sent = twin(bench, "gate"), []
    write = device.write
    device.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    lose(bench, "gate")
    with pytest.raises(InstrumentError):
        bench.instruments.gate.hold(1.0)
    off = next(i for i, message in enumerate(sent) if b":OUTP OFF" in message)
    parts = {part.strip() for message in sent[:off] for part in message.split(b";")}
    assert {part for part in parts if not part.endswith(b"?")} == {b"*CLS", b":ABOR", b":SOUR:VOLT 0"}
    assert any(b":ILIM" in message for message in sent[off:])
    assert not any(b":OUTP ON" in message for message in sent)


@pytest.mark.parametrize("role", [*ROLES])
def test_the_bench_takes_nothing_for_granted_afterwards(bench, role):
    """The word line is off after a loss: a read must not trust that it is still on."""
    bench.pulse(CELL, FORM)
    before = bench.read(CELL)
    lose(bench, role)
    with pytest.raises(InstrumentError, match="is back"):
        {
            "smu": lambda: bench.instruments.smu.read(0.2), "gate": lambda: bench.instruments.gate.hold(1.0),
            "pulser": lambda: bench.instruments.pulser.fire(1), "board": lambda: bench.instruments.board.route("OPEN"),
        }[role]()  # fmt: skip
    assert bench.read(CELL) == pytest.approx(before, rel=0.05)
    bench.pulse(CELL, FORM)
    assert [i for i in bench.laboratory.incidents if i.kind in ("hot switch", "floating gate")] == []


@pytest.mark.parametrize("while_playing", [False, True])
@pytest.mark.parametrize("device", daily(["PXI1Slot2", "Dev1"], ["Dev1"]))
def test_a_daq_that_is_plugged_in_again_goes_on(bench, device, while_playing):
    lab, volts, tries = bench.laboratory, np.array([[0.1, 0.1]]), []

    def waiting(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 2:
            lab.daq.plug(device)

    for column in (0, 1):
        bench.pulse(Cell("multiply", 0, column), FORM)
    bench.connect_multiply("multiply", [0, 1], [0, 1])
    expected = bench.multiply(volts)
    vectors = lab.vectors.answer
    if while_playing:
        lab.vectors.answer = lambda *arguments: (lab.daq.unplug(device), vectors(*arguments))[1]
    else:
        lab.daq.unplug(device)
    bench.instruments.daq.connection._sleep = waiting
    if while_playing:  # again and again: once is enough
        with pytest.raises(ConnectionRestored, match="lost during 'exchange' and is back"):
            bench.instruments.daq.exchange(volts)
        lab.vectors.answer = vectors
        bench.connect_multiply("multiply", [0, 1], [0, 1])
    else:
        bench.multiply(volts)
    assert tries == [WAIT, WAIT]
    assert np.abs(lab.daq.levels("PXI1Slot2/ao0:31")).max() < 5e-3
    np.testing.assert_allclose(bench.multiply(volts), expected, rtol=0.1)
    assert expected.min() > 1e-6


# --- what the bench does once more ---


@pytest.mark.parametrize("kind", daily(["disconnect", "cut"], ["cut"]))
@pytest.mark.parametrize("message", [b":READ?", b":ROUT:PATH READ", b":SOUR:VOLT 2.5"])
def test_a_read_is_taken_again_with_everything_set_up_anew(bench, message, kind, caplog):
    bench.pulse(CELL, FORM)
    expected = bench.read(CELL)
    bench.rest()
    fault = Fault("", kind, match=message, opens=2)
    bench.laboratory.faults.append(fault)
    assert bench.read(CELL) == pytest.approx(expected, rel=0.05)
    assert fault.opened == 2
    assert "done once more" in caplog.text
    assert bench.laboratory.incidents == []


def test_a_pulse_that_may_have_come_is_not_fired_again(bench):
    bench.pulse(CELL, FORM)
    for message, delivered in ((b":TRIG1", 1), (b":ROUT:PATH SET", 1)):
        bench.rest()
        before = bench.laboratory.monitor.pulses
        lose(bench, "pulser" if message == b":TRIG1" else "board", kind="cut", match=message)
        if message == b":TRIG1":
            with pytest.raises(ConnectionRestored, match="lost during 'fire' and is back"):
                bench.pulse(CELL, FORM)
        else:  # nothing was fired yet
            bench.pulse(CELL, FORM)
        assert bench.laboratory.monitor.pulses == before + delivered
        assert bench.read(CELL) > 1e-6


def test_a_loss_on_the_way_to_a_pause_ends_safe_and_the_run_goes_on(bench):
    bench.read(CELL)
    fault = lose(bench, "gate", match=b":SOUR:VOLT 0")
    bench.rest()
    assert fault.opened == 1
    assert all(is_off(bench, role) for role in ROLES)
    bench.read(CELL)


def test_once_more_is_once(bench):
    bench.read(CELL)
    fault = lose(bench, "smu", match=b":READ?", times=5)
    with pytest.raises(ConnectionRestored):
        bench.read(CELL)
    assert fault.opened == 2


# --- what does not come back ---


@pytest.mark.parametrize("role", ROLES)
def test_tries_are_bounded_and_the_failure_is_loud(bench, role):
    fault = lose(bench, role, opens=None)
    with pytest.raises(InstrumentError, match=r"not restored in 3 tries: .* switch its outputs off by hand"):
        getattr(bench.instruments, role).identify()
    assert fault.opened == TRIES
    with pytest.raises(BenchError, match=f"NOT CONFIRMED SAFE: {role}"):
        bench.safe()
    others = [other for other in ROLES if other != role]
    assert all(is_off(bench, other) for other in others)


def test_another_instrument_in_its_place_is_not_touched(bench):
    bench.prepare()
    device = twin(bench, "gate")
    device.identity = device.identity.replace("{serial}", "IMPOSTOR")
    sent = []
    write = device.write
    lose(bench, "gate", opens=1)
    device.write = lambda data, end=True: (sent.append(data), write(data, end))[1]
    with pytest.raises(InstrumentError, match=r"'.*IMPOSTOR.*' answered where '.*SIM00002.*' was lost"):
        bench.instruments.gate.hold(1.0)
    assert all(b"?" in message for message in sent)
    device.identity = device.identity.replace("IMPOSTOR", "{serial}")


def test_make_safe_comes_over_a_new_connection(bench):
    bench.read(CELL)
    assert not is_off(bench, "gate")
    for role in ROLES:
        lose(bench, role, opens=2)
    bench.safe()
    assert all(is_off(bench, role) for role in ROLES)


def fails(work: Callable[[], object], why: str) -> bool:
    """Whether it raises; if so, for that reason."""
    try:
        work()
    except MhoError as error:
        if why not in str(error):
            raise
        return True
    return False


@pytest.mark.thorough
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(role=st.sampled_from(ROLES), kind=st.sampled_from(["disconnect", "cut"]), index=st.integers(0, 45))
def test_a_loss_at_any_message_ends_off_and_the_bench_works_again(tmp_path, role, kind, index):
    with open_bench(write_bench(tmp_path), preset="ideal", seed=1) as bench:
        fault = lose(bench, role, kind=kind, after=index)

        def work() -> float:
            bench.pulse(CELL, FORM)
            first = bench.read(CELL)
            bench.pulse(Cell("multiply", 3, 8), FORM)
            bench.read(Cell("multiply", 3, 8))
            return first

        if fails(work, "is back"):
            assert is_off(bench, role)
            assert fault.opened == 1
        bench.laboratory.faults.clear()
        assert work() > 1e-6
        assert [i for i in bench.laboratory.incidents if i.kind in ("hot switch", "floating gate")] == []
    assert all(is_off(bench, other) for other in ROLES)


# --- one instrument with two roles ---


def test_two_channels_of_one_instrument_come_back_together(tmp_path):
    text = TEXT
    for serial, channel in (("SIM00001", 1), ("SIM00002", 2)):
        text = text.replace(
            f'driver = "keithley2450"\naddress = "USB0::0x05E6::0x2450::{serial}::INSTR"\n',
            f'driver = "keysightb2912a"\naddress = "USB0::0x0957::0x8E18::SIM00001::INSTR"\nchannel = {channel}\n',
        )
    with open_bench(write_bench(tmp_path, text), preset="ideal", seed=1) as bench:
        bench.read(CELL)
        fault = lose(bench, "smu")
        with pytest.raises(ConnectionRestored, match="is back"):
            bench.instruments.smu.read(0.2)
        assert fault.opened == 1
        assert not any(twin(bench, "smu").output_on.values())
        bench.read(CELL)
    uneven = tmp_path / "uneven.toml"
    uneven.write_text(text.replace("channel = 2\n", "channel = 2\nreconnect = { tries = 1 }\n"), "utf-8")
    with pytest.raises(BenchError, match="give both the same `reconnect`"):
        open_bench(str(uneven))


# --- what counts as lost ---


def chained(cause: BaseException) -> InstrumentError:
    error = InstrumentError("wrapped")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "lost"),
    [
        (VisaIOError(StatusCode.error_connection_lost), True),
        (VisaIOError(StatusCode.error_io), True),
        (ConnectionResetError(), True),
        (VisaIOError(StatusCode.error_timeout), False),
        (ValueError("not a number"), False),
    ],
)
def test_a_time_out_is_no_loss(cause, lost):
    assert connection_lost(chained(cause)) is lost
    assert not connection_lost(InstrumentError("refused"))


def test_an_instrument_that_cannot_be_asked_who_it_is_is_closed_again():
    class Mute:
        closed = False

        def identify(self) -> str:
            raise InstrumentError("no answer")

        def close(self) -> None:
            self.closed = True

    mute = Mute()
    build: Callable[[], Mute] = lambda: mute  # noqa: E731
    with pytest.raises(InstrumentError, match="no answer"):
        Connection(build, Reconnect(tries=1), lambda seconds: None)
    assert mute.closed
