"""Pulse trains: each cell gets the pulses that were asked for, in their order, and is read before and after each."""

from pathlib import Path

import numpy as np
import pytest

import mho
from mho.errors import InputError, LimitError
from mho.runs import RunFile

CELLS = {"rows": "1, 3", "columns": "2:4"}


def formed_bench(seed: int = 3):
    return mho.open_bench("simulated", preset="pku", seed=seed)


def test_a_set_raises_and_a_reset_lowers_a_formed_cell(tmp_path: Path) -> None:
    with formed_bench() as bench:
        mho.run(mho.Form(**CELLS), bench, seed=1, output=None)
        down = mho.run(mho.PulseTrain(kind="reset", **CELLS), bench, seed=1, output=None)
        up = mho.run(mho.PulseTrain(kind="set", **CELLS), bench, seed=1, output=tmp_path / "up.h5")
    assert down.conductance.shape == up.conductance.shape == (2, 2, 2)
    assert (down.conductance[..., 1] < 0.5 * down.conductance[..., 0]).all()
    assert (up.conductance[..., 1] > 2.0 * up.conductance[..., 0]).all()
    with RunFile(tmp_path / "up.h5") as run:
        assert run.conclusion.line.startswith("4 cells, 1 SET each: median ")
        rows = {name: run.column("reads", name) for name in ("row", "column", "pulse", "sent", "conductance")}
    assert rows["row"].tolist() == [1] * 4 + [3] * 4
    assert rows["column"].tolist() == [2, 2, 3, 3] * 2
    assert rows["pulse"].tolist() == [0, 1] * 4
    assert rows["sent"].tolist() == [0, 1] * 4
    np.testing.assert_array_equal(rows["conductance"], up.conductance.ravel())


def test_pulses_in_turn_are_sets_and_resets(tmp_path: Path) -> None:
    train = mho.run(
        mho.PulseTrain(rows="0", columns="0", kind="in turn", count=5),
        "simulated",
        seed=1,
        output=tmp_path / "a.h5",
    )
    with RunFile(tmp_path / "a.h5") as run:
        assert run.column("reads", "sent").tolist() == [0, 1, 2, 1, 2, 1]
    assert train.summary["pulses"] == 5


def test_the_values_that_are_given_are_those_that_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    with formed_bench() as bench:
        whole = type(bench).pulse
        monkeypatch.setattr(
            type(bench), "pulse", lambda self, cell, pulse: (sent.append(pulse), whole(self, cell, pulse))
        )
        one = {"rows": "0", "columns": "0"}
        mho.run(
            mho.PulseTrain(kind="set", set_voltage=1.5, set_gate=1.1, width=2e-7, **one), bench, output=None
        )
        mho.run(mho.PulseTrain(kind="reset", reset_voltage=1.25, reset_gate=2.2, **one), bench, output=None)
    assert sent[0] == mho.Pulse("set", 1.5, 2e-7, 1.1)
    assert (sent[1].kind, sent[1].voltage, sent[1].gate) == ("reset", 1.25, 2.2)


def test_what_the_bench_forbids_or_no_run_may_have_is_refused_before_a_pulse() -> None:
    with formed_bench() as bench, pytest.raises(LimitError):
        mho.run(mho.PulseTrain(set_voltage=9.9), bench, output=None)
    with pytest.raises(InputError, match="pulse fewer cells or less often"):
        mho.PulseTrain(rows="0:1000", columns="0:1000", count=100).check()


def test_all_cells_are_programmed_to_one_level_that_is_named_by_its_number() -> None:
    with formed_bench() as bench:
        done = mho.run(mho.Program(digits="4", rows="1, 3", columns="2:4"), bench, seed=1, output=None)
    assert done.achieved.shape == (2, 2)
    assert done.achieved == pytest.approx(20e-6, rel=0.15)
    with pytest.raises(InputError, match="name these by rows and columns"):
        mho.Program(digits="4", rows="1").check()
