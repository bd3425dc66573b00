"""Which cells are formed goes on from run to run: through run files, the chip's list, and runs on the chip of another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from daily import daily

import mho
from mho.analysis.reports import collect_defects
from mho.chip_maps.defects import DefectList, add_defects, read_defects
from mho.errors import BenchError, ChipMapError
from mho.instruments import open_bench
from mho.instruments.bench_file import load_bench_file
from mho.instruments.simulated.physics.cells.cells import FORMED
from mho.procedures import (
    IV,
    Disturb,
    Endurance,
    Form,
    Noise,
    Program,
    Read,
    Refresh,
    Response,
    Retention,
    Switching,
)
from mho.procedures.chip_in_use import chip_of, formed_cells_of, recall_formed
from mho.procedures.stream import Control
from mho.running.continuing import rerun
from mho.running.phases import Opening, already_open, with_earlier
from mho.runs import RunFile

DIGITS = np.random.default_rng(5).integers(0, 4, (6, 6))
LINES = "0:6"


def cells_formed(defects: DefectList) -> int:
    return sum(one.cells for one in defects.formed)


def mask_in(path: Path) -> np.ndarray:
    """The formed cells that a run file holds, of the block."""
    with RunFile(path) as run:
        (one,) = formed_cells_of(run)
    assert one.array == "multiply"
    assert one.mask[6:].sum() == one.mask[:, 6:].sum() == 0
    return one.mask[:6, :6]


@pytest.fixture(scope="module")
def programmed(tmp_path_factory) -> Iterator[tuple[Path, np.ndarray]]:
    """A run file, and which of its cells the simulated chip itself calls formed."""
    path = tmp_path_factory.mktemp("formed") / "program.h5"
    with open_bench("stanford-arrays", seed=3) as bench:
        mho.run(Program(digits=DIGITS), bench, seed=3, output=path)
        cells, index = bench.simulated.chip.at("multiply", np.arange(6), np.arange(6))
        yield path, np.asarray(cells.status(index) == FORMED)


def test_a_run_file_ends_with_the_cells_that_are_formed(programmed):
    path, formed = programmed
    assert 0 < formed.sum() < formed.size  # digits 0 are left virgin
    np.testing.assert_array_equal(mask_in(path), formed)


def test_of_a_run_without_a_record_the_reads_of_its_pulses_tell(programmed, monkeypatch):
    path, formed = programmed
    monkeypatch.setattr(RunFile, "formed", "")
    np.testing.assert_array_equal(mask_in(path), formed)


def test_a_bench_of_instruments_learns_it_from_a_file_and_a_simulated_one_does_not(programmed):
    path, formed = programmed
    with open_bench("stanford-arrays", seed=8) as bench:
        recall_formed(bench, path)
        assert not bench.forming.mask("multiply").any()
        bench.simulated = None
        recall_formed(bench, path)
        np.testing.assert_array_equal(bench.forming.mask("multiply")[:6, :6], formed)
    with open_bench("arrays", seed=8) as other:  # another chip
        other.simulated = None
        recall_formed(other, path)
        assert not other.forming.mask("multiply").any()


def test_refresh_on_instruments_goes_by_the_run_that_it_refreshes(programmed):
    path, formed = programmed
    with open_bench("stanford-arrays", seed=8) as bench:
        bench.simulated = None
        procedure = Refresh(of=str(path))
        procedure.prepare(procedure.check(), bench, np.random.default_rng(1))
        np.testing.assert_array_equal(bench.forming.mask("multiply")[:6, :6], formed)


def test_on_instruments_a_run_that_takes_up_another_knows_what_that_had_formed(programmed):
    path, formed = programmed
    with open_bench("stanford-arrays", seed=8) as bench:
        bench.simulated = None
        with with_earlier(path, already_open(bench))(Opening(1, (), Control())) as opened:
            assert opened.earlier == path
            np.testing.assert_array_equal(bench.forming.mask("multiply")[:6, :6], formed)


def test_the_chip_s_list_collects_it_and_only_grows(programmed, tmp_path):
    path, formed = programmed
    target = tmp_path / "chip.defects.toml"
    whole, _ = add_defects(target, collect_defects([path]).defects)
    assert cells_formed(whole) == formed.sum()
    form = tmp_path / "form.h5"
    mho.run(Form(rows="8:10", columns=LINES), "stanford-arrays", seed=3, output=form)
    whole, _ = add_defects(target, collect_defects([form, path]).defects)
    read = read_defects(target)
    assert read == whole
    assert read.formed[0].mask[:6, :6].sum() == formed.sum()
    assert read.formed[0].mask[8:10, :6].sum() == cells_formed(read) - formed.sum() > 0


@pytest.mark.parametrize(
    "procedure", daily([Form, Switching, IV, Response, Disturb, Endurance, Retention, Noise, Program], 3)
)
def test_a_list_that_cannot_be_used_is_said_before_a_pulse(procedure, programmed, tmp_path):
    path, _ = programmed
    whole, _ = add_defects(tmp_path / "chip.defects.toml", collect_defects([path]).defects)
    text = (tmp_path / "chip.defects.toml").read_text("utf-8")
    spoilt = text.replace(f"cells = {cells_formed(whole)}", "cells = 3")
    assert spoilt != text
    (tmp_path / "chip.defects.toml").write_text(spoilt, "utf-8")
    bench = load_bench_file("stanford-arrays")
    (tmp_path / "bench.toml").write_text('defects = "chip.defects.toml"\n' + bench.text, "utf-8")
    given = {"digits": DIGITS} if procedure is Program else {"rows": "0:2", "columns": "0:2"}
    with pytest.raises(ChipMapError, match="defects"):
        mho.run(procedure(**given), str(tmp_path / "bench.toml"), seed=1, output=tmp_path / "run.h5")
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.thorough
def test_a_run_that_only_read_adds_what_conducted(programmed, tmp_path):
    path, formed = programmed
    later = tmp_path / "read.h5"
    mho.run(Read(rows=LINES, columns=LINES), "stanford-arrays", after=path, output=later)
    np.testing.assert_array_equal(mask_in(later), formed)
    assert cells_formed(collect_defects([later]).defects) == formed.sum()


@pytest.mark.thorough
def test_on_the_chip_of_another_run_and_in_its_repetition_no_formed_cell_is_formed(programmed, tmp_path):
    path, formed = programmed
    later = tmp_path / "later.h5"
    mho.run(Program(digits=3 - DIGITS), "stanford-arrays", after=path, output=later)
    with RunFile(later) as run:
        rows = run.table("pulses")
        settings = json.dumps(run.parameters["write_verify"].value)
    assert "3.3" in settings
    forming = (rows["kind"] > 0) & (rows["width"] > 0.5e-6)
    assert forming.any()
    assert not formed[rows["row"][forming], rows["column"][forming]].any()
    assert rerun(later, output=tmp_path / "again.h5").equal


@pytest.mark.parametrize(
    ("bench", "verify"),
    daily([("stanford", "cell"), ("stanford-arrays", "cell"), ("stanford-arrays", "row")], 2),
)
def test_a_cell_that_the_record_calls_formed_is_not_formed_however_little_it_conducts(
    bench, verify, tmp_path
):
    path = tmp_path / "program.h5"
    with open_bench(bench, seed=3) as opened:
        opened.forming.saw_one(mho.Cell("multiply", 0, 1), 1e-5)  # though it is virgin
        program = Program(digits=np.full((1, 2), 3), write_verify=f"verify = {verify}")
        mho.run(program, opened, seed=3, output=path)
        width = chip_of(opened).write_verify.forming_width
    with RunFile(path) as run:
        rows = run.table("pulses")
    pulsed = rows["kind"] > 0
    assert set(rows["column"][pulsed]) == {0, 1}
    assert set(rows["column"][pulsed & (rows["width"] == width)]) == {0}


def test_formed_cells_of_another_array_are_refused():
    with open_bench("arrays", seed=1) as bench, open_bench("zuo2025", seed=1) as other:
        bench.forming.saw_one(mho.Cell("invert_positive", 0, 0), 1e-5)
        with pytest.raises(BenchError, match="'invert_positive' of 1024 x 1024"):
            other.forming.add(bench.forming.packed())
