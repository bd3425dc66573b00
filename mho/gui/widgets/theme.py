"""Light and dark: the colours of the window in either, following the system unless the user says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QStyleFactory

from mho.analysis import palette

if TYPE_CHECKING:
    from mho.running.queue import JobStatus

Choice = Literal["system", "light", "dark"]


@dataclass(frozen=True)
class Colours:
    """The colours of a theme, as ``#RRGGBB``.

    Attributes
    ----------
    ground : str
        Behind plots and tables.
    ink, faint, grid : str
        Text and axes; what matters less; grid lines.
    good, busy, bad, doubtful : str
        The colour of a status, as text on `ground`.
    wrong_ground : str
        Behind input that cannot be used.
    """

    ground: str
    ink: str
    faint: str
    grid: str
    good: str
    busy: str
    bad: str
    doubtful: str
    wrong_ground: str


LIGHT = Colours(
    "#FFFFFF", palette.INK, palette.FAINT, "#DDDDDD",
    palette.GOOD, palette.BUSY, palette.BAD, palette.DOUBTFUL, "#FFE1D6",
)  # fmt: skip
DARK = Colours(
    "#1B1D1F", "#ECECEC", "#A5A5A5", "#3A3D40",
    "#3FC79A", "#6DB9F0", "#FF8A4C", "#E6B04A", "#53281A",
)  # fmt: skip

STOP = "#C8102E"  # the red of emergency stops; white text on it is 5.9 to 1
SIMULATED = "#7A3E9D"


def is_dark() -> bool:
    """Return whether the window is dark now."""
    return QApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128


def colours() -> Colours:
    """Return the colours of the current theme; a widget learns of another theme by ``QEvent.PaletteChange``."""
    return DARK if is_dark() else LIGHT


def choose(choice: Choice) -> None:
    """Make the window light or dark, or as the system is."""
    app = QApplication.instance()
    if isinstance(app, QApplication) and app.style().objectName() != "fusion":
        app.setStyle(QStyleFactory.create("Fusion"))  # the one style that is dark and light everywhere
    QApplication.setPalette({"system": QPalette(), "light": _palette(False), "dark": _palette(True)}[choice])


def _palette(dark: bool) -> QPalette:
    role = QPalette.ColorRole
    now = DARK if dark else LIGHT
    window, button, other = ("#26282B", "#34373B", "#222427") if dark else ("#EFEFEF", "#E6E6E6", "#F6F6F6")
    made = QPalette(QColor(button), QColor(window))
    for one, colour in {
        role.Window: window, role.WindowText: now.ink, role.Base: now.ground, role.AlternateBase: other,
        role.Text: now.ink, role.Button: button, role.ButtonText: now.ink, role.BrightText: "#FFFFFF",
        role.ToolTipBase: button, role.ToolTipText: now.ink, role.PlaceholderText: now.faint,
        role.Highlight: "#0072B2", role.HighlightedText: "#FFFFFF", role.Link: now.busy,
    }.items():  # fmt: skip
        made.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, one, QColor("#7C7F83" if dark else "#9A9A9A"))
    return made


def dress(plot: Any) -> None:
    """Apply the colours of the window to a pyqtgraph plot (`PlotWidget`)."""
    now = colours()
    plot.setBackground(now.ground)
    for side in ("left", "bottom", "right", "top"):
        axis = plot.getAxis(side)
        axis.setPen(now.faint)
        axis.setTextPen(now.ink)


def embolden(label: QLabel, points: int | None = None) -> None:
    """Make a label's font bold, and of a size; unlike a style sheet this leaves its colour to the theme."""
    font = label.font()
    font.setBold(True)
    if points is not None:
        font.setPointSize(points)
    label.setFont(font)


def status_colour(status: JobStatus | str) -> str:
    """Return the text colour of the status of a job or a run."""
    now = colours()
    known = {
        "running": now.busy, "paused": now.doubtful, "finished": now.good, "failed": now.bad,
        "interrupted": now.bad, "aborted": now.doubtful, "skipped": now.faint,
    }  # fmt: skip
    return known.get(str(status), now.ink)
