"""Makes the pictures of the pages on cells: contact, forming, I-V loops and responses, each of a run as its page has it."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.instruments import Bench
from mho.instruments.laboratory.accidents import BadCell, BrokenLineAccident, LeakySelector

SEED = 1
CELLS = {"rows": "0:16", "columns": "0:16"}


def plot_cells(folder: Path, pictures: Path) -> None:
    """Form a block of cells, loop some, measure responses, and test the contact of a chip that something is wrong with."""
    with mho.open_bench(seed=SEED) as bench:
        _plot(mho.Form(**CELLS), bench, folder, pictures, "forming_distribution", "conductance_by_voltage")
        loops = mho.IV(
            rows="0:3", columns="0:3", highest=2.0, lowest=-1.6, gate=1.8, gate_reset=2.8, cycles=5, step=0.04
        )
        _plot(loops, bench, folder, pictures, "current_voltage", "set_voltage")
        _spoil(bench)
        _plot(mho.Contact(**CELLS), bench, folder, pictures, "contact", "conductance")
    with mho.open_bench("arrays", seed=SEED) as bench:
        mho.run(mho.Form(**CELLS), bench, seed=SEED, output=folder)
        for against in ("V_WL", "V_SL"):
            _plot(mho.Response(**CELLS, against=against), bench, folder, pictures, "curve", of=against)


def _plot(
    procedure: mho.Procedure, bench: Bench, folder: Path, pictures: Path, *figures: str, of: str = ""
) -> None:
    name = type(procedure).__name__.lower()
    path = mho.run(procedure, bench, seed=SEED, output=folder / f"{name}{of}.h5").path
    for figure in figures:
        parts = filter(None, (name, of.lower().replace("_", ""), figure.replace("_", "-")))
        mho.plot(path, pictures / f"{'-'.join(parts)}.png", figure=figure)


def _spoil(bench: Bench) -> None:
    """Break a line and a half, short a cell and make a selector leak."""
    lab = bench.laboratory
    assert lab is not None
    for accident in (
        BrokenLineAccident("multiply", "column", 11),
        BrokenLineAccident("multiply", "row", 4, first=7),
        BadCell(10e-3, ("multiply", 13, 3)),
        LeakySelector(1e-7, ("multiply", 9, 5)),
    ):
        accident(lab)
