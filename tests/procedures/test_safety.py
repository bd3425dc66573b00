"""Whatever goes wrong, and whenever: outputs at 0 V and off, board SAFE, the reason in the run file, an end to the run.

One run of each procedure is listened to first; then the run is repeated with one fault at one of its messages, or
at one of its calls of NI-DAQmx.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from daily import daily, spread
from safety_runs import ADDRESSES, BENCHES, HEATED, PROCEDURES, assert_end, bench_file, chosen, heard, perform

from mho.errors import MhoError
from mho.instruments import Bench
from mho.instruments.laboratory.accidents import (
    BadCell,
    OpenInterlock,
    OutputKey,
    StuckOutput,
    StuckSwitch,
    UnpluggedDaq,
)
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.platforms import here
from mho.runs.writing import live_file

FEW = {"solve": 4}  # messages of each run; a run of the others is a part of it
SHORT, OPEN = 10e-3, 0.0  # S
BASIC = ("read", "program", "form", "iv")  # short runs, which do what the others do, too
BUS = ("timeout", "error", "refusal", "disconnect", "cut")
DAQ = ("timeout", "reset", "removal", "overrun", "underflow", "reserved")
HANG_UP = here.stopping[-1]  # the signal of a terminal that is closed


def signalling(*numbers: signal.Signals) -> Callable[[Laboratory], None]:
    def accident(lab: Laboratory) -> None:
        for number in numbers:
            signal.raise_signal(number)

    return accident


ACCIDENTS: dict[str, Callable[[Laboratory], object]] = {
    "SIGINT": signalling(signal.SIGINT),
    "SIGINT twice": signalling(signal.SIGINT, signal.SIGINT),
    "SIGTERM": signalling(signal.SIGTERM),
    HANG_UP.name: signalling(HANG_UP),
    "shorted cell": BadCell(SHORT),
    "open cell": BadCell(OPEN),
    "stuck path": StuckSwitch("path"),
    "stuck mode": StuckSwitch("mode"),
    "interlock": OpenInterlock(ADDRESSES["smu"]),
    "output key of the smu": OutputKey(ADDRESSES["smu"]),
    "output key of the gate": OutputKey(ADDRESSES["gate"]),
    "DAQ outputs unplugged": UnpluggedDaq("PXI1Slot2"),
    "DAQ inputs unplugged": UnpluggedDaq("Dev1"),
}  # fmt: skip
METHODS = [
    "smu.configure", "smu.enable", "smu.read", "smu.sweep", "smu.hold", "gate.enable", "gate.hold",
    "pulser.configure", "pulser.shape", "pulser.fire", "daq.exchange", "board.set_mode", "board.select",
    "board.route", "board.connect_multiply", "board.connect_invert",
]  # fmt: skip
# The quickest procedure that uses a method, where "program" does not.
USERS = {
    "smu.sweep": "iv",
    "smu.hold": "multiply",
    "daq.exchange": "multiply",
    "board.connect_multiply": "multiply",
    "board.connect_invert": "invert",
}
FIRST_CALLS = [(USERS.get(method, "program"), method, 1) for method in METHODS]


@pytest.fixture(autouse=True)
def _unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the files as they were written: packing them would take half of the time, after the bench is safe."""
    monkeypatch.setattr(live_file, "repack", lambda path: False)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"))


def strike_bus(name: str, bench_name: str, kind: str, few: int | None, folder: Path) -> None:
    messages, _ = heard(name, bench_name)
    for index in chosen(len(messages), few, BUS.index(kind)):
        address, message = messages[index]

        def inject(bench: Bench, index: int = index) -> None:
            bench.laboratory.faults.append(Fault("", kind, after=index, code=-113))

        after = perform(PROCEDURES[name](), bench_name, inject, folder / f"{index}")
        try:
            assert_end(after, lost=address if kind in ("disconnect", "cut") else "")
        except AssertionError as failure:
            failure.add_note(
                f"{kind} at message {index} of {len(messages)}: {message!r} to {address}; {after.error!r}"
            )
            raise


def strike_daq(name: str, bench_name: str, kind: str, few: int | None, folder: Path) -> None:
    _, calls = heard(name, bench_name)
    for index in chosen(len(calls), few, DAQ.index(kind)):
        devices, call = calls[index]

        def inject(bench: Bench, index: int = index) -> None:
            bench.laboratory.faults.append(DaqFault(kind, after=index))

        after = perform(PROCEDURES[name](), bench_name, inject, folder / f"{index}")
        try:
            assert_end(after)
            assert after.error is None or isinstance(after.error, MhoError)
        except AssertionError as failure:
            failure.add_note(f"{kind} at call {index} of {len(calls)}: {call} of {devices}; {after.error!r}")
            raise


def strike_by_accident(name: str, bench_name: str, accident: str, few: int | None, folder: Path) -> None:
    messages, _ = heard(name, bench_name)
    for index in chosen(len(messages), few, [*ACCIDENTS].index(accident)):

        def inject(bench: Bench, index: int = index) -> None:
            happening = Fault("", "accident", after=index, accident=ACCIDENTS[accident])
            bench.laboratory.faults.append(happening)

        after = perform(PROCEDURES[name](), bench_name, inject, folder / f"{index}")
        try:
            assert_end(after, stuck="board" if accident.startswith("stuck") else "")
            assert after.error is None or isinstance(after.error, MhoError | KeyboardInterrupt)
        except AssertionError as failure:
            failure.add_note(f"{accident} at message {index}: {messages[index]!r}; {after.error!r}")
            raise


@pytest.mark.parametrize(("name", "kind"), daily(product(PROCEDURES, BUS), spread(BASIC, BUS)))
def test_a_fault_on_the_bus_at_any_message(name, kind, small, tmp_path):
    strike_bus(name, small, kind, FEW.get(name, 1), tmp_path)


@pytest.mark.parametrize(
    ("name", "kind"),
    daily(product(PROCEDURES, DAQ), [("multiply", "timeout"), ("invert", "overrun")]),
)
def test_a_fault_of_the_daq_at_any_call(name, kind, small, tmp_path):
    strike_daq(name, small, kind, FEW.get(name, 1), tmp_path)


@pytest.mark.parametrize(
    ("name", "accident"), daily(product(PROCEDURES, ACCIDENTS), spread(BASIC, [*ACCIDENTS]))
)
def test_an_accident_at_any_message(name, accident, small, tmp_path):
    strike_by_accident(name, small, accident, FEW.get(name, 1), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BUS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_fault_on_the_bus_at_every_message(name, kind, small, tmp_path):
    strike_bus(name, small, kind, None, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", DAQ)
@pytest.mark.parametrize("name", PROCEDURES)
def test_a_fault_of_the_daq_at_every_call(name, kind, small, tmp_path):
    strike_daq(name, small, kind, None, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_an_accident_at_every_message(name, accident, small, tmp_path):
    strike_by_accident(name, small, accident, None, tmp_path)


@pytest.mark.parametrize(
    ("role", "message"),
    [("smu", b":OUTP OFF"), ("gate", b":OUTP OFF"), ("pulser", b"*CLS;:OUTP1 OFF"), ("pulser", b":OUTP2 OFF;:SYST"),
     ("board", b":OUTP:SAFE")],
)  # fmt: skip
@pytest.mark.parametrize("name", daily(PROCEDURES, ["form"]))
def test_an_output_whose_switching_off_was_garbled_is_switched_off_again(
    name, role, message, small, tmp_path
):
    """While the run ends: not only when the bench is left."""
    fault = Fault(ADDRESSES[role], "refusal", match=message, code=-113)
    after = perform(PROCEDURES[name](), small, lambda bench: bench.laboratory.faults.append(fault), tmp_path)
    assert fault.seen >= 2
    assert after.error is None
    assert_end(after)


@pytest.mark.parametrize(("name", "called", "call"), daily(product(PROCEDURES, METHODS, (1, 3)), FIRST_CALLS))
def test_an_exception_in_a_driver_after_it_has_acted(name, called, call, small, tmp_path):
    role, method = called.split(".")
    counted = 0

    def inject(bench: Bench) -> None:
        instrument = getattr(bench.instruments, role)
        act = getattr(instrument, method)

        def failing(*arguments: Any, **options: Any) -> Any:
            nonlocal counted
            result = act(*arguments, **options)
            counted += 1
            if counted == call:
                raise RuntimeError(f"a bug in {method}")
            return result

        setattr(instrument, method, failing)

    after = perform(PROCEDURES[name](), small, inject, tmp_path)
    assert_end(after)
    assert isinstance(after.error, RuntimeError) == (counted >= call)
    if name == USERS.get(called, "program") or (name == "solve" and method != "sweep"):
        assert counted


@pytest.mark.parametrize(
    ("device", "batch"), daily(product(["PXI1Slot2", "Dev1"], [1, 2]), [("PXI1Slot2", 2), ("Dev1", 1)])
)
def test_a_daq_that_is_unplugged_while_it_plays(device, batch, small, tmp_path):
    counted = 0

    def inject(bench: Bench) -> None:
        vectors = bench.laboratory.vectors.answer

        def unplugging(*arguments: Any) -> Any:
            nonlocal counted
            counted += 1
            if counted == batch:
                bench.laboratory.daq.unplug(device)
            return vectors(*arguments)

        bench.laboratory.vectors.answer = unplugging

    after = perform(PROCEDURES["solve"](), small, inject, tmp_path)
    assert_end(after)
    assert counted == batch
    assert "cable" in str(after.error)


def test_the_faults_do_strike(small, tmp_path):
    """What the sampled tests allow to end well (an interlock at 0.2 V, an open cell) does end badly where it must."""
    for name, accident, reason in (
        ("read", "shorted cell", "ran into the current limit"),
        ("read", "output key of the smu", "switched off by hand"),
        ("solve", "stuck path", "open the path before another is closed"),
    ):
        messages, _ = heard(name, small)
        read = next(i for i, (_, message) in enumerate(messages) if b":READ?" in message)
        striking = Fault("", "accident", after=read, accident=ACCIDENTS[accident])

        def inject(bench: Bench, fault: Fault = striking) -> None:
            bench.laboratory.faults.append(fault)

        after = perform(PROCEDURES[name](), small, inject, tmp_path / reason.split()[0])
        assert reason in str(after.error)
    assert "NOT CONFIRMED SAFE: board" in after.loud[0]  # a path that stays closed is no safe board


@pytest.mark.parametrize("role", ["smu", "gate", "pulser"])
def test_an_output_that_does_not_go_off_is_named_and_is_at_zero(role, small, tmp_path):
    """Its relay has welded: it accepts what it is told, so only reading back tells."""
    fault = Fault("", "accident", after=50, accident=StuckOutput(ADDRESSES[role]))
    after = perform(
        PROCEDURES["program"](), small, lambda bench: bench.laboratory.faults.append(fault), tmp_path
    )
    assert isinstance(after.error, MhoError)
    assert f"NOT CONFIRMED SAFE: {role} " in after.loud[0]
    assert "still has" in after.loud[0]
    assert after.unsafe == [{role}, {role}]
    assert all(abs(volts) < 5e-3 for volts in after.lab.held.values())
    assert_end(after, stuck=role)


# --- with other instruments ---


@pytest.fixture(scope="module", params=[name for name in BENCHES if name != "2450, 33522B, NI"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"), BENCHES[request.param])


OTHER_FAULTS = [*BUS, "shorted cell", "SIGTERM"]


@pytest.mark.parametrize(
    ("name", "what"), daily(product(["program", "solve"], OTHER_FAULTS), [("program", "disconnect")])
)
def test_other_instruments_end_safe_too(name, other, what, tmp_path):
    strike = strike_bus if what in BUS else strike_by_accident
    strike(name, other, what, 2, tmp_path)


@pytest.fixture(scope="module")
def heated(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bench_file(tmp_path_factory.mktemp("bench"), HEATED)


CHUCK_FAULTS = [*OTHER_FAULTS, "SIGINT", "SIGINT twice"]


@pytest.mark.parametrize("what", daily(CHUCK_FAULTS, ["disconnect"]))
def test_a_chuck_ends_with_its_heater_off(what, heated, tmp_path):
    strike = strike_bus if what in BUS else strike_by_accident
    strike("retention", heated, what, 4, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", CHUCK_FAULTS)
def test_a_chuck_ends_with_its_heater_off_after_a_fault_at_many_messages(what, heated, tmp_path):
    strike = strike_bus if what in BUS else strike_by_accident
    strike("retention", heated, what, 60, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", OTHER_FAULTS)
@pytest.mark.parametrize("name", PROCEDURES)
def test_other_instruments_end_safe_after_a_fault_at_many_messages(name, other, what, tmp_path):
    strike = strike_bus if what in BUS else strike_by_accident
    strike(name, other, what, 60, tmp_path)


def test_a_hang_up_that_is_ignored_does_not_stop_a_run(small, tmp_path):
    """`nohup` starts programs so."""
    previous = signal.signal(HANG_UP, signal.SIG_IGN)
    try:
        after = perform(
            PROCEDURES["read"](),
            small,
            lambda bench: bench.laboratory.faults.append(
                Fault("", "accident", after=50, accident=signalling(HANG_UP))
            ),
            tmp_path,
        )
        assert signal.getsignal(HANG_UP) is signal.SIG_IGN
    finally:
        signal.signal(HANG_UP, previous)
    assert after.error is None
    assert_end(after)
