"""The bench that a call of another library uses, and a matrix that is held on it until another is programmed there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from mho.errors import BenchError, ConvergenceError, InputError
from mho.foreign_arrays import ArrayError, Numbers
from mho.instruments import Bench, open_bench
from mho.procedures import Certificate, FreeTiles, HeldAnswers, HeldMatrix, NullStream

if TYPE_CHECKING:
    from mho.cells import Cells
    from mho.circuits import Circuit

BenchLike: TypeAlias = "Bench | str | os.PathLike[str]"


@contextmanager
def bench_in_use(
    bench: BenchLike, seed: int | None, preset: Cells | None = None, circuit: Circuit | None = None
) -> Iterator[Bench]:
    """Yield an open bench as it is, and leave it open; open one by its name, and make it safe and close it.

    `bench`: one that is open, a packaged name ("arrays", "simulated"), or a bench file; `seed`, `preset`, `circuit`: of a
    simulated bench that is opened here. Raises `InputError`: for something else. Raises `BenchError`: as `open_bench`.
    """
    if isinstance(bench, Bench):
        if preset is not None:
            raise InputError(f"the bench is open already, with cells of its own; leave out preset {preset!r}")
        if circuit is not None:
            raise InputError(f"the bench is open already, with its circuits; leave out circuit {circuit!r}")
        yield bench
    elif isinstance(bench, str | os.PathLike):
        with open_bench(bench, preset=preset, circuit=circuit, seed=seed) as opened:
            yield opened
    else:
        raise InputError(
            f"bench is {bench!r}; give the name of a bench ('arrays'), a bench file, or an open bench of mho.open_bench"
        )


log = logging.getLogger("mho.extensions.linalg")

BITS = 24  # precision that is proved unless another is asked for: that of the published experiments

# What stands for the matrix that was programmed last on each bench: an earlier one must not answer with its
# cells
_LATEST: WeakKeyDictionary[Bench, object] = WeakKeyDictionary()
# How often its cells had been pulsed when that had been done last: a run, or a script, may have pulsed others since
_ACTS: WeakKeyDictionary[Bench, int] = WeakKeyDictionary()


class Messages(NullStream):
    """A stream without a run file: what is said goes to the log ``mho.extensions.linalg``, where Python shows warnings.

    `said`: level and text of each message.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Keep a message, and log it."""
        self.said.append((level, text))
        log.log(logging.getLevelNamesMapping()[level], text)


@contextmanager
def programming(bench: Bench, key: object) -> Iterator[None]:
    """Make `key` what a bench holds from now on, whatever becomes of the programming within.

    What was there before stays where an `InputError` says that nothing was programmed. Raises `BenchError`: when it is
    closed.
    """
    _check_open(bench)
    before, acts, kept = _LATEST.get(bench), _ACTS.get(bench, bench.damage.acts), False
    _LATEST[bench] = key
    try:
        yield
    except InputError:
        _LATEST[bench], kept = before, True
        raise
    finally:
        _ACTS[bench] = acts if kept else bench.damage.acts


def check_held(bench: Bench, key: object) -> None:
    """Raise `BenchError` when a bench is closed, or something else than `key` was programmed on it since."""
    _check_open(bench)
    if _LATEST.get(bench) is not key:
        raise BenchError(
            "another matrix was programmed on this bench since, in the place of this one: call on_bench again, or open "
            "a second bench for the second matrix"
        )
    if _ACTS[bench] != bench.damage.acts:
        raise BenchError(
            "cells of this bench were pulsed since by something else, as a run that programs or a solve, and may not hold "
            "this matrix any more: call on_bench again, or open a second bench for such runs"
        )


@contextmanager
def at_work(bench: Bench, key: object) -> Iterator[None]:
    """Let what a bench holds act, which may pulse its cells; errors as `check_held`."""
    check_held(bench, key)
    try:
        yield
    finally:
        _ACTS[bench] = bench.damage.acts


def free_tiles(bench: Bench) -> FreeTiles:
    """Return the tiles that matrices of raw products share on a bench, all of them free where it holds something else.

    Raises `BenchError`: when it is closed. Raises `ChipMapError`: when its chip has no array that multiplies.
    """
    _check_open(bench)
    held = _LATEST.get(bench)
    untouched = _ACTS.get(bench) == bench.damage.acts
    return held if isinstance(held, FreeTiles) and untouched else FreeTiles(bench)


def _check_open(bench: Bench) -> None:
    if bench.closed:
        raise BenchError(
            "the bench is closed, and was made safe: a matrix answers within the with block of its bench; open it "
            "again and call on_bench"
        )


class HoldingBench:
    """A `HeldMatrix` that knows whether its chip still holds it.

    `matrix` (n, n); `bench`: open; `seed`: of what is drawn while it is planned; `**options`: parameters of `Solve`.
    Raises `InputError` or `ConvergenceError` or `ChipMapError` or `LimitError`: as `HeldMatrix.programmed`.
    """

    def __init__(
        self, matrix: Numbers, bench: Bench, messages: Messages, *, bits: int, seed: int | None,
        **options: Any,
    ) -> None:  # fmt: skip
        self._bench, self._key = bench, object()
        with programming(bench, self._key):
            rng = np.random.default_rng(seed)
            self._chip_matrix = HeldMatrix.programmed(matrix, bench, messages, rng, bits=bits, **options)

    @property
    def size(self) -> int:
        """Number of rows."""
        return self._chip_matrix.size

    @property
    def products_on_chip(self) -> bool:
        """Whether products are the chip's."""
        return self._chip_matrix.products_on_chip

    def invert(self, columns: Numbers) -> Numbers:
        """Return about A^-1 B, (n, k), by one step of INV."""
        with at_work(self._bench, self._key):
            return self._chip_matrix.invert(columns)

    def multiply(self, columns: Numbers, bits: int) -> Numbers:
        """Return A X, (n, k), of X rounded to `bits` bits."""
        with at_work(self._bench, self._key):
            return self._chip_matrix.multiply(columns, bits)

    def answers(self, rhs: Numbers, bits: int | None = None) -> HeldAnswers:
        """Return the answers to right-hand sides, refined until so many bits are proved.

        `rhs` (n,) or (n, k); `bits`: those of the matrix where left out. Raises `ArrayError`: for right-hand sides of
        another shape. Raises `InputError`: for bits that float64 cannot prove.
        """
        if rhs.ndim not in (1, 2) or len(rhs) != self.size:
            raise ArrayError(
                f"b has the shape {rhs.shape}, and the matrix {self.size} rows: give ({self.size},), or ({self.size}, k) "
                "for k right-hand sides"
            )
        if rhs.size == 0:
            none = np.zeros(0)
            return HeldAnswers(
                rhs, none, none.astype(int), none.astype(bool), none, np.empty((0, *rhs.shape))
            )
        with at_work(self._bench, self._key):
            return self._chip_matrix.solve(rhs, bits)

    def certify(self, solutions: Numbers, rhs: Numbers) -> Certificate:
        """Return what is proved of solutions, as `HeldMatrix.certify`."""
        return self._chip_matrix.certify(solutions, rhs)

    def summary(self) -> dict[str, Any]:
        """Return how the chip holds it, and what it took so far."""
        return self._chip_matrix.summary()

    def worth(self) -> dict[str, Any]:
        """Return what the chip was worth in the solutions so far, as `HeldMatrix.worth`."""
        return self._chip_matrix.worth()


def converged(answers: HeldAnswers) -> HeldAnswers:
    """Return answers that are proved.

    Raises `ConvergenceError`: when one is not: an array alone could not say so.
    """
    short = np.flatnonzero(~answers.converged)
    if short.size:
        worst = short[np.argmax(answers.residuals[short])]
        raise ConvergenceError(
            f"{short.size} of {answers.converged.size} solutions did not come to their bits: number {worst}, counted from "
            f"0, has a residual of {answers.residuals[worst]:.2g} after {answers.cycles[worst]} cycles"
            + (f" ({answers.reason})" if answers.reason else "")
            + "; ask for fewer bits, or take on_bench(…).answers(b), which returns what it came to"
        )
    return answers
