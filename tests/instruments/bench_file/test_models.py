"""Every model that a bench file may name opens on the virtual bench and does a bench's work there."""

import sys
import threading
from importlib import resources
from pathlib import Path

import pytest
from daily import daily

from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.bench_file.models import PULSE_GENERATORS, SOURCE_METERS, load_class
from mho.own_code import installed_only, modules_beside

SIMULATED = (resources.files("mho.instruments") / "benches" / "simulated.toml").read_text("utf-8")
CELL = Cell("multiply", 3, 4)


def bench_file(folder: Path, smu: str = "keithley2450", pulser: str = "keysight33522b") -> str:
    text = SIMULATED.replace('driver = "keithley2450"', f'driver = "{smu}"')
    text = text.replace('driver = "keysight33522b"', f'driver = "{pulser}"')
    if SOURCE_METERS[smu].channels > 1:  # both terminals on one instrument
        text = text.replace("SIM00002", "SIM00001").replace(
            'terminal = "word line"', 'channel = 2\nterminal = "word line"'
        )
    path = folder / "bench.toml"
    path.write_text(text, "utf-8")
    return str(path)


def form_and_read(bench_name: str) -> None:
    with open_bench(bench_name, seed=1, preset="ideal") as bench:
        assert bench.read(CELL) == pytest.approx(1e-9, abs=5e-8)
        bench.pulse(CELL, Pulse("set", 3.3, 1e-6, 1.6))
        formed = bench.read(CELL)
        assert formed == pytest.approx(28e-6, rel=0.02)
        bench.pulse(CELL, Pulse("reset", 1.2, 100e-9, 2.8))
        assert bench.read(CELL) < 0.8 * formed
        assert bench.laboratory is not None
        assert bench.laboratory.incidents == []


@pytest.mark.parametrize("model", SOURCE_METERS)
def test_every_source_meter_reads_and_holds_the_gate(tmp_path: Path, model: str) -> None:
    form_and_read(bench_file(tmp_path, smu=model))


@pytest.mark.parametrize("model", daily(SOURCE_METERS, 2))
def test_every_source_meters_limit_ends_a_set(tmp_path: Path, model: str) -> None:
    """As on a bench: the conductance after a sweep is the compliance over a voltage, or what the gate allows."""
    ended = {}
    for limit in (1e-6, 1e-5, 1e-3):
        path = Path(bench_file(tmp_path, smu=model))
        text = path.read_text("utf-8")
        for name in ("current_limit", "current_range"):
            text = text.replace(f"{name} = 1e-4", f"{name} = {limit}")
        path.write_text(text, "utf-8")
        with open_bench(str(path), seed=1, preset="ideal") as bench:
            readings = bench.sweep(CELL, [1.0, 2.0, 3.6, 1.0])
            assert bench.laboratory is not None
            ended[limit] = float(bench.laboratory.chip.cells["multiply"].conductance((CELL.row, CELL.column)))
            assert [reading.tripped for reading in readings[2:]] == [limit < 1e-3] * 2
    assert ended[1e-3] == pytest.approx(35e-6 * (2.5 - 0.8), rel=0.02)  # the gate's
    for limit in (1e-6, 1e-5):
        assert 0.6 < limit / ended[limit] < 1.0


@pytest.mark.parametrize("model", PULSE_GENERATORS)
def test_every_pulse_generator_programs_a_cell(tmp_path: Path, model: str) -> None:
    form_and_read(bench_file(tmp_path, pulser=model))


def test_threads_that_load_classes_leave_the_search_to_each_other_and_as_it_was(tmp_path):
    (tmp_path / "beside_the_bench.py").write_text("class Here: pass\n", "utf-8")
    before, begun, ended = list(sys.path), threading.Event(), threading.Event()

    def load_mhos_own() -> None:
        begun.wait()
        with installed_only():
            ended.wait(0.2)

    other = threading.Thread(target=load_mhos_own)
    other.start()
    with modules_beside(tmp_path):
        begun.set()
        other.join(0.1)  # it waits
        assert load_class("beside_the_bench:Here")
    ended.set()
    other.join()
    assert sys.path == before
