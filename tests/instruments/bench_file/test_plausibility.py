"""A limit that can hardly be meant is questioned before anything is opened; whoever insists has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Shell
from daily import daily

from mho import run
from mho.chip_maps.chip import load_chip_map, packaged_chip_maps
from mho.errors import BenchError, ChipMapError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.instruments.bench_file.plausibility import doubtful_limits
from mho.instruments.checks import check_bench
from mho.instruments.opening.opening import open_bench
from mho.instruments.opening.safing import make_bench_safe
from mho.procedures import Read
from mho.procedures.conditions import load_conditions
from mho.running.rehearsal import rehearse


def changed(folder: Path, *changes: tuple[str, str], bench: str = "simulated") -> str:
    text = load_bench_file(bench).text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


BIT = "voltage = 4.6 "
TOO_HIGH = (BIT, "voltage = 46 ")


@pytest.mark.parametrize("name", ["integrated64", "simulated", "stanford", "switched", "zuo2025"])
def test_the_packaged_benches_are_beyond_doubt(name):
    assert doubtful_limits(load_bench_file(name)) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    daily(
        [
            (
                BIT,
                "voltage = 46 ",
                "bit line: voltage limit of 46 V is beyond the 5 V that a cell bears by the chip map",
            ),
            (BIT, "voltage = 4600 ", "bit line: voltage limit of 4600 V is beyond the 5 V"),
            ("voltage = 3.3\n", "voltage = 33\n", "source line: voltage limit of 33 V is beyond the 4 V"),
            ("voltage = 4.0\n", "voltage = 40\n", "word line: voltage limit of 40 V is beyond the 4.5 V"),
            (
                "voltage = 1.0  ",
                "voltage = 100",
                "vector: voltage limit of 100 V is beyond the 10 V that the instruments",
            ),
            (
                "current = 1e-3     ",
                "current = 1",
                "bit line: current limit of 1 A is beyond the 0.002 A that a cell",
            ),
            (
                "slew = 400e6",
                "slew = 400e9",
                r"bit line: slew limit of 4e\+11 V/s is beyond the .* that the instruments",
            ),
        ],
        3,
    ),
)
def test_a_slip_of_a_digit_is_questioned(tmp_path, old, new, said):
    path = changed(tmp_path, (old, new))
    with pytest.raises(BenchError, match=said):
        open_bench(path)
    with pytest.raises(BenchError, match=f"{said}.*--force"):
        load_conditions(path)
    with pytest.raises(BenchError, match=said):
        rehearse(Read(), path)
    with open_bench(path, force=True) as bench:
        bench.prepare()


@pytest.mark.parametrize(("driver", "most"), [("keithley2450", 210.0), ("agilentb1500", 200.0)])
def test_without_a_word_on_the_cells_the_instruments_decide(tmp_path, driver, most):
    chip = load_bench_file("simulated").chip_text
    start, end = chip.index("[cells.bears]"), chip.index("[[arrays]]")
    (tmp_path / "chip.toml").write_text(chip[:start] + chip[end:], encoding="utf-8")
    changes = [('chip = "reference"', 'chip = "chip.toml"'), ('"keithley2450"', f'"{driver}"')]
    assert doubtful_limits(load_bench_file(changed(tmp_path, *changes, (BIT, "voltage = 46 ")))) == ()
    (doubt,) = doubtful_limits(load_bench_file(changed(tmp_path, *changes, (BIT, "voltage = 4600 "))))
    assert f"beyond the {most:g} V that the instruments there deliver" in doubt
    (doubt,) = doubtful_limits(
        load_bench_file(changed(tmp_path, *changes, ("voltage = 3.3\n", "voltage = 33\n")))
    )
    assert doubt.startswith("source line: voltage limit of 33 V is beyond the 10 V")


def test_a_file_may_insist_for_good(tmp_path):
    path = changed(tmp_path, TOO_HIGH, ('[limits."bit line"]', '[limits."bit line"]\ninsist = true'))
    with open_bench(path) as bench:
        assert bench.limits.highest("bit line") == 46.0


def test_a_run_is_refused_and_leaves_no_file(tmp_path):
    path = changed(tmp_path, TOO_HIGH)
    with pytest.raises(BenchError, match="46 V"):
        run(Read(rows="0", columns="0"), path, output=tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()
    run(Read(rows="0", columns="0"), path, output=tmp_path / "a.h5", force=True)
    assert (tmp_path / "a.h5").exists()


def test_making_safe_asks_nothing(tmp_path):
    assert "smu" in make_bench_safe(changed(tmp_path, TOO_HIGH))


def test_the_bench_check_finds_it(tmp_path):
    path = changed(tmp_path, TOO_HIGH)
    for force, verdict in ((False, "wrong"), (True, "note")):
        (finding,) = (
            one
            for one in check_bench(path, force=force).findings
            if (one.subject, one.what) == ("bench", "limits")
        )
        assert finding.verdict == verdict
        assert "46 V" in finding.detail


def test_the_command_line_asks_and_takes_force(tmp_path, shell: Shell):
    path = changed(tmp_path, TOO_HIGH)
    words = ("read", "--rows", "0", "--columns", "0", "--bench", path, "--output", tmp_path / "a.h5")
    code, _, err = shell("run", *words)
    assert code == 2
    assert "46 V is beyond the 5 V" in err
    assert "--force" in err
    assert shell("run", *words, "--force")[0] == 0
    assert shell("rehearse", path, "read", "--rows", "0", "--columns", "0")[0] == 2
    assert shell("rehearse", path, "read", "--rows", "0", "--columns", "0", "--force")[0] == 0
    assert shell("bench", "check", path)[0] == 1


@pytest.mark.parametrize("name", packaged_chip_maps())
def test_the_packaged_chips_say_what_their_cells_bear(name):
    bears = load_chip_map(name).cells.bears
    assert bears.bit_line is not None
    assert bears.bit_line >= 4.6


def test_a_chip_map_that_says_it_wrongly_is_refused(tmp_path):
    text = load_bench_file("simulated").chip_text
    (tmp_path / "chip.toml").write_text(text.replace("bit_line = 5.0", "bitline = 5.0"), encoding="utf-8")
    with pytest.raises(ChipMapError, match=r"cells.bears.bitline .*did you mean 'bit_line'"):
        load_chip_map(tmp_path / "chip.toml")
