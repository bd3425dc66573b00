"""`mho` whose console is closed as soon as a file is there (Windows): what the system calls then is called here."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from mho import platforms
from mho.cli.main import main


def close_when(there: Path) -> None:
    here = platforms.here
    while not there.exists() or here._end is None:  # type: ignore[attr-defined]
        time.sleep(0.05)
    here._end("notice of the closed console")  # type: ignore[attr-defined]


if __name__ == "__main__":
    if "MHO_PIPES" not in os.environ:
        threading.Thread(target=close_when, args=(Path(os.environ["CLOSES"]),), daemon=True).start()
    sys.path.insert(0, str(Path(__file__).parent))
    main()
