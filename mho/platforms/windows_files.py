"""Files of Windows: paths that it cannot have, and the replacement of a file that another program holds."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

# Microsoft, "Naming Files, Paths, and Namespaces"
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
DEVICES = {"CON", "PRN", "AUX", "NUL"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789¹²³"
}
LONGEST = 259  # characters of a path, without the registry's LongPathsEnabled
OF_A_DRAFT = 20  # characters by which the name of a draft is longer than that of its file
LITERAL = "\\\\?\\"  # begins a path of which Windows reads nothing into the names, and which may be long

# winerror.h: what is said of a file that another program has open: denied (the file replaced), shared, locked
HELD = (5, 32, 33)
PATIENCE = 2.0  # s; a virus scanner or an indexer looks at a new file for less
LOOK = 0.05  # s


def path_trouble(path: str, length: int, *, long_paths: bool) -> str:
    """Return why Windows has no file at a path; "" when it can have one.

    `length`: that of the absolute path, in characters. `long_paths`: whether the registry allows long ones.
    """
    place = PureWindowsPath(path)
    for name in place.parts[bool(place.anchor) :]:
        if found := FORBIDDEN.search(name):
            return f"no name on Windows has a {found[0]!r}, as {name!r} does"
        if name != ".." and name.rstrip(". ") != name:
            return f"no name on Windows ends in a dot or a blank, as {name!r} does"
        if name.partition(".")[0].rstrip().upper() in DEVICES:
            return f"{name!r} is the name of a device on Windows"
    if length > LONGEST - OF_A_DRAFT and not (long_paths or path.startswith(LITERAL)):
        most = LONGEST - OF_A_DRAFT
        return f"its path has {length} characters, and Windows takes {most} unless LongPathsEnabled is set in its registry"
    return ""


def replace(draft: Path, target: Path, rename: Callable[[Path, Path], object] = os.replace) -> None:
    """Put a file in the place of another, and wait a moment while another program holds either."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            rename(draft, target)
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in HELD or target.is_dir():
                raise
            if time.monotonic() > deadline:
                why = "another program has it open, or it is write-protected"
                raise PermissionError(errno.EACCES, why, str(target)) from error
        time.sleep(LOOK)
