"""The documentation in the window: offline, every link of every page goes somewhere, and a search finds pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QAction

from mho.gui.window import documentation
from mho.gui.window.documentation import (
    WIDEST,
    Documentation,
    anchor_of,
    pages_folder,
    pages_with,
    read_pages,
)
from mho.gui.window.main_window import MainWindow

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def pages(qtbot) -> Documentation:
    window = Documentation(DOCS)
    qtbot.addWidget(window)
    window.show()
    return window


def test_help_opens_the_pages_of_this_checkout(open_main: Callable[..., MainWindow], tmp_path: Path) -> None:
    assert pages_folder() == DOCS
    window = open_main(tmp_path)
    (action,) = [one for one in window.findChildren(QAction) if one.text() == "Documentation"]
    action.trigger()
    (shown,) = window.findChildren(Documentation)
    assert "mho" in shown.page.toPlainText()
    shown.close()


def test_an_installation_without_pages_says_so(
    open_main: Callable[..., MainWindow], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(documentation, "pages_folder", lambda: None)
    window, said = open_main(tmp_path), []
    window.session.message.connect(lambda level, text, topic: said.append(text))
    window.show_documentation()
    assert said == ["the pages did not come with this installation; install mho again, from its wheel"]


def test_a_search_finds_pages_by_title_first_and_by_their_text(pages: Documentation, qtbot) -> None:
    everything = pages.titles.count()
    assert everything == len(list(DOCS.rglob("*.md")))
    qtbot.keyClicks(pages.search, "chip panel")
    assert pages.titles.item(0).text() == "The chip panel"
    assert 1 < pages.titles.count() < everything
    pages.search.setText("no page says zyzzyva")
    assert pages.titles.count() == 0


def test_a_link_goes_to_a_heading_of_another_page_and_back_returns(pages: Documentation, qtbot) -> None:
    pages.show_page(DOCS / "bench-by-hand.md")
    pages._follow(QUrl("chip-panel.md#acting-on-cells"))
    assert pages.page.source().fileName() == "chip-panel.md"
    assert pages.page.textCursor().block().text() == "Acting on cells"
    qtbot.mouseClick(pages.back, Qt.MouseButton.LeftButton)
    assert pages.page.source().fileName() == "bench-by-hand.md"


def test_pictures_are_no_wider_than_the_page(pages: Documentation) -> None:
    pages.show_page(DOCS / "bench-by-hand.md")
    image = pages.page.loadResource(2, QUrl("pictures/panel-bench-by-hand.png"))
    assert image.width() == WIDEST


def test_headings_have_the_names_by_which_links_go_to_them() -> None:
    assert anchor_of("C_f, as a designer chooses it") == "c_f-as-a-designer-chooses-it"
    first, *_ = pages_with(read_pages(DOCS), "bench by hand")
    assert (first.title, first.path) == ("The bench by hand", DOCS / "bench-by-hand.md")
