"""A sweep over kinds of cells, in one Dataset: what write-verify makes of the same block."""

import numpy as np
import xarray

import mho

digits = np.random.default_rng(1).integers(0, 8, (4, 4))
presets = ["pku", "relaxing", "quiet"]
found = [
    mho.run(mho.Program(digits=digits), "arrays", preset=preset, seed=1, output=None) for preset in presets
]
table = xarray.concat(
    [one.to_xarray()[["achieved", "pulses", "yield"]] for one in found], xarray.Variable("preset", presets)
)
print(table["pulses"].mean(("row", "column")))
