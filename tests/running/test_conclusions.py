"""What a run concludes is what its procedure declares; the runner makes a line where none is declared."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily

from mho.errors import InputError, UnsafeError
from mho.instruments import Bench, open_bench
from mho.procedures.base import Procedure
from mho.procedures.stream import Ended, Event, Stream
from mho.running.execution import run
from mho.running.phases import undeclared
from mho.running.results import StoredResult
from mho.runs import Array, Column, Conclusion, Layout, RunFile, Status, Table, Verdict, verify


class Counting(Procedure):
    """Records what a test wants, and concludes nothing by itself."""

    rows = 0
    result: Any = None
    filled = False

    def layout(self, plan: Any) -> Layout:
        table = Table("reads", (Column("conductance", "S"),))
        return Layout((table,), arrays=(Array("answer", np.full(2, np.nan)),))

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
        for number in range(self.rows):
            stream.record("reads", conductance=float(number))
        if self.filled:
            stream.set_array("answer", np.ones(2))
        return self.result


class Declaring(Counting):
    """Declares its line from its result, and warns twice of the same."""

    result = {"cells": 3}

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
        stream.say("relay 3 answered late", "WARNING")
        stream.say("relay 3 answered late", "WARNING")
        stream.say("a word")
        return super().execute(plan, bench, stream)

    def conclude(self, plan: Any, result: Any) -> Conclusion | None:
        return Conclusion(f"{result['cells']} cells read", ("few of them",))


def concluded(procedure: Procedure, tmp_path: Path) -> tuple[Conclusion, Status]:
    """Return what the file of a run has, which is what its observers were told."""
    events: list[Event] = []
    target = tmp_path / "run.h5"
    with suppress(ArithmeticError):
        run(procedure, "arrays", seed=1, output=target, observers=[events.append])
    with RunFile(target) as file:
        assert file.conclusion is not None
        (end,) = (one for one in events if isinstance(one, Ended))
        assert end.conclusion == file.conclusion
        assert verify(target).verdict is Verdict.SOUND
        return file.conclusion, file.status


def test_the_line_is_the_procedures_and_warnings_come_from_both(tmp_path: Path):
    assert concluded(Declaring(), tmp_path)[0] == Conclusion(
        "3 cells read", ("relay 3 answered late", "few of them")
    )


@pytest.mark.parametrize(
    ("rows", "result", "filled", "expected"),
    daily(
        [
            (0, None, False, Conclusion("", measured=False)),
            (0, {"window": None, "spread": float("nan")}, False, Conclusion("", measured=False)),
            (3, None, False, Conclusion("3 rows of reads")),
            (1, {"window": None}, False, Conclusion("1 row of reads")),
            (0, None, True, Conclusion("array answer")),
            (0, {"levels": [1, 2]}, False, Conclusion("")),
            (
                5,
                {"window": (12.34567, "V"), "cycles": 7, "held": True, "word": "x"},
                False,
                Conclusion("window 12.35 V, cycles 7, held yes"),
            ),
        ],
        4,
    ),
)
def test_a_line_is_made_where_none_is_declared(
    tmp_path: Path, rows: int, result: Any, filled: bool, expected: Conclusion
):
    procedure = Counting()
    procedure.rows, procedure.result, procedure.filled = rows, result, filled
    assert concluded(procedure, tmp_path)[0] == expected


def test_a_conclusion_that_fails_costs_no_measured_run(tmp_path: Path):
    class Faulty(Counting):
        rows = 2

        def conclude(self, plan: Any, result: Any) -> Conclusion | None:
            return Conclusion(f"{1 / 0}")

    conclusion, status = concluded(Faulty(), tmp_path)
    assert status is Status.FINISHED
    assert conclusion.line == "2 rows of reads"
    (warning,) = conclusion.warnings
    assert warning.startswith("Faulty.conclude could not be used: ZeroDivisionError")


def test_a_conclusion_of_another_type_is_not_used(tmp_path: Path):
    class Wordy(Counting):
        rows = 2

        def conclude(self, plan: Any, result: Any) -> Any:
            return "well done"

    assert concluded(Wordy(), tmp_path)[0].warnings == (
        "Wordy.conclude could not be used: it returned str, not a Conclusion",
    )


def test_a_conclusion_that_takes_other_arguments_is_refused_before_anything_is_done():
    class Short(Counting):
        def conclude(self) -> Any:  # type: ignore[override]
            return None

    with pytest.raises(InputError, match=r"write def conclude\(self, plan, result\)"):
        Short()


def test_a_run_that_failed_keeps_its_warnings_and_no_line(tmp_path: Path):
    class Failing(Declaring):
        def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
            super().execute(plan, bench, stream)
            raise ArithmeticError("no")

    assert concluded(Failing(), tmp_path) == (
        Conclusion("", ("relay 3 answered late",)), Status.FAILED,
    )  # fmt: skip


def test_a_bench_in_doubt_is_in_the_conclusion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Failing(Declaring):
        def execute(self, plan: Any, bench: Bench, stream: Stream) -> Any:
            raise ArithmeticError("no")

    with open_bench("arrays", seed=1) as bench:
        safe = bench.safe

        def doubtful() -> None:
            safe()
            raise UnsafeError("smu does not answer", live=("smu",))

        monkeypatch.setattr(bench, "safe", doubtful)
        with pytest.raises(ArithmeticError):
            run(Failing(), bench, seed=1, output=tmp_path / "run.h5")
        monkeypatch.undo()
    with RunFile(tmp_path / "run.h5") as file:
        assert file.conclusion == Conclusion(unsafe="smu does not answer")


def test_a_long_word_is_cut():
    made = undeclared(StoredResult({"word": "x" * 200}, {}), {})
    assert made.line == "word " + "x" * 39 + "…"
