"""Each benchmark does the work it times, at a small size, and says what it measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import _solves, _steps, bus, mimo, programming, published, streaming, whole_arrays
from benchmarks._pymeasure import PyMeasureBench
from benchmarks._pyvisa_sim import PACKAGE, write_definition
from benchmarks.registry import Figure
from mho.runs import RunFile


def by_start(figures: list[Figure], start: str) -> Figure:
    return next(figure for figure in figures if figure.name.startswith(start))


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Return steps recorded on a block of 4 x 4 cells, and where they were made."""
    with _steps.workplace(4, tmp_path_factory.mktemp("steps") / "run.h5") as work:
        yield work, _steps.Steps(work)


@pytest.mark.thorough
@pytest.mark.parametrize("layer", ["cells", "devices", "sessions", "drivers", "bench", "stream"])
def test_every_layer_makes_the_same_pulses_and_reads(steps, layer):
    work, recorded = steps
    made = work.cell_calls(getattr(recorded, layer))
    pulses = [call for call in made if call.name != "read"]
    assert len(made) == 2 * len(pulses) == 2 * len(recorded)
    for call, (cell, pulse) in zip(pulses, recorded.steps, strict=True):
        assert call.name == pulse.kind
        assert call.arguments[0] == (cell.row, cell.column)
        assert call.arguments[1:3] == pytest.approx((pulse.voltage, pulse.width))
        assert call.arguments[3] == pytest.approx(pulse.gate, abs=0.01)  # the 2450 sources it, with its error


def test_the_peer_makes_the_same_pulses_and_reads(steps):
    work, recorded = steps
    peer = PyMeasureBench(work.bench)

    def replay():
        for cell, pulse in recorded.steps:
            peer.pulse(cell, pulse)
            assert 0.0 < peer.read() < 200e-6

    made = work.cell_calls(replay)
    pulses = [call for call in made if call.name != "read"]
    assert len(made) == 2 * len(pulses) == 2 * len(recorded)
    for call, (cell, pulse) in zip(pulses, recorded.steps, strict=True):
        assert call.name == pulse.kind
        assert call.arguments[0] == (cell.row, cell.column)
        assert call.arguments[1:3] == pytest.approx((pulse.voltage, pulse.width))
    assert not work.laboratory.incidents


@pytest.mark.thorough
def test_programming_reports_rates_layers_and_peers(monkeypatch):
    monkeypatch.setattr(programming, "SIDE", 4)
    monkeypatch.setattr(programming, "TURNS_A_REPEAT", 1)
    whole, job, outside, messages = programming.run(1)
    assert whole.value > 0.0
    assert whole.peer_value > 0.0
    assert {"cells, us", "SCPI engines and wires, us", "PyVISA, us", "drivers, us", "bench, us"} < set(
        whole.detail
    )
    assert job.detail["reads"] >= job.detail["pulses"] + job.detail["cells"]
    assert messages.peer_package == PACKAGE
    roles = [whole.detail[f"to the {role}"] for role in ("gate", "board", "pulser", "smu")]
    assert sum(roles) == pytest.approx(whole.detail["messages a step"], abs=0.02)
    in_instruments = outside.detail["in real instruments, us"]
    assert in_instruments > 1e6 * programming.ROUND_TRIP * whole.detail["messages a step"]
    assert outside.value == pytest.approx(100.0 * outside.detail["outside, us"] / in_instruments, rel=0.01)


@pytest.mark.thorough
def test_whole_arrays_report_cpu_messages_and_memory(monkeypatch):
    monkeypatch.setattr(whole_arrays, "SIDE", 4)
    monkeypatch.setattr(whole_arrays, "FIRST", 2)
    cpu, beside, largest, pulsed, read, memory = whole_arrays.run(1)
    assert beside.peer_package == PACKAGE
    assert beside.value > 0.0
    if beside.peer_value is not None:
        assert beside.ratio == pytest.approx(beside.value / beside.peer_value)
    assert largest.value == pytest.approx(cpu.value * 1024**2 / 16 / 60.0)
    assert cpu.detail["failed"] == 0
    assert cpu.detail["reads"] >= cpu.detail["pulses"] + 16
    # A pulse and its read need the gate twice, the board twice, the pulser once or twice and the meter once.
    assert pulsed.value == pytest.approx(sum(pulsed.detail.values()), abs=0.02)
    assert pulsed.detail["gate"] < 2.2
    assert pulsed.detail["board"] > 2.0
    assert 1.0 < pulsed.detail["pulser"] < 2.0
    assert read.value == 2.0, "one to the board, one to the meter"
    assert memory.value > 0.0


@pytest.mark.thorough
def test_programming_runs_without_pyvisa_sim(monkeypatch):
    monkeypatch.setattr(programming, "SIDE", 3)
    monkeypatch.setattr(programming, "TURNS_A_REPEAT", 1)
    monkeypatch.setattr(programming, "installed", lambda module: False)
    *_, messages = programming.run(1)
    assert messages.value > 0.0
    assert "not installed (pip install pyvisa-sim)" in messages.peer


@pytest.mark.thorough
def test_whole_arrays_run_without_pyvisa_sim(monkeypatch):
    monkeypatch.setattr(whole_arrays, "SIDE", 2)
    monkeypatch.setattr(whole_arrays, "FIRST", 2)
    monkeypatch.setattr(whole_arrays, "installed", lambda module: False)
    _, beside, *_ = whole_arrays.run(1)
    assert (beside.ratio, beside.met) == (None, None)
    assert "not installed (pip install pyvisa-sim)" in beside.peer


def test_a_replay_that_does_other_work_is_not_timed(steps):
    work, recorded = steps
    with pytest.raises(RuntimeError, match="nothing: 0 pulses"):
        programming.check_work("nothing", lambda: None, work, len(recorded))


def test_bus_reports_three_layers(monkeypatch):
    monkeypatch.setattr(bus, "QUERIES", 50)
    figures = bus.run(1)
    assert [figure.name for figure in figures] == [
        "*IDN? at the simulated instrument",
        "*IDN? through PyVISA",
        "*IDN? through PyVISA and driver",
        "*IDN? of a B1500 through PyVISA and driver",
    ]
    assert all(figure.value > 0.0 for figure in figures)


def test_bus_runs_without_pyvisa_sim(monkeypatch):
    monkeypatch.setattr(bus, "QUERIES", 10)
    monkeypatch.setattr(bus, "installed", lambda module: False)
    device, pyvisa, driver, _ = bus.run(1)
    assert "not installed (pip install pyvisa-sim)" in device.peer
    assert "not installed" in pyvisa.peer
    assert driver.peer_value is not None


def test_a_wrong_answer_is_not_timed():
    with pytest.raises(RuntimeError, match="answered 'no' instead of 'yes'"):
        bus._rate(lambda: "no", "yes", repeat=1)


def test_canned_replies_answer_whole_messages(tmp_path: Path):
    pytest.importorskip("pyvisa_sim")
    pyvisa = pytest.importorskip("pyvisa")
    definition = tmp_path / "devices.yaml"
    first, second = write_definition(definition, {":A 1;:SYST:ERR?": '0,"No error"'}, {"*IDN?": "second"})
    manager = pyvisa.ResourceManager(f"{definition}@sim")
    try:
        options = {"read_termination": "\n", "write_termination": "\n"}
        assert manager.open_resource(first, **options).query(":A 1;:SYST:ERR?") == '0,"No error"'
        assert manager.open_resource(second, **options).query("*IDN?") == "second"
    finally:
        manager.close()


@pytest.fixture
def few_rows(monkeypatch):
    for name, value in {"ROWS": 40, "SLOW_ROWS": 10, "BLOCK": 20, "FOLLOWED": 5, "IMAGES": 2}.items():
        monkeypatch.setattr(streaming, name, value)


@pytest.mark.thorough
def test_streaming_compares_rows_and_blocks(few_rows):
    figures = streaming.run(1)
    units = ["us", "us", "rows/s", "us", "rows/s", "rows/s", "ms", "s", "ms"]
    assert [figure.unit for figure in figures] == units
    assert all(figure.value > 0.0 for figure in figures)
    assert all(figure.peer_value > 0.0 for figure in figures if figure.peer_name)
    assert by_start(figures, "another process").met


def test_streaming_really_writes(few_rows, tmp_path: Path):
    rows = [dict.fromkeys(streaming.NAMES, float(number)) for number in range(40)]
    streaming._run_file(tmp_path / "run.h5", rows, [], 2)
    streaming._pymeasure(tmp_path / "run.csv", streaming.NAMES, rows, 2)
    turns = 3  # one to warm up
    with RunFile(tmp_path / "run.h5") as file:
        both = 2  # to the file, and through a procedure's stream
        assert list(file.table("data")["c9"]) == [float(number) for number in range(40)] * turns * both
        assert len(file.table("pulses")["time"]) == 40 * turns
    lines = (tmp_path / "run.csv").read_text().splitlines()
    assert sum(not line.startswith("#") for line in lines) == 1 + 40 * turns


@pytest.mark.thorough
def test_published_on_one_chip(monkeypatch):
    monkeypatch.setattr(_solves, "SEEDS_A_REPEAT", 1)
    figures = published.run(1)
    assert by_start(figures, "relative error of INV alone").met
    cycles = by_start(figures, "cycles until")
    assert cycles.value == cycles.detail["each"][0]
    assert by_start(figures, "wrong MVM").detail["outputs"] > 0


def test_the_ideal_array_is_the_one_of_the_literature():
    assert published.ideal_errors(3) == pytest.approx([0.106, 0.016, 0.002], rel=0.03)


@pytest.mark.parametrize(
    ("errors", "cycles"),
    [([0.1, 2.0**-13], 2), ([2.0**-12, 1e-9], 2), ([0.1, 0.2], math.inf), ([], math.inf)],
)
def test_cycles_are_counted_to_the_first_below(errors, cycles):
    assert published.cycles_to(errors, 12) == cycles


@pytest.mark.thorough
def test_mimo_on_one_chip(monkeypatch):
    monkeypatch.setattr(_solves, "SEEDS_A_REPEAT", 1)
    monkeypatch.setattr(mimo, "WORST_ERROR", {24: 1e-6})
    monkeypatch.setattr(mimo, "MATRIX", "dominant-8x8.mtx")  # the same in less time
    figures = mimo.run(1)
    assert by_start(figures, "24 bits: chips converged").met
    assert by_start(figures, "24 bits: relative error").met
    assert 0.0 < by_start(figures, "24 bits: the whole job").value < 60.0


def test_float32_is_not_float64():
    assert 1e-9 < mimo.float32_error(1) < 1e-6
