"""`mho bench check`: the table that it prints."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from mho.cli.benches import print_report
from mho.cli.terminal.terminal import Terminal
from mho.instruments.checks import BenchReport, CheckFinding


@pytest.mark.parametrize("forced", [False, True], ids=["pipe", "terminal"])
def test_the_table_says_what_is_wrong_and_what_to_do(forced):
    out = io.StringIO()
    report = BenchReport(
        "mine",
        (
            CheckFinding("smu", "connection", "wrong", "no answer at [USB0]", "check the cable"),
            CheckFinding("bench", "contact", "note", "none", ""),
            CheckFinding("bench", "reading", "ok", "0.2 V", ""),
        ),
    )
    options = {"force_terminal": True, "color_system": "standard"} if forced else {}
    print_report(report, Terminal(file=out, width=120, _environ={}, **options))
    printed = out.getvalue()
    text = Text.from_ansi(printed).plain
    for verdict, style in {"wrong": "1;31", "note": "33", "ok": "32"}.items():
        assert (f"\x1b[{style}m{verdict}" if forced else f"│ {verdict} ") in printed
    assert "[" not in text.replace("[USB0]", "")  # no markup is left
    assert forced or printed == text
    assert "no answer at [USB0]" in text
    assert "check the cable" in text
    assert text.splitlines()[-1] == "1 wrong, 1 to note"
    assert not report.ok
