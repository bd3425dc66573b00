"""One of mho's own instruments beside the bench: opened, its identity, settings and readings kept, and made safe."""

from __future__ import annotations

from pathlib import Path

import pytest
from repository import ROOT

import mho
from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.models import BESIDE
from mho.instruments.checks import check_source
from mho.instruments.laboratory.twins_for_real import stand_in
from mho.instruments.opening.opening import open_rehearsal

BENCH = ROOT / "docs" / "benches" / "two-channels.toml"


def bench(folder: Path, section: str) -> str:
    """Return the path of a bench of the docs with one more instrument."""
    path = folder / "lab.toml"
    text = BENCH.read_text("utf-8").replace("[read]", f"[instruments.logger]\n{section}\n\n[read]")
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("driver", sorted(BESIDE))
def test_each_is_opened_recorded_checked_and_made_safe(driver, tmp_path):
    path = bench(tmp_path, f'driver = "{driver}"\naddress = "GPIB0::9::INSTR"\nserves = []')
    source = load_bench_file(path)
    assert set(source.bench.operations()) == set(load_bench_file(str(BENCH)).bench.operations())
    with open_rehearsal(source, seed=1) as opened:
        made_safe = []
        log = opened.instruments.beside["logger"]
        safe = log.make_safe
        log.make_safe = lambda: (made_safe.append(True), safe())
        written = mho.run(mho.Read(), opened, seed=1, output=tmp_path / "read.h5").path
    assert made_safe
    with mho.open_run(written) as run:
        assert run.instruments["logger"]["identity"]
        assert len(run.instruments["logger"]) > 1
    findings = check_source(stand_in(source)).findings
    assert {one.verdict for one in findings if one.subject == "logger"} <= {"ok", "note"}


@pytest.mark.parametrize(
    ("driver", "readings", "values"),
    [
        ("lakeshore335", {"kelvin": "K", "setpoint": "K"}, {"kelvin": 298.15}),
        ("keithley2450", {"source_voltage": "V"}, {"source_voltage": 0.0}),
    ],
)
def test_its_readings_are_a_table_of_the_run(driver, readings, values, tmp_path):
    named = ", ".join(f'{name} = "{unit}"' for name, unit in readings.items())
    section = f'driver = "{driver}"\naddress = "GPIB0::9::INSTR"\nserves = []\nreadings = {{ {named} }}\nevery = 0.1'
    with open_rehearsal(load_bench_file(bench(tmp_path, section)), seed=1) as opened:
        run = mho.run(mho.Read(repeats=3, interval=1.0), opened, seed=1, output=tmp_path / "read.h5")
    with mho.open_run(run.path) as run:
        rows = run.table("logger")
        assert len(rows["time"]) >= 3
        for name, value in values.items():
            assert rows[name] == pytest.approx([value] * len(rows["time"]), abs=0.5)


def test_a_2450_that_somebody_has_set_logs_what_it_measures(tmp_path):
    section = (
        'driver = "keithley2450"\naddress = "GPIB0::9::INSTR"\nserves = []\nreadings = { measured = "A" }\n'
    )
    with open_rehearsal(load_bench_file(bench(tmp_path, f"{section}every = 0.1")), seed=1) as opened:
        log = opened.instruments.beside["logger"]
        log.output_enabled = True
        run = mho.run(mho.Read(repeats=2, interval=1.0), opened, seed=1, output=tmp_path / "read.h5")
        assert not log.output_enabled  # made safe at the end of the run
    with mho.open_run(run.path) as run:
        assert run.column("logger", "measured")[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('driver = "keithley2450"\nserves = []\nterminal = "bit line"', "both wired to the bit line"),
        ('driver = "keithley2450"\nserves = []\ntwin = "own.py:Twin"', "twin"),
        ('driver = "lakeshore335"\nserves = []\nhighest = 400', "serves nothing"),
    ],
)
def test_what_is_wired_is_not_beside_and_what_it_cannot_read_is_said(section, said, tmp_path):
    with pytest.raises(BenchError) as told:
        load_bench_file(bench(tmp_path, f'{section}\naddress = "GPIB0::9::INSTR"'))
    assert said in str(told.value)
