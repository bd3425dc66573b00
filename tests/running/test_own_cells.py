"""Cells of a user's own in runs: given as a preset, kept with their source, repeated where trusted, stopped if wrong."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from repository import ROOT

import mho
from mho import extension_points
from mho.cells import CellPreset, cell_preset
from mho.errors import InputError, InstrumentError, MhoError
from mho.instruments import open_bench
from mho.own_code import AGREED
from mho.running.continuing import rerun
from mho.runs import RunFile, Status

PAGE = (ROOT / "docs/your-own-cell.md").read_text("utf-8")
LAW, USE, NOISE = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
BENCHES = ["arrays", "simulated"]
DIGITS = np.array([[0, 3], [5, 7]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MHO_RUNS", str(tmp_path / "runs"))
    Path("vteam.py").write_text(LAW, "utf-8")
    return tmp_path


def test_what_the_page_shows_runs(folder, capsys, monkeypatch):
    page = ModuleType("page")  # as a script that a user runs
    monkeypatch.setitem(sys.modules, "page", page)
    for script in (LAW, USE, NOISE):
        exec(compile(script, "docs/your-own-cell.md", "exec"), vars(page))
    assert capsys.readouterr().out.splitlines() == [
        "arrays 0 True", "simulated 0 True", "stanford-FallingNoise",
    ]  # fmt: skip
    assert len([line for line in LAW.splitlines() if line]) <= 40


@pytest.mark.parametrize("bench", BENCHES)
def test_a_run_keeps_the_source_of_its_cells_and_is_repeated_where_it_is_trusted(bench, folder):
    first = mho.run(mho.Program(digits=DIGITS), bench, preset="vteam.py:Vteam", seed=3, output="a.h5")
    assert first.failed == 0
    with RunFile(first.path) as file:
        kept = file.provenance
    assert kept["preset"] == "pku-Vteam"
    assert (kept["cells_switching_source"], len(kept["cells_switching_sha256"])) == (LAW, 64)
    assert kept["cells_switching"] == f"{folder / 'vteam.py'}:Vteam"
    assert '"v_on" = 1.2' in kept["preset_file"]
    again = rerun(first.path, output="b.h5", trust=lambda code: True)
    assert again.equal, [one for one in again.compared if not one.equal]
    Path("vteam.py").write_text(LAW + "\n# a word more\n", "utf-8")
    remarks = rerun(first.path, output="c.h5", trust=lambda code: True).remarks
    assert any("source of the cells' own" in one and "has changed since" in one for one in remarks)


def test_the_numbers_of_a_law_are_those_of_the_object_that_was_given(folder):
    vteam = cell_preset("vteam.py:Vteam").own.switching
    cells = cell_preset("stanford").but(type(vteam)(maximum=40e-6), read_noise=0.01)
    first = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", preset=cells, seed=3, output="a.h5")
    with RunFile(first.path) as file:
        assert '"maximum" = 4e-05' in file.provenance["preset_file"]
        assert "read_noise = 0.01" in file.provenance["preset_file"]
    assert rerun(first.path, output="b.h5", trust=lambda code: True).equal


def test_numbers_alone_are_repeated_without_a_question(folder):
    cells = cell_preset("stanford").but(set_slope=455e-6)
    first = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", preset=cells, seed=3, output="a.h5")
    assert rerun(first.path, output="b.h5").equal


@pytest.mark.parametrize("way", ["preset", "bench file"])
def test_a_run_file_makes_no_law_run_that_nobody_agreed_to(way, folder, shell, monkeypatch):
    here, mark = folder / "here", folder / "imported"
    here.mkdir()
    Path("elsewhere_law.py").write_text(LAW, "utf-8")
    bench, preset = "arrays", "elsewhere_law.py:Vteam"
    if way == "bench file":
        text = (ROOT / "mho/instruments/benches/arrays.toml").read_text("utf-8")
        text = text.replace('preset = "pku"', f'preset = "{preset}"')
        Path("own.toml").write_text(text, "utf-8")
        bench, preset = "own.toml", None
    read = mho.Read(rows="0:2", columns="0:2")
    path = mho.run(read, bench, preset=preset, seed=3, output="a.h5").path.resolve()
    Path("elsewhere_law.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n{LAW}", "utf-8"
    )
    monkeypatch.chdir(here)
    AGREED.difference_update({one for one in AGREED if "elsewhere_law" in one})  # as another process begins
    code, _, said = shell("rerun", path)
    assert code == 2
    assert "elsewhere_law.py:Vteam, which is none of mho's own" in said
    assert "no file elsewhere_law.py in this folder" in said
    Path("elsewhere_law.py").write_text((folder / "elsewhere_law.py").read_text("utf-8"), "utf-8")
    assert "say --trust" in shell("rerun", path)[2]
    assert not mark.exists()


class Stateful:
    """A law of an object that no numbers make."""

    def __init__(self, table=None):
        self.table = np.ones(3) if table is None else table

    def conductance_after(self, conductance, age, draw):
        return conductance * self.table[0]


def test_a_law_that_its_file_cannot_make_again_is_refused_in_a_sentence(folder):
    first = mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", preset=Stateful(), seed=3, output="a.h5")
    with pytest.raises(
        MhoError, match=r"Stateful that was an object in a script.*make its class a dataclass"
    ):
        rerun(first.path, output="b.h5", trust=lambda code: True)


class WrongAfterForming:
    """SETs as it should, and returns NaN of a RESET."""

    maximum = 50e-6

    def after_set(self, conductance, voltage, width, gate, devices, rng):
        return np.full_like(conductance, 50e-6)

    def after_reset(self, conductance, voltage, width, gate, devices, rng):
        return conductance * np.nan


@pytest.mark.parametrize("bench", BENCHES)
def test_a_wrong_answer_ends_the_run_as_failed_and_the_bench_safe(bench, folder):
    program = mho.Program(digits=DIGITS)
    says = r"WrongAfterForming\.after_reset returned nan S for cell multiply\[[01], [01]\], with "
    with open_bench(bench, preset=WrongAfterForming(), seed=3) as opened:
        with pytest.raises(InstrumentError, match=says):
            mho.run(program, opened, output="a.h5")
        assert opened.simulated.live() == ()
    with RunFile("a.h5") as file:
        assert file.status is Status.FAILED
        assert re.search(says, file.reason)


@pytest.mark.thorough
def test_a_forecast_draws_cells_of_one_s_own(folder):
    cells = cell_preset("vteam.py:Vteam")
    assert isinstance(cells, CellPreset)
    found = mho.forecast(np.eye(2) * 2.0 + 0.3, bits=12, preset=cells, seed=1, draws=19, alternatives=False)
    assert found.preset == "pku-Vteam"
    assert found.solves.draws == 19


@pytest.mark.thorough
def test_a_budget_repeats_a_run_with_its_own_cells(folder):
    cells = cell_preset("vteam.py:Vteam")
    solved = mho.run(
        mho.Solve(matrix=np.eye(2) * 2.0 + 0.3, bits=8), "arrays", preset=cells, seed=1, output="a.h5"
    )
    found = mho.budget(solved.path, draws=0, trust=lambda code: True)
    assert (found.preset, found.twin) == ("pku-Vteam", pytest.approx(found.measured, rel=1e-3))
    noisy = mho.run(
        mho.Solve(matrix=np.eye(2) * 2.0 + 0.3, bits=8), "arrays", preset=Loud(), seed=1, output="b.h5"
    )
    remarks = mho.budget(noisy.path, draws=0, trust=lambda code: True).remarks
    assert any(one.startswith("read noise counts as it acted on the last reads") for one in remarks)


class Loud:
    """A noise of 2 %."""

    def deviation(self, conductance, aperture, rng):
        return 0.02 * rng.standard_normal(conductance.shape)

    def variance(self, conductance, aperture):
        return np.full_like(conductance, 4e-4)


def test_calibrate_names_the_law_that_it_cannot_fit(folder, shell):
    mho.run(mho.Read(rows="0:2", columns="0:2"), "arrays", seed=3, output="a.h5")
    said = shell("calibrate", "a.h5", "--base", "vteam.py:Vteam", "--to", "my.toml", "--checks", "0")[2]
    assert "--base vteam.py:Vteam is a law of one's own, whose numbers are not fitted" in said


def test_a_package_offers_cells_by_a_name(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    own = EntryPoint("kvatinsky", "vteam:Vteam", "mho.cells")
    monkeypatch.setattr(extension_points, "entry_points", lambda group: [own] if group == own.group else [])
    assert cell_preset("kvatinsky").name == "pku-Vteam"
    with pytest.raises(MhoError, match=r"unknown cell preset 'nosuch'; there are .*, kvatinsky, or name"):
        cell_preset("nosuch")


def test_the_command_line_takes_a_law_by_name(folder, shell):
    code, _, said = shell(
        "run", "read", "--rows", "0:2", "--columns", "0:2", "--bench", "arrays", "--preset", "vteam.py:Vteam"
    )
    assert code == 0, said
    with pytest.raises(InputError, match="has no class 'Vtem'; there is Vteam"):
        cell_preset("vteam.py:Vtem")
