"""Makes the picture of the page on error budgets: the causes of the bare inversion that the page shows."""

from __future__ import annotations

from pathlib import Path

import mho
from mho.running.budget import save_budget

SEED = 4


def draw_budget(folder: Path, pictures: Path) -> None:
    """Invert made matrices on relaxing cells, an hour after they were programmed, and draw the budget."""
    procedure = mho.Invert(conditions="3", size=8, vectors=4, steps=0, wait=3600.0, seed=SEED)
    run = folder / "invert-relaxing.h5"
    mho.run(procedure, "arrays", preset="relaxing", seed=SEED, output=run)
    save_budget(mho.budget(run), pictures / "budget.png")
