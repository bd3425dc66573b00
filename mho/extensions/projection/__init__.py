"""Analogue inversion projected from named assumptions, beside GPUs and CPUs by every denominator.

- `assumptions`, `presets`: what is assumed, with unit, range and source;
- `model`: what a solve is worth and costs, the calls of BlockAMC, and how far that is off what is published;
- `digital`: limits of data sheets; `readings`: the two beside each other, and from where on one pays;
- `measured`: what this machine, and what runs of a bench, really do;
- `projecting`: all of it, and which assumption decides; `run_file`: its file with figures; `command`: the verb.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.projection.assumptions import Assumption, Assumptions, Parameters, parsed
    from mho.extensions.projection.measured import (
        MEASURED_SIZES,
        BenchMedians,
        MachineMeasurements,
        measure_machine,
        read_runs,
    )
    from mho.extensions.projection.model import (
        PUBLISHED_POINTS,
        PUBLISHED_SIZES,
        PUBLISHED_THROUGHPUT,
        published_deviations,
    )
    from mho.extensions.projection.presets import BENCH, PRESETS, PUBLISHED, preset
    from mho.extensions.projection.projecting import Projection, project
    from mho.extensions.projection.readings import NamedReading, in_prefixes
    from mho.extensions.projection.run_file import save
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "BENCH", "MEASURED_SIZES", "PRESETS", "PUBLISHED", "PUBLISHED_POINTS", "PUBLISHED_SIZES",
    "PUBLISHED_THROUGHPUT", "Assumption", "Assumptions", "BenchMedians", "MachineMeasurements",
    "NamedReading", "Parameters", "Projection", "in_prefixes", "measure_machine", "parsed", "preset",
    "project", "published_deviations", "read_runs", "save",
]  # fmt: skip
