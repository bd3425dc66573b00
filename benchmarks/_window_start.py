"""``mho gui`` until it answers and until a procedure can be chosen: ``python -m benchmarks._window_start``.

It loads nothing that ``mho gui`` does not, and prints the times of day at which it was that far as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
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
    offered = window.panel("Experiments").list.names
    while not offered() and time.time() < answered + PATIENCE:
        QApplication.processEvents()
        time.sleep(0.002)
    sys.stdout.write(f"\n{json.dumps({'answered': answered, 'offers': time.time()})}\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    QApplication.exec = run_until_it_answers  # type: ignore[method-assign,assignment]
    sys.argv = ["mho", "gui"]
    with suppress(SystemExit):
        main()
