"""Input files: none that a verb would wait for without end is opened."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def check_ordinary(path: Path) -> None:
    """Raise `OSError` for a pipe, a device or a socket: reading one may wait for a writer for ever.

    What is not there or a folder is left to who opens it.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except ValueError:  # a NUL within it
        raise OSError(errno.EINVAL, "no path of a file", str(path)) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe, a device or a socket, no file", str(path))
