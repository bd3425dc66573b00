"""A switch matrix selects the device: relays move at 0 V only, one device at a time, and each reads as itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from repository import ROOT

from mho.errors import BenchError, InstrumentError, UnsafeError
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.operations import missing_operations
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_rehearsal
from mho.instruments.simulated.faults import Fault

BENCHES = ROOT / "docs/benches"
ROW = str(BENCHES / "row-of-devices.toml")
METER, MATRIX = "USB0::0x05E6::0x2450::4012345::INSTR", "GPIB0::16::INSTR"
DEVICES = [Cell("device", row, 0) for row in range(8)]
SIEMENS = 5e-6 * np.arange(1, 9)  # of resistors in their places
NEAR = {"rtol": 5e-3, "atol": 1e-7}  # S: a 2450's offset
SET = Pulse("set", 1.0, 0.02, 0.0)
MATRIX_LINE = 'bit_lines = ["101", "102", "103", "104", "105", "106", "107", "108"]'
CROSSBAR = """
[instruments.gate]
driver = "keithley2450"
address = "USB0::0x05E6::0x2450::4012346::INSTR"
terminal = "word line"

[instruments.fast]
driver = "keysight33522b"
address = "USB0::0x0957::0x2C07::SIM00003::INSTR"
channels = ["bit line", "source line"]

[limits."source line"]
voltage = 3.3
pulse_width = 10e-6

[limits."word line"]
voltage = 4.0
current = 1e-3
"""
CROSSBAR_CHANGES = (
    ('serves = ["read", "sweep", "pulse"]', 'serves = ["read", "sweep"]'),
    ('{ 1A = "smu" }', '{ 1A = "smu", 1B = "gate", 1C = "pulser 1", 1D = "pulser 2", 1H = "ground" }'),
    (MATRIX_LINE, 'bit_lines = ["101", "102"]\nsource_lines = ["103", "104"]\nword_lines = ["105", "106"]'),
    ("[read]\n", "[read]\ngate = 2.5\n"),
)


def described(
    folder: Path, *changes: tuple[str, str], more: str = "", rows: int = 8, columns: int = 1
) -> str:
    """Return the path of a changed copy of the bench, with a chip of another size beside it."""
    chip = (BENCHES / "row-of-eight.toml").read_text("utf-8")
    chip = chip.replace("rows = 8", f"rows = {rows}").replace("columns = 1\n", f"columns = {columns}\n")
    (folder / "row-of-eight.toml").write_text(chip, "utf-8")
    text = Path(ROW).read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "lab.toml").write_text(text + more, "utf-8")
    return str(folder / "lab.toml")


def crossbar(folder: Path, *changes: tuple[str, str]) -> str:
    return described(folder, *CROSSBAR_CHANGES, *changes, more=CROSSBAR, rows=2, columns=2)


def opened(path: str = ROW) -> Bench:
    return open_rehearsal(load_bench_file(path), seed=1, preset="ideal")


def with_resistors(bench: Bench) -> Bench:
    """Put a resistor of another value in the place of each device."""
    for device, siemens in zip(DEVICES, SIEMENS, strict=True):
        bench.laboratory.chip.cells["device"].fix((device.row, 0), siemens)
    return bench


def matrix(bench: Bench) -> Any:
    return bench.laboratory.devices[MATRIX]


def by_hand(bench: Bench, command: str) -> None:
    matrix(bench).write(f"{command}\n".encode())


def kinds(bench: Bench) -> list[str]:
    return [incident.kind for incident in bench.laboratory.incidents]


def overhear(bench: Bench) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def listen(address: str, device: Any) -> None:
        write = device.write

        def noting(data: bytes, end: bool = True) -> None:
            seen.append((address, data.decode("latin-1").strip()))
            write(data, end)

        device.write = noting

    for address, device in bench.laboratory.devices.items():
        listen(address, device)
    return seen


# --- as it should be ---


def test_every_device_reads_as_itself():
    with with_resistors(opened()) as bench:
        order = [3, 0, 7, 7, 1, 2, 6, 5, 4]
        assert_allclose([bench.read(DEVICES[i]) for i in order], SIEMENS[order], **NEAR)
        assert matrix(bench).closed == {"1A05"}
        assert bench.laboratory.incidents == []
    assert matrix(bench).closed == frozenset()
    assert bench.laboratory.live() == ()


def test_a_pulse_forms_the_device_that_it_is_meant_for_and_no_other():
    with opened() as bench:
        for count, device in enumerate(DEVICES[::2], 1):
            bench.pulse(device, Pulse("set", 4.0, 0.02, 0.0))
            formed = [bench.read(one) > 1e-6 for one in DEVICES]
            assert formed == [row % 2 == 0 and row < 2 * count for row in range(8)]
        bench.pulse(DEVICES[2], Pulse("reset", 3.0, 0.02, 0.0))
        assert bench.read(DEVICES[2]) < 0.2 * bench.read(DEVICES[4])
        points = bench.sweep(DEVICES[4], [0.1, 0.2])
        assert_allclose(points[1].current, 0.2 * bench.read(DEVICES[4]), rtol=0.05)
        assert bench.laboratory.incidents == []


def test_relays_move_with_the_source_at_zero_and_those_opened_are_read_back_before_others_close():
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        seen = overhear(bench)
        bench.read(DEVICES[1])
    said = [message for _, message in seen]
    moved = [
        next(i for i, message in enumerate(said) if f"channel.{act}" in message)
        for act in ('open("1A01")', 'close("1A02")')
    ]
    quiet = next(i for i, (who, message) in enumerate(seen) if who == METER and "0.000000000e+00" in message)
    between = said[moved[0] : moved[1]]
    assert quiet < moved[0] < moved[1]
    assert any('print(channel.getclose("allslots"))' in message for message in between)
    assert not any(who == METER for who, _ in seen[moved[0] : moved[1]])


def test_nothing_is_sent_to_the_matrix_for_the_same_device():
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        seen = overhear(bench)
        bench.read(DEVICES[0])
        bench.pulse(DEVICES[0], SET)
        bench.read(DEVICES[0])
        assert {who for who, _ in seen} == {METER}


def test_what_somebody_left_closed_is_opened_before_anything_is_measured():
    with with_resistors(opened()) as bench:
        by_hand(bench, 'channel.close("1A03,4H12")')
        assert_allclose(bench.read(DEVICES[0]), SIEMENS[0], **NEAR)
        assert matrix(bench).closed == {"1A01"}
        bench.rest()
        assert matrix(bench).closed == frozenset()
        assert_allclose(bench.read(DEVICES[0]), SIEMENS[0], **NEAR)
        assert bench.laboratory.incidents == []


def test_cells_of_a_crossbar_are_reached_by_all_their_lines(tmp_path):
    form, down = Pulse("set", 4.0, 1e-6, 1.6), Pulse("reset", 3.0, 1e-6, 2.8)
    with opened(crossbar(tmp_path)) as bench:
        cell, other = Cell("device", 1, 0), Cell("device", 0, 1)
        assert bench.read(cell) < 1e-7
        assert matrix(bench).closed == {"1A02", "1B06", "1H03"}
        bench.pulse(cell, form)
        assert matrix(bench).closed == {"1C02", "1B06", "1H03"}
        assert bench.read(other) < 1e-7
        high = bench.read(cell)
        assert matrix(bench).closures("1H03") == 2  # for `cell`, once before and once after `other`
        bench.pulse(cell, down)
        assert matrix(bench).closed == {"1H02", "1B06", "1D03"}
        assert high > 10 * bench.read(cell)
        assert bench.laboratory.incidents == []
        assert bench.laboratory.monitor.extremes()["source line"].highest > 2.9


def test_lines_of_a_large_crossbar_lie_in_several_slots(tmp_path):
    columns = [f"{slot}{column:02}" for slot in (1, 2, 3) for column in range(1, 13)]
    lines = f"bit_lines = {columns[:16]}\nsource_lines = {columns[16:32]}"
    rows = '{ 1A = "smu", 2A = "smu", 2H = "ground", 3H = "ground" }'
    path = described(tmp_path, ('{ 1A = "smu" }', rows), (MATRIX_LINE, lines), rows=16, columns=16)
    with opened(path) as bench:
        bench.laboratory.chip.cells["device"].fix((15, 9), 20e-6)
        assert_allclose(bench.read(Cell("device", 15, 9)), 20e-6, **NEAR)
        assert matrix(bench).closed == {"2A04", "3H02"}
        assert bench.read(Cell("device", 9, 15)) < 1e-7
        assert bench.laboratory.incidents == []


def test_a_gate_beside_the_matrix_is_at_zero_while_relays_move(tmp_path):
    path = crossbar(
        tmp_path, ('1B = "gate", ', ""), ('\nword_lines = ["105", "106"]', ""),
    )  # fmt: skip
    with opened(path) as bench:
        bench.pulse(Cell("device", 0, 0), Pulse("set", 4.0, 1e-6, 1.6))
        assert bench.read(Cell("device", 0, 0)) > 1e-6
        seen = overhear(bench)
        bench.read(Cell("device", 1, 1))
        gate = bench.file.instruments.gate.address
        moves = [i for i, (_, message) in enumerate(seen) if "channel.connectrule" in message]
        zeros = [i for i, (who, said) in enumerate(seen) if who == gate and "0.000000000e+00" in said]
        levels = [i for i, (who, said) in enumerate(seen) if who == gate and "2.5" in said]
        assert max(zeros) < min(moves) < max(moves) < min(levels)
        assert bench.laboratory.incidents == []


def test_products_of_the_row_come_from_reads(tmp_path):
    path = described(tmp_path, ('"sweep", "pulse"]', '"sweep", "pulse", "multiply"]'))
    with with_resistors(opened(path)) as bench:
        bench.connect_multiply("device", [1, 4], [0])
        assert_allclose(bench.multiply([[0.1, 0.2]]), [[0.1 * SIEMENS[1] + 0.2 * SIEMENS[4]]], rtol=0.02)


def test_the_bench_says_what_it_can_do_and_its_check_moves_every_relay(tmp_path):
    check = '\n[check]\nresistor = 100e3\ncell = ["device", 4, 0]\n'
    source = load_bench_file(described(tmp_path, more=check))
    assert source.bench.operations()["select"] == "matrix"
    assert missing_operations(source.bench, ("select", "read", "gate")) == ("gate",)
    report = check_bench(described(tmp_path, more=check + '[simulation]\npreset = "ideal"\n'))
    found = {(one.subject, one.what): one for one in report.findings}
    assert found["switch", "relays"].verdict == "ok"
    assert found["bench", "contact"].verdict == "ok"


# --- faults ---


def test_a_relay_that_stays_closed_joins_no_two_devices():
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        matrix(bench).stuck_closed.add("1A01")
        for device in DEVICES[1:3]:
            with pytest.raises(InstrumentError, match="1A01"):
                bench.read(device)
            assert matrix(bench).closed == {"1A01"}
        matrix(bench).stuck_closed.clear()
        assert_allclose(bench.read(DEVICES[1]), SIEMENS[1], **NEAR)
        assert bench.laboratory.incidents == []


def test_a_driver_that_does_not_look_is_checked_all_the_same(monkeypatch):
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        driver = type(bench.instruments.switch)
        with monkeypatch.context() as blind:
            blind.setattr(driver, "open_paths", lambda self, paths: None)
            with pytest.raises(InstrumentError, match="still has 1A01 closed: nothing else is closed"):
                bench.read(DEVICES[1])
        with monkeypatch.context() as blind:
            blind.setattr(driver, "close_paths", lambda self, paths: None)
            with pytest.raises(InstrumentError, match="has nothing closed instead of 1A02"):
                bench.read(DEVICES[1])


def test_a_relay_that_stays_open_is_told():
    with with_resistors(opened()) as bench:
        matrix(bench).stuck_open.add("1A03")
        with pytest.raises(InstrumentError, match="1A03 did not close"):
            bench.read(DEVICES[2])
        assert_allclose(bench.read(DEVICES[3]), SIEMENS[3], **NEAR)


def test_no_relay_moves_under_a_source_that_is_lost_and_that_is_said():
    bench = with_resistors(opened())
    bench.read(DEVICES[0])
    bench.laboratory.faults.append(Fault(METER, "disconnect", times=10**6))
    with pytest.raises(UnsafeError, match="moves under smu may weld; the device stays connected"):
        bench.safe()
    assert matrix(bench).closed == {"1A01"}
    bench.laboratory.faults.clear()
    bench.safe()
    assert matrix(bench).closed == frozenset()
    bench.close()


GATE = "USB0::0x05E6::0x2450::4012346::INSTR"


def use_two(bench: Bench, caught: list[InstrumentError]) -> None:
    """Use two cells of a crossbar, and go on after an error, as a script may."""
    one, other = Cell("device", 0, 0), Cell("device", 1, 1)
    for act in (
        lambda: bench.read(one),
        lambda: bench.pulse(other, Pulse("set", 2.0, 1e-6, 1.0)),
        lambda: bench.read(other),
        lambda: bench.pulse(one, Pulse("reset", 2.0, 1e-6, 2.8)),
        lambda: bench.read(other),
    ):
        try:
            act()
        except InstrumentError as error:
            caught.append(error)


@pytest.mark.parametrize("address", [MATRIX, GATE, METER])
def test_a_lost_message_joins_no_devices_and_switches_nothing_hot(tmp_path, address):
    path, caught = crossbar(tmp_path), []
    with opened(path) as bench:
        use_two(bench, caught)
        count = bench.laboratory.traffic[address].messages
    assert not caught
    assert count > 15
    for after in range(0, count, max(1, count // 12)):
        with opened(path) as bench:
            bench.laboratory.faults.append(Fault(address, "timeout", after=after))
            use_two(bench, caught)
        assert bench.laboratory.incidents == [], after
        assert bench.laboratory.live() == ()
        assert matrix(bench).closed == frozenset()
    assert caught


# --- at the wires ---


def test_two_devices_at_once_are_recorded_and_conduct_together():
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        by_hand(bench, 'channel.close("1A04")')
        assert_allclose(bench.read(DEVICES[0]), SIEMENS[0] + SIEMENS[3], **NEAR)
        assert kinds(bench) == ["joined devices"]


def test_a_source_with_nothing_behind_it_is_recorded_and_reads_leakage():
    with with_resistors(opened()) as bench:
        bench.read(DEVICES[0])
        by_hand(bench, 'channel.open("1A01")')
        assert abs(bench.read(DEVICES[0])) < 1e-7
        assert "source on nothing" in kinds(bench)
        bench.instruments.smu.hold(0.5)
        by_hand(bench, 'channel.close("1A01")')
        assert "hot switch" in kinds(bench)


def test_a_word_line_of_another_row_leaves_the_gate_floating(tmp_path):
    with opened(crossbar(tmp_path)) as bench:
        bench.read(Cell("device", 0, 0))
        bench.instruments.gate.hold(0.0)
        by_hand(bench, 'channel.open("1B05") channel.close("1B06")')
        bench.laboratory.incidents.clear()
        bench.instruments.smu.read(0.2)
        assert "floating gate" in kinds(bench)


STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "pulse", "down", "rest", "safe", "forget"]), st.integers(0, 7)),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=15, derandomize=True)
@given(steps=STEPS)
def test_no_order_of_use_joins_devices_or_switches_hot(steps):
    with with_resistors(opened()) as bench:
        for act, row in steps:
            match act:
                case "read":
                    assert_allclose(bench.read(DEVICES[row]), SIEMENS[row], **NEAR)
                case "pulse" | "down":
                    bench.pulse(DEVICES[row], Pulse("set" if act == "pulse" else "reset", 1.0, 0.02, 0.0))
                case _:
                    getattr(bench, act)()
            closed = matrix(bench).closed
            if act in ("rest", "safe"):
                assert closed == frozenset()
            elif act != "forget":
                assert closed == {f"1A0{row + 1}"}
    assert bench.laboratory.incidents == []
    assert bench.laboratory.live() == ()
    assert matrix(bench).closed == frozenset()


@settings(max_examples=10, derandomize=True)
@given(steps=STEPS)
def test_no_order_of_use_of_a_crossbar_with_gate_and_generator_switches_hot(tmp_path_factory, steps):
    with opened(crossbar(tmp_path_factory.mktemp("crossbar"))) as bench:
        for act, number in steps:
            cell = Cell("device", number % 2, number // 2 % 2)
            line, source = 3 + cell.column, "1D0" if act == "down" else "1H0"
            match act:
                case "read":
                    bench.read(cell)
                case "pulse":
                    bench.pulse(cell, Pulse("set", 2.0, 1e-6, 1.0))
                case "down":
                    bench.pulse(cell, Pulse("reset", 2.0, 1e-6, 2.8))
                case _:
                    getattr(bench, act)()
            if act in ("read", "pulse", "down"):
                assert matrix(bench).closed > {f"1B0{5 + cell.row}", f"{source}{line}"}
                assert len(matrix(bench).closed) == 3
    assert bench.laboratory.incidents == []
    assert bench.laboratory.live() == ()


# --- refusals ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([(', "108"]', "]")], "has 7 in `bit_lines`, and chip map row-of-eight.toml has 8 rows"),
        ([(', "108"]', ', "101"]')], "two lines of the chip are at switch column 101"),
        ([(', "108"]', ', "201"]')], 'switch column 201 needs smu, which is at no row that reaches it: name one, as in '
                                     'rows = { 2A = "smu" }'),
        ([(', "108"]', ', "1A08"]')], "switch column '1A08': write slot and column as in '103'"),
        ([('1A = "smu"', '1A = "meter"')], "switch row 1A: 'meter' is no source; there are smu, ground"),
        ([('1A = "smu"', '1A = "ground"')], "switch column 101 needs smu"),
        ([('"108"]', '"108"]\nsource_lines = ["109"]')], "switch column 109 needs ground"),
        ([('"108"]', '"108"]\nsource_lines = ["109", "110"]'), ('"smu" }', '"smu", 1H = "ground" }')],
         "has 2 in `source_lines`, and chip map row-of-eight.toml has 1 columns"),
        ([('"108"]', '"108"]\nword_lines = ["109"]')], "the gate goes through the switch matrix with a row named"),
        ([('"108"]', '"108"]\npaths = { READ = ["1A01"] }')], "leave one or the other out"),
        ([("bit_lines", "source_lines")], "`bit_lines` is missing: list the columns"),
        ([("bit_lines", "# ")], "what is at its columns is missing: give `columns` and `paths`"),
        ([("bit_lines", "serves = []\nbit_lines")], "no array board behind it: describe the board, or list"),
        ([("bit_lines", 'serves = ["read"]\nbit_lines')], "`serves` names `read`, which this instrument does not do"),
        ([("[read]", '[instruments.board]\ndriver = "array_board"\naddress = "ASRL3::INSTR"\n[read]')],
         "`matrix` and `board` both serve `select`"),
        ([('chip = "row-of-eight.toml"', 'chip = "reference"')], "selects cells of one array, and chip map reference has"),
        ([("[read]", '[check]\nresistor = 100e3\ncell = ["device", 8, 0]\n[read]')], "name one of its cells"),
        ([("[read]", '[instruments.fast]\ndriver = "keysight33522b"\naddress = "GPIB0::3::INSTR"\n'
                     'channels = ["bit line", "source line"]\n[read]'), ('"sweep", "pulse"]', '"sweep"]')],
         "a source is at the source line, and the switch matrix brings it to none: list `source_lines`"),
        ([("[read]", '[instruments.fast]\ndriver = "keysight33522b"\naddress = "GPIB0::3::INSTR"\n'
                     'channels = ["bit line"]\nbias_tee = true\n[read]'), ('"sweep", "pulse"]', '"sweep"]')],
         "`fast` has a bias tee, and `matrix` switches"),
        ([('terminal = "bit line"', 'terminal = "word line"'), ('serves = ["read", "sweep", "pulse"]', 'serves = ["gate"]'),
          ('"smu"', '"gate"'), ("current = 1e-3 ", "# ")],
         "no source-measure unit is at the bit line"),
    ],
)  # fmt: skip
def test_what_cannot_be_wired_so_is_refused_in_a_sentence(tmp_path, changes, says):
    with pytest.raises(BenchError) as refused:
        load_bench_file(described(tmp_path, *changes))
    assert says in str(refused.value)


def test_a_b2201a_names_its_crosspoints_its_own_way(tmp_path):
    outputs = ", ".join(f'"output {number}"' for number in range(9, 17))  # on two cards
    path = described(
        tmp_path, ('driver = "keithley707b"', 'driver = "keysightb2201a"\noptions = { cards = 2 }'),
        ('{ 1A = "smu" }', '{ "input 2" = "smu" }'), (MATRIX_LINE, f"bit_lines = [{outputs}]"),
    )  # fmt: skip
    with open_rehearsal(load_bench_file(path), seed=1) as bench:
        bench.pulse(DEVICES[7], Pulse("set", 4.0, 0.02, 0.0))
        assert bench.instruments.switch.closed() == ("20204",)
        assert [bench.read(device) > 1e-6 for device in DEVICES] == [False] * 7 + [True]
        assert bench.laboratory.incidents == []
    for old, new, says in (
        ('"input 2"', '"2B"', "switch row '2B': write 'input 1' to 'input 14'"),
        ('"output 9"', '"output 49"', "switch column 'output 49': write 'output 1' to 'output 48'"),
    ):
        text = Path(path).read_text("utf-8")
        assert old in text
        Path(path).write_text(text.replace(old, new), "utf-8")
        with pytest.raises(BenchError) as refused:
            load_bench_file(path)
        assert says in str(refused.value)
        Path(path).write_text(text, "utf-8")
