"""Programmed leaves: every loop as a function of a right-hand side, and another loop where one does not settle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.errors import ConvergenceError
from mho.instruments import Bench
from mho.procedures.cells.programming.programmer import Programmer
from mho.procedures.equations.circuits.inversion import AnalogueInverse
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells
from mho.procedures.equations.planning.leaves_on_chip import LeafOnChip, LeavesOnChip
from mho.procedures.equations.solve.programmed_matrix import INVERT_VOLTS, LOOPS
from mho.procedures.stream import Stream

Floats = NDArray[np.float64]


class ProgrammedLeaves:
    """The leaves of a plan as a function (k, r) -> about the inverse of leaf k times r, or times many (vectors, m).

    Parameters
    ----------
    bench, stream
        Where they are, and what is told of them.
    plan : LeavesOnChip
        Changed where a loop is shifted further.
    programmer : Programmer
        Of their cells.
    rng : numpy.random.Generator
        Of the forecasts of another loop.
    """

    def __init__(
        self,
        bench: Bench,
        stream: Stream,
        plan: LeavesOnChip,
        programmer: Programmer,
        rng: np.random.Generator,
    ) -> None:
        self._bench, self._stream, self._rng = bench, stream, rng
        self._plan, self._programmer = plan, programmer
        self._loops = [self._loop(leaf) for leaf in plan.leaves]
        self._shifts = [0] * len(plan.leaves)
        self._clamped = 0

    def program(self) -> None:
        """Program all leaves, and what their cells leave into their second slices."""
        self._program([leaf.cells for leaf in self._plan.leaves])

    def _program(self, loops: Sequence[LoopOnCells]) -> None:
        self._programmer.program([block for loop in loops for block in loop.first_slice()])
        if rest := [block for loop in loops for block in loop.aim_second_slice()]:
            self._programmer.program(rest)

    @property
    def clamped(self) -> int:
        """Inversions whose largest input drove an output out of its linear range."""
        return self._clamped + sum(loop.clamped for loop in self._loops)

    def settle(self) -> None:
        """Close the loop of each leaf for a trial; one that does not settle is shifted further.

        Raises
        ------
        ConvergenceError
            When a leaf's does not settle however far it is shifted.
        """
        for number, leaf in enumerate(self._plan.leaves):
            self._stream.check()
            while why := self._unstable(number):
                self._shift_further(number, why)
            self(number, np.ones(len(leaf.loop.matrix)))

    def __call__(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of a leaf times r, (m,) or (vectors, m); errors as `settle`.

        Many vectors are played in one exchange, each at the full scale and then, where that was too much, at smaller ones.
        """
        if not rhs.any():
            return np.zeros_like(rhs)
        while True:
            form, loop = self._plan.leaves[number].loop.preconditioning, self._loops[number]
            try:
                if rhs.ndim == 1:
                    return form.solution(loop(form.equations(rhs)))
                return form.solution(loop.columns(form.equations(rhs.T))).T
            except ConvergenceError as error:
                self._shift_further(number, str(error))

    def _unstable(self, number: int) -> str:
        """Return why a leaf's loop must not be connected; empty when it may."""
        return self._plan.leaves[number].cells.achieved(self._bench.input_conductance).unstable

    def _loop(self, leaf: LeafOnChip) -> AnalogueInverse:
        full_scale = min(INVERT_VOLTS, self._bench.file.limits["vector"].voltage)
        return AnalogueInverse(self._bench, leaf.cells, full_scale)

    def _shift_further(self, number: int, why: str) -> None:
        if self._shifts[number] == LOOPS:
            raise ConvergenceError(
                f"leaf {number}: {why}; neither did {LOOPS} loops settle that were shifted further: check the programmed "
                "cells, or use a chip with tighter ones"
            )
        self._shifts[number] += 1
        leaf = self._plan.shift_further(number, self._bench.input_conductance, self._rng)
        shift = leaf.loop.candidate.shift
        self._stream.say(f"leaf {number}: {why}; its resistors now shift it by {shift:.3g}", "WARNING")
        self._clamped += self._loops[number].clamped
        self._loops[number] = self._loop(leaf)
