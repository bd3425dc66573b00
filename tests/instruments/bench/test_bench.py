"""The bench: limits before anything is sent, the order of switching, and safety on every way out."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from daily import daily

from mho.errors import Aborted, BenchError, ConvergenceError, InstrumentError, LimitError, UnsafeError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench.locking import lock_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.opening.opening import connect_instruments
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.visa.backend import rack_names, register_rack, unregister_rack

pytestmark = pytest.mark.usefixtures("own_locks")

TEXT = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
CELL = Cell("multiply", 3, 7)
SET = Pulse("set", 3.0, 100e-9, 1.6)
FORM = Pulse("set", 4.0, 1e-6, 1.6)
RESET = Pulse("reset", 1.5, 100e-9, 2.8)
ROLES = ["smu", "pulser", "daq", "board", "gate"]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with open_bench(preset="ideal", seed=1) as opened:
        yield opened


def changed(folder: Path, *changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def real(folder: Path, visa: str = "") -> str:
    """The bench file without its [simulation]: to mho, real instruments."""
    start, end = TEXT.index("\n[simulation]"), TEXT.index("[instruments.smu]")
    path = folder / "real.toml"
    path.write_text(f'visa = "{visa}"\n{TEXT[:start]}\n{TEXT[end:]}', encoding="utf-8")
    return str(path)


def twins(bench: Bench) -> dict[str, object]:
    assert bench.laboratory is not None
    entries = bench.file.instruments
    roles = {"smu": entries.smu, "gate": entries.gate, "pulser": entries.pulser, "board": entries.board}
    return {role: bench.laboratory.devices[entry.address] for role, entry in roles.items()}


def overhear(bench: Bench) -> list[tuple[str, str]]:
    """Note every message in the order in which the instruments see them: (role, message)."""
    seen: list[tuple[str, str]] = []

    def listen(role: str, device: object) -> None:
        write = device.write

        def noting(data: bytes, end: bool = True) -> None:
            seen.append((role, data.decode("latin-1").strip()))
            write(data, end)

        device.write = noting

    for role, device in twins(bench).items():
        listen(role, device)
    exchange = bench.instruments.daq.exchange

    def playing(volts: np.ndarray) -> np.ndarray:
        seen.append(("daq", "exchange"))
        return exchange(volts)

    bench.instruments.daq.exchange = playing
    return seen


def first(seen: list[tuple[str, str]], role: str, text: str) -> int:
    return next(i for i, (who, message) in enumerate(seen) if who == role and text in message)


def snapshot(lab: Laboratory) -> dict[str, dict[str, object]]:
    """Every setting of every simulated instrument, and the DAQ's output levels."""
    settings = {
        address: {
            name: _frozen(owner.__dict__[name])
            for owner, names in zip(device._owners, device._language.owned, strict=True)
            for name in names
        }
        for address, device in lab.devices.items()
    }
    return settings | {"daq": {"levels": tuple(lab.daq.levels("PXI1Slot2/ao0:31"))}}


def _frozen(value: object) -> object:
    return dict(value) if isinstance(value, dict) else value


def assert_safe(bench: Bench) -> None:
    smu, gate, pulser, board = (twins(bench)[role] for role in ("smu", "gate", "pulser", "board"))
    for device in (smu, gate):
        device.write(b":OUTP?\n")
        assert device.read() == b"0\n"
    for channel in (1, 2):
        pulser.write(f":OUTP{channel}?\n".encode())
        assert pulser.read() == b"0\n"
    assert (board.mode, board.path) == ("SAFE", "OPEN")
    assert np.abs(bench.laboratory.daq.levels("PXI1Slot2/ao0:31")).max() < 5e-3


# --- opening ---


def test_connecting_and_closing_change_nothing_on_any_instrument():
    source = load_bench_file("simulated")
    lab = Laboratory(source, seed=0)
    entries = source.bench.instruments
    # Someone left everything on.
    for address, message in (
        (entries.smu.address, b":SOUR:VOLT 0.1;:OUTP ON\n"),
        (entries.gate.address, b":SOUR:VOLT 1.5;:SOUR:VOLT:ILIM 1e-3;:OUTP ON\n"),
        (entries.pulser.address, b":SOUR1:FUNC PULS;:OUTP1:LOAD INF;:SOUR1:VOLT:HIGH 2;:OUTP1 ON\n"),
        (entries.board.address, b':MODE PROG;:ROUT:CELL "multiply",1,1;:ROUT:PATH READ\n'),
    ):
        lab.devices[address].write(message)
    before = snapshot(lab)
    register_rack("left-on", lab)
    try:
        instruments = connect_instruments(source, "left-on@mho", lab.daq_session)
        assert snapshot(lab) == before
        for instrument in instruments.by_name().values():
            instrument.close()
        assert snapshot(lab) == before
    finally:
        unregister_rack("left-on")


def test_every_instrument_is_identified_with_its_settings(bench):
    identities = bench.identities()
    assert sorted(identities) == sorted(ROLES)
    for role, words in {
        "smu": "2450",
        "gate": "2450",
        "pulser": "33522B",
        "daq": "6738",
        "board": "BOARD",
    }.items():
        assert words in identities[role]["identity"]
        assert len(identities[role]) > 1


def test_two_simulated_benches_stand_side_by_side():
    with open_bench(seed=1) as one, open_bench(seed=1) as two:
        assert one.laboratory is not two.laboratory
        one.pulse(CELL, FORM)
        assert one.read(CELL) > 1e-6 > abs(two.read(CELL))


def test_a_closed_bench_leaves_no_rack_behind():
    before = rack_names()
    with open_bench():
        assert len(rack_names()) == len(before) + 1
    assert rack_names() == before


def test_a_wrong_instrument_at_an_address_is_named_and_everything_let_go(tmp_path):
    path = real(tmp_path, "wrong-address@mho")
    lab = Laboratory(load_bench_file("simulated"), seed=0)
    entries = load_bench_file(path).bench.instruments
    devices = dict(lab.devices)
    devices[entries.gate.address] = lab.devices[entries.pulser.address]
    before = snapshot(lab)
    register_rack("wrong-address", SimpleNamespace(clock=lab.clock, devices=devices, faults=[]))
    try:
        with pytest.raises(
            InstrumentError, match=r"expected a MODEL 2450, but '.*33522B.*' answered; check the address"
        ):
            open_bench(path)
        assert snapshot(lab) == before
        with lock_bench(load_bench_file(path)):
            pass  # the lock did not stay
    finally:
        unregister_rack("wrong-address")


def test_a_missing_instrument_is_named(tmp_path):
    path = real(tmp_path, "nobody-home@mho")
    register_rack("nobody-home", SimpleNamespace(clock=None, devices={}, faults=[]))
    try:
        with pytest.raises(InstrumentError, match="SIM00001::INSTR cannot be opened"):
            open_bench(path)
    finally:
        unregister_rack("nobody-home")


# --- limits ---


@pytest.mark.parametrize(
    ("pulse", "terminal"),
    [
        (Pulse("set", 4.7, 100e-9, 1.6), "bit line: voltage of 4.7 V"),
        (Pulse("reset", 3.4, 100e-9, 2.8), "source line: voltage of 3.4 V"),
        (Pulse("set", 3.0, 20e-6, 1.6), "bit line: pulse width of 2e-05 s"),
        (Pulse("set", 3.0, 100e-9, 4.1), "word line: voltage of 4.1 V"),
        (Pulse("set", float("nan"), 100e-9, 1.6), "bit line: voltage of nan V"),
    ],
)
def test_a_pulse_beyond_a_limit_raises_before_anything_is_sent(bench, pulse, terminal):
    seen = overhear(bench)
    with pytest.raises(LimitError, match=terminal):
        bench.pulse(CELL, pulse)
    assert seen == []


@pytest.mark.parametrize(
    ("limit", "terminal"),
    [
        (("voltage = 4.6 ", "voltage = 0.1 "), "bit line: voltage of 0.2 V"),
        (("voltage = 4.0\n", "voltage = 2.0\n"), "word line: voltage of 2.5 V"),
        (
            ("voltage = 4.0\ncurrent = 1e-3", "voltage = 4.0\ncurrent = 1e-5"),
            "word line: current of 0.0001 A",
        ),
        (("current = 1e-3 ", "current = 1e-5 "), "bit line: current of 0.0001 A"),
    ],
)
def test_a_read_beyond_a_limit_raises_before_anything_is_sent(tmp_path, limit, terminal):
    with open_bench(changed(tmp_path, limit)) as bench:
        seen = overhear(bench)
        with pytest.raises(LimitError, match=terminal):
            bench.read(CELL)
        assert seen == []


@pytest.mark.parametrize("volts", [1.1, -1.1, np.nan])
def test_vectors_beyond_the_limit_are_not_played(bench, volts):
    bench.connect_multiply("multiply", [0, 1], [0, 1])
    seen = overhear(bench)
    with pytest.raises(LimitError, match="vector: voltage of"):
        bench.multiply(np.array([[0.1, volts]]))
    assert seen == []


def test_a_pulse_is_as_steep_as_the_bench_files_edges(tmp_path):
    steep = ("slew = 400e6", "slew = 200e6")
    with open_bench(changed(tmp_path, steep)) as bench:
        seen = overhear(bench)
        with pytest.raises(LimitError, match=r"bit line: slew of 2\.4e\+08 V/s .* longer `edge`"):
            bench.pulse(CELL, SET)
        assert seen == []
    gentle = ("channels = { 1", "edge = 15e-9\nchannels = { 1")
    with open_bench(changed(tmp_path, steep, gentle)) as bench:
        bench.pulse(CELL, SET)
        assert twins(bench)["pulser"].leading[1] == twins(bench)["pulser"].trailing[1] == 15e-9
        assert bench.laboratory.monitor.extremes()["bit line"].slew == pytest.approx(1.6e8)
        assert bench.laboratory.incidents == []


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (("slew = 400e6", "slew = 1e3"), "bit line: slew of 4000 V/s"),
        (("slew = 100e3", "slew = 40e3"), "word line: slew of 50000 V/s"),
    ],
)
def test_a_read_that_is_too_steep_for_a_line_raises_before_anything_is_sent(tmp_path, limit, told):
    with open_bench(changed(tmp_path, limit)) as bench:
        seen = overhear(bench)
        with pytest.raises(LimitError, match=told):
            bench.read(CELL)
        assert seen == []


def test_vectors_that_follow_each_other_too_steeply_are_not_played(tmp_path):
    with open_bench(changed(tmp_path, ("slew = 250e3", "slew = 1e3"))) as bench:
        bench.connect_multiply("multiply", [0, 1], [0, 1])
        period = bench.instruments.daq.sample_period
        step = 1.01e3 * period
        seen = overhear(bench)
        with pytest.raises(LimitError, match="vector: slew of 1010 V/s"):
            bench.multiply(np.array([[0.0, 0.5 * step], [0.0, -0.5 * step]]))
        assert seen == []
        bench.multiply(np.array([[0.0, 0.49 * step], [0.0, -0.49 * step]]))
        assert bench.laboratory.incidents == []


def test_edges_that_the_generator_has_not_are_refused(tmp_path):
    with pytest.raises(LimitError, match="edge time 5e-09 s is beyond what the instrument can do"):
        open_bench(changed(tmp_path, ("channels = { 1", "edge = 5e-9\nchannels = { 1")))


# --- cells ---


def test_a_cell_is_formed_set_reset_and_read(bench):
    assert abs(bench.read(CELL)) < 0.1e-6
    bench.pulse(CELL, FORM)
    formed = bench.read(CELL)
    assert 20e-6 < formed < 35e-6
    bench.pulse(CELL, RESET)
    assert bench.read(CELL) < 0.8 * formed
    bench.pulse(CELL, SET)
    assert bench.read(CELL) == pytest.approx(formed, rel=0.1)
    assert abs(bench.read(Cell("multiply", 3, 8))) < 0.1e-6  # the neighbour saw nothing
    assert bench.laboratory.incidents == []
    assert bench.now() == bench.laboratory.clock.now > 0.0


@pytest.mark.parametrize(("act", "path"), [("read", "READ"), ("set", "SET"), ("reset", "RES")])
def test_the_word_line_is_on_before_the_path_closes(bench, act, path):
    seen = overhear(bench)
    if act == "read":
        bench.read(CELL)
        gate, source = 2.5, ("smu", ":READ?")
    else:
        pulse = SET if act == "set" else RESET
        bench.pulse(CELL, pulse)
        gate, source = pulse.gate, ("pulser", ";*OPC?")
    order = [
        first(seen, "gate", ":OUTP ON"),
        first(seen, "board", ":ROUT:CELL"),
        first(seen, "gate", f":SOUR:VOLT {gate:.9e}"),
        first(seen, "board", f":ROUT:PATH {path}"),
        first(seen, *source),
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("use", ["read", "multiply"])
def test_sources_that_somebody_left_on_are_at_zero_before_a_switch_moves(bench, use):
    twins(bench)["board"].write(b':MODE PROG;:ROUT:CELL "multiply",1,1;:ROUT:PATH READ\n')
    twins(bench)["smu"].write(b":SOUR:VOLT 0.5;:OUTP ON\n")
    twins(bench)["gate"].write(b":SOUR:VOLT 2;:OUTP ON\n")
    if use == "read":
        bench.read(CELL)
    else:
        bench.connect_multiply("multiply", [0], [0])
    assert bench.laboratory.incidents == []


def test_another_cell_is_addressed_with_the_path_open(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.read(Cell("multiply", 5, 5))
    # Neither source moves: the board does it all in one message, and reads back what it has done.
    (one, message), (other, _) = seen
    assert (one, other) == ("board", "smu")
    assert message == (
        ':ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:CELL "multiply",5,5;:ROUT:CELL?;:ROUT:PATH READ;:ROUT:PATH?;:SYST:ERR?'
    )


def test_where_the_word_line_changes_another_cell_is_addressed_before_it_and_connected_after_it(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.pulse(Cell("multiply", 5, 5), SET)
    assert [role for role, _ in seen] == ["board", "board", "gate", "board", "pulser", "pulser"]
    order = [
        first(seen, "board", ":ROUT:PATH OPEN;:ROUT:PATH?"),
        first(seen, "board", ':ROUT:CELL "multiply",5,5;:ROUT:CELL?'),
        first(seen, "gate", f":SOUR:VOLT {SET.gate:.9e}"),
        first(seen, "board", ":ROUT:PATH SET;:ROUT:PATH?"),
        first(seen, "pulser", ":TRIG1"),
    ]
    assert order == sorted(set(order))


def test_a_path_that_stays_closed_keeps_another_cell_from_being_read(bench):
    bench.read(CELL)
    board = twins(bench)["board"]
    board.stuck["path"] = "READ"
    seen = overhear(bench)
    with pytest.raises(InstrumentError, match=r"refused .*ROUT:CELL.*path open"):
        bench.read(Cell("multiply", 5, 5))
    assert [role for role, message in seen if role == "smu" and ":READ?" in message] == []
    assert board.cell == tuple(CELL)
    board.stuck.clear()
    bench.read(Cell("multiply", 5, 5))
    assert board.cell == ("multiply", 5, 5)


def test_a_level_that_the_generator_refuses_is_not_fired_at_the_last_one(bench):
    bench.pulse(CELL, SET)
    highest = SET.voltage + 0.1
    twins(bench)["pulser"].write(f":SOUR1:VOLT:LIM:HIGH {highest};:SOUR1:VOLT:LIM:STAT ON\n".encode())
    seen = overhear(bench)
    with pytest.raises(InstrumentError, match=r"refused .*:SOUR1:VOLT:HIGH"):
        bench.pulse(CELL, replace(SET, voltage=highest + 0.1))
    assert [message for role, message in seen if role == "pulser" and "TRIG" in message] == []


def test_a_board_that_addresses_and_connects_apart_serves_as_well(bench, monkeypatch):
    monkeypatch.delattr(type(bench.instruments.board), "connect_cell")
    bench.read(CELL)
    seen = overhear(bench)
    bench.read(Cell("multiply", 5, 5))
    assert [message.partition(";")[0] for role, message in seen if role == "board"] == [
        ":ROUT:PATH OPEN", ':ROUT:CELL "multiply",5,5', ":ROUT:PATH OPEN",
    ]  # fmt: skip


def test_reading_the_same_cell_again_moves_no_switch(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.read(CELL)
    assert [role for role, _ in seen] == ["smu"]


def test_leaving_program_mode_takes_the_source_to_zero_opens_the_path_then_lowers_the_word_line(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.connect_multiply("multiply", [0], [0])
    order = [
        first(seen, "smu", ":SOUR:VOLT 0"),
        first(seen, "board", ":ROUT:PATH OPEN"),
        first(seen, "gate", ":SOUR:VOLT 0"),
        first(seen, "board", ":MODE MULT"),
        first(seen, "board", ":ROUT:BLOC"),
    ]
    assert order == sorted(order)
    assert bench.laboratory.incidents == []


def test_a_read_into_compliance_is_an_error_not_a_conductance(tmp_path):
    path = changed(
        tmp_path,
        ("current_limit = 1e-4", "current_limit = 1e-6"),
        ("current_range = 1e-4", "current_range = 1e-6"),
    )
    with open_bench(path, preset="ideal", seed=1) as bench:
        bench.pulse(CELL, FORM)
        with pytest.raises(
            BenchError, match=r"multiply\[3, 7\]: the read of 0\.2 V ran into the current limit of 1e-06 A"
        ):
            bench.read(CELL)


def test_a_source_switched_off_by_hand_is_noticed(bench):
    bench.read(CELL)
    twins(bench)["smu"].write(b":OUTP OFF\n")
    with pytest.raises(BenchError, match="switched off by hand"):
        bench.read(CELL)


# --- vectors ---


def test_products_and_offsets(bench):
    for row in range(2):
        bench.pulse(Cell("multiply", row, 0), FORM)
    g = np.array([bench.read(Cell("multiply", row, 0)) for row in range(2)])
    bench.connect_multiply("multiply", [0, 1], [0])
    volts = np.array([[0.2, 0.0], [0.0, 0.2], [0.2, 0.2], [0.0, 0.0]])
    currents = bench.multiply(volts)
    assert currents.shape == (4, 1)
    np.testing.assert_allclose(currents[:, 0], volts @ g, rtol=0.02, atol=0.05e-6)
    assert abs(currents[3, 0]) < 0.05e-6  # the amplifier's offset has been subtracted
    assert bench.vector_size == (32, 32)


def test_a_vector_without_its_block_is_refused(bench):
    seen = overhear(bench)
    with pytest.raises(
        BenchError, match="no block is connected in mode MULTIPLY; call connect_multiply first"
    ):
        bench.multiply(np.zeros((1, 1)))
    bench.connect_multiply("multiply", [0], [0])
    with pytest.raises(BenchError, match="no block is connected in mode INVERT; call connect_invert first"):
        bench.invert(np.zeros((1, 1)))
    bench.safe()
    with pytest.raises(BenchError, match="again after the bench was made safe"):
        bench.multiply(np.zeros((1, 1)))
    assert ("daq", "exchange") not in seen


def test_a_block_is_connected_again_after_a_look_at_a_cell(bench):
    for row in range(2):
        bench.pulse(Cell("multiply", row, 0), FORM)
    bench.connect_multiply("multiply", [0, 1], [0])
    volts = np.array([[0.2, 0.2]])
    before = bench.multiply(volts)
    bench.read(CELL)
    np.testing.assert_allclose(bench.multiply(volts), before, rtol=0.02)


# --- pauses ---


def use(bench: Bench, mode: str) -> object:
    if mode == "read":
        return bench.read(CELL)
    if mode == "pulse":
        return bench.pulse(CELL, SET)
    volts = np.array([[0.1], [-0.1]])
    return bench.multiply(volts) if mode == "multiply" else bench.invert(volts)


def set_up(bench: Bench, mode: str) -> None:
    array = {"multiply": "multiply", "invert": "invert_positive"}.get(mode)
    bench.pulse(CELL if array is None else Cell(array, 0, 0), FORM)
    if mode == "multiply":
        bench.connect_multiply("multiply", [0], [0])
    elif mode == "invert":
        bench.connect_invert("invert_positive", [0], [0])
    use(bench, mode)


@pytest.mark.parametrize("mode", ["read", "pulse", "multiply", "invert"])
def test_a_checkpoint_comes_before_anything_is_sent(bench, mode):
    set_up(bench, mode)
    seen = overhear(bench)

    def abort() -> None:
        raise Aborted("asked to stop")

    bench.checkpoint = abort
    with pytest.raises(Aborted):
        use(bench, mode)
    assert seen == []


@pytest.mark.parametrize("mode", ["read", "pulse", "multiply", "invert"])
def test_a_rested_bench_idles_and_brings_back_what_the_next_operation_needs(bench, mode):
    set_up(bench, mode)
    expected = use(bench, mode)
    rested = []

    def pause() -> None:
        bench.rest()
        smu, gate, board = (twins(bench)[role] for role in ("smu", "gate", "board"))
        rested.append((smu.level, gate.level, board.path, board.block))
        assert abs(bench.laboratory.lines.gate) < 1e-3
        bench.rest()  # again does no harm

    bench.checkpoint = pause
    again = use(bench, mode)
    bench.checkpoint = lambda: None
    assert rested == [(0.0, 0.0, "OPEN", None)]
    if mode != "pulse":
        np.testing.assert_allclose(again, expected, rtol=0.05)
    assert bench.laboratory.incidents == []


def test_the_path_is_read_back_when_the_bench_rests(bench):
    bench.read(CELL)
    twins(bench)["board"].stuck["path"] = "READ"
    with pytest.raises(InstrumentError, match="'READ' instead of 'OPEN'; a switch may be stuck"):
        bench.rest()
    twins(bench)["board"].stuck.clear()


def test_a_bench_of_which_nothing_is_known_is_made_safe_to_rest(bench):
    twins(bench)["gate"].write(b":SOUR:VOLT 1;:OUTP ON\n")
    bench.rest()
    assert_safe(bench)


# --- safety ---


def test_leaving_makes_everything_safe():
    with open_bench(seed=1) as bench:
        bench.pulse(CELL, FORM)
        bench.read(CELL)
    assert_safe(bench)


@pytest.mark.parametrize(
    "error", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(3), LimitError("too much")]
)
@pytest.mark.parametrize("mode", daily(["program", "multiply"], ["program"]))
def test_every_exception_leaves_a_safe_bench_and_passes(error, mode):
    with pytest.raises(type(error)) as caught, open_bench(seed=1) as bench:  # noqa: PT012
        bench.read(CELL)
        if mode == "multiply":
            bench.connect_multiply("multiply", [0], [0])
        raise error
    assert caught.value is error
    assert_safe(bench)


def test_the_bit_line_goes_first_and_the_word_line_last(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.safe()
    roles = list(dict.fromkeys(role for role, _ in seen))
    assert roles == ["smu", "pulser", "board", "gate"]
    assert_safe(bench)


@pytest.mark.parametrize("broken", ROLES)
@pytest.mark.parametrize("error", daily([InstrumentError("no answer"), ValueError("a bug")], 1))
def test_one_that_fails_keeps_no_other_from_being_made_safe(monkeypatch, caplog, broken, error):
    with open_bench(seed=1) as bench:
        bench.read(CELL)
        called = []
        for role, instrument in bench.instruments.by_name().items():

            def step(role=role, make_safe=instrument.make_safe):
                called.append(role)
                if role == broken:
                    raise error
                make_safe()

            monkeypatch.setattr(instrument, "make_safe", step)
        with caplog.at_level(logging.CRITICAL), pytest.raises(BenchError) as refused:
            bench.safe()
        assert called == [*ROLES, broken]  # the others first, then once more what failed
        assert str(refused.value) == (
            f"NOT CONFIRMED SAFE: {broken} ({error}). Switch these outputs off by hand before touching the chip"
        )
        assert f"{broken} is not confirmed safe: {error}" in caplog.text
        monkeypatch.undo()
    assert_safe(bench)


def test_what_cannot_be_made_safe_is_raised_on_a_clean_exit_and_said_beside_an_error(monkeypatch, caplog):
    def fail():
        raise InstrumentError("no answer")

    with pytest.raises(BenchError, match=r"NOT CONFIRMED SAFE: board \(no answer\)"), open_bench() as bench:
        monkeypatch.setattr(bench.instruments.board, "make_safe", fail)
    with pytest.raises(RuntimeError, match="boom"), open_bench() as bench:  # noqa: PT012
        monkeypatch.setattr(bench.instruments.board, "make_safe", fail)
        raise RuntimeError("boom")
    assert "board is not confirmed safe: no answer" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_making_safe_waits_until_it_is_done(monkeypatch, number):
    received = []
    previous = signal.signal(number, lambda *_: received.append(list(called)))
    called: list[str] = []
    try:
        with open_bench(seed=1) as bench:
            bench.read(CELL)
            for role, instrument in bench.instruments.by_name().items():

                def step(role=role, make_safe=instrument.make_safe):
                    signal.raise_signal(number)
                    make_safe()
                    called.append(role)

                monkeypatch.setattr(instrument, "make_safe", step)
    finally:
        signal.signal(number, previous)
    assert received
    assert all(done == ROLES for done in received)
    assert_safe(bench)


# --- faults on the bus ---


@pytest.mark.parametrize("role", ["smu", "gate", "pulser", "board"])
@pytest.mark.parametrize(
    ("kind", "words"), [("timeout", "failed"), ("error", "refused"), ("disconnect", "failed")]
)
def test_a_fault_on_the_bus_names_the_instrument_and_the_bench_is_safe_after(role, kind, words):
    with open_bench(seed=1) as bench:
        bench.pulse(CELL, FORM)
        bench.read(CELL)
        lab = bench.laboratory
        address = getattr(bench.file.instruments, role).address
        lab.faults.append(Fault(address, kind, code=-240))
        with pytest.raises(InstrumentError, match=f"{address}.*{words}"):  # noqa: PT012
            while True:
                bench.pulse(CELL, RESET)
                bench.read(CELL)
                bench.pulse(Cell("multiply", 9, 9), FORM)
        lab.faults.clear()  # a time out and an error strike once; the cable is back in
    assert_safe(bench)


def test_a_lost_connection_is_said_and_the_others_are_made_safe(caplog):
    with pytest.raises(InstrumentError, match=r"2450.*failed"), open_bench(seed=1) as bench:  # noqa: PT012
        bench.read(CELL)
        bench.laboratory.faults.append(Fault(bench.file.instruments.smu.address, "disconnect", times=10**6))
        bench.read(CELL)
    assert "smu is not confirmed safe" in caplog.text
    assert "gate is not confirmed safe" not in caplog.text
    bench.laboratory.faults.clear()
    for role, command in (("gate", b":OUTP?\n"), ("pulser", b":OUTP1?\n")):
        device = twins(bench)[role]
        device.write(command)
        assert device.read() == b"0\n"
    assert twins(bench)["board"].mode == "SAFE"


def test_a_real_benchs_clock_starts_when_it_is_opened(tmp_path):
    lab = Laboratory(load_bench_file("simulated"), seed=0)
    register_rack("clock", lab)
    try:
        with lab.daq_session(), open_bench(real(tmp_path, "clock@mho")) as bench:
            before = bench.now()
            assert 0.0 <= before < 60.0  # not since the computer was switched on
            bench.wait_until(before + 0.02)
            assert bench.now() >= before + 0.02
    finally:
        unregister_rack("clock")


def test_opening_a_real_bench_without_its_driver_says_so(tmp_path):
    """Everything answers but NI-DAQmx, which is not installed: what was open is closed, no output has changed."""
    lab = Laboratory(load_bench_file("simulated"), seed=0)
    before = snapshot(lab)
    register_rack("no-daq", lab)
    try:
        with pytest.raises(InstrumentError, match="DAQ PXI1Slot2"):
            open_bench(real(tmp_path, "no-daq@mho"))
    finally:
        unregister_rack("no-daq")
    assert snapshot(lab) == before


# --- inversion ---


@pytest.fixture(scope="module")
def one_cell() -> Iterator[Bench]:
    """A loop of one amplifier around one cell."""
    with open_bench(preset="ideal", seed=1) as opened:
        opened.pulse(Cell("invert_positive", 0, 0), FORM)
        opened.conductance = opened.read(Cell("invert_positive", 0, 0))
        yield opened


def test_a_loop_divides_by_its_conductance(one_cell):
    one_cell.connect_invert("invert_positive", [0], [0])
    volts = np.array([[0.1], [-0.2], [0.05]])
    answer = one_cell.invert(volts)
    np.testing.assert_allclose(answer, -volts * one_cell.input_conductance / one_cell.conductance, rtol=0.02)


def test_resistors_add_to_the_diagonal(one_cell):
    one_cell.connect_invert("invert_positive", [0], [0], diagonal=30e-6, diagonal_count=1)
    answer = one_cell.invert(np.array([[0.2]]))
    assert answer[0, 0] == pytest.approx(
        -0.2 * one_cell.input_conductance / (one_cell.conductance + 30e-6), rel=0.02
    )


def test_an_output_in_its_clamp_is_no_answer(one_cell):
    one_cell.connect_invert("invert_positive", [0], [0])
    answer = one_cell.invert(np.array([[0.1], [0.9], [-0.9], [0.2]]))
    assert np.isfinite(answer[:, 0]).tolist() == [True, False, False, True]


def test_a_loop_that_rails_by_itself_is_an_error(one_cell):
    # The cell behind the inverter alone feeds back the wrong way round.
    one_cell.connect_invert("invert_negative", [0], [0], negative="invert_positive")
    with pytest.raises(ConvergenceError, match=r"rails: an output reads 0\.4\d V with nothing at its inputs"):
        one_cell.invert(np.array([[0.1]]))


def test_how_the_outputs_stand_is_said_as_it_was_set():
    with open_bench(preset="ideal", seed=1) as bench:
        assert set(bench.standing().values()) == {"unknown"}  # nobody has asked, and idle is not off
        assert set(bench.live()) == set(bench.standing())
        assert {state.source for state in bench.states().values()} == {"unknown"}
        bench.read(CELL)
        standing = bench.standing()
        assert standing["smu"].startswith("ON, at rest at 0 V; last read 0.2 V, ")
        assert standing["gate"] == "ON, 2.5 V"
        assert standing["board"] == f"PROGRAM, path READ to {CELL.array}[{CELL.row}, {CELL.column}]"
        bench.rest()
        assert bench.standing()["gate"] == "ON, 0 V"
        bench.connect_multiply("multiply", [0], [0])
        assert bench.standing()["board"] == "MULTIPLY"
        assert {"gate", "board"} <= set(bench.live())
        bench.safe()
        assert bench.standing()["gate"] == "off"
        assert bench.standing()["board"] == "SAFE"
        assert bench.live() == ()


def test_a_state_says_from_where_it_is_known_and_since_when():
    with open_bench(preset="ideal", seed=1) as bench:
        before = time.time()
        bench.safe()
        off = bench.states()["gate"]
        assert (off.value, off.source) == ("off", "read")
        assert before <= off.wall <= time.time()
        bench.read(CELL)
        bench.wait_until(100.0)
        on = bench.states()["gate"]
        assert (on.value, on.source) == ("ON, 2.5 V", "set and confirmed")
        assert off.at < on.at < 1.0 < bench.now()  # when it was set, not when somebody asked
        bench.read(Cell("multiply", 3, 8))
        assert bench.states()["gate"] == on
        assert bench.states()["smu"].at > 100.0
        bench.forget()
        assert bench.states()["gate"].value == "unknown"


@pytest.mark.parametrize(("role", "use"), [("smu", "read"), ("pulser", "pulse")])
def test_what_fails_half_way_leaves_an_output_unknown(bench, role, use, monkeypatch):
    bench.read(CELL)

    def fail(*arguments: object, **options: object) -> None:
        raise InstrumentError("no answer")

    monkeypatch.setattr(getattr(bench.instruments, role), "read" if use == "read" else "fire", fail)
    with pytest.raises(InstrumentError):
        bench.read(CELL) if use == "read" else bench.pulse(CELL, SET)
    assert bench.states()[role].value == "unknown"
    assert bench.states()["gate"].value.startswith("ON, ")


def test_what_is_not_confirmed_safe_is_unknown(bench, monkeypatch):
    bench.read(CELL)

    def fail() -> None:
        raise InstrumentError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(bench.instruments.gate, "make_safe", fail)
        with pytest.raises(UnsafeError):
            bench.safe()
    assert bench.standing()["gate"] == "unknown"
    assert bench.standing()["pulser"] == "off"
