"""The window: run, watch and stop experiments; and a smaller one on a single run file."""

import os

os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")  # before anything imports pyqtgraph

from mho.gui.app import open_main_window, open_run_window, show_main_window, show_run

__all__ = ["open_main_window", "open_run_window", "show_main_window", "show_run"]
