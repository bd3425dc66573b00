"""A driver that mho lacks: the worked example of docs/writing-a-driver.md, and how a bench file names one's own classes."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from pymeasure.test import expected_protocol
from repository import ROOT

from mho import run
from mho.errors import BenchError
from mho.instruments import Cell, Pulse, open_bench
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.drivers.keithley2400 import Keithley2400
from mho.procedures import Solve
from mho.running.continuing import rerun
from mho.running.rehearsal import rehearse

DRIVER = ROOT / "mho/instruments/drivers/keithley2400.py"
TWIN = ROOT / "mho/instruments/simulated/keithley2400.py"
SHARED = ROOT / "mho/instruments/simulated/source_meters.py"  # what it is built on
PAGE = (ROOT / "docs/writing-a-driver.md").read_text("utf-8")
SIMULATED = (resources.files("mho.instruments") / "benches/simulated.toml").read_text("utf-8")
SMU = re.compile(r"\[instruments\.smu\]\n(.+\n)+")
MATRIX = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")


def quoted(language: str) -> list[str]:
    """Return the code blocks of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with copies of the 2400's driver and twin, which only a bench file beside them finds."""
    shutil.copy(DRIVER, tmp_path)
    shutil.copy(TWIN, tmp_path / "simulated_keithley2400.py")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def bench(folder: Path, smu: str, simulated: bool = True) -> str:
    """Write a bench file with another source-measure unit; without a simulation it stands for real instruments."""
    text, count = SMU.subn(smu, SIMULATED, count=1)
    assert count == 1
    if not simulated:
        text, count = re.subn(r"\[simulation\]\n(.+\n)+", "", text)
        assert count == 1
    path = folder / "lab.toml"
    path.write_text(text, "utf-8")
    return str(path)


def section(driver: str, twin: str = "", more: str = "") -> str:
    named = f'driver = "{driver}"\n' + (f'twin = "{twin}"\n' if twin else "")
    return f'[instruments.smu]\n{named}address = "GPIB0::24::INSTR"\nterminal = "bit line"\n{more}'


(PAGES_SECTION,) = (block for block in quoted("toml") if "keithley2400:" in block)


# --- the page ---


def test_the_page_quotes_the_example_word_for_word():
    files = [path.read_text("utf-8") for path in (DRIVER, TWIN, SHARED, Path(__file__))]
    blocks = quoted("python")
    assert len(blocks) > 4
    for block in blocks:
        assert any(block.strip("\n") in text for text in files), block


def test_the_page_shows_the_whole_driver():
    left = DRIVER.read_text("utf-8")
    for block in quoted("python"):
        left = left.replace(block, "")
    assert not left.strip()


@pytest.mark.thorough
def test_the_instrument_of_the_page_solves_on_the_simulated_bench(folder: Path):
    result = run(Solve(matrix=MATRIX, bits=12), bench(folder, PAGES_SECTION), seed=1, output=folder / "a.h5")
    assert result.converged
    assert rerun(result.path, output=folder / "again.h5").equal


@pytest.mark.thorough
def test_the_instrument_of_the_page_is_rehearsed_for_a_real_bench(folder: Path):
    result = rehearse(Solve(matrix=MATRIX, bits=12), bench(folder, PAGES_SECTION, simulated=False), seed=1)
    assert result.passed
    (smu,) = (one for one in result.buses if one.address.startswith("GPIB"))
    assert smu.messages > 100


def test_a_read_is_one_message():
    with expected_protocol(
        Keithley2400,
        [
            ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30"),
            (":SYST:ERR?", '0,"No error"'),
            (
                ":SOUR:VOLT 2.000000000e-01;:READ?;:SOUR:VOLT 0;:SYST:ERR?",
                '+1.999830E-01,+4.001200E-06,+8.000000E+00;0,"No error"',
            ),
        ],
    ) as smu:
        assert smu.read(0.2) == (0.199983, 4.0012e-06, True)


# --- other instruments of one's own ---


def works(name: str) -> None:
    """Form a cell and read it."""
    cell = Cell("multiply", 3, 4)
    with open_bench(name, seed=1, preset="ideal") as opened:
        opened.pulse(cell, Pulse("set", 3.3, 1e-6, 1.6))
        assert opened.read(cell) == pytest.approx(28e-6, rel=0.02)
        assert opened.laboratory is not None
        assert opened.laboratory.incidents == []


def test_a_driver_of_two_channels_plays_two_roles(folder: Path):
    (folder / "pair.py").write_text(
        "from mho.instruments.drivers.keysightb2912a import KeysightB2912A\n"
        "class Pair(KeysightB2912A):\n    channel_count = 2\n"
    )
    twin = "mho.instruments.simulated.keysightb2912a:SimulatedKeysightB2912A"
    both = section("pair:Pair", twin)
    path = Path(bench(folder, both))
    gate = both.replace("smu", "gate").replace("bit line", "word line") + "channel = 2\n"
    path.write_text(re.sub(r"\[instruments\.gate\]\n(.+\n)+", gate, path.read_text("utf-8")), "utf-8")
    works(str(path))
    path.write_text(path.read_text("utf-8").replace("channel = 2", "channel = 3"), "utf-8")
    with pytest.raises(BenchError, match=r"instruments\.gate .*: pair:Pair has no channel 3; it has 2"):
        load_bench_file(str(path))


def test_a_pulse_generator_of_one_s_own(folder: Path):
    (folder / "pulses.py").write_text(
        "from mho.instruments.drivers.keysight33522b import Keysight33522B as Mine\n"
        "from mho.instruments.simulated.keysight33522b import SimulatedKeysight33522B as Twin\n"
    )
    path = folder / "lab.toml"
    path.write_text(
        SIMULATED.replace('driver = "keysight33522b"', 'driver = "pulses:Mine"\ntwin = "pulses:Twin"'),
        "utf-8",
    )
    works(str(path))


# --- what is wrong is answered with file, key and line ---

(DRIVER_LINE,) = (
    number + 1
    for number, line in enumerate(SIMULATED.splitlines(), 1)
    if line.startswith("[instruments.smu]")
)


@pytest.mark.parametrize(
    ("driver", "twin", "answer"),
    [
        ("keithley2401", "", "driver (line {}): no such driver here; there are keithley2450, "),
        ("nowhere:Meter", "", "driver (line {}): module 'nowhere' cannot be imported: ModuleNotFoundError: No module"),
        ("keithley2400:Keithly", "", "driver (line {}): module 'keithley2400' ({}keithley2400.py) has no class 'Keithly'"),
        ("keithley2400:", "", "driver (line {}): 'keithley2400:' names no class; write 'module:Class'"),
        ("broken:Meter", "", "driver (line {}): module 'broken' cannot be imported: ZeroDivisionError: division by zero"),
        ("collections:Counter", "", "driver (line {}): collections:Counter is no SourceMeter: give it configure("),
        ("keithley2450", "simulated_keithley2400:SimulatedKeithley2400",
         " (line {}): driver keithley2450 has its own twin: leave `twin` out"),
        ("keithley2400:Keithley2400", "keithley2400:Keithley2400",
         "twin (line {}): keithley2400:Keithley2400 is no simulated instrument: give it write(data, end), read(), "),
    ],
)  # fmt: skip
def test_what_cannot_be_an_instrument_is_refused(folder: Path, driver: str, twin: str, answer: str):
    (folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(BenchError) as refused:
        load_bench_file(bench(folder, section(driver, twin)))
    message = str(refused.value)
    line = DRIVER_LINE + message.count(".twin (") - message.count("smu (")
    assert answer.format(line, f"{folder}{os.sep}") in message
    assert "\n" not in message


def test_an_instrument_without_a_twin_is_simulated_nowhere(folder: Path):
    path = bench(folder, section("keithley2400:Keithley2400"), simulated=False)
    rehearsed = rehearse(Solve(matrix=MATRIX, bits=12), path)
    (sentence,) = rehearsed.untwinned
    assert "(keithley2400:Keithley2400) has no simulated twin" in sentence
    assert sentence in rehearsed.reason
    assert not rehearsed.passed
