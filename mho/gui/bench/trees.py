"""The two tables of the bench panel: their columns, and the lines below an instrument."""

from __future__ import annotations

from PySide6.QtWidgets import QTreeWidget, QTreeWidgetItem

COLUMNS = {
    "Instrument": 90, "Driver": 115, "Terminal": 130, "Connection": 85, "Output": 190, "Known since": 255,
}  # fmt: skip
"""Headings and widths, pixels."""

CONNECTION, OUTPUT, KNOWN = (list(COLUMNS).index(name) for name in ("Connection", "Output", "Known since"))
LIMITS = {"Terminal": 150, "Quantity": 140, "Seen in this run": 140, "Limit": 110, "Margin": 90}
UNSEEN = {"current of reads": "not measured"}
"""Text for a quantity without data of the run; other rows say that they were not used."""


def output_of_settings(settings: dict[str, str]) -> tuple[str, bool]:
    """Return how an instrument's outputs stand by its settings, empty when these do not say, and whether any may be on."""
    told = [value for name, value in settings.items() if name == "mode" or name.endswith("output_enabled")]
    if not told:
        return "", False
    if any(value not in ("True", "False") for value in told):
        return told[0], told[0] != "SAFE"
    return ("ON", True) if "True" in told else ("off", False)


def tell_below(item: QTreeWidgetItem, name: str, value: str) -> QTreeWidgetItem:
    """Add a line below an instrument, over the whole width."""
    line = QTreeWidgetItem(item, [f"{name}: {value}"])
    line.setFirstColumnSpanned(True)
    line.setToolTip(0, value)
    return line


def table(columns: dict[str, int]) -> QTreeWidget:
    """Return an empty tree with these headings and widths, in pixels."""
    tree = QTreeWidget()
    prepare_table(tree, columns)
    return tree


def prepare_table(tree: QTreeWidget, columns: dict[str, int]) -> None:
    """Set the headings of a tree, and their widths in pixels."""
    tree.setHeaderLabels(list(columns))
    for column, width in enumerate(columns.values()):
        tree.setColumnWidth(column, width)
    tree.setAlternatingRowColors(True)
    tree.setUniformRowHeights(True)
