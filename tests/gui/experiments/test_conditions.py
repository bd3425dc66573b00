"""The conditions of a run, as the window offers them."""

from __future__ import annotations

from mho.gui.experiments.panel import AS_IN_FILE, ConditionsForm
from mho.instruments.simulated import CELL_PRESETS


def test_every_preset_that_there_is_is_offered(qtbot) -> None:
    conditions = ConditionsForm()
    qtbot.addWidget(conditions)
    cells = conditions.cells
    assert [cells.itemText(index) for index in range(cells.count())] == [AS_IN_FILE, *CELL_PRESETS]
