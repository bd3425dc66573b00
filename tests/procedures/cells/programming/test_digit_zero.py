"""A cell at digit 0 ends as the chip map says, on both benches: RESET, or virgin as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from daily import daily

from mho import run
from mho.chip_maps.chip import read_chip_text
from mho.instruments.bench_file import load_bench_file
from mho.procedures import Program

DIGITS = np.zeros((3, 4), np.int64)
DIGITS[1, 2] = 5


def bench(folder: Path, name: str, zero: str) -> str:
    source = load_bench_file(name)
    text = read_chip_text(source.bench.chip).replace("[levels]", f'[levels]\nzero = "{zero}"')
    (folder / "chip.toml").write_text(text, "utf-8")
    text = source.text.replace(f'chip = "{source.bench.chip}"', 'chip = "chip.toml"')
    (folder / "bench.toml").write_text(text, "utf-8")
    return str(folder / "bench.toml")


@pytest.mark.parametrize("name", daily(["simulated", "arrays"], ["arrays"]))
def test_a_reset_zero_is_formed_and_reset(tmp_path, name):
    done = run(Program(digits=DIGITS), bench(tmp_path, name, "reset"), seed=2, output=tmp_path / "run.h5")
    assert done.failed == 0
    zeros = done.achieved[DIGITS == 0]
    assert zeros.min() > 0.1e-6
    assert zeros.max() < 0.6e-6
    assert done.pulses.min() >= 2


@pytest.mark.parametrize("zero", ["virgin", "either"])
def test_a_virgin_zero_is_left_alone(tmp_path, zero):
    done = run(Program(digits=DIGITS), bench(tmp_path, "arrays", zero), seed=2, output=tmp_path / "run.h5")
    assert done.failed == 0
    assert not done.pulses[DIGITS == 0].any()
    assert abs(done.achieved[DIGITS == 0]).max() < 0.1e-6
