"""Any bench file as one without instruments: its chip is drawn, and evaluated a whole array at a time."""

from __future__ import annotations

from mho.instruments.bench_file.bench_file import BenchSource
from mho.instruments.laboratory.stand_in import stand_in


def as_arrays(source: BenchSource, preset: str | None = None) -> BenchSource:
    """Return a bench file without instruments, for `ArrayBench`; real instruments are replaced, and their cells simulated.

    Converters, limits, levels and bad cells remain those of the file and its chip map. Nothing is connected.

    `source`: any bench, real or simulated.
    `preset`: cells in place of the file's; for real instruments that of `Simulation` where left out.

    `BenchError` when no simulated DAQ has the channels in use.
    """
    simulated = stand_in(source, preset) if source.bench.simulation is None else source
    simulation = simulated.bench.simulation
    assert simulation is not None  # `stand_in` gives one
    changed = {"instruments": False} | ({} if preset is None else {"preset": preset})
    bench = simulated.bench.model_copy(update={"simulation": simulation.model_copy(update=changed)})
    return simulated.model_copy(update={"bench": bench})
