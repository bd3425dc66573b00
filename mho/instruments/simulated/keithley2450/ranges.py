"""Ranges of the Keithley 2450 and the errors in each, of sources, meters and the ohmmeter."""

from __future__ import annotations

from mho.instruments.simulated.analogue import TEST_CURRENTS as USUAL

# function: range: (gain error, offset error in V or A), one year
SOURCE = {
    "VOLT": {
        0.02: (1e-3, 2e-4), 0.2: (1.5e-4, 2e-4), 2.0: (2e-4, 3e-4), 20.0: (1.5e-4, 2.4e-3), 200.0: (1.5e-4, 2.4e-2),
    },
    "CURR": {
        1e-8: (1e-3, 1e-10), 1e-7: (6e-4, 1.5e-10), 1e-6: (2.5e-4, 4e-10), 1e-5: (2.5e-4, 1.5e-9),
        1e-4: (2e-4, 1.5e-8), 1e-3: (2e-4, 1.5e-7), 1e-2: (2e-4, 1.5e-6), 1e-1: (2.5e-4, 1.5e-5),
        1.0: (6.7e-4, 9e-4),
    },
}  # fmt: skip
MEASURE = {
    "VOLT": {
        0.02: (1e-3, 1.5e-4), 0.2: (1.2e-4, 2e-4), 2.0: (1.2e-4, 3e-4), 20.0: (1.5e-4, 1e-3), 200.0: (1.5e-4, 1e-2),
    },
    "CURR": SOURCE["CURR"],
}  # fmt: skip
TEST_CURRENTS = {2.0: 0.1, **USUAL}  # A, by range, ohm; that of 2 ohm is chosen by the user, and this one (?)
OHM_LIMIT = 21.0  # V, the largest across an unknown resistor (?)
OVERRANGE = 1.05
