from itertools import product

from qcodes.dataset import Measurement, initialise_or_create_database_at, load_or_create_experiment

import mho

FORM, SET, RESET = (
    mho.Pulse("set", 4.0, 1e-6, 1.6),
    mho.Pulse("set", 3.0, 1e-7, 1.8),
    mho.Pulse("reset", 3.0, 1e-7, 2.8),
)

initialise_or_create_database_at("endurance.db")
measurement = Measurement(load_or_create_experiment("endurance", sample_name="chip"))
for name in ("cycle", "row", "column"):
    measurement.register_custom_parameter(name, paramtype="numeric")
measurement.register_custom_parameter("conductance", unit="S", setpoints=("cycle", "row", "column"))

with mho.open_bench("arrays", preset="pku", seed=1) as bench, measurement.run() as saver:
    for cycle, row, column in product(range(5), range(2), range(3)):
        cell = mho.Cell("multiply", row, column)
        for pulse in (RESET, SET) if cycle else (FORM, RESET, SET):
            bench.pulse(cell, pulse)
        conductance = ("conductance", bench.read(cell))
        saver.add_result(("cycle", cycle), ("row", row), ("column", column), conductance)
dataset = saver.dataset.to_xarray_dataset()
