"""No table of a campaign mixes two: what the finished runs were made with is compared, and so is what changes meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from daily import daily

from mho.errors import ChangedInputError
from mho.instruments.bench_file.bench_file import load_bench_file
from mho.running.campaign import Campaign, carry_out
from mho.running.plan import load_plan
from mho.runs import RunFile

PLAN = """
name = "sums"
bench = "lab.toml"
preset = "cells.toml"
[[steps]]
procedure = "own.py:Sum"
parameters = { rhs = "b.npy", settings = "settings.toml" }
[[sweep]]
matrix = { files = "a*.npy" }
"""
OWN = """
import numpy as np
from mho import Layout, Parameter, Procedure

class Sum(Procedure):
    matrix = Parameter("A", default="")
    rhs = Parameter("b", default="")
    settings = Parameter("Settings", default="")
    factor = Parameter("Factor", default="1")

    def recorded_parameters(self, plan):  # as Program: what a settings file says, not its path
        recorded = super().recorded_parameters(plan)
        return {name: one for name, one in recorded.items() if name != "settings"}

    def layout(self, plan):
        return Layout()

    def execute(self, plan, bench, stream):
        return {"sum": float(np.load(self.matrix).sum() + np.load(self.rhs).sum())}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with all that the runs of a plan read."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN)
    (folder / "own.py").write_text(OWN)
    for name in ("a1.npy", "a3.npy", "b.npy"):
        np.save(folder / name, np.arange(float(ord(name[1]))))
    (folder / "settings.toml").write_text("set_step = 0.1\n")
    (folder / "cells.toml").write_text('name = "mine"\nbase = "pku"\n')
    (folder / "bad.toml").write_text('chip = "reference"\ndefects = []\n')
    source = load_bench_file("simulated")
    (folder / "map.toml").write_text(source.chip_text)
    bench = re.sub(r"(?m)^chip *=.*$", 'chip = "map.toml"\ndefects = "bad.toml"', source.text)
    (folder / "lab.toml").write_text(bench)
    return folder


def campaign(lab: Path, output: str = "out") -> Campaign:
    return Campaign(load_plan(lab / "plan.toml"), lab / output)


def carried_out(lab: Path) -> list[dict[str, object]]:
    return [carry_out(task) for task in campaign(lab).tasks()]


def rewritten(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(lab: Path) -> None:
        text = (lab / name).read_text("utf-8")
        assert old in text
        (lab / name).write_text(text.replace(old, new), "utf-8")

    return change


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "matrix": (
        lambda lab: np.save(lab / "a1.npy", np.ones(3)),
        "run 1 in .* was made under other conditions: the file of parameter matrix has changed; bring back",
    ),
    "right-hand side": (
        lambda lab: np.save(lab / "b.npy", np.ones(3)),
        "the file of parameter rhs has changed",
    ),
    "settings": (rewritten("settings.toml", "0.1", "0.2"), "the file of parameter settings has changed"),
    "a further matrix": (  # run 2 of the plan is another one now
        lambda lab: np.save(lab / "a2.npy", np.ones(3)),
        "run 2 .* the file of parameter matrix has changed",
    ),
    "bench": (
        rewritten("lab.toml", "\n[simulation]\n", "\n[simulation]\nstuck = 0.1\n"),
        "the bench file has changed",
    ),
    "chip map": (rewritten("map.toml", "name =", "# seen again\nname ="), "the chip map has changed"),
    "defects": (rewritten("bad.toml", "chip =", "# seen again\nchip ="), "the list of defects has changed"),
    "cells": (
        rewritten("cells.toml", "pku", "relaxing"),
        "the content of the preset has changed",
    ),
    "preset": (rewritten("cells.toml", "mine", "yours"), "the preset was mine and is yours"),
    "source": (rewritten("own.py", "float(", "2.0 * float("), "the source of the procedure has changed"),
    "default": (rewritten("own.py", 'default="1"', 'default="2"'), "the parameter factor was 1 and is 2"),
    "version": (
        rewritten("own.py", "    matrix =", '    version = "2"\n    matrix ='),
        "the version of the procedure was 1 and is 2",
    ),
}


@pytest.mark.parametrize("what", daily(CHANGES, 4))
def test_a_campaign_does_not_go_on_with_another(what, lab):
    assert {row["status"] for row in carried_out(lab)} == {"finished"}
    assert sorted(campaign(lab).finished_before) == [1, 2]
    change, sentence = CHANGES[what]
    change(lab)
    with pytest.raises(ChangedInputError, match=sentence):
        campaign(lab).finished_before  # noqa: B018
    assert campaign(lab, "elsewhere").finished_before == {}


def test_the_same_inputs_in_another_place_are_the_same(lab):
    carried_out(lab)
    moved = lab.rename(lab.with_name("moved"))
    assert sorted(campaign(moved).finished_before) == [1, 2]


def test_another_mho_is_refused(lab, monkeypatch):
    carried_out(lab)
    monkeypatch.setattr("mho.running.campaign._code_of_mho", lambda: {"version of mho": "0.0.1"})
    with pytest.raises(ChangedInputError, match=r"the version of mho was .* and is 0\.0\.1; the code of mho"):
        campaign(lab).finished_before  # noqa: B018


def test_a_file_that_does_not_say_what_it_was_made_with_is_refused(lab):
    from mho import run

    task = next(campaign(lab).tasks())
    run(task.planned.make(), task.planned.bench, seed=task.seed, preset=task.planned.preset, output=task.path)
    with pytest.raises(ChangedInputError, match="its file does not say what it was made with"):
        campaign(lab).finished_before  # noqa: B018


def test_what_changes_during_a_campaign_stops_it_until_it_is_back(lab):
    begun = campaign(lab)
    first, second = begun.tasks()
    before = carry_out(first)
    matrix = Path(second.planned.parameters["matrix"])
    kept = matrix.read_bytes()
    np.save(matrix, np.ones(3))
    with pytest.raises(
        ChangedInputError, match=r"run 2 is not carried out on .*: the file of parameter matrix"
    ):
        carry_out(second)
    matrix.unlink()
    with pytest.raises(ChangedInputError, match="parameter matrix was a file and is "):
        carry_out(second)
    matrix.write_bytes(kept)
    assert carry_out(second)["status"] == "finished"
    assert [row["result.sum"] for row in campaign(lab).finished_before.values()] == [
        before["result.sum"],
        carry_out(second)["result.sum"],
    ]


def test_a_task_made_before_a_change_keeps_the_old_inputs_however_late_it_is_drawn(lab):
    begun = campaign(lab)
    np.save(lab / "a3.npy", np.ones(3))
    with pytest.raises(ChangedInputError):
        carry_out(list(begun.tasks())[1])


def test_a_run_that_read_something_else_while_nobody_looked_does_not_count(lab, monkeypatch):
    task = next(campaign(lab).tasks())
    kept = (lab / "b.npy").read_bytes()
    np.save(lab / "b.npy", np.ones(3))
    monkeypatch.setattr("mho.running.campaign._check_unchanged", lambda task: None)  # it changed right after
    with pytest.raises(ChangedInputError, match="the file of parameter rhs has changed"):
        carry_out(task)
    (lab / "b.npy").write_bytes(kept)
    assert campaign(lab).finished_before == {}
    assert carry_out(task)["status"] == "finished"
    with RunFile(task.path.with_name("000001.failed-1.h5")) as other:
        assert other.summary["sum"] != carry_out(task)["result.sum"]


def test_the_code_of_mho_counts_but_for_what_only_shows_runs(tmp_path, monkeypatch):
    from mho.running import campaign as fingerprint

    for place in ("gui/window.py", "procedures/solve.py", "procedures/__pycache__/solve.pyc"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("1")
    monkeypatch.setattr(fingerprint, "_CHECKOUT", tmp_path)
    code = fingerprint._code_of_mho.__wrapped__
    before = code()
    (tmp_path / "gui/window.py").write_text("2")
    (tmp_path / "procedures/__pycache__/solve.pyc").write_text("2")
    assert code() == before
    (tmp_path / "procedures/solve.py").write_text("2")
    assert code() != before
