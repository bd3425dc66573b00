"""The system's libraries that Qt needs on Linux: which are missing, and what to install; run as a file, it prints that.

It imports nothing but the standard library, for what installs the packages runs it before there is anything else.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

PACKAGES = {
    "libEGL.so.1": ("libegl1",),
    "libGL.so.1": ("libgl1",),
    "libX11.so.6": ("libx11-6",),
    "libxkbcommon.so.0": ("libxkbcommon0",),
    "libdbus-1.so.3": ("libdbus-1-3",),
    "libfontconfig.so.1": ("libfontconfig1",),
    "libfreetype.so.6": ("libfreetype6",),
    "libglib-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libgthread-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
}
"""Shared library, and the Debian and Ubuntu packages that hold it, the newest name first."""

XCB = {"libxcb-cursor.so.0": ("libxcb-cursor0",)}
"""The same for a display of X11: Qt aborts the process without it."""


def missing(libraries: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return those of `libraries` that cannot be loaded."""
    found = {}
    for library, packages in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            found[library] = packages
    return found


def qt_trouble() -> str:
    """Return why Qt's window cannot be loaded here, and what to install; empty when it can be."""
    try:
        import PySide6.QtWidgets  # noqa: F401 # it loads the libraries
    except ImportError as error:
        return advice(missing(PACKAGES) if sys.platform == "linux" else {}) or str(error)
    return advice(missing(XCB)) if _shows_on_x11() else ""


def advice(lacking: Mapping[str, tuple[str, ...]]) -> str:
    """Return the missing libraries, with the newest package where Debian and Ubuntu name one differently."""
    if not lacking:
        return ""
    packages = sorted({names[0] for names in lacking.values()})
    return f"{', '.join(lacking)} missing; on Debian and Ubuntu: apt install {' '.join(packages)}"


def _shows_on_x11() -> bool:
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    chosen = platform.split(":")[0] == "xcb" if platform else bool(os.environ.get("DISPLAY"))
    return sys.platform == "linux" and chosen and not os.environ.get("WAYLAND_DISPLAY")


if __name__ == "__main__":
    for names in missing(PACKAGES).values():
        print(*names)
