"""The documentation in a window of its own, offline: the pages as they lie beside the package, or came with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QImage, QTextCursor, QTextDocument
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QTextBrowser, QWidget

from mho.gui import widgets

FIRST = "README.md"
WIDEST = 760  # px of a picture


def pages_folder() -> Path | None:
    """Return the folder of the pages: of the checkout that is in use, or where an installation put them; None without."""
    beside = Path(__file__).parents[3] / "docs"
    if (beside / FIRST).is_file():
        return beside
    from importlib.metadata import PackageNotFoundError, files  # takes its time

    try:
        installed = files("mho") or ()
    except PackageNotFoundError:
        return None
    for file in installed:
        if file.parts[-4:] == ("share", "mho", "docs", FIRST):
            return Path(str(file.locate())).resolve().parent
    return None


class PageText(NamedTuple):
    """A page: its title, where it is, and its words, folded."""

    title: str
    path: Path
    text: str


def read_pages(folder: Path) -> list[PageText]:
    """Return all pages in a folder and those below it."""
    pages = []
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text("utf-8")
        heading = next((line for line in text.split("\n") if line.startswith("#")), path.stem)
        pages.append(PageText(heading.lstrip("# ").strip(), path, text.casefold()))
    return pages


def pages_with(pages: Sequence[PageText], words: str) -> list[PageText]:
    """Return the pages that have all `words`, in title or text, those with them in the title first."""
    wanted = words.casefold().split()
    found = [page for page in pages if all(word in page.text for word in wanted)]
    return sorted(found, key=lambda page: not all(word in page.title.casefold() for word in wanted))


def anchor_of(heading: str) -> str:
    """Return the name by which links go to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.casefold()).strip().replace(" ", "-")


class Page(QTextBrowser):
    """Shows a page; pictures no wider than the window, and links to headings."""

    def loadResource(self, kind: int, name: Any) -> Any:  # noqa: N802
        """Return what a page names; a picture in a width that fits."""
        if kind == QTextDocument.ResourceType.ImageResource.value:
            image = QImage(name.toLocalFile() or self.source().resolved(name).toLocalFile())
            if image.width() > WIDEST:
                return image.scaledToWidth(WIDEST, Qt.TransformationMode.SmoothTransformation)
            return image
        return super().loadResource(kind, name)

    def go_to(self, anchor: str) -> bool:
        """Show the heading of a name at the top; return whether there is one."""
        block = self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and anchor_of(block.text()) == anchor:
                self.moveCursor(QTextCursor.MoveOperation.End)
                self.setTextCursor(QTextCursor(block))
                return True
            block = block.next()
        return False


class Documentation(QDialog):
    """The pages with a list of their titles, and a search through all of them."""

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pages = read_pages(folder)  # once: a search is made at each key
        self.setWindowTitle("mho, documentation")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(1100, 760)
        self.search = QLineEdit(placeholderText="search all pages", clearButtonEnabled=True)
        self.search.setAccessibleName("search all pages")
        self.titles = QListWidget()
        self.titles.setAccessibleName("pages")
        self.page = Page(openLinks=False)
        self.page.setAccessibleName("page")
        self.back = widgets.button("Back", self.page.backward)
        home = widgets.button("Contents", lambda: self.show_page(folder / FIRST))
        left = QWidget()
        widgets.column(left, self.search, (self.titles, 1), widgets.row(None, self.back, home), margins=0)
        halves = widgets.splitter(Qt.Orientation.Horizontal, (left, 270), (self.page, 800))
        widgets.column(self, (halves, 1))
        self.search.textChanged.connect(self._list)
        self.titles.itemActivated.connect(self._open)
        self.titles.itemClicked.connect(self._open)
        self.page.anchorClicked.connect(self._follow)
        self.page.backwardAvailable.connect(self.back.setEnabled)
        self.back.setEnabled(False)
        self._list("")
        self.show_page(folder / FIRST)

    def show_page(self, path: Path, anchor: str = "") -> None:
        """Show a page, from a heading on."""
        self.page.setSource(QUrl.fromLocalFile(str(path)))
        if anchor:
            self.page.go_to(anchor)

    def _list(self, words: str) -> None:
        self.titles.clear()
        for page in pages_with(self._pages, words):
            item = QListWidgetItem(page.title, self.titles)
            item.setData(Qt.ItemDataRole.UserRole, str(page.path))

    def _open(self, item: QListWidgetItem) -> None:
        self.show_page(Path(item.data(Qt.ItemDataRole.UserRole)))

    def _follow(self, link: QUrl) -> None:
        """Follow a link to another page, or to a heading of this one; what is elsewhere the system opens."""
        target = self.page.source().resolved(link)
        if not target.isLocalFile():
            QDesktopServices.openUrl(target)
            return
        path = Path(target.toLocalFile())
        if path.suffix == ".md" and path.is_file():
            self.show_page(path, target.fragment())
        elif path.exists():
            QDesktopServices.openUrl(target)
