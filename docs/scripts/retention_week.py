"""A week of retention, analysed by oneself: drift of each level per decade of time, from the run file."""

import numpy as np

import mho

levels = np.tile(np.arange(1, 8, 2), (4, 1))  # four cells of each of four levels
week = mho.Retention(rows="0:4", columns="0:4", first=60.0, last=7 * 86400.0, per_decade=3)
with mho.open_bench("arrays", preset="relaxing", seed=1) as bench:
    mho.run(mho.Program(digits=levels), bench)
    path = mho.run(week, bench, seed=1).path

with mho.open_run(path) as run:  # or a year later, without a bench
    reads = run.to_xarray().load()
decades = np.log10((reads["time"] - reads["time"].min()).mean(("row", "column")) + 60.0)
for column, level in enumerate(levels[0]):
    mean = reads["conductance"][:, :, column].mean("row")
    print(f"level {level}: {np.polyfit(decades, mean, 1)[0] * 1e6:+.3f} uS a decade")
