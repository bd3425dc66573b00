"""A run goes on with the simulated chip that another one left, as if both had been done in one session."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mho import run
from mho.analysis.reports.summary import summarise
from mho.errors import Aborted, InputError
from mho.instruments import open_bench
from mho.procedures import Program, Read, Sweep
from mho.procedures.stream import Control, Progress, Started
from mho.running.continuing import rerun
from mho.runs import RunFile
from mho.runs.index.card import read_card

DIGITS = np.array([[1, 5, 0], [7, 3, 2]])
CELLS = {"rows": "0:2", "columns": "0:3"}


@pytest.fixture(scope="module")
def programmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(Program(digits=DIGITS), seed=3, output=tmp_path_factory.mktemp("first") / "program.h5").path


@pytest.mark.thorough
def test_it_is_what_one_session_would_have_given(programmed, tmp_path):
    with open_bench(seed=3) as bench:
        run(Program(digits=DIGITS), bench, seed=3, output=tmp_path)
        together = run(Read(**CELLS), bench, seed=4, output=tmp_path / "together.h5")
    apart = run(Read(**CELLS), seed=4, after=programmed, output=tmp_path / "apart.h5")
    assert_array_equal(apart.conductance, together.conductance)
    assert apart.times == together.times
    with RunFile(apart.path) as file, RunFile(programmed) as before:
        assert file.provenance["after"] == str(programmed)
        assert file.provenance["after_run"] == read_card(programmed).facts.run_id
        assert file.provenance["chip_seed"] == "3"
        assert "after" not in before.provenance
        assert (summarise(file).after, summarise(before).after) == (str(programmed), "")


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["apart", "in one session"])
def test_a_chain_of_runs_is_repeated_bit_for_bit(how, tmp_path):
    sweep = Sweep(rows="0", columns="0:2", highest=1.5, gate=1.8)
    if how == "apart":
        first = run(Program(digits=DIGITS), seed=1, preset="quiet", output=tmp_path / "1.h5")
        second = run(Read(**CELLS, interval=3600.0, repeats=2), after=first.path, output=tmp_path / "2.h5")
        last = run(sweep, after=second.path, output=tmp_path / "3.h5")
    else:
        with open_bench(seed=9, preset="quiet") as bench:
            run(Program(digits=DIGITS), bench, output=tmp_path / "1.h5")
            run(Read(**CELLS), bench, output=tmp_path / "2.h5")
            last = run(sweep, bench, output=tmp_path / "3.h5")
    again = rerun(last.path, output=tmp_path / "again.h5")
    assert again.equal, [one for one in again.compared if not one.equal]
    assert np.nanmax(last.conductance) > 10e-6  # the cells are those that were programmed
    with RunFile(again.path) as file:
        assert file.provenance["after"] == str(tmp_path / "2.h5")


def test_what_is_repeated_first_is_told_and_leaves_no_file(programmed, tmp_path):
    told = []
    run(Read(**CELLS), after=programmed, output=tmp_path / "read.h5", observers=[told.append])
    begun = next(i for i, event in enumerate(told) if isinstance(event, Started))
    assert {type(event) for event in told[:begun]} == {Progress}
    assert all(event.stage.startswith("repeating program.h5: ") for event in told[:begun])
    assert [path.name for path in tmp_path.iterdir()] == ["read.h5"]


def test_it_can_be_aborted_while_it_repeats(programmed, tmp_path):
    control = Control()
    told = []

    def stop(event):
        told.append(event)
        control.abort("enough")

    with pytest.raises(Aborted, match="enough"):
        run(Read(**CELLS), after=programmed, output=tmp_path / "read.h5", observers=[stop], control=control)
    assert not any(isinstance(event, Started) for event in told)
    assert not list(tmp_path.iterdir())


def refused(said: str, **options) -> None:
    with pytest.raises(InputError, match=said):
        run(Read(**CELLS), **options)
    assert not options["output"].exists()


def test_another_bench_other_cells_and_an_open_bench_are_refused(programmed, tmp_path):
    output = tmp_path / "read.h5"
    refused("was made on bench simulated, not on zuo2025", after=programmed, bench="zuo2025", output=output)
    refused("leave out preset 'quiet'", after=programmed, preset="quiet", output=output)
    with open_bench() as bench:
        refused("leave out an open bench", after=programmed, bench=bench, output=output)


def test_an_unfinished_run_is_no_ground(tmp_path):
    control = Control()

    def stop(event):
        if isinstance(event, Started):
            control.abort("enough")

    with pytest.raises(Aborted):
        run(Program(digits=DIGITS), output=tmp_path / "1.h5", observers=[stop], control=control)
    refused(
        "is aborted: how far it came cannot be repeated", after=tmp_path / "1.h5", output=tmp_path / "2.h5"
    )


@pytest.mark.thorough
def test_a_ground_that_is_gone_or_another_one_is_named(tmp_path):
    first = run(Program(digits=DIGITS), seed=1, output=tmp_path / "1.h5")
    run(Read(**CELLS), after=first.path, output=tmp_path / "2.h5")
    output = tmp_path / "3.h5"
    kept = shutil.move(first.path, tmp_path / "kept.h5")
    refused(r"1\.h5 left, and that file is gone; put it back", after=tmp_path / "2.h5", output=output)
    run(Program(digits=DIGITS), seed=1, output=tmp_path / "1.h5")
    refused("that file holds another run now", after=tmp_path / "2.h5", output=output)
    shutil.move(kept, tmp_path / "1.h5")
    run(Read(**CELLS), after=tmp_path / "2.h5", output=output)


def test_a_run_that_comes_out_differently_now_is_no_ground(programmed, tmp_path, monkeypatch):
    from mho.instruments.simulated.physics.cells.cells import CellArray

    read = CellArray.read
    monkeypatch.setattr(CellArray, "read", lambda *given, **more: 1.01 * read(*given, **more))
    refused(
        r"nothing can go on with the chip of .*program\.h5: repeated here it comes out differently",
        after=programmed, output=tmp_path / "read.h5",
    )  # fmt: skip
