"""The system's libraries that Qt needs on Linux: which are missing, and what to install; run as a file, it prints that.

It imports nothing but the standard library, for what installs the packages runs it before there is anything else.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from pathlib import Path

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

XCB = {
    "libxcb-cursor.so.0": ("libxcb-cursor0",),
    "libxcb-icccm.so.4": ("libxcb-icccm4",),
    "libxcb-image.so.0": ("libxcb-image0",),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1",),
    "libxcb-randr.so.0": ("libxcb-randr0",),
    "libxcb-render-util.so.0": ("libxcb-render-util0",),
    "libxcb-render.so.0": ("libxcb-render0",),
    "libxcb-shape.so.0": ("libxcb-shape0",),
    "libxcb-shm.so.0": ("libxcb-shm0",),
    "libxcb-sync.so.1": ("libxcb-sync1",),
    "libxcb-util.so.1": ("libxcb-util1",),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0",),
    "libxcb-xkb.so.1": ("libxcb-xkb1",),
    "libxcb.so.1": ("libxcb1",),
    "libX11-xcb.so.1": ("libx11-xcb1",),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0",),
}
"""The same for a display of X11: Qt aborts the process without one of them."""

WAYLAND = {
    "libwayland-client.so.0": ("libwayland-client0",),
    "libwayland-cursor.so.0": ("libwayland-cursor0",),
}
"""The same for a display of Wayland."""

DISPLAYS = {"xcb": XCB, "wayland": WAYLAND}


def missing(libraries: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return those of `libraries` that cannot be loaded."""
    lacking = {}
    for library, packages in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            lacking[library] = packages
    return lacking


def qt_trouble() -> str:
    """Return why Qt's window cannot be loaded here, and what to install; empty when it can be."""
    try:
        import PySide6.QtWidgets  # noqa: F401 # it loads the libraries
    except ImportError as error:
        return advice(missing(PACKAGES) if sys.platform == "linux" else {}) or str(error)
    troubles = [_plugin_trouble(name) for name in _platforms()]
    return "" if "" in troubles or not troubles else troubles[-1]


def advice(lacking: Mapping[str, tuple[str, ...]]) -> str:
    """Return the missing libraries, with the newest package where Debian and Ubuntu name one differently."""
    if not lacking:
        return ""
    packages = sorted({names[0] for names in lacking.values()})
    return f"{', '.join(lacking)} missing; on Debian and Ubuntu: apt install {' '.join(packages)}"


def has_display() -> bool:
    """Return whether there is a display for windows, or a platform of Qt that needs none."""
    known = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in known)


def _platforms() -> list[str]:
    """Return the platform plugins for a display that Qt tries on Linux, one after the other."""
    if sys.platform != "linux":
        return []
    if platform := os.environ.get("QT_QPA_PLATFORM", ""):
        return [one.split(":")[0].split("-")[0] for one in platform.split(";")]
    displays = {"wayland": "WAYLAND_DISPLAY", "xcb": "DISPLAY"}
    return [name for name, variable in displays.items() if os.environ.get(variable)]


def _plugin_trouble(name: str) -> str:
    """Return why a platform plugin cannot be loaded, or its display not be reached: Qt aborts the process then."""
    if trouble := advice(missing(DISPLAYS.get(name, {}))):
        return trouble
    import PySide6

    plugin = Path(PySide6.__path__[0]) / "Qt" / "plugins" / "platforms" / f"libq{name}.so"
    try:
        if plugin.is_file():
            ctypes.CDLL(str(plugin))
    except OSError as error:
        return f"{error}; install the package that has it"
    if name == "xcb" and not _x11_answers():
        return f"no X server answers at DISPLAY={os.environ.get('DISPLAY', '')!r}; log in with a desktop"
    if name == "wayland" and not _wayland_answers():
        return (
            f"no Wayland server answers at {os.environ.get('WAYLAND_DISPLAY', '')!r}; log in with a desktop"
        )
    return ""


def _x11_answers() -> bool:
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    try:
        return not xcb.xcb_connection_has_error(connection)
    finally:
        xcb.xcb_disconnect(connection)


def _wayland_answers() -> bool:
    wayland = ctypes.CDLL("libwayland-client.so.0")
    wayland.wl_display_connect.restype = ctypes.c_void_p
    if os.environ.get("WAYLAND_SOCKET"):  # a connection that is open already, and can be taken but once
        return True
    display = ctypes.c_void_p(wayland.wl_display_connect(None))
    if display:
        wayland.wl_display_disconnect(display)
    return bool(display)


if __name__ == "__main__":
    for names in missing(PACKAGES).values():
        print(*names)
