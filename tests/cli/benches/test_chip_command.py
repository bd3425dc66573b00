"""`mho chip defects`: from a program run to a list beside the chip map, which the next run goes by."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import Shell

from mho.chip_maps.chip import read_chip_text
from mho.instruments.bench_file import load_bench_file
from mho.runs import RunFile


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    np.save("all.npy", rng.integers(1, 8, (16, 16)))
    np.save("digits.npy", rng.integers(1, 8, (8, 8)))
    text = load_bench_file("simulated").text.replace('preset = "pku"', 'preset = "pku"\nstuck = 0.04')
    chip = re.sub(
        r"(?s)(\"multiply\"\nrows = )1024(\ncolumns = )1024", r"\g<1>16\g<2>16", read_chip_text("reference")
    )
    Path("plain.toml").write_text(chip, "utf-8")
    Path("chip.toml").write_text(f'defects = "chip.defects.toml"\n{chip}', "utf-8")
    for name, chip in (("first", "plain"), ("next", "chip")):
        Path(f"{name}.toml").write_text(text.replace('"reference"', f'"{chip}.toml"'), "utf-8")
    return Shell(tmp_path / "runs", monkeypatch, capsys)


def summary(out: str) -> dict[str, float]:
    return json.loads(out.splitlines()[-1])


@pytest.mark.thorough
def test_lost_cells_are_collected_and_gone_around(shell):
    assert "names the list of defects 'chip.defects.toml', which cannot be read" in shell.refused(
        "run", "program", "digits.npy", "--bench", "next.toml"
    )
    program = ("run", "program", "digits.npy", "--seed", 6, "--json")
    first = ("run", "program", "all.npy", "--seed", 6, "--json", "--bench", "first.toml", "--output", "1.h5")
    lost = summary(shell(*first)[1])["cells_failed"]
    assert lost > 5
    code, out, err = shell("chip", "defects", "1.h5", "--to", "chip.defects.toml")
    assert (code, err) == (0, "")
    assert f"chip.defects.toml: {lost} defects of chip reference, {lost} of them new" in out
    with RunFile("1.h5") as run:
        bad = np.argwhere(np.isin(run.map("multiply_outcome"), [1, 2, 3, 4]))
    under = int((bad < 8).all(axis=1).sum())
    assert f"multiply[{bad[0][0]}, {bad[0][1]}]" in out
    fixed = shell(*program, "--bench", "next.toml", "--output", "2.h5")
    assert 0 < summary(fixed[1])["cells_failed"] <= under
    with RunFile("2.h5") as run:
        assert any(f"{under} of the 64 cells are known to be bad" in one.message for one in run.log())
        assert run.defects == Path("chip.defects.toml").read_text("utf-8")
    around = shell(*program, "--bench", "next.toml", "--place", "auto", "--output", "3.h5")
    assert summary(around[1])["cells_failed"] == 0
    with RunFile("3.h5") as run:
        rows, columns = run.map_axes("multiply_outcome")
        assert not any(row in rows and column in columns for row, column in bad)
        assert f"{rows[-1] + 1}" in run.cells
    assert shell("rerun", "3.h5", "--output", "4.h5")[0] == 0
    assert json.loads(shell("chip", "defects", "1.h5", "3.h5", "--json")[1])["chip"] == "reference"


@pytest.mark.thorough
def test_what_cannot_be_collected_is_refused(shell):
    Path("chip.defects.toml").write_text('chip = "another"\n', "utf-8")
    assert "is of chip 'another', but the chip map is of 'reference'" in shell.refused(
        "run", "program", "digits.npy", "--bench", "next.toml"
    )
    shell("run", "read", "--bench", "arrays", "--output", "read.h5")
    assert "read.h5 (Read) has no map of its cells' classes" in shell("chip", "defects", "read.h5")[2]
    shell("run", "program", "digits.npy", "--bench", "first.toml", "--output", "1.h5")
    code, _, err = shell("chip", "defects", "1.h5", "--to", "chip.defects.toml")
    assert code == 2
    assert "is of chip 'another', and the runs are of 'reference'" in err
    assert Path("chip.defects.toml").read_text("utf-8") == 'chip = "another"\n'


def test_a_bench_file_names_the_list_itself_or_the_chip_map_does(shell):
    text = Path("next.toml").read_text("utf-8")
    Path("chip.defects.toml").write_text('chip = "reference"\n', "utf-8")
    Path("mine.toml").write_text('chip = "reference"\n', "utf-8")
    Path("both.toml").write_text(f'defects = "mine.toml"\n{text}', "utf-8")
    assert (
        "names the list of defects mine.toml, and its chip map another one, chip.defects.toml"
        in shell.refused("run", "program", "digits.npy", "--bench", "both.toml")
    )
    Path("both.toml").write_text(f'defects = "chip.defects.toml"\n{text}', "utf-8")
    assert load_bench_file("both.toml").defects_text == 'chip = "reference"\n'
    Path("mine.toml").write_text(load_bench_file("arrays").text, "utf-8")
    assert load_bench_file("mine.toml").defects_text == ""
