"""A campaign against a plain model of it: which runs are finished, and with what, whatever was killed or edited."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from state_machines import daily_and_thorough

from mho.errors import ChangedInputError, InputError
from mho.running.campaign import Campaign, CampaignShare, Row
from mho.running.plan import load_plan
from mho.workers import Done

PLAN = """
name = "sums"
bench = "arrays"
preset = "ideal"
[[steps]]
procedure = "own.py:Sum"
parameters = { rhs = "b.npy" }
[[sweep]]
matrix = ["a1.npy", "a2.npy", "a3.npy"]
"""
OWN = """
import numpy as np
from pathlib import Path
from mho import Layout, Parameter, Procedure

class Sum(Procedure):
    matrix = Parameter("A", default="")
    rhs = Parameter("b", default="")

    def layout(self, plan):
        return Layout()

    def execute(self, plan, bench, stream):
        killed = Path("killed")
        if killed.exists() and killed.read_text() == Path(self.matrix).stem:
            raise KeyboardInterrupt
        return {"sum": float(np.load(self.matrix).sum() + np.load(self.rhs).sum())}
"""
COUNT = 3
MISSING = 0
"""The variant of an input file that is not there."""

numbers = st.integers(1, COUNT)
inputs = st.sampled_from(["b", *(f"a{number}" for number in range(1, COUNT + 1))])
variants = st.sampled_from([1, 1, 2, MISSING])
shares = st.sampled_from([CampaignShare(), CampaignShare(1, 2), CampaignShare(2, 2)])


class OneByOne:
    """Workers that carry out one run after the other in this process."""

    def spread(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        for item in items:
            try:
                yield Done(item, function(item), None)
            except ChangedInputError as error:
                yield Done(item, None, error)


class CampaignStates(RuleBasedStateMachine):
    """`made` are the variants of the inputs with which the finished runs were made, by number."""

    def __init__(self) -> None:
        super().__init__()
        self.before = Path.cwd()
        self.folder = Path(tempfile.mkdtemp())
        os.chdir(self.folder)  # where its procedure is found
        (self.folder / "plan.toml").write_text(PLAN)
        (self.folder / "own.py").write_text(OWN)
        self.now = dict.fromkeys(("a1", "a2", "a3", "b"), 1)
        for name in self.now:
            self.put(name, 1)
        self.made: dict[int, tuple[int, int]] = {}
        self.strange: set[int] = set()  # runs whose file is that of another run

    def teardown(self) -> None:
        os.chdir(self.before)
        shutil.rmtree(self.folder)

    # --- parts of rules ---

    def put(self, name: str, variant: int) -> None:
        self.now[name] = variant
        if variant == MISSING:
            (self.folder / f"{name}.npy").unlink(missing_ok=True)
        else:
            np.save(self.folder / f"{name}.npy", np.full(ord(name[-1]), float(variant)))

    def inputs_of(self, number: int) -> tuple[int, int]:
        return self.now[f"a{number}"], self.now["b"]

    @staticmethod
    def numbers_of(share: CampaignShare) -> list[int]:
        return [number for number in range(1, COUNT + 1) if (number - share.number) % share.of == 0]

    def sum_of(self, number: int) -> float:
        matrix, rhs = self.made[number]
        return float(matrix * ord(str(number)) + rhs * ord("b"))

    def file(self, number: int) -> Path:
        return self.folder / "out/runs" / f"{number:06}.h5"

    def campaign(self, share: CampaignShare) -> Campaign:
        return Campaign(load_plan(self.folder / "plan.toml"), self.folder / "out", share=share)

    def is_changed(self, share: CampaignShare) -> bool:
        mine = set(self.numbers_of(share)) & (self.made.keys() | self.strange)
        return any(number in self.strange or self.made[number] != self.inputs_of(number) for number in mine)

    def check_rows(self, rows: list[Row], share: CampaignShare, finished_before: set[int]) -> None:
        assert [row["number"] for row in rows] == self.numbers_of(share)
        for row in rows:
            number = row["number"]
            if number in self.made:
                assert (row["status"], row["result.sum"]) == ("finished", self.sum_of(number))
                assert row["attempts"] == (number not in finished_before)
            else:
                assert (row["status"], row["attempts"]) == ("failed", 2)
                assert MISSING in self.inputs_of(number)
        table = pyarrow.parquet.read_table(self.folder / "out/table.parquet").to_pylist()
        assert {row["number"] for row in table} >= {row["number"] for row in rows}
        assert all(row in table for row in rows) or share.of > 1

    # --- rules ---

    @rule(share=shares, restored=st.booleans())
    def carry_out(self, share: CampaignShare, restored: bool) -> None:
        if restored:
            self.bring_back()
        self.carried_out(share, None, None)

    @rule(
        share=shares,
        killed=st.none() | numbers,
        edited=st.none() | st.tuples(st.integers(1, COUNT), inputs, variants),
    )
    def carry_out_in_trouble(
        self, share: CampaignShare, killed: int | None, edited: tuple[int, str, int] | None
    ) -> None:
        """Carry out a share; the process may be killed in a run, and a file may be edited after some rows."""
        self.bring_back()
        self.carried_out(share, killed, edited)

    def carried_out(
        self, share: CampaignShare, killed: int | None, edited: tuple[int, str, int] | None
    ) -> None:
        (self.folder / "killed").write_text("nothing" if killed is None else f"a{killed}")
        begun = self.campaign(share)
        if self.is_changed(share):
            with pytest.raises(ChangedInputError, match="bring back what was, or choose another"):
                begun.carry_out(OneByOne())  # type: ignore[arg-type]
            return
        before = self.made.keys() & self.numbers_of(share)
        depends_on = {number: self.inputs_of(number) for number in range(1, COUNT + 1)}
        ended: list[int] = []

        def observe(row: Row) -> None:
            ended.append(row["number"])
            if row["status"] == "finished":
                self.made[row["number"]] = depends_on[row["number"]]
            if edited is not None and len(ended) == edited[0]:
                self.put(*edited[1:])

        try:
            rows = begun.carry_out(OneByOne(), observe)  # type: ignore[arg-type]
        except KeyboardInterrupt:
            assert killed is not None
            assert killed not in ended
        except ChangedInputError:
            left = [number for number in self.numbers_of(share) if number not in ended]
            others = share.of > 1 and self.is_changed(CampaignShare())  # the table has the runs of all shares
            assert others or depends_on[left[0]] != self.inputs_of(left[0])
        else:
            assert killed is None or killed in before or killed not in self.numbers_of(share)
            if edited is None:
                self.check_rows(rows, share, before)
        assert sorted(set(ended)) == sorted(ended)  # each once

    @rule()
    def gather(self) -> None:
        if self.is_changed(CampaignShare()):
            with pytest.raises(ChangedInputError):
                self.campaign(CampaignShare()).gather()
            return
        rows = self.campaign(CampaignShare()).gather()
        assert {row["number"]: row["result.sum"] for row in rows} == {
            one: self.sum_of(one) for one in self.made
        }

    @rule(name=inputs, variant=variants)
    def edit(self, name: str, variant: int) -> None:
        self.put(name, variant)

    @rule()
    def bring_back(self) -> None:
        """Give all finished runs what they were made with, as far as they agree, and take the other files away."""
        self.put("b", next(iter(self.made.values()), (1, 1))[1])
        for number in range(1, COUNT + 1):
            matrix, rhs = self.made.get(number, (1, self.now["b"]))
            self.put(f"a{number}", matrix)
            if rhs != self.now["b"] or number in self.strange:
                self.damage(number, "deleted")

    @rule(number=numbers, how=st.sampled_from(["deleted", "cut", "text"]))
    def damage(self, number: int, how: str) -> None:
        path = self.file(number)
        if not path.exists():
            return
        if how == "deleted":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:100] if how == "cut" else b"no run")
        self.made.pop(number, None)
        self.strange.discard(number)

    @precondition(lambda self: self.made)
    @rule(number=numbers, other=numbers)
    def copy_the_file_of_another_run(self, number: int, other: int) -> None:
        if number != other and other in self.made:
            shutil.copyfile(self.file(other), self.file(number))
            self.made.pop(number, None)
            self.strange.add(number)

    @rule(text=st.sampled_from([PLAN.replace("a3", "a2"), PLAN + "# edited\n"]))
    def give_another_plan(self, text: str) -> None:
        if not (self.folder / "out/plan.toml").exists():
            return
        (self.folder / "plan.toml").write_text(text)
        with pytest.raises(InputError, match="holds another plan"):
            self.campaign(CampaignShare())
        (self.folder / "plan.toml").write_text(PLAN)

    @invariant()
    def finished_runs_have_their_files(self) -> None:
        assert all(self.file(number).exists() for number in self.made)


TestCampaignStates, TestCampaignStatesThoroughly = daily_and_thorough(
    CampaignStates, examples=3, steps=10, times=33
)
