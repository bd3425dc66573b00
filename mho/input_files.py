"""Files that a user names: the one name of a bench, and no pipe that a command would wait for without end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mho.errors import MhoError


def check_ordinary(path: Path) -> None:
    """Raise `OSError` for a pipe, a device or a socket: reading one may wait for a writer forever; and for a folder.

    Windows, asked to open a folder, speaks of rights. A missing file is left to the caller, who opens it.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except ValueError:  # a NUL within it
        raise OSError(errno.EINVAL, "no path of a file", str(path)) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a pipe, a device or a socket, no file", str(path))


def read_text(path: Path, kind: type[MhoError], what: str, advice: str = "") -> str:
    """Return the text of a file; an error of a `kind` says what cannot be done, why, and what to do."""
    try:
        check_ordinary(path)
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise kind(f"{what} ({reason}){advice}") from None


def bench_key(bench: str) -> str:
    """Return a bench's unique name: that of a packaged bench, or the absolute path of a bench file."""
    path = Path(bench)
    return str(path.resolve()) if path.suffix and path.is_file() else bench
