"""The window: run, watch and stop experiments; a smaller window shows a single run file.

- `app`: starts the Qt application;
- `window`: the main window around the panels: docks, commands, messages, STOP;
- `experiments`, `queue`, `bench`, `chip`, `signals`, `solve`, `runs`, `plan`, `log`: one panel each, in its `panel`;
- `run_window`: the window on one run file;
- `session`: the state that all panels share, and the threads that read queue, runner and run file;
- `widgets`, `plots`: colours, tables, labels and plots that several panels use; `pictures`: maps of a run, without Qt.
"""

import os
from typing import TYPE_CHECKING

os.environ.setdefault("PYQTGRAPH_QT_LIB", "PySide6")  # before anything imports pyqtgraph

from mho.gui.app import open_main_window, open_run_window, show_main_window, show_run

if TYPE_CHECKING:
    from mho.gui.pictures import first_choice
    from mho.gui.session.bench_safety import Safety, SafetyRecord, Use, use_of
    from mho.gui.session.session import Session
    from mho.gui.session.task_thread import TaskThread
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "Safety",
    "SafetyRecord",
    "Session",
    "TaskThread",
    "Use",
    "first_choice",
    "open_main_window",
    "open_run_window",
    "show_main_window",
    "show_run",
    "use_of",
]
