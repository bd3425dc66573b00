"""Makes the picture of the page on imports: loops of a virtual chip, written as an instrument exports them, read again."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.extensions.imports.extraction import import_measurement
from mho.procedures import IV


def plot_import(folder: Path, pictures: Path) -> None:
    """Sweep a cell five times, write EasyEXPERT's form of it into `folder`, import that, and draw it into `pictures`."""
    from mho.extensions.imports import guess

    loops = IV(rows="0", columns="0", highest=2.0, lowest=-1.6, step=0.05, cycles=5, gate=1.8, gate_reset=2.8)
    with mho.open_bench("arrays", preset="pku", seed=4) as bench:
        mho.run(mho.procedures.Form(rows="0", columns="0"), bench, seed=4, output=folder / "formed.h5")
        path = mho.run(loops, bench, seed=4, output=folder / "loops.h5").path
    with mho.open_run(path) as run:
        rows = run.table("sweeps")
    lines: list[str] = []
    for sweep in range(5):
        here = rows["sweep"] == sweep
        lines += ["SetupTitle, I-V loop", "TestParameter, Channel.UnitType, SMU, SMU", "DataName, V1, I1"]
        pairs = zip(rows["voltage"][here], rows["current"][here], strict=True)
        lines += [f"DataValue, {volts:.6g}, {amperes:.6e}" for volts, amperes in pairs]
    table = folder / "loops.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    imported = import_measurement(table, guess(table).best.reading, folder / "imported.h5")
    mho.plot(imported, pictures / "import-current-voltage.png", figure="current_voltage")
