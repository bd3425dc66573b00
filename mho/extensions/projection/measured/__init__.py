"""What is measured in place of being assumed: this machine's processors, and run files of a bench.

- `libraries`: LAPACK, torch and cupy behind one small interface, and energy counters;
- `digital_measurement`: time and energy of a solve on one of them; all of this machine, for a run file;
- `bench_runs`: what runs of ``invert`` and ``solve`` tell.
"""

from mho.extensions.projection.measured.bench_runs import BenchMedians, read_runs
from mho.extensions.projection.measured.digital_measurement import (
    MEASURED_FIGURES,
    MEASURED_TABLE,
    MachineMeasurements,
    measure_machine,
)
from mho.extensions.projection.measured.digital_measurement import SIZES as MEASURED_SIZES

__all__ = [
    "MEASURED_FIGURES", "MEASURED_SIZES", "MEASURED_TABLE", "BenchMedians", "MachineMeasurements",
    "measure_machine", "read_runs",
]  # fmt: skip
