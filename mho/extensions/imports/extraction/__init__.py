"""Imports foreign tables with what the procedures of the same kind extract: loops, lifetimes, forming voltages, spectra.

What follows from the rows is found by the functions that the procedures use. Where a procedure
decides by settings of its chip, this decides by the numbers of its modules.

- `switching_tables`: of sweeps, cycles, ramps and pulses; `reading_tables`: of reads; `rows_by_cell`: what both stand on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mho.extensions.imports import Derivation, Imported, TableReading, import_reading
from mho.extensions.imports.extraction import reading_tables, switching_tables


def import_measurement(
    path: Path, reading: TableReading, output: str | os.PathLike[str] | None = None, *, array: str = "",
    chip: str = "", grounds: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Write a foreign table, and what is extracted of it, into a new run file; as `import_reading`."""
    return import_reading(path, reading, output, array=array, chip=chip, grounds=grounds, deriving=derivation)


def derivation(imported: Imported) -> Derivation | None:
    """Return what is extracted of a kind of measurement; None where its rows are all there is."""
    make = DERIVATIONS.get(imported.measurement.name)
    return None if make is None else make(imported)


# What is extracted, by kind of measurement
DERIVATIONS: Mapping[str, Callable[[Imported], Derivation | None]] = {
    "iv": switching_tables.iv, "endurance": switching_tables.endurance, "form": switching_tables.form,
    "response": switching_tables.response, "program": switching_tables.program, "noise": reading_tables.noise,
    "retention": reading_tables.retention, "reads": reading_tables.reads,
}  # fmt: skip
__all__ = ["DERIVATIONS", "derivation", "import_measurement"]
