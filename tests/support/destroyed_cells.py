"""A run that destroys cells: it pulses formed ones beyond what they bear, on a bench whose file consents to that."""

from __future__ import annotations

from pathlib import Path

from mho import run
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file import load_bench_file
from mho.procedures import Procedure
from mho.runs import Layout

CELLS = Cell("multiply", 2, 3), Cell("multiply", 0, 5)
FORMS, DESTROYS = Pulse("set", 4.0, 1e-6, 1.6), Pulse("set", 4.5, 1e-6, 1.6)
SENTENCE = (
    "2 cells were destroyed by this run's own pulses (over-voltage 2): multiply[0, 5] by 4.5 V on the bit line, "
    "multiply[2, 3] by 4.5 V on the bit line"
)


class Destroying(Procedure):
    """Forms two cells, and destroys them."""

    def layout(self, plan: None) -> Layout:
        return Layout()

    def execute(self, plan: None, bench: Bench, stream: object) -> dict[str, int]:
        for cell in CELLS:
            bench.pulse(cell, FORMS)
            bench.pulse(cell, DESTROYS)
        return {"pulsed": len(CELLS)}


def destroying_run(folder: Path) -> Path:
    """Carry the run out on cells that destroy at 4.4 V, and return its file."""
    bench = folder / "consenting.toml"
    text = load_bench_file("arrays").text
    bench.write_text(text.replace("voltage = 4.6 ", "insist = true\nvoltage = 4.6 "), "utf-8")
    run(Destroying(), str(bench), preset="ideal", seed=1, output=folder / "destroying.h5")
    return folder / "destroying.h5"
