"""A matrix on a bench, for solvers that know nothing of chips."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse.linalg import LinearOperator

from mho.chip_maps import MAX_BITS, load_matrix
from mho.errors import InputError
from mho.extensions.linalg.holding import BITS, HoldingBench, Messages, converged
from mho.foreign_arrays import Numbers, common_kind, in_precision_of, to_numpy
from mho.instruments import Bench
from mho.procedures import HeldAnswers
from mho.seeds import Seed, drawn_seed

# Takes vectors as columns (n, k), and returns one for each
OnColumns: TypeAlias = Callable[[Numbers], Numbers]


def chip_operator(
    size: int, kind: np.dtype[Any], apply: OnColumns, adjoint: OnColumns | None, name: str
) -> LinearOperator[Any]:
    """Return what a chip does to vectors as an operator of SciPy.

    `size`: number of rows, n; `kind`: float64 or complex128. `adjoint`: the same of the adjoint; None where no chip
    holds it: asking for it is then refused. `name`: of the operator, in messages.
    """

    def without_adjoint(columns: Numbers) -> Numbers:
        raise InputError(
            f"{name}: the adjoint is asked for, and the matrix is not its own; a chip drives its rows alone, so give a "
            "second bench that holds the adjoint, on_bench(matrix, bench, adjoint_on=other), or take a method "
            "without it (gcrotmk, lgmres, bicgstab)"
        )

    backward = adjoint or without_adjoint
    return LinearOperator(
        (size, size), matvec=_on_vector(apply), rmatvec=_on_vector(backward),
        matmat=lambda columns: apply(np.asarray(columns)),
        rmatmat=lambda columns: backward(np.asarray(columns)), dtype=kind,
    )  # fmt: skip


def _on_vector(apply: OnColumns) -> OnColumns:
    return lambda vector: apply(np.asarray(vector).reshape(-1, 1))


def on_bench(
    matrix: Any, bench: Bench, *, seed: Seed = 0, bits: int = BITS, adjoint_on: Bench | None = None,
    **options: Any,
) -> BenchMatrix:  # fmt: skip
    """Program a matrix onto the chip of an open bench, and return it as operators.

    Parameters
    ----------
    matrix : (n, n) array of any library, sparse array, name of a sample or path
        Real or complex. One that is larger than a loop of the chip is held by blocks.
    bench : Bench
        Open. It holds this matrix until another is programmed on it.
    bits : int
        Of the products, and what a solution is proved to by default.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of what is drawn at random while it is planned.
    adjoint_on : Bench, optional
        Another bench, which holds the adjoint: for methods that multiply by it. A matrix that is its own needs none.
    **options
        Parameters of `Solve`: encoding, leaf, loop_slices, write_verify, ...

    Returns
    -------
    BenchMatrix

    Raises
    ------
    InputError
        For a matrix that is not square, singular, too large or not finite, and a bench that is not open.
    ConvergenceError
        When no loop settles.
    """
    for name, one in (("bench", bench), ("adjoint_on", adjoint_on)):
        if not (isinstance(one, Bench) or (one is None and name == "adjoint_on")):
            raise InputError(
                f"{name} is {one!r}; give an open bench, with mho.open_bench('arrays') as bench, which stays open as long "
                "as the matrix is used"
            )
    if adjoint_on is bench:
        raise InputError(
            "adjoint_on is the bench of the matrix itself, whose chip holds one matrix; give another one"
        )
    given = load_matrix(matrix if isinstance(matrix, str | os.PathLike) else to_numpy(matrix, "the matrix"))
    messages, number = Messages(), drawn_seed(seed)
    holder = HoldingBench(given, bench, messages, bits=bits, seed=number, **options)
    adjoint = None
    if adjoint_on is not None:
        adjoint = HoldingBench(given.conj().T, adjoint_on, messages, bits=bits, seed=number, **options)
    if shift := holder.summary()["shift"]:
        lines = len(given) * (2 if np.iscomplexobj(given) else 1)
        smaller = (
            f"{options['leaf']}" if "leaf" in options else f"the matrix's {lines}, as {max(lines // 2, 1)}"
        )
        messages.say(
            f"an INV loop settles only when it is shifted by {shift:.3g}, so one step is far from the inverse; smaller "
            f"loops may settle as they are: give on_bench a leaf of fewer lines than {smaller}",
            "WARNING",
        )
    return BenchMatrix(given, holder, adjoint, messages, bits)


class BenchMatrix:
    """A matrix as the chip of an open bench holds it; `on_bench` makes one.

    Attributes
    ----------
    messages : Messages
        What was said since it was programmed.
    """

    def __init__(
        self,
        matrix: Numbers,
        holder: HoldingBench,
        adjoint: HoldingBench | None,
        messages: Messages,
        bits: int,
    ) -> None:
        self._matrix, self._bits = matrix, bits
        self._holder, self.messages = holder, messages
        self._adjoint = holder if adjoint is None and np.array_equal(matrix, matrix.conj().T) else adjoint

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (len(self._matrix), len(self._matrix))

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64 or complex128."""
        return np.dtype(self._matrix.dtype)

    @cached_property
    def vector_bits(self) -> int:
        """Bits to which products round x: so many that A dx is below 2^-bits of A x, whatever x is.

        |A dx| <= s_max sqrt(n) 2^-(t+1) |x|_max, and |A x| >= s_min |x|_max: t = bits + log2(condition sqrt(n)).
        """
        condition = float(self._holder.summary()["condition"])
        return min(self._bits + math.ceil(math.log2(condition * len(self._matrix) ** 0.5)), MAX_BITS)

    @cached_property
    def operator(self) -> LinearOperator[Any]:
        """Products A x on the chip.

        The slices hold A rounded so that its solutions change by no more than 2^-bits, and x is rounded to `vector_bits`
        bits of its largest entry. Both are multiplied in whole numbers: the same x has the same product, as long as no
        integer is read wrong (`summary` counts them). Below a residual of some 2^-bits a solver sees the rounded matrix.
        """
        adjoint = None if self._adjoint is None else self._products(self._adjoint)
        return self._operator(self._products(self._holder), adjoint, "products on a bench")

    @cached_property
    def preconditioner(self) -> LinearOperator[Any]:
        """One step of INV, about A^-1 r, to a few per cent.

        No fixed linear operator: cells and amplifiers have noise, so the same r has another answer each time. Flexible
        methods (FGMRES, GCR, SciPy's gcrotmk) allow for that.
        """
        adjoint = None if self._adjoint is None else self._adjoint.invert
        return self._operator(self._holder.invert, adjoint, "one step of INV on a bench")

    def solve(self, b: Any, bits: int | None = None) -> Any:
        """Solve A x = b, refined until the residual proves the bits.

        Parameters
        ----------
        b : (n,) or (n, k) array of any library
            Several right-hand sides go through every cycle together.
        bits : int, optional
            How accurate x is to be: its relative error at most 2^-bits. Those of the matrix where left out.

        Returns
        -------
        array, as `b`
            Of the library and the precision that `b` has.

        Raises
        ------
        InputError
            For a right-hand side that does not fit or is not finite.
        ConvergenceError
            When it does not come to the bits; `answers` returns how far it came.
        """
        rhs = to_numpy(b, "b")
        x = converged(self._holder.answers(rhs, bits)).solutions
        return common_kind(b, b)(in_precision_of(x, rhs))

    def answers(self, b: Any, bits: int | None = None) -> HeldAnswers:
        """Solve as `solve`; return solutions, residuals, cycles and proved bits, whether it converged or not."""
        return self._holder.answers(to_numpy(b, "b"), bits)

    def summary(self) -> dict[str, Any]:
        """Return how the chip holds the matrix, and what it has cost so far: a plain dict."""
        own = dict(self._holder.summary())
        if self._adjoint not in (None, self._holder):
            own["adjoint"] = dict(self._adjoint.summary())
        return own

    def worth(self) -> dict[str, Any]:
        """Return what the chip was worth in the solutions of `solve` and `answers` so far.

        Returns
        -------
        dict
            ``multiplications`` on the chip and digital ones by kind; ``without_chip``, cycles and digital multiplications
            of GCR to the same bits without INV, of some of the right-hand sides; ``direct``, those of the factorisation
            that takes fewest. The last two are left out where nothing was solved.
        """
        return self._holder.worth()

    def __repr__(self) -> str:
        """Return shape, type and encoding."""
        return f"<{self.shape[0]} x {self.shape[1]} {self.dtype} matrix on a bench: {self._how()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(str(name))}</th><td>{html.escape(_short(value))}</td></tr>"
            for name, value in self.summary().items()
        )
        return f"<table><caption>{html.escape(repr(self)[1:-1])}</caption>{rows}</table>"

    def _products(self, holder: HoldingBench) -> OnColumns:
        return lambda columns: holder.multiply(columns, self.vector_bits)

    def _how(self) -> str:
        return str(self._holder.summary().get("encoding", "held"))

    def _operator(self, apply: OnColumns, adjoint: OnColumns | None, name: str) -> LinearOperator[Any]:
        return chip_operator(len(self._matrix), self.dtype, apply, adjoint, name)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
