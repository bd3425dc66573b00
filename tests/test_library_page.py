"""The ten snippets of docs/library.md, and those of docs/network.md, run as they stand, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from repository import ROOT


def snippets(page: str) -> list[str]:
    """Return the Python of a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return [part.partition("```")[0] for part in text.split("```python\n")[1:]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))


def test_the_library_in_ten_snippets(capsys: pytest.CaptureFixture[str]) -> None:
    blocks, names = snippets("library.md"), {"__name__": "tour"}
    assert len(blocks) == 10
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"snippet {number}", "exec"), names)
        assert capsys.readouterr().out.strip(), number
    assert names["answer"].converged
    assert abs(names["A"] @ names["answer"].solution - names["b"]).max() < 1e-6
    assert names["spread"].max() < 1e-6
    assert names["unkept"].path is None


def test_a_network_on_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    exec(snippets("network.md")[0], {"__name__": "network"})
    shares = [float(line.rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    on_cells, in_float64, shuffled = shares
    assert on_cells > 0.85
    assert abs(on_cells - in_float64) < 0.06
    assert shuffled < 0.25


def test_a_network_in_a_program_of_jax(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jax")
    exec(snippets("network.md")[1], {"__name__": "network"})
    loss, slope = capsys.readouterr().out.splitlines()
    assert float(loss.split()[1]) < 0.05
    assert (
        slope.split("[")[1].split()[0].startswith("1.57")
    )  # the sums of the inverse's columns, 30 / 19 and 40 / 19
