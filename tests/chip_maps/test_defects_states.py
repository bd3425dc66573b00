"""The list of a chip's defects against a plain model of it: the last finding about each place, and the formed cells."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from state_machines import daily_and_thorough

from mho import platforms
from mho.cell_sets import PackedCells
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.defects import DefectFinding, DefectList, Place, add_defects, parse_defects, with_defects
from mho.errors import ChipMapError

CHIP = load_chip_map("reference")
ARRAY = next(array for array in CHIP.arrays if array.name == "multiply")
OURS = ("", "over-voltage, 4.5 V on the bit line", "deep RESET, 3 V on the source line")


def finding(row: int, column: int | None, defect: str, second: int, lost_by: str) -> DefectFinding:
    moment = datetime(2026, 3, 9, 7, 5, second, tzinfo=UTC).isoformat()
    return DefectFinding(
        array="multiply", row=row, column=column, defect=defect, found=moment, run="a.h5", lost_by=lost_by
    )


defects = st.lists(
    st.builds(
        finding,
        st.integers(0, 3),
        st.none() | st.integers(0, 3),
        st.sampled_from(["stuck on", "open", "leaky"]),
        st.integers(0, 3),
        st.sampled_from(OURS),
    ),
    max_size=3,
)
cells = st.lists(st.tuples(st.integers(0, ARRAY.rows - 1), st.integers(0, ARRAY.columns - 1)), max_size=3)


class KilledError(BaseException):
    """The process is gone."""


class DefectListStates(RuleBasedStateMachine):
    """`known` is the last finding about each place, `formed` are the formed cells; the list only grows, but by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "chip.defects.toml"
        self.known: dict[Place, DefectFinding] = {}
        self.formed = np.zeros((ARRAY.rows, ARRAY.columns), bool)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # --- parts of rules ---

    def list_of(self, found: Sequence[DefectFinding], formed: Sequence[tuple[int, int]]) -> DefectList:
        mask = np.zeros_like(self.formed)
        mask[tuple(zip(*formed, strict=True))] = bool(formed)
        packed = (PackedCells.of("multiply", mask),) if formed else ()
        return DefectList(chip="reference").merged(found).with_formed(packed)

    def learn(self, found: Sequence[DefectFinding], formed: Sequence[tuple[int, int]]) -> None:
        for one in found:
            known = self.known.get(one.place, one)
            last = max(known, one, key=lambda each: (each.moment, each.defect))
            causes = {known.lost_by, one.lost_by} - {""}
            self.known[one.place] = last.model_copy(update={"lost_by": min(causes, default="")})
        for cell in formed:
            self.formed[cell] = True

    @contextmanager
    def at_a_step(self, step: str, act: Callable[[], Any]) -> Iterator[None]:
        """Let something happen just before a step (``open``, ``replace``) of the next change, once."""
        owner: Any = Path if step == "open" else type(platforms.here)
        left, original = [act], getattr(owner, step)

        def intercepted(self: Any, *arguments: Any, **options: Any) -> Any:
            if left and (self if step == "open" else arguments[0]).name.endswith(".part"):
                left.pop()()
            return original(self, *arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, step, intercepted)
            yield

    # --- rules ---

    @rule(found=defects, formed=cells)
    def add(self, found: list[DefectFinding], formed: list[tuple[int, int]]) -> None:
        places = {one.place for one in found} - self.known.keys()
        whole, new = add_defects(self.path, self.list_of(found, formed))
        self.learn(found, formed)
        assert new == len(places)
        assert parse_defects(self.path.read_text("utf-8")) == whole

    @rule(mine=defects, theirs=defects, formed=cells, step=st.sampled_from(["open", "replace"]))
    def add_while_another_process_does(
        self, mine: list[DefectFinding], theirs: list[DefectFinding], formed: list[tuple[int, int]], step: str
    ) -> None:
        other = threading.Thread(target=add_defects, args=(self.path, self.list_of(theirs, formed)))

        def start() -> None:
            other.start()
            other.join(0.01)  # enough, unless it waits

        with self.at_a_step(step, start):
            add_defects(self.path, self.list_of(mine, []))
        other.join()
        self.learn([*mine, *theirs], formed)

    @precondition(lambda self: self.known)
    @rule(found=defects, number=st.integers(0, 9))
    def add_while_a_finding_is_taken_off_by_hand(self, found: list[DefectFinding], number: int) -> None:
        gone = list(self.known)[number % len(self.known)]

        def edit() -> None:
            listed = parse_defects(self.path.read_text("utf-8"))
            left = tuple(one for one in listed.defects if one.place != gone)
            self.path.write_text(listed.model_copy(update={"defects": left}).text(), "utf-8")

        with self.at_a_step("open", edit):
            add_defects(self.path, self.list_of(found, []))
        del self.known[gone]
        self.learn(found, [])

    @rule(found=defects, step=st.sampled_from(["open", "replace"]), killed=st.booleans())
    def fail_between(self, found: list[DefectFinding], step: str, killed: bool) -> None:
        def fail() -> None:
            raise KilledError if killed else OSError(28, "No space left on device")

        error = pytest.raises(KilledError) if killed else pytest.raises(ChipMapError, match="No space left")
        with self.at_a_step(step, fail), error:
            add_defects(self.path, self.list_of(found, []))

    @rule(found=defects)
    def add_what_is_of_another_chip(self, found: list[DefectFinding]) -> None:
        if not self.path.exists():
            return
        with pytest.raises(ChipMapError, match="is of chip 'reference', and the runs are of 'other'"):
            add_defects(self.path, self.list_of(found, []).model_copy(update={"chip": "other"}))
        small = PackedCells.of("multiply", np.ones((2, 2), bool))
        if self.formed.any():
            with pytest.raises(ChipMapError, match="nothing was changed"):
                add_defects(self.path, self.list_of(found, []).model_copy(update={"formed": (small,)}))

    @rule(found=defects, content=st.sampled_from(["chip = ", "no list", '{"chip": 1}', "\udcff"]))
    def add_to_a_damaged_list(self, found: list[DefectFinding], content: str) -> None:
        before = self.path.read_bytes() if self.path.exists() else None
        damaged = content.encode("utf-8", "surrogateescape")
        self.path.write_bytes(damaged)
        with pytest.raises(ChipMapError):
            add_defects(self.path, self.list_of(found, []))
        assert self.path.read_bytes() == damaged
        self.path.unlink() if before is None else self.path.write_bytes(before)

    @invariant()
    def the_list_is_as_in_the_model(self) -> None:
        assert {one.name for one in self.folder.iterdir()} <= {self.path.name, f".{self.path.name}.lock"}
        if not self.path.exists():
            assert not self.known
            assert not self.formed.any()
            return
        listed = parse_defects(self.path.read_text("utf-8"))
        assert {one.place: one for one in listed.defects} == self.known
        mask = next(
            (one.mask for one in listed.formed if one.array == "multiply"), np.zeros_like(self.formed)
        )
        assert np.array_equal(mask, self.formed)
        avoided = next(one for one in with_defects(CHIP, listed).arrays if one.name == "multiply")
        for place in self.known:
            bad = avoided.bad_rows if place.column is None else avoided.bad_cells
            assert (place.row if place.column is None else (place.row, place.column)) in bad


TestDefectListStates, TestDefectListStatesThoroughly = daily_and_thorough(
    DefectListStates, examples=4, steps=15, times=50
)
