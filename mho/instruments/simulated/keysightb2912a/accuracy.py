"""Ranges and one-year accuracies of the B2912A, from its data sheet (?)."""

from __future__ import annotations

# range: (gain error, offset error in V or A)
SOURCE = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE = {
    1e-8: (6e-4, 5e-11), 1e-7: (6e-4, 1e-10), 1e-6: (2.5e-4, 5e-10), 1e-5: (2.5e-4, 1.5e-9),
    1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7), 1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5),
    1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3), 3.0: (4e-3, 7e-3),
}  # fmt: skip

SOURCE_CURRENT = MEASURE
MEASURE_VOLTAGE = SOURCE

# largest DC current (A) up to a magnitude of the level (V)
DC_LIMITS = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))


def largest_current(volts: float) -> float:
    """Return the largest current (A) that the instrument may carry at `volts`."""
    return next((amperes for level, amperes in DC_LIMITS if abs(volts) <= level), DC_LIMITS[-1][1])
