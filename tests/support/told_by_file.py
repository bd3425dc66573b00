"""`mho` that hears of Ctrl-C, or of a closed console, by a file that appears: on Windows nobody else can send these.

``STOP_BY`` is the file; with ``STOP_AS=close`` what the system calls when a console is closed is called, else it is Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from mho import platforms
from mho.cli.main import main


def stop_when(there: Path) -> None:
    here = platforms.here
    while not there.exists() or here._end is None:  # type: ignore[attr-defined]
        time.sleep(0.05)
    if os.environ.get("STOP_AS") == "close":
        here._end("notice of the closed console")  # type: ignore[attr-defined]
    else:
        signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    if "MHO_PIPES" not in os.environ:  # the supervisor, not the worker that it starts by the same words
        threading.Thread(target=stop_when, args=(Path(os.environ["STOP_BY"]),), daemon=True).start()
    sys.path.insert(0, str(Path(__file__).parent))
    main()
