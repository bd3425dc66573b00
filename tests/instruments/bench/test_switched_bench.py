"""A bench whose sources go through a switch matrix: the order in which it switches, and what a stuck relay does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.errors import BenchError, InstrumentError
from mho.instruments import Bench, Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.switch_paths import SLOTS, check_paths
from mho.instruments.checks import check_bench
from mho.instruments.simulated.faults import Fault
from mho.instruments.simulated.keithley707b import CROSSPOINTS, SimulatedKeithley707B

TEXT = (resources.files("mho.instruments") / "benches/switched.toml").read_text("utf-8")
MATRIX = "GPIB0::16::INSTR"
CELL, OTHER = Cell("multiply", 3, 7), Cell("multiply", 5, 5)
FORM = Pulse("set", 4.0, 1e-6, 1.6)
SET = Pulse("set", 3.0, 100e-9, 1.6)
RESET = Pulse("reset", 1.5, 100e-9, 2.8)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with switched() as opened:
        yield opened


def matrix(bench: Bench) -> SimulatedKeithley707B:
    twin = bench.laboratory.devices[MATRIX]
    assert isinstance(twin, SimulatedKeithley707B)
    return twin


def by_hand(bench: Bench, command: str) -> None:
    """Somebody at the matrix itself."""
    matrix(bench).write(f"{command}\n".encode())


def kinds(bench: Bench) -> list[str]:
    return [incident.kind for incident in bench.laboratory.incidents]


def overhear(bench: Bench) -> list[tuple[str, str]]:
    entries = bench.file.instruments
    roles = {entries.smu.address: "meters", entries.pulser.address: "pulser", MATRIX: "matrix"}
    seen: list[tuple[str, str]] = []

    def listen(role: str, device: Any) -> None:
        write = device.write

        def noting(data: bytes, end: bool = True) -> None:
            seen.append((role, data.decode("latin-1").strip()))
            write(data, end)

        device.write = noting

    for address, device in bench.laboratory.devices.items():
        listen(roles.get(address, "board"), device)
    return seen


def first(seen: list[tuple[str, str]], role: str, text: str) -> int:
    return next(i for i, (who, message) in enumerate(seen) if who == role and text in message)


def switched() -> Bench:
    return open_bench("switched", preset="ideal", seed=1)


# --- as it should be ---


def test_cells_are_programmed_and_multiplied_through_it(bench):
    assert abs(bench.read(CELL)) < 0.1e-6
    bench.pulse(CELL, FORM)
    formed = bench.read(CELL)
    assert 20e-6 < formed < 35e-6
    bench.pulse(CELL, RESET)
    assert bench.read(CELL) < 0.8 * formed
    bench.pulse(CELL, SET)
    g = bench.read(CELL)
    bench.connect_multiply("multiply", [CELL.row], [CELL.column])
    assert matrix(bench).closed == frozenset()
    np.testing.assert_allclose(bench.multiply(np.array([[0.2]])), 0.2 * g, rtol=0.02)
    assert bench.laboratory.incidents == []


def test_another_path_is_closed_with_every_source_at_zero_and_the_board_open(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.pulse(CELL, SET)
    order = [
        first(seen, "board", ":ROUT:PATH OPEN;:ROUT:PATH?"),
        first(seen, "matrix", 'channel.open("1A01")'),
        first(seen, "matrix", 'print(channel.getclose("allslots"))'),
        first(seen, "matrix", 'channel.close("1C01")'),
        first(seen, "board", ":ROUT:PATH SET"),
        first(seen, "pulser", "TRIG"),
    ]
    assert order[1] < order[3]
    assert [order[0], order[1], *order[3:]] == sorted([order[0], order[1], *order[3:]])
    last = max(i for i, (role, _) in enumerate(seen) if role == "matrix")
    quiet = [i for i, (role, message) in enumerate(seen) if role == "meters" and "0.000000000e+00" in message]
    assert len(quiet) == 2  # SMU and word line
    assert max(quiet) < order[1]
    assert last < order[4]
    assert seen[last][1] == 'print(channel.getclose("allslots"))'  # read back


def test_the_same_path_again_moves_no_relay(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.read(CELL)
    bench.read(OTHER)
    assert "matrix" not in [role for role, _ in seen]


def test_a_relay_that_two_paths_share_stays(bench):
    for _ in range(3):
        bench.read(CELL)
        bench.pulse(CELL, SET)
    assert matrix(bench).closures("1B02") == 1
    assert matrix(bench).closures("1A01") == 3


def test_what_somebody_left_closed_is_opened_first(bench):
    by_hand(bench, 'channel.close("1D03,4H12")')
    bench.read(CELL)
    assert matrix(bench).closed == {"1A01", "1B02"}
    assert bench.laboratory.incidents == []


def test_what_somebody_closed_while_the_bench_rested_joins_no_two_sources(bench):
    bench.read(CELL)
    bench.rest()
    by_hand(bench, 'channel.close("1C01")')  # the pulser's, on the line of the next read
    bench.read(CELL)
    assert matrix(bench).closed == {"1A01", "1B02"}
    assert bench.laboratory.incidents == []


def test_a_resting_bench_has_every_relay_open_and_reads_on(bench):
    bench.pulse(CELL, FORM)
    expected = bench.read(CELL)
    bench.rest()
    assert matrix(bench).closed == frozenset()
    assert bench.read(CELL) == pytest.approx(expected, rel=0.05)
    assert bench.laboratory.incidents == []


def test_making_safe_opens_every_relay_after_the_last_source_is_off(bench):
    bench.read(CELL)
    seen = overhear(bench)
    bench.safe()
    roles = list(dict.fromkeys(role for role, _ in seen))
    assert roles == ["meters", "pulser", "board", "matrix"]
    assert max(i for i, (role, _) in enumerate(seen) if role == "meters") < first(
        seen, "matrix", "channel.open"
    )
    assert matrix(bench).closed == frozenset()
    assert bench.laboratory.incidents == []


# --- on the wires ---


def lose_gate_under_volts(bench: Bench) -> None:
    """Its cable is pulled while it holds the word line: what it does now cannot be known."""
    bench.pulse(CELL, FORM)
    meters = bench.file.instruments.gate.address
    bench.laboratory.faults.append(Fault(meters, "disconnect", times=10**6))


def test_no_relay_moves_under_a_source_that_may_be_on(bench, caplog):
    lose_gate_under_volts(bench)
    closed = matrix(bench).closed
    with pytest.raises(
        BenchError, match=r"switch \(left as it is, .* smu and gate may weld; the board keeps the chip apart"
    ):
        bench.safe()
    assert matrix(bench).closed == closed != frozenset()
    assert kinds(bench) == []
    assert bench.laboratory.board.mode == "SAFE"
    bench.laboratory.faults.clear()  # the cable is back in
    bench.safe()
    assert matrix(bench).closed == frozenset()
    assert kinds(bench) == []


def test_relays_open_all_the_same_when_the_board_does_not_keep_the_chip_apart(bench, caplog):
    lose_gate_under_volts(bench)
    board = bench.file.instruments.board.address
    bench.laboratory.faults.append(Fault(board, "disconnect", times=10**6))
    with pytest.raises(BenchError, match="NOT CONFIRMED SAFE"):
        bench.safe()
    assert matrix(bench).closed == frozenset()  # a relay is worth less than the chip
    assert kinds(bench) == ["hot switch"]
    bench.laboratory.faults.clear()


def test_a_source_behind_an_open_relay_does_not_reach_the_chip(bench):
    bench.pulse(CELL, FORM)
    formed = bench.read(CELL)
    by_hand(bench, 'channel.open("1A01")')
    assert abs(bench.read(CELL)) < 1e-2 * formed
    by_hand(bench, 'channel.close("1A01") channel.open("1B02")')
    bench.laboratory.incidents.clear()
    assert abs(bench.read(CELL)) < 1e-2 * formed
    assert "floating gate" in kinds(bench)


def test_a_pulse_behind_an_open_relay_does_not_reach_the_chip(bench):
    bench.pulse(CELL, FORM)
    formed = bench.read(CELL)
    pulses = bench.laboratory.monitor.pulses
    bench.pulse(CELL, SET)
    by_hand(bench, 'channel.open("1C01")')
    bench.pulse(CELL, RESET)
    by_hand(bench, 'channel.open("1D03")')
    bench.pulse(CELL, RESET)
    assert bench.laboratory.monitor.pulses == pulses + 2  # the last one did not arrive
    assert 0.0 < bench.read(CELL) < formed


def test_moving_a_relay_under_volts_is_recorded(bench):
    bench.read(CELL)
    by_hand(bench, 'channel.open("1B02")')
    (incident,) = bench.laboratory.incidents
    assert incident.kind == "hot switch"
    assert incident.detail.startswith("crosspoint 1B02 moved with 2.5")


def test_two_sources_on_one_line_are_recorded(bench):
    bench.pulse(CELL, FORM)
    by_hand(bench, 'channel.close("1A01")')  # the SMU, at 0 V, beside the pulser
    bench.pulse(CELL, SET)
    assert kinds(bench) == ["contention"]
    assert "3 V of pulser 1 against" in bench.laboratory.incidents[0].detail


def test_a_generator_beside_the_source_measure_unit_trips_its_limit(bench):
    bench.read(CELL)
    by_hand(bench, 'channel.close("1C01")')
    with pytest.raises(BenchError, match="ran into the current limit"):
        bench.read(CELL)
    assert "contention" in kinds(bench)


# --- stuck relays ---


def off(bench: Bench) -> bool:
    lab = bench.laboratory
    return lab.board.mode == "SAFE" and all(
        not abs(lab.lines.held.get(line, 0.0)) > 5e-3 for line in ("bit line", "word line")
    )


def test_a_relay_that_stays_closed_is_found_before_another_source_joins_it():
    with (  # noqa: PT012
        pytest.raises(InstrumentError, match=r"707B.*1A01 did not open.*a relay is stuck"),
        switched() as bench,
    ):
        bench.read(CELL)
        matrix(bench).stuck_closed.add("1A01")
        bench.pulse(CELL, SET)
    assert "contention" not in kinds(bench)
    assert matrix(bench).closures("1C01") == 0
    assert off(bench)
    assert matrix(bench).closed == {"1A01"}


def test_a_relay_that_stays_closed_is_said_on_the_way_out(caplog):
    with (  # noqa: PT012
        pytest.raises(BenchError, match=r"NOT CONFIRMED SAFE: switch \(.*1A01 did not open"),
        switched() as bench,
    ):
        bench.read(CELL)
        matrix(bench).stuck_closed.add("1A01")
    assert "switch is not confirmed safe" in caplog.text
    assert off(bench)


def test_a_relay_that_stays_open_ends_before_anything_is_driven():
    with pytest.raises(InstrumentError, match="1C01 did not close"), switched() as bench:  # noqa: PT012
        bench.read(CELL)
        matrix(bench).stuck_open.add("1C01")
        pulses = bench.laboratory.monitor.pulses
        bench.pulse(CELL, SET)
    assert bench.laboratory.monitor.pulses == pulses
    assert bench.laboratory.incidents == []
    assert off(bench)


def use_everything(bench: Bench) -> None:
    bench.read(CELL)
    bench.pulse(CELL, FORM)
    bench.pulse(CELL, RESET)
    bench.connect_multiply("multiply", [0], [0])
    bench.multiply(np.array([[0.1]]))
    bench.read(OTHER)


@pytest.mark.parametrize("kind", daily(["timeout", "disconnect"], 1))
def test_a_fault_at_any_message_to_the_matrix_ends_safe(kind):
    with switched() as bench:
        before = bench.laboratory.traffic[MATRIX].messages
        use_everything(bench)
        count = bench.laboratory.traffic[MATRIX].messages - before
    assert count > 20
    for after in range(0, count, 3):
        try:
            with switched() as bench:
                fault = Fault(MATRIX, kind, after=after)
                bench.laboratory.faults.append(fault)
                with pytest.raises(InstrumentError, match="707B"):
                    use_everything(bench)
                bench.laboratory.faults.clear()  # the cable is back in
        finally:
            assert off(bench), after
            assert matrix(bench).closed == frozenset(), after
            assert bench.laboratory.incidents == [], after


# --- its section in the bench file ---


def changed(folder: Path, *changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('READ = ["1A01", "1B02"]', 'READ = ["1A01"]'), "path READ does not bring gate to the word line"),
        (('RESET = ["1D03", "1B02"]\n', ""), "path RESET does not bring pulser 2 to the source line"),
        (('SET = ["1C01", "1B02"]', 'SET = ["1C01", "1B02", "1A01"]'),
         "path SET joins pulser 1 and smu on the bit line"),
        (('READ = ["1A01", "1B02"]', 'READ = ["1A01", "1B02", "1A02"]'),
         "path READ: 1A02 brings smu to the word line; it is meant for the bit line"),
        (('READ = ["1A01"', 'READ = ["1E01"'), "path READ: 1E01 uses row 1E, to which nothing is wired"),
        (('READ = ["1A01"', 'READ = ["1A09"'), "path READ: 1A09 uses column 109, to which nothing is wired"),
        (('READ = ["1A01"', 'READ = ["7A01"'), "'7A01' is no crosspoint; write slot, row, column as in '1A03'"),
        (('1A = "smu"', 'A1 = "smu"'), "switch row 'A1': write slot and row as in '1A'"),
        (('101 = "bit line"', '1 = "bit line"'), "switch column '1': write slot and column as in '103'"),
        (('1A = "smu"', '1A = "smuu"'), "switch row 1A: 'smuu' is no source; there are smu, gate, pulser 1"),
        (("[instruments.switch.paths]\n", '[instruments.switch.paths]\nREED = ["1A01"]\n'),
         "switch path 'REED': there are READ, SET, RESET, MULTIPLY, INVERT"),
        (('driver = "keithley707b"', 'driver = "keithley708b"'), "no such driver here; there are keithley707b"),
        (("GPIB0::16::INSTR", "ASRL3::INSTR"), "two instruments share the address ASRL3::INSTR"),
        (('101 = "bit line"', '101 = "bitline"'), "Input should be 'bit line'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_its_wiring_is_said(tmp_path, change, complaint):
    with pytest.raises(BenchError) as refused:
        load_bench_file(changed(tmp_path, change))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_ground_may_be_a_source(tmp_path):
    path = changed(
        tmp_path,
        ('1D = "pulser 2" }', '1D = "pulser 2", 1H = "ground" }'),
        (
            "# MULTIPLY and INVERT close nothing",
            'MULTIPLY = ["1H01", "1H02", "1H03"]\n# INVERT closes nothing',
        ),
    )
    with open_bench(path, preset="ideal", seed=1) as bench:
        bench.read(CELL)
        bench.connect_multiply("multiply", [0], [0])
        assert matrix(bench).closed == {"1H01", "1H02", "1H03"}
    assert bench.laboratory.incidents == []


@given(st.sampled_from(CROSSPOINTS))
def test_a_crosspoint_is_split_where_its_name_says(crosspoint):
    row, column = SLOTS.split(crosspoint)
    assert row + column[1:] == crosspoint
    assert row[0] == column[0]


sources = {"smu": "bit line", "gate": "word line", "pulser 1": "bit line", "pulser 2": "source line"}
wiring = tomllib.loads(TEXT)["instruments"]["switch"]


@given(st.lists(st.sampled_from(["1A01", "1A02", "1B01", "1B02", "1C01", "1D03", "1D01"]), unique=True))
def test_a_path_that_passes_the_check_joins_no_two_sources(crosspoints):
    paths = {**wiring["paths"], "MULTIPLY": crosspoints}
    try:
        check_paths(wiring["rows"], wiring["columns"], paths, sources)
    except ValueError:
        return
    columns = [SLOTS.split(crosspoint)[1] for crosspoint in crosspoints]
    assert len(set(columns)) == len(columns)


# --- checked before use ---


def found(report, subject: str, what: str):
    (finding,) = [f for f in report.findings if (f.subject, f.what) == (subject, what)]
    return finding


def test_the_check_reads_a_known_resistor_through_the_matrix(tmp_path):
    path = Path(changed(tmp_path))
    path.write_text(TEXT + '\n[check]\nresistor = 100e3\ncell = ["multiply", 3, 4]\n', encoding="utf-8")
    report = check_bench(str(path), preset="ideal", seed=1)
    assert found(report, "switch", "relays").verdict == "ok"
    assert found(report, "bench", "contact").verdict == "ok"
    assert report.ok
