"""Runs through real drivers at their addresses, on a bench file without a simulation: held to twins of that bench.

The instruments behind the addresses are those of the virtual bench, under PyVISA's name ``budget@mho``.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import h5py
import numpy as np
import pytest
import run_samples
from budget_runs import stopped

from mho.errors import BenchError, InputError, MhoError
from mho.instruments.bench_file import load_bench_file
from mho.instruments.laboratory.laboratory import Laboratory
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack
from mho.procedures import Invert, Program, Solve
from mho.running import run
from mho.running.budget import budget
from mho.running.budget.budgets import CHIPS
from mho.runs import RunFile, Status

pytestmark = pytest.mark.usefixtures("own_locks")

DIGITS = np.arange(6).reshape(2, 3)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bench file of real instruments, which are reached at their addresses."""
    source = load_bench_file("simulated")
    laboratory = Laboratory(source, preset="pku", seed=1)
    register_rack("budget", laboratory)
    text = (resources.files("mho.instruments") / "benches" / "simulated.toml").read_text("utf-8")
    start, end = text.index("\n[simulation]"), text.index("[instruments.smu]")
    path = tmp_path_factory.mktemp("real") / "real.toml"
    path.write_text(f'visa = "budget@mho"\n{text[:start]}\n{text[end:]}', encoding="utf-8")
    with laboratory.daq_session():
        yield str(path)
    unregister_rack("budget")


@pytest.fixture(scope="module")
def inverted_there(bench: str) -> Path:
    """A matrix inverted there."""
    path = Path(bench).with_name("invert.h5")
    run(Invert(conditions="3", size=3, vectors=2, scales=6, steps=0), bench, seed=3, output=path)
    with RunFile(path) as file:
        assert "preset" not in file.provenance
        assert "\n[simulation]" not in file.bench
    return path


@pytest.mark.thorough
def test_a_run_on_real_instruments_is_held_to_drawn_chips(inverted_there: Path) -> None:
    found = budget(inverted_there, draws=2)
    assert f"on {CHIPS} chips that are drawn" in found.remarks[-1]
    assert found.preset == "pku"
    with RunFile(inverted_there) as file:
        errors = file.column("solutions", "error")
    assert found.measured == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
    assert 0.2 < found.twin / found.measured < 5.0  # other cells, of the same kind
    total = sum(one.share for one in found.shares) + found.rest + found.unexplained
    assert total == pytest.approx(1.0, abs=1e-9)
    assert found.unexplained == pytest.approx(1.0 - (found.twin / found.measured) ** 2)


@pytest.mark.thorough
def test_the_cells_of_a_real_chip_are_those_of_the_preset_that_is_named(inverted_there: Path) -> None:
    assert budget(inverted_there, preset="relaxing", draws=0).preset == "relaxing"
    with pytest.raises(MhoError, match="nosuch"):
        budget(inverted_there, preset="nosuch")


@pytest.mark.thorough
def test_a_solve_by_blocks_on_real_instruments_has_a_budget(
    bench: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.running.budget.budgets.CHIPS", 1)  # as each takes as long
    path = tmp_path / "blocks.h5"
    run(Solve(matrix="zuo2025-4x4", bits=6, leaf=2, effort="one-step"), bench, seed=1, output=path)
    found = budget(path, draws=0)
    total = sum(one.share for one in found.shares) + found.rest + found.unexplained
    assert total == pytest.approx(1.0, abs=1e-9)
    with RunFile(path) as file:
        assert found.measured == pytest.approx(float(file.column("cycles", "relative_error")[0]))


def test_cells_programmed_on_real_instruments_have_one(bench: str, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "digits.csv", DIGITS, delimiter=",", fmt="%d")
    run(Program(digits=str(tmp_path / "digits.csv"), row=40), bench, seed=1, output=tmp_path / "whole.h5")
    found = budget(tmp_path / "whole.h5", draws=2)
    assert found.answers == DIGITS.size
    total = sum(one.share for one in found.shares) + found.rest + found.unexplained
    assert total == pytest.approx(1.0, abs=1e-9)


@pytest.mark.thorough
def test_what_stopped_cells_of_a_twin_held_is_not_known(bench: str, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "digits.csv", DIGITS, delimiter=",", fmt="%d")
    procedure = Program(digits=str(tmp_path / "digits.csv"), row=50)
    path = stopped(procedure, "programming", 1, tmp_path / "stopped.h5", bench)
    with RunFile(path) as file:
        assert file.status is Status.ABORTED
    with pytest.raises(
        InputError, match=r"stopped\.h5 is aborted, and was made on real instruments.*resume it"
    ):
        budget(path)


def test_converters_of_which_there_is_no_twin_are_named(bench: str, inverted_there: Path) -> None:
    """Said as `mho rehearse` says it: which channels no simulated DAQ has, and where to name one that is near."""
    copy = inverted_there.with_name("many.h5")
    copy.write_bytes(inverted_there.read_bytes())
    with RunFile(copy) as file:
        text = file.bench
    with h5py.File(copy, "r+") as opened:
        del opened["entry/bench/file"]
        many = "".join(line for line in text.splitlines(True) if not line.startswith("products ="))
        many = many.replace("PXI1Slot2/ao0:31", "PXI1Slot2/ao0:99")
        opened["entry/bench/file"] = np.bytes_(many.encode())
    run_samples.seal_again(copy)
    with pytest.raises(BenchError, match=r"no simulated DAQ has 100 outputs.*\[instruments\.daq\] products"):
        budget(copy)
