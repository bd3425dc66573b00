"""Opening a bench of real instruments with the simulated twin of each in its place."""

from __future__ import annotations

from mho.instruments.bench.bench import Bench
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.plausibility import check_limits
from mho.instruments.opening.opening import open_simulated


def open_rehearsal(
    source: BenchSource,
    *,
    preset: str | None = None,
    seed: int | None = None,
    beyond: bool = False,
    force: bool = False,
) -> Bench:
    """Open a bench file with twins for its instruments; takes no lock and needs no hardware.

    Parameters
    ----------
    source : BenchSource
        The bench file.
    preset : str, optional
        Cells of the simulated chip.
    seed : int, optional
        Of everything random on the bench.
    beyond : bool
        Lift the file's limits; the laboratory's monitor has its own, and tells what exceeds them.
    force : bool
        Take limits that can hardly be meant as they are.

    Raises
    ------
    BenchError
        As `stand_in`, for limits that can hardly be meant, or for an unknown preset.
    """
    # Only now: who imports this room to open a bench of real instruments does not wait for the twins to load.
    from mho.instruments.laboratory.stand_in import stand_in

    check_limits(source, force)
    limits = source.bench.terminal_limits().lifted() if beyond else None
    return open_simulated(stand_in(source, preset), preset, seed, limits)
