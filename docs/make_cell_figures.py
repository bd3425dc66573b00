"""Draw the figures of docs/cells.md, and write its tables and those beside it: ``python docs/make_cell_figures.py``.

Everything is measured on the simulated cells as on a bench: pulses, waits and reads, nothing is read out of
the presets except the parameter table itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from docs.cell_figures.as_measured import as_measured  # noqa: E402
from docs.cell_figures.bench import Row  # noqa: E402
from docs.cell_figures.levels import levels  # noqa: E402
from docs.cell_figures.noise import noise, series  # noqa: E402
from docs.cell_figures.pulses import forming, limited_set, reset_curve, set_curve  # noqa: E402
from docs.cell_figures.waiting import bake, beside_measured, held_out, lifetime, relaxation  # noqa: E402
from mho.instruments.simulated.physics.cells.presets import CELL_PRESETS  # noqa: E402
from mho.instruments.simulated.physics.cells.presets import parameters as cell_parameters  # noqa: E402


def main() -> None:
    """Draw all pictures and fill in the tables of the page."""
    mpl.rcParams.update({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 130})
    rows = [
        row
        for draw in (set_curve, limited_set, reset_curve, forming, levels, relaxation, noise, lifetime)
        for row in draw()
    ]
    head = ("quantity", "measured", "ours", "ratio", "probability")
    fill("cells.md", "measured", ("quantity", "preset", "measured", "source"), rows)
    fill("cells-as-measured.md", "as measured", head, as_measured())
    head = ("range and time", "mean, uS", "sd, uS", "robust sd, uS", "still, %")
    fill("cells.md", "relaxation", head, beside_measured())
    fill("cells.md", "held out", ("not fitted", "ours", "measured", "p"), held_out())
    head = ("a series of reads at 400 Hz", "ours: 5, 50, 95 %", "measured", "p")
    fill("cells.md", "series", head, series())
    fill("cells.md", "bake", ("relaxing, 30 to 42 uS", "ours: mean, sd of the change", "measured"), bake())
    fill("presets.md", "parameters", ("parameter", "unit", *CELL_PRESETS, "source"), parameters())


def fill(page: str, name: str, head: tuple[str, ...], rows: list[Row] | Iterator[tuple[str, ...]]) -> None:
    """Write a table into a page, between the comments `name` and `/name`."""
    path = DOCS / page
    before, start, rest = path.read_text("utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"\n<!-- /{name} -->")
    if not end:
        raise SystemExit(f"docs/{page} has no <!-- {name} --> … <!-- /{name} -->")
    path.write_text(before + start + table(head, rows) + end + after, "utf-8")


def parameters() -> Iterator[tuple[str, ...]]:
    """Every number of every preset; what differs from `pku` is bold."""
    for parameter in cell_parameters():
        values = [getattr(preset, parameter.name) for preset in CELL_PRESETS.values()]
        usual = getattr(CELL_PRESETS["pku"], parameter.name)
        shown = [f"{v:g}" if v == usual else f"**{v:g}**" for v in values]
        yield f"`{parameter.name}`", parameter.metadata["unit"], *shown, parameter.metadata["source"]


def table(head: tuple[str, ...], rows: list[Row] | Iterator[tuple[str, ...]]) -> str:
    """Return rows as a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
