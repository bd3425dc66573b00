"""Executes notebooks in a kernel, as Jupyter does; it listens on sockets of the file system, never on a network."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

CELL_SECONDS = 100
ANEW = "%reset -f\n%mkdir -p {folder}\n%cd -q {folder}"
"""Forgets all names, and goes on in another folder: what a notebook needs it has to make itself."""


def execute(folders: Mapping[Path, Path]) -> dict[Path, list[Any]]:
    """Run notebooks one after another, each in a folder of its own; return what the cells of each show.

    One kernel runs all of them, as most of a notebook's time is the loading of libraries.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        With the cell and what it raised.
    """
    cells = {
        path: [
            new_code_cell(ANEW.format(folder=folder)),
            *(
                new_code_cell(cell.source)
                for cell in nbformat.read(path, as_version=4).cells
                if cell.cell_type == "code"
            ),
        ]
        for path, folder in folders.items()
    }
    whole = new_notebook(cells=[cell for these in cells.values() for cell in these])
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:  # whose path has to be short
        config = Config({"AsyncKernelManager": {"transport": "ipc", "ip": f"{sockets}/s"}})
        NotebookClient(whole, config=config, timeout=CELL_SECONDS).execute()
    return {path: [output for cell in these for output in cell.outputs] for path, these in cells.items()}
