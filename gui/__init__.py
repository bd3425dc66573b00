"""The window on a run file, finished or still being written."""

import os

os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")  # before anything imports pyqtgraph

from gui.app import open_run_window, show_run

__all__ = ["open_run_window", "show_run"]
