"""The example notebooks, executed cell by cell: what they show is there and shows itself."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.figure
import notebooks
import pytest
from repository import ROOT

import mho

xarray = pytest.importorskip("xarray")
pandas = pytest.importorskip("pandas")

FOLDER = ROOT / "docs" / "notebooks"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MHO_RUNS", raising=False)


def shown(name: str, kind: type) -> list[object]:
    """Execute a notebook; return what it shows of a kind, after all has shown itself."""
    found = notebooks.execute(FOLDER / f"{name}.ipynb")
    for one in found:
        page = getattr(one, "_repr_html_", lambda one=one: repr(one))()
        assert page is None or isinstance(page, str)
    return [one for one in found if isinstance(one, kind)]


def test_first_solve():
    assert shown("first-solve", matplotlib.figure.Figure)


def test_week_of_retention():
    (reads, *_) = shown("week-of-retention", xarray.Dataset)
    assert reads.sizes["row"] == reads.sizes["column"] == 8
    assert reads.sizes["repeat"] > 10


def test_campaign(capsys):
    (runs,) = shown("campaign", mho.Runs)
    assert len(runs) == 8
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path):
    stored = json.loads(path.read_text("utf-8"))
    assert all(cell["outputs"] == [] for cell in stored["cells"] if cell["cell_type"] == "code")
