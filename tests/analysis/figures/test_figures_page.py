"""``docs/figures.md`` followed word by word: its code runs, and what it says of the procedures is so."""

import re
from pathlib import Path

import numpy as np
import pytest
from repository import ROOT

import mho
from mho import (
    IV,
    Column,
    Contact,
    Figure,
    Form,
    Invert,
    Layout,
    Multiply,
    Program,
    Read,
    Response,
    Solve,
    Table,
)
from mho.errors import RunFileError

PAGE = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")


@pytest.mark.thorough
def test_the_code_of_the_page_runs_and_draws_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "figures.md", "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} == {
        "first.h5", "second.h5", "first.png", "spread.svg", "both.pdf",
    }  # fmt: skip
    with mho.open_run("first.h5") as run:
        assert [figure.name for figure in run.figures] == ["endurance", "spread"]
    assert names["retention"].fit == "log-time line"  # type: ignore[attr-defined]


def test_the_refusal_on_the_page_is_the_one_that_is_given() -> None:
    table = Table("endurance", tuple(map(Column, ("cycle", "state", "conductance"))))
    with pytest.raises(RunFileError) as refused:
        Layout((table,), figures=(Figure("endurance", table="endurance", x="cycle", y="current"),))
    assert str(refused.value) in PAGE


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    ["solve", "multiply", "invert", "program", "contact", "form", "iv", "response", "read"],
)
def test_a_procedure_declares_the_figures_that_the_page_names(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "digits.npy", np.array([[0, 7], [3, 4]]))
    matrix = "zuo2025-4x4"
    procedure = {
        "solve": lambda: Solve(matrix=matrix, bits=8),
        "multiply": lambda: Multiply(matrix=matrix, bits=6, vectors=1, shots=4),
        "invert": lambda: Invert(matrix=matrix, vectors=2),
        "program": lambda: Program(digits=str(tmp_path / "digits.npy")),
        "contact": lambda: Contact(rows="0:1", columns="0:2"),
        "form": lambda: Form(rows="0:1", columns="0:2", step=0.2),
        "iv": lambda: IV(rows="0:1", columns="0:2", highest=0.2, step=0.1),
        "response": lambda: Response(rows="0:1", columns="0:2", points=5),
        "read": lambda: Read(rows="0:1", columns="0:2", repeats=2),
    }[name]()
    path = mho.run(
        procedure,
        bench="simulated" if name not in ("solve", "multiply", "invert") else "arrays",
        seed=1,
        output=tmp_path,
    ).path
    (line,) = re.findall(rf"^\| {name} \| (.*) \|$", PAGE, re.MULTILINE)
    with mho.open_run(path) as run:
        declared = [figure.name for figure in run.figures]
    assert set(re.findall(r"`(\w+)`", line)) <= set(declared)
    assert len(declared) == len(re.split(r"[,;] ", line))
    assert mho.plot(path).stat().st_size > 10_000
