"""``mho gui`` as the command line calls it."""

import signal
import subprocess
import sys

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

import mho.gui as gui
from mho.errors import InputError, RunFileError
from mho.gui.run_window import RunWindow


@pytest.mark.usefixtures("qapp")
def test_closing_the_window_ends_it_with_0(solved):
    def close():
        (window,) = [
            widget
            for widget in QApplication.topLevelWidgets()
            if isinstance(widget, RunWindow) and widget.isVisible()
        ]
        window.close()

    QTimer.singleShot(200, close)
    assert gui.show_run(solved) == 0


@pytest.mark.usefixtures("qapp")
def test_ctrl_c_ends_it_with_130(solved):
    before = signal.getsignal(signal.SIGINT)
    QTimer.singleShot(200, lambda: signal.raise_signal(signal.SIGINT))

    assert gui.show_run(solved) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_missing_file_is_said_before_any_window(tmp_path):
    with pytest.raises(RunFileError, match="no run file"):
        gui.show_run(tmp_path / "none.h5")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a display")
def test_without_a_display_it_says_so(solved, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(InputError, match="no display"):
        gui.show_run(solved)


@pytest.mark.thorough
def test_a_script_may_leave_its_window_open(solved):
    code = (
        "import mho.gui as gui\n"
        "from PySide6.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        f"window = gui.open_run_window({str(solved)!r})\n"
        "app.processEvents()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.thorough
def test_importing_gui_loads_no_qt():
    code = "import sys, mho.gui; assert not {'PySide6', 'pyqtgraph', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
