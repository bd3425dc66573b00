"""``mho budget``: what it prints, draws and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Shell

from mho.procedures import Invert, Read
from mho.running import run


@pytest.fixture(scope="module")
def inverted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inverted") / "invert.h5"
    run(Invert(conditions="2", size=3, vectors=1, scales=6, steps=0), "arrays", seed=3, output=path)
    return path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "runs", monkeypatch, capsys)


def refused(shell: Shell, *arguments: object) -> str:
    code, out, err = shell(*arguments)
    assert code == 2
    assert not out
    assert len(err.splitlines()) == 1, err
    return err


@pytest.mark.thorough
def test_it_says_what_to_mend_first_and_draws_it(shell: Shell, inverted: Path, tmp_path: Path) -> None:
    picture = tmp_path / "budget.svg"
    code, out, err = shell("budget", inverted, "--draws", 2, "--figure", picture)
    assert code == 0, err
    assert "error of the one-step INV" in out
    for cause in ("quantisation", "programming", "converters", "not explained"):
        assert cause in out
    assert "first: that alone would take" in out
    assert "noise is drawn anew on the same programmed cells, 2 times, seed 0" in out
    assert str(picture) in out
    drawn = picture.read_text("utf-8")
    assert "quantisation" in drawn or drawn.startswith("<?xml")


@pytest.mark.thorough
def test_the_same_run_gives_the_same_picture(shell: Shell, inverted: Path, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        assert shell("budget", inverted, "--draws", 2, "--figure", tmp_path / name)[0] == 0
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.thorough
def test_a_machine_is_told_in_json_alone(shell: Shell, inverted: Path) -> None:
    code, out, err = shell("budget", inverted, "--draws", 0, "--json")
    assert code == 0
    assert not err
    told = json.loads(out)
    total = sum(one["share"] for one in told["shares"]) + told["rest"] + told["unexplained"]
    assert total == pytest.approx(1.0)
    assert told["advice"].startswith("mend ")


def test_what_cannot_be_is_refused_in_one_line(shell: Shell, inverted: Path, tmp_path: Path) -> None:
    assert "nothing.h5" in refused(shell, "budget", tmp_path / "nothing.h5")
    assert "suffix '.txt'" in refused(shell, "budget", inverted, "--figure", tmp_path / "a.txt")
    assert "draws is -1" in refused(shell, "budget", inverted, "--draws", -1)
    read = tmp_path / "read.h5"
    run(Read(rows="0", columns="0"), "arrays", seed=1, output=read)
    assert "is a run of read" in refused(shell, "budget", read)


def test_ctrl_c_ends_it_in_one_line(shell: Shell, inverted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mho.running.budget.budgets.decompose", stop)
    code, out, err = shell("budget", inverted)
    assert code != 0
    assert not out
    assert "stopped: there is no budget" in err
