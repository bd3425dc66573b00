"""The window's panel for foreign tables, entered by an entry point as any package's is."""

from __future__ import annotations

from pathlib import Path

import foreign_tables
import pytest
from system_packages import needs_qt

from mho.runs import RunFile

pytestmark = needs_qt

SOON = 20_000


@pytest.fixture
def panel(open_main, tmp_path: Path, qtbot):
    window = open_main(tmp_path)
    window.show_panel("Import")
    return window.panels.panel("Import")


def opened(panel, path: Path, text: str, qtbot):
    path.write_text(text)
    panel.open(path)
    qtbot.waitUntil(lambda: panel.columns.rowCount() > 0 or bool(panel.verdict.text()), timeout=SOON)
    return panel


def texts(panel, column: int) -> list[str]:
    return [panel.columns.item(row, column).text() for row in range(panel.columns.rowCount())]


@pytest.mark.thorough
def test_a_table_is_shown_corrected_and_imported(panel, tmp_path: Path, qtbot) -> None:
    opened(panel, tmp_path / "reads.csv", foreign_tables.read_map(), qtbot)
    assert "conductance (column 0)" in texts(panel, 1)
    assert panel.verdict.text().startswith("reads, ")
    assert panel.start.isEnabled()
    panel.start.click()
    qtbot.waitUntil(lambda: panel._session.run_path is not None, timeout=SOON)
    with RunFile(panel._session.run_path) as run:
        assert run.procedure == "Import"
        assert run.length("reads") > 0


@pytest.mark.thorough
def test_what_is_typed_of_a_column_counts(panel, tmp_path: Path, qtbot) -> None:
    opened(panel, tmp_path / "t.csv", "a,b,c\n" + "".join(f"{n},0,{n + 5}e-6\n" for n in range(4)), qtbot)
    assert not panel.start.isEnabled()
    for row, meaning in enumerate(("row", "column", "conductance")):
        panel.columns.item(row, 1).setText(meaning)
        qtbot.waitUntil(lambda row=row, meaning=meaning: texts(panel, 1)[row] == meaning, timeout=SOON)
    qtbot.waitUntil(panel.start.isEnabled, timeout=SOON)
    panel.columns.item(2, 2).setText("mS")
    qtbot.waitUntil(lambda: texts(panel, 2)[2] == "mS" and panel.start.isEnabled(), timeout=SOON)
    panel.start.click()
    qtbot.waitUntil(lambda: panel._session.run_path is not None, timeout=SOON)
    with RunFile(panel._session.run_path) as run:
        assert run.table("reads")["conductance"].max() == pytest.approx(8e-9)


@pytest.mark.thorough
def test_a_wrong_word_for_a_column_can_be_corrected(panel, tmp_path: Path, qtbot) -> None:
    opened(panel, tmp_path / "reads.csv", foreign_tables.read_map(), qtbot)
    qtbot.waitUntil(panel.start.isEnabled, timeout=SOON)
    row = texts(panel, 1).index("conductance (column 0)")
    panel.columns.item(row, 1).setText("nonsense")
    panel.columns.item(row, 2).setText("uS")
    qtbot.waitUntil(lambda: "nonsense" in panel.verdict.text(), timeout=SOON)
    panel.columns.item(row, 1).setText("")
    qtbot.waitUntil(panel.start.isEnabled, timeout=SOON)


@pytest.mark.thorough
def test_a_comma_that_may_be_either_is_asked_for(panel, tmp_path: Path, qtbot) -> None:
    text = "row;column;conductance (uS)\n" + "".join(f"{n};0;{n + 5},00{n}\n" for n in range(4))
    opened(panel, tmp_path / "t.csv", text, qtbot)
    qtbot.waitUntil(lambda: "comma" in panel.verdict.text(), timeout=SOON)
    assert not panel.start.isEnabled()
    panel.decimal.setCurrentIndex(1)
    qtbot.waitUntil(panel.start.isEnabled, timeout=SOON)


@pytest.mark.thorough
def test_a_file_that_is_no_table_is_said(panel, tmp_path: Path, qtbot) -> None:
    opened(panel, tmp_path / "empty.csv", "", qtbot)
    assert "empty.csv" in panel.verdict.text()
    assert not panel.start.isEnabled()
    opened(panel, tmp_path / "reads.csv", foreign_tables.read_map(), qtbot)
    qtbot.waitUntil(panel.start.isEnabled, timeout=SOON)
    panel.chip.setText("no such chip")
    panel.start.click()
    qtbot.waitUntil(lambda: "no such chip" in panel.verdict.text(), timeout=SOON)
    assert panel.start.isEnabled()
    assert not list(tmp_path.glob("*.h5"))
    opened(panel, tmp_path / "empty.csv", "", qtbot)
    assert not texts(panel, 1)  # those of the table before are no part of this one


@pytest.mark.thorough
def test_a_panel_that_cannot_be_loaded_says_so_in_its_place(open_main, tmp_path: Path, monkeypatch) -> None:
    info = tmp_path / "labpanel-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labpanel\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[mho.panels]\noven = labpanel_oven:Oven\n")
    (tmp_path / "labpanel_oven.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    window = open_main(tmp_path)
    window.show_panel("Oven")
    said = "The panel labpanel_oven:Oven of labpanel 2.0 cannot be shown: ZeroDivisionError: division by zero"
    assert window.panels.panel("Oven").text() == said
    window.show_panel("Runs")
    assert window.panels.panel("Runs").isVisible()
