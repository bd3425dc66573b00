"""``mho gui`` until it answers, until a procedure can be chosen, and until its map is there.

``python -m benchmarks._window_start`` loads what ``mho gui`` does, and prints the times of day as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6.QtWidgets import QApplication

from mho.cli.main import main

PATIENCE = 60.0  # s


def run_until_it_answers(*_: Any) -> int:
    """Take the place of the event loop; return its exit code."""
    from mho.gui.window.main_window import MainWindow

    for _turn in range(3):
        QApplication.processEvents()
    answered = time.time()
    (window,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow)]
    chip = window.panels.centre

    def until(done: Callable[[], Any]) -> float:
        while not done() and time.time() < answered + PATIENCE:
            QApplication.processEvents()
            time.sleep(0.002)
        return time.time()

    offers = until(window.panel("Experiments").list.names)
    maps = until(lambda: chip.panel is not None and not chip.panel.visibleRegion().isEmpty())
    sys.stdout.write(f"\n{json.dumps({'answered': answered, 'offers': offers, 'maps': maps})}\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    QApplication.exec = run_until_it_answers  # type: ignore[method-assign,assignment]
    sys.argv = ["mho", "gui"]
    with suppress(SystemExit):
        main()
