"""The wires of the virtual bench: what reaches a cell, and what would have hurt on a real bench is recorded."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
import pyvisa
from numpy.testing import assert_array_equal

from mho.errors import BenchError
from mho.instruments.bench.arguments import shapes_of_arrays
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.laboratory.chip_basis import read_geometry
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.excursions import Excursion

BENCH = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")


@pytest.fixture
def lab() -> Laboratory:
    return Laboratory(load_bench_file("simulated"), preset="ideal", seed=1)


def send(lab: Laboratory, *messages: str) -> None:
    for message in messages:
        lab.board.write(message.encode() + b"\n")


def route(lab: Laboratory, path: str, cell: str = '"multiply",2,3') -> None:
    send(lab, f":MODE PROG;:ROUT:CELL {cell};:ROUT:PATH {path}")


def form(lab: Laboratory) -> None:
    """Form and SET cell [2, 3], and leave its READ path closed with the word line on."""
    lab.lines.drive("word line", 1.6, True)
    route(lab, "SET")
    lab.lines.train("bit line", [Excursion(4.0, 1e-6)], 1)
    send(lab, ":ROUT:PATH OPEN;:ROUT:PATH READ")
    lab.lines.drive("word line", 2.5, True)


def conductance(lab: Laboratory) -> float:
    return float(lab.chip.cells["multiply"].conductance((2, 3)))


def kinds(lab: Laboratory) -> list[str]:
    return [incident.kind for incident in lab.incidents]


def test_a_current_flows_through_the_routed_cell_only(lab):
    form(lab)
    assert lab.lines.current("bit line", 0.2, 1e-3) == pytest.approx(0.2 * conductance(lab), rel=1e-3)
    assert abs(lab.lines.current("word line", 0.2, 1e-3)) < 1e-9
    send(lab, ":ROUT:PATH OPEN")
    assert abs(lab.lines.current("bit line", 0.2, 1e-3)) < 1e-9
    assert lab.incidents == []


def test_a_closed_transistor_carries_no_current(lab):
    form(lab)
    lab.lines.drive("word line", 0.5, True)
    assert abs(lab.lines.current("bit line", 0.2, 1e-3)) < 1e-9


@pytest.mark.parametrize(
    ("path", "terminal"), [("READ", "bit line"), ("SET", "source line"), ("RES", "bit line")]
)
def test_a_pulse_reaches_a_cell_only_through_its_path(lab, path, terminal):
    form(lab)
    before = conductance(lab)
    send(lab, f":ROUT:PATH OPEN;:ROUT:PATH {path}")
    lab.lines.train(terminal, [Excursion(3.0, 1e-7)], 5)
    assert conductance(lab) == before


def test_set_raises_and_reset_lowers(lab):
    form(lab)
    low = conductance(lab)
    send(lab, ":ROUT:PATH OPEN;:ROUT:PATH SET")
    lab.lines.train("bit line", [Excursion(3.0, 1e-7)], 3)
    high = conductance(lab)
    send(lab, ":ROUT:PATH OPEN;:ROUT:PATH RES")
    lab.lines.train("source line", [Excursion(2.0, 1e-7)], 1)
    assert conductance(lab) < high > low


def test_reading_too_high_disturbs_the_cell(lab):
    form(lab)
    before = conductance(lab)
    lab.lines.current("bit line", 0.2, 1e-3)
    assert conductance(lab) == before
    lab.lines.current("bit line", 2.0, 1e-3)
    assert conductance(lab) > before


def test_a_floating_gate_is_recorded(lab):
    form(lab)
    lab.lines.drive("word line", 0.0, False)
    assert abs(lab.lines.current("bit line", 0.2, 1e-3)) < 1e-9
    send(lab, ":ROUT:PATH OPEN;:ROUT:PATH SET")
    before = conductance(lab)
    lab.lines.train("bit line", [Excursion(3.0, 1e-7)], 1)
    assert kinds(lab) == ["floating gate", "floating gate"]
    assert lab.incidents[0].time <= lab.incidents[1].time == lab.clock.now
    assert conductance(lab) == before


@pytest.mark.parametrize("way", [":ROUT:PATH OPEN", ":MODE SAFE", ":OUTP:SAFE", "*RST"])
def test_opening_a_path_under_voltage_is_recorded(lab, way):
    form(lab)
    lab.lines.drive("bit line", 0.2, True)
    send(lab, way)
    assert kinds(lab) == ["hot switch"]
    assert "0.2 V on the bit line" in lab.incidents[0].detail


def test_closing_a_path_under_voltage_is_recorded(lab):
    lab.lines.drive("bit line", 0.2, True)
    route(lab, "READ")
    assert kinds(lab) == ["hot switch"]


def test_switching_with_the_sources_at_rest_is_no_incident(lab):
    form(lab)
    lab.lines.drive("bit line", 1e-3, True)  # an offset is not live
    send(lab, ":ROUT:PATH OPEN;:ROUT:PATH READ;:MODE SAFE")
    assert lab.incidents == []


def test_an_expired_watchdog_has_opened_the_path(lab):
    form(lab)
    send(lab, ":SYST:WDOG 1")
    assert lab.lines.current("bit line", 0.2, 1e-3) > 1e-7
    lab.clock.advance(2.0)
    assert abs(lab.lines.current("bit line", 0.2, 1e-3)) < 1e-9
    assert lab.board.mode == "SAFE"


def test_vectors_without_a_block_are_answered_with_nothing(lab):
    answer = lab.vectors.answer(np.ones((3, 4)), 8, 1e-5)
    assert answer.shape == (3, 8)
    assert not answer.any()


def test_one_seed_is_one_laboratory():
    first, same, other = (
        Laboratory(load_bench_file("simulated"), preset="pku", seed=seed) for seed in (3, 3, 4)
    )
    for lab in (first, same, other):
        form(lab)
    assert conductance(first) == conductance(same) != conductance(other)
    assert first.lines.current("bit line", 0.2, 1e-3) == same.lines.current("bit line", 0.2, 1e-3)
    assert_array_equal(
        first.vectors._circuits.transimpedance.offsets, same.vectors._circuits.transimpedance.offsets
    )


def test_geometry_is_taken_from_the_chip_map():
    arrays = read_geometry((resources.files("mho.chip_maps") / "maps/zuo2025.toml").read_text("utf-8"))
    assert [(a.name, a.rows, a.columns, a.wire_resistance) for a in arrays] == [
        ("invert", 8, 8, 1.73),
        ("multiply", 1024, 1024, 1.73),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "chip map: arrays: this key is missing"),
        ("arrays = 3", "chip map: arrays "),
        ("arrays = []", "chip map: arrays "),
        ("[[arrays]]\nname = 'a'", "arrays.0.rows "),
        ("arrays = [", "not valid TOML"),
        ("[[arrays]]\nname = 'a'\nrows = 'x'\ncolumns = 8\nwire_resistance = 1", "arrays.0.rows "),
        (f"[[arrays]]\nname = 'a'\nrows = {99999999}\ncolumns = 8\nwire_resistance = 1", "arrays.0.rows "),
        ("a = " + "[" * 3000 + "]" * 3000, "nested deeper"),
        ("".join(f"[[arrays]]\nname = 'a{n}'\nrows = 4096\ncolumns = 4096\nwire_resistance = 1\n" for n in range(5)),
         "the arrays have 83886080 cells, more than 67108864"),
    ],
)  # fmt: skip
def test_a_chip_map_without_geometry_or_beyond_all_memory_is_refused(text, told):
    with pytest.raises(BenchError) as refused:
        read_geometry(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert shapes_of_arrays(text) == {}


def test_a_bench_of_real_instruments_has_no_laboratory(tmp_path):
    start, end = BENCH.index("\n[simulation]"), BENCH.index("[instruments.smu]")
    (tmp_path / "real.toml").write_text(BENCH[:start] + "\n" + BENCH[end:], encoding="utf-8")
    with pytest.raises(BenchError, match=r"no \[simulation\] section: it stands for real instruments"):
        Laboratory(load_bench_file(str(tmp_path / "real.toml")))


def test_any_visa_program_can_talk_to_the_laboratory_of_a_bench_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BENCH.replace("ASRL3::INSTR", "ASRL9::INSTR"), encoding="utf-8")
    manager = pyvisa.ResourceManager(f"{path}@mho")
    try:
        assert "ASRL9::INSTR" in manager.list_resources()
        board = manager.open_resource("ASRL9::INSTR", read_termination="\n", write_termination="\n")
        assert board.query("*IDN?").startswith("MHO,ARRAY BOARD,")
    finally:
        manager.close()
