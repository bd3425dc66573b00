"""Findings on what is shown: Qt and the display that the window needs, and the signs of a console."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine

SIGNS = "Ωµ±→…"  # what tables and messages are written with
VARIABLES = ("WAYLAND_DISPLAY", "DISPLAY", "QT_QPA_PLATFORM")


def check_display(machine: Machine) -> Iterator[Finding]:
    """Find PySide6, the display, and what of the system's libraries is missing."""
    say = Ending("window")
    there = machine.probe("qt")
    shown = [f"{name}={machine.environ[name]}" for name in VARIABLES if machine.environ.get(name)]
    what = f"PySide6 {there['version']}, {', '.join(shown) or 'no display' if machine.system == 'linux' else 'the desktop'}"
    displayed = machine.system != "linux" or bool(shown)
    if there["trouble"] and displayed:
        yield say.wrong(
            f"{what}: {there['trouble']}", "`mho gui` cannot open until then; runs need no window"
        )
    elif there["offscreen"]:
        yield say.note(f"{what}: {there['trouble'] or there['offscreen']}", "needed for the window only")
    elif not displayed:
        yield say.note(
            what, "for the window log in with a desktop or by `ssh -X`; `mho watch` is a page instead"
        )
    else:
        yield say.ok(what)


def check_console(machine: Machine) -> Iterator[Finding]:
    """Find whether what is written into a pipe or a file keeps its signs (Windows; a console shows all of them)."""
    say = Ending("console")
    page = re.search(
        r"(\d+)\W*$", machine.program("chcp") or ""
    )  # in the system's language, but for the number
    what = f"code page {page[1]}; " if page else ""
    what += f"into a pipe or a file is written as {machine.encoding}"
    try:
        SIGNS.encode(machine.encoding)
    except (LookupError, UnicodeEncodeError):
        yield say.note(
            f"{what}, which lacks some of {' '.join(SIGNS)}", "`setx PYTHONUTF8 1`, and open a new console"
        )
    else:
        yield say.ok(what)
