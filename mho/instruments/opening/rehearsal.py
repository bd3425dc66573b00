"""Opening a bench of real instruments with each replaced by its simulated twin."""

from __future__ import annotations

from mho.instruments.bench.bench import Bench
from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.bench_file.plausibility import check_limits
from mho.instruments.opening.opening import open_simulated


def open_rehearsal(
    source: BenchSource, *, preset: str | None = None, seed: int | None = None, beyond: bool = False,
    force: bool = False,
) -> Bench:  # fmt: skip
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
        Lift the file's limits; the laboratory's monitor keeps them and reports values beyond them.
    force : bool
        Accept implausible limits.

    Raises
    ------
    BenchError
        As `stand_in`, for implausible limits, or for an unknown preset.
    """
    # Imported here: opening a bench of real instruments need not wait for the twins to load.
    from mho.instruments.laboratory.stand_in import stand_in

    check_limits(source, force)
    limits = source.bench.terminal_limits().lifted() if beyond else None
    return open_simulated(stand_in(source, preset), preset, seed, limits)
