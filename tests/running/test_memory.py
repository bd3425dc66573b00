"""A bench that is left and a run that is over keep no memory: it is freed at once, not when the collector runs."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
from daily import daily

from mho.errors import InputError
from mho.instruments import Bench, Cell, open_bench
from mho.instruments.bench import at_temperature
from mho.instruments.simulated.physics.cells.noise import FlickerNoise
from mho.instruments.simulated.physics.cells.presets import cell_preset
from mho.procedures import Procedure, Read, Solve
from mho.running.execution import evaluate, run
from mho.runs.writing.appending import Growing
from mho.runs.writing.writer import RowStream, RunWriter

SOLVE = Solve(matrix=np.diag([2.0, 1.0]), bits=6)
READ = Read(rows="0:2", columns="0:2")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only counting references frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", daily(["arrays", "simulated"], ["arrays"]))
@pytest.mark.usefixtures("no_collector")
def test_after_a_solve_chip_and_cells_are_freed_with_the_bench(name):
    with open_bench(name, preset="quiet", seed=1) as bench:
        evaluate(Solve(matrix=np.diag([2.0, 1.0]), bits=6), bench, seed=1)
        chip, cells = weakref.ref(bench.simulated.chip), weakref.ref(bench.simulated.chip.cells["multiply"])
    assert chip() is not None  # a bench that was left can still be asked
    del bench
    assert chip() is None
    assert cells() is None


@pytest.mark.parametrize("name", daily(["arrays", "heated", "simulated", "switched", "zuo2025"], ["arrays"]))
@pytest.mark.usefixtures("no_collector")
def test_the_chip_of_every_simulated_bench_is_freed_after_a_read(name):
    with open_bench(name, preset="ideal", seed=1) as bench:
        bench.read(Cell("multiply", 0, 0))
        chip = weakref.ref(bench.simulated.chip)
    del bench
    assert chip() is None


@pytest.mark.parametrize("procedure", [SOLVE, READ])
@pytest.mark.usefixtures("no_collector")
def test_a_run_leaves_no_chip_behind(procedure, monkeypatch, tmp_path):
    """A process that makes many runs, as a campaign's worker does, would keep dozens of them."""
    chips: list[weakref.ref[object]] = []

    @contextmanager
    def noted(*names: object, **how: object) -> Iterator[Bench]:
        with open_bench(*names, **how) as bench:
            chips.append(weakref.ref(bench.simulated.chip))
            yield bench

    monkeypatch.setattr("mho.running.phases.open_bench", noted)
    run(procedure, seed=1, preset="quiet", output=tmp_path)
    assert [chip() for chip in chips] == [None]


@pytest.mark.parametrize("bench", ["arrays", "simulated"])
@pytest.mark.usefixtures("no_collector")
def test_a_run_leaves_none_of_its_files_buffers_behind(bench, tmp_path):
    """They are megabytes a run, and a full collection comes once in tens of runs."""
    run(SOLVE, bench, seed=1, preset="quiet", output=tmp_path)
    kinds = (RunWriter, RowStream, Growing)
    assert [type(one) for one in gc.get_objects() if issubclass(type(one), kinds)] == []  # no proxy is asked


@pytest.mark.thorough
@pytest.mark.usefixtures("no_collector")
def test_a_run_without_instruments_leaves_nothing_of_ours_to_the_collector(tmp_path):
    run(SOLVE, "arrays", seed=1, preset="quiet", output=tmp_path)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run(SOLVE, "arrays", seed=1, preset="quiet", output=tmp_path)
        gc.collect()
        left = [type(one) for one in gc.garbage if type(one).__module__.startswith("mho.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert left == []


def wait_for_the_others(threads: set[threading.Thread]) -> None:
    """Wait for threads that end with a run, but after it, and keep none: a name for one would keep its objects."""
    for thread in [one for one in gc.get_objects() if type(one) is threading.Thread and one not in threads]:
        thread.join()


def objects_after_runs(procedure: Procedure, bench: str, folder: Path) -> list[int]:
    """Return how many objects there are after each of seven runs."""
    threads = set(threading.enumerate())

    def count() -> int:
        run(procedure, bench, seed=1, preset="quiet", output=folder)
        wait_for_the_others(threads)
        gc.collect()
        # The collector forgets old tuples bit by bit.
        objects = sum(type(one) is not tuple for one in gc.get_objects())
        return objects + h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_ALL)

    count()
    gc.freeze()  # modules and what fills once: the collector looks at what came after
    return [count() for _ in range(7)]


@pytest.mark.parametrize(
    ("procedure", "bench"),
    daily(product((SOLVE, READ), ("arrays", "simulated")), [(READ, "arrays")]),
)
def test_the_same_run_again_adds_no_object_to_the_process(procedure, bench, tmp_path):
    """No cache, registry, handler of a log or handle of HDF5 grows with the number of runs."""
    with ProcessPoolExecutor(
        1, get_context("spawn")
    ) as fresh:  # tests before this one leave objects that come and go
        counts = fresh.submit(objects_after_runs, procedure, bench, tmp_path).result()
    # A cache may fill once; Python's own nodes of a context come and go, so that every other run has as many.
    assert np.median(np.subtract(counts[2:], counts[:-2])) < 8


@pytest.mark.usefixtures("no_collector")
def test_the_chip_is_freed_while_its_chuck_still_cools():
    with open_bench("heated", preset="ideal", seed=1) as bench:
        with at_temperature(bench, 303.15):
            pass
        chip = weakref.ref(bench.simulated.chip)
    del bench
    assert chip() is None


@pytest.mark.parametrize("name", ["arrays", "simulated"])
@pytest.mark.usefixtures("no_collector")
def test_a_chip_is_freed_after_a_run_that_fails(name):
    with pytest.raises(InputError), open_bench(name, preset="ideal", seed=1) as bench:  # noqa: PT012
        chip = weakref.ref(bench.simulated.chip)
        bench.read(Cell("multiply", 10_000, 0))
    del bench
    assert chip() is None


@pytest.mark.usefixtures("no_collector")
def test_noise_is_freed_with_its_cells():
    noise = FlickerNoise((2, 2), cell_preset("pku"), np.random.default_rng(0))
    noise.average((0, 0), 1.0, 1e-3)
    noise.fast_variance((0, 0), 1.0, 1e-3)
    freed = weakref.ref(noise)
    del noise
    assert freed() is None
