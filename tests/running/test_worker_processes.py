"""Runs of several processes that share a folder: no run loses its file to another, and results come back by pickle."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.errors import RunFileError
from mho.runs import Status

MATRIX, RHS = np.array([[2.0, 0.5], [0.3, 1.5]]), np.array([1.0, 2.0])
SPAWN = multiprocessing.get_context("spawn")
LONG = pytest.mark.timeout(1200)  # on a machine with five other users
FEW_AND_MANY = [4, pytest.param(40, marks=[pytest.mark.thorough, LONG])]


def check(results: list[Any], folder: Path) -> None:
    """Check that each of the runs of seeds 0, 1, 2... has a file of its own with what it returned."""
    assert {result.path for result in results} == set(folder.iterdir())
    for seed, result in enumerate(results):
        with mho.open_run(result.path) as run:
            assert (run.status, int(run.seed)) == (Status.FINISHED, seed)
            assert run.result["run_file"] == str(result.path)
    for seed in (0, len(results) - 1):
        alone = mho.solve(MATRIX, RHS, bench="arrays", seed=seed, output=folder / "alone")
        np.testing.assert_array_equal(results[seed].solution, alone.solution)


@pytest.mark.parametrize("runs", FEW_AND_MANY)
def test_runs_of_two_spawned_workers_all_have_their_files(runs: int, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        begun = [
            pool.submit(mho.solve, MATRIX, RHS, bench="arrays", seed=seed, output=tmp_path)
            for seed in range(runs)
        ]
        check([one.result() for one in begun], tmp_path)


@LONG
@pytest.mark.thorough
def test_procedures_go_to_spawned_workers_and_errors_come_back(tmp_path: Path) -> None:
    given = tmp_path / "given.h5"
    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        procedures = [mho.Solve(matrix=MATRIX, rhs=RHS, bits=bits) for bits in (20, 28)]
        solved = [pool.submit(mho.run, one, "arrays", seed=1, output=tmp_path).result() for one in procedures]
        assert [one.summary["bits_asked"] for one in solved] == [20, 28]
        pool.submit(mho.solve, MATRIX, RHS, bench="arrays", output=given).result()
        # A name that was given is not tried again under another
        with pytest.raises(RunFileError, match=r"given\.h5 exists already and is never overwritten"):
            pool.submit(mho.solve, MATRIX, RHS, bench="arrays", output=given).result()
        with mho.open_run(given) as run:
            assert pool.submit(repr, run).result() == repr(run)


@LONG
@pytest.mark.thorough
def test_runs_of_joblibs_workers_all_have_their_files(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    results = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(mho.solve)(MATRIX, RHS, bench="arrays", seed=seed, output=tmp_path)
        for seed in range(40)
    )
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    check(results, tmp_path)


@LONG
@pytest.mark.thorough
def test_solves_that_asyncio_awaits_in_threads_all_have_their_files(tmp_path: Path) -> None:
    async def all_runs() -> list[Any]:
        return await asyncio.gather(
            *(
                asyncio.to_thread(mho.solve, MATRIX, RHS, bench="arrays", seed=seed, output=tmp_path)
                for seed in range(40)
            )
        )

    check(asyncio.run(all_runs()), tmp_path)


def test_a_result_is_small_to_send(tmp_path: Path) -> None:
    result = mho.solve(MATRIX, RHS, bench="arrays", seed=1, output=tmp_path)
    assert len(pickle.dumps(result)) < 20_000
