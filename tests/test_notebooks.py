"""The example notebooks, executed in a kernel: what they show is there, and a figure is a picture."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from repository import ROOT

pytest.importorskip("xarray")
pytest.importorskip("pandas")
pytest.importorskip("nbclient")

import notebooks

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]  # on a machine that does much else
PAGE, PICTURE, TEXT = "text/html", "image/png", "text/plain"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return what the cells of each notebook show."""
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MHO_RUNS", raising=False)
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))  # a user's list of fonts may be stale
        subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=True)  # makes it
        patch.setenv("PYTHONPATH", str(ROOT))
        outputs = notebooks.execute({path: folder / path.stem for path in NOTEBOOKS})
    return {path.stem: those for path, those in outputs.items()}


def results(outputs: list[Any], kind: str) -> list[str]:
    """Return what cells end with, of those that show themselves in one way."""
    return [one.data[kind] for one in outputs if one.output_type == "execute_result" and kind in one.data]


def pictures(outputs: list[Any]) -> list[tuple[int, int]]:
    """Return width and height at which each picture is shown."""
    for picture in results(outputs, PICTURE):
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    return [
        (one.metadata[PICTURE]["width"], one.metadata[PICTURE]["height"])
        for one in outputs
        if PICTURE in one.get("data", {})
    ]


def progress(outputs: list[Any]) -> list[str]:
    """Return the text of what is shown while runs go on, as it stands in the end."""
    return [one.data[TEXT] for one in outputs if one.output_type == "display_data"]


def test_first_solve(shown):
    outputs = shown["first-solve"]
    assert pictures(outputs) == [(672, 461)]
    (ended,) = progress(outputs)
    assert ended.startswith("Solve array, 24 bit: finished")
    run, errors, conductance = results(outputs, PAGE)
    assert "data:image" in run
    assert "relative_error" in errors
    assert "invert_positive_conductance" in conductance
    assert results(outputs, TEXT)[2] == "(1, 'pku', 24, True)"


def test_week_of_retention(shown):
    outputs = shown["week-of-retention"]
    assert len(pictures(outputs)) == 1
    assert [one.split(":")[0].split(" of ")[0] for one in progress(outputs)] == [
        "Program array at multiply[0, 0]",
        "Retention",
    ]
    (dimensions,) = (text for text in results(outputs, TEXT) if text.startswith("<xarray.Dataset>"))
    assert "(repeat: 20, row: 8, column: 8)" in dimensions


def test_campaign(shown):
    outputs = shown["campaign"]
    assert len(pictures(outputs)) == 1
    assert len(progress(outputs)) == 8
    assert any(text.startswith("<Runs, 8 of ") for text in results(outputs, TEXT))
    (printed,) = (one.text for one in outputs if one.output_type == "stream")
    assert len(printed.splitlines()) == 2


def test_bench_as_preconditioner(shown):
    outputs = shown["bench-as-preconditioner"]
    matrix, steps, fewer, _, whole = results(outputs, TEXT)
    assert matrix.startswith("<32 x 32 float64 matrix on a bench: ")
    assert (steps, fewer) == ("(True, True, True)", "(True, True)")
    assert whole == "(0, 0, True)"
    (figure,) = results(outputs, PICTURE)
    assert base64.b64decode(figure).startswith(b"\x89PNG")


def test_no_library_warns(shown):
    assert [one.text for those in shown.values() for one in those if one.get("name") == "stderr"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path):
    stored = json.loads(path.read_text("utf-8"))
    assert all(cell["outputs"] == [] for cell in stored["cells"] if cell["cell_type"] == "code")
