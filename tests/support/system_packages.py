"""System packages that tests need: where one is missing they skip, and name the package to install.

With ``MHO_NO_SKIPS=1``, as in `.ci/run`, which installs the packages, such a skip is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache

import pytest

from mho.gui.system_libraries import qt_trouble

NEEDS = "needs what the system lacks: "
NO_SKIPS = bool(os.environ.get("MHO_NO_SKIPS"))
NOT_LOADED = re.compile(r"ImportError: .*(\.so\b|PySide6)")  # the loader's, or Shiboken's, words


@cache
def why_no_qt() -> str:
    """Return why a test of the window cannot be run; empty when it can be."""
    trouble = qt_trouble()
    return f"{NEEDS}{trouble}" if trouble else ""


def browser() -> str | None:
    """Return the path of a browser that shows a page without a screen."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


ALONE = (  # without these it asks for its maker's hosts, and waits
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
"""Options of `browser`."""

needs_qt = pytest.mark.skipif(bool(why_no_qt()), reason=why_no_qt())
needs_browser = pytest.mark.skipif(
    browser() is None, reason=f"{NEEDS}a browser; on Debian: apt install chromium"
)


def skipped(report: pytest.TestReport | pytest.CollectReport, path: str) -> None:
    """Make a skip, which names what to install, of the failure to load Qt's libraries; and of that a failure in CI."""
    if report.failed and why_no_qt() and NOT_LOADED.search(str(report.longrepr)):
        report.outcome = "skipped"
        report.longrepr = (path, 0, f"Skipped: {why_no_qt()}")
    if report.skipped and NO_SKIPS and NEEDS in str(report.longrepr):
        report.outcome = "failed"
