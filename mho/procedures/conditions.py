"""Conditions of a run (bench, simulated cells, seed), checked before the run is queued or anything is opened."""

from __future__ import annotations

from mho.errors import BenchError
from mho.instruments.bench_file import BenchSource, check_limits, load_bench_file
from mho.instruments.simulated import Cells, cell_preset
from mho.keywords import seed_number


def load_conditions(
    bench: str, preset: Cells | None = None, seed: int | None = None, force: bool = False
) -> BenchSource:
    """Load a bench file, and check that a run is possible there with this preset and seed.

    `bench`, `preset`, `seed`, `force`: as `mho.run` takes them. Raises `MhoError` for a wrong bench file, implausible
    limits in it, an unknown preset, a preset for a bench of real instruments, or a seed below 0.
    """
    source = load_bench_file(bench)
    check_limits(source, force)
    simulation = source.bench.simulation
    if simulation is not None:
        cell_preset(source.kind_of_cells if preset is None else preset)
        if source.own_circuit is not None:
            from mho.instruments.simulated import circuit_elements  # and with it NumPy

            circuit_elements(source.own_circuit)
    elif preset is not None:
        raise BenchError(f"bench {bench!r} has real instruments: a preset is for simulated cells only")
    check_seed(seed)
    return source


def check_seed(seed: int | None) -> None:
    """Raise `InputError` for a seed that the random generator does not accept or a file cannot store."""
    seed_number(seed)
