"""Each phase of a procedure is handed what the one before returned; nothing is kept on the procedure in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daily import daily
from safety_runs import PROCEDURES

from mho import Column, Layout, Procedure, Table, run
from mho.errors import InputError
from mho.instruments import open_bench
from mho.procedures.catalogue import form_of, make_procedure
from mho.procedures.manifest import known_entries
from mho.runs import RunFile
from mho.runs.integrity import OF_THE_MOMENT

TABLE = Table("reads", (Column("time", "s"), Column("value")), "value", "time")


class Phases(Procedure):
    """Notes what each phase is handed."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.handed: list[tuple[str, Any]] = []

    def check(self):
        return "given"

    def prepare(self, given, bench, rng):
        self.handed.append(("prepare", given))
        return "plan"

    def layout(self, plan):
        self.handed.append(("layout", plan))
        return Layout((TABLE,))

    def describe_cells(self, plan):
        return f"cells of the {plan}"

    def in_use(self, plan):
        self.handed.append(("in_use", plan))
        return {}

    def execute(self, plan, bench, stream):
        self.handed.append(("execute", plan))
        return {"answer": 42}


def test_each_phase_is_handed_what_the_one_before_returned(tmp_path):
    procedure = Phases()
    assert run(procedure, seed=1, output=tmp_path / "a.h5") == {"answer": 42}
    assert procedure.handed == [
        ("prepare", "given"), ("in_use", "plan"), ("layout", "plan"), ("execute", "plan")
    ]  # fmt: skip
    with RunFile(tmp_path / "a.h5") as file:
        assert file.cells == "cells of the plan"


class Shortest(Procedure):
    """Layout and execute alone."""

    def layout(self, plan):
        return Layout((TABLE,))

    def execute(self, plan, bench, stream):
        stream.record("reads", time=bench.now(), value=1.0 if plan is None else 0.0)


def test_a_short_experiment_is_layout_and_execute_and_its_plan_is_none(tmp_path):
    run(Shortest(), output=tmp_path / "a.h5")
    with RunFile(tmp_path / "a.h5") as file:
        assert file.table("reads")["value"].tolist() == [1.0]


@pytest.mark.parametrize("name", daily(known_entries(), ["multiply", "form"]))
def test_a_run_writes_nothing_into_the_procedure_and_the_same_one_can_be_run_again(name, tmp_path):
    procedure = PROCEDURES[name]()
    before = {key: repr(value) for key, value in vars(procedure).items()}
    results = []
    for number in range(2):
        with open_bench(preset="quiet", seed=3) as bench:
            run(procedure, bench, seed=3, output=tmp_path / f"{number}.h5")
        assert {key: repr(value) for key, value in vars(procedure).items()} == before
        with RunFile(tmp_path / f"{number}.h5") as file:
            results.append(file.summary)
    first, again = (result | dict.fromkeys(OF_THE_MOMENT) for result in results)
    assert first == again


@pytest.mark.parametrize("name", known_entries())
def test_a_plan_can_be_made_without_a_run(name):
    procedure = PROCEDURES[name]()
    given = procedure.check()
    with open_bench(seed=1) as bench:
        plans = [procedure.prepare(given, bench, np.random.default_rng(1)) for _ in range(2)]
        assert bench.now() == 0.0
    cells = [procedure.describe_cells(plan) for plan in plans]
    assert cells[0] == cells[1] != ""
    assert [table.name for table in procedure.layout(plans[0]).tables]


def old_layout() -> type[Procedure]:
    class Old(Procedure):
        def layout(self):
            return Layout()

    return Old


def old_execute() -> type[Procedure]:
    class Old(Procedure):
        def execute(self, bench, stream):
            return None

    return Old


def old_prepare() -> type[Procedure]:
    class Old(Procedure):
        def prepare(self, bench, rng):
            return None

    return Old


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (old_layout, r"Old\.layout takes \(self\), .* write def layout\(self, plan\)"),
        (old_execute, r"Old\.execute takes \(self, bench, stream\), .* write def execute\(self, plan, bench, stream\)"),
        (old_prepare, r"Old\.prepare takes \(self, bench, rng\), .* write def prepare\(self, given, bench, rng\)"),
    ],
)  # fmt: skip
def test_a_procedure_with_phases_of_another_shape_is_answered_by_a_sentence(old, said):
    with pytest.raises(InputError, match=said):
        old()()
    with pytest.raises(InputError, match=said):
        form_of(old())


def test_extra_arguments_with_defaults_are_the_procedure_s_own_affair():
    class Mine(Procedure):
        def execute(self, plan, bench, stream, *, verbose=False):
            return None

    assert Mine().form() == {}


def test_a_procedure_of_an_old_shape_is_answered_on_the_command_line(shell, tmp_path, monkeypatch):
    (tmp_path / "oldish.py").write_text(
        "from mho import Procedure\nclass Old(Procedure):\n    def execute(self, bench, stream):\n        pass\n"
    )
    monkeypatch.chdir(tmp_path)
    code, out, err = shell("run", "oldish:Old")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert "write def execute(self, plan, bench, stream)" in line
    with pytest.raises(InputError, match=r"Old\.execute takes"):
        make_procedure("oldish:Old", {})
