"""A matrix on a bench, for solvers that know nothing of chips."""

from __future__ import annotations

import html
import math
import os
import warnings
from functools import cached_property
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from scipy.sparse.linalg import LinearOperator

from mho.chip_maps import MAX_BITS, load_matrix
from mho.errors import InputError, KeywordError, nearest
from mho.extensions.linalg.gradients import OnVectors, map_tensor
from mho.extensions.linalg.holding import BITS, HoldingBench, Messages, converged
from mho.extensions.linalg.raw_products import RawMatrix, real_matrix
from mho.foreign_arrays import Numbers, common_kind, in_precision_of, is_torch, to_numpy
from mho.instruments import Bench
from mho.keywords import Seed, drawn_seed
from mho.procedures import Certificate, HeldAnswers, Solve

Programmed: TypeAlias = Literal["written", "drawn"]


class ProductsWarning(UserWarning):
    """The products of an operator are float64's, and not the chip's."""


class ChipOperator(LinearOperator[Any]):
    """What a chip does to vectors, as an operator of SciPy; of a tensor of PyTorch it makes one, with a gradient.

    `size`: number of rows, n; `kind`: float64 or complex128. `apply`: of vectors (n,) or (n, k). `adjoint`: the same of
    the adjoint; None where no chip holds it: asking for it is then refused. `name`: of the operator, in messages.
    """

    def __init__(
        self, size: int, kind: np.dtype[Any], apply: OnVectors, adjoint: OnVectors | None, name: str
    ) -> None:
        super().__init__(kind, (size, size))  # type: ignore[call-arg]  # the stubs know its `__new__` alone
        self._apply, self._backward, self._name = apply, adjoint or without_adjoint(name), name

    def dot(self, x: Any) -> Any:
        """Return what SciPy's `dot` does, or a tensor of PyTorch for a tensor of PyTorch."""
        return map_tensor(self._apply, self._backward, x) if is_torch(x) else super().dot(x)

    def matvec(self, x: Any) -> Any:
        """Return what SciPy's `matvec` does; of a tensor of PyTorch, which SciPy would hand to NumPy, what `dot` does."""
        return self.dot(x) if is_torch(x) else super().matvec(x)

    def matmat(self, X: Any) -> Any:
        """As `matvec`, for columns."""
        return self.dot(X) if is_torch(X) else super().matmat(X)

    def rmatvec(self, x: Any) -> Any:
        """As `matvec`, of the adjoint."""
        return self._adjoint().dot(x) if is_torch(x) else super().rmatvec(x)

    def rmatmat(self, X: Any) -> Any:
        """As `matvec`, of the adjoint, for columns."""
        return self._adjoint().dot(X) if is_torch(X) else super().rmatmat(X)

    def _matvec(self, vector: Any) -> Numbers:
        return self._apply(np.asarray(vector).reshape(-1))

    def _matmat(self, columns: Any) -> Numbers:
        return self._apply(np.asarray(columns))

    def _rmatvec(self, vector: Any) -> Numbers:
        return self._backward(np.asarray(vector).reshape(-1))

    def _rmatmat(self, columns: Any) -> Numbers:
        return self._backward(np.asarray(columns))

    def _adjoint(self) -> ChipOperator:
        return ChipOperator(self.shape[0], self.dtype, self._backward, self._apply, self._name)


def without_adjoint(name: str) -> OnVectors:
    """Return what stands for the adjoint where no chip holds it: it raises `InputError`."""

    def refuse(vectors: Numbers) -> Numbers:
        raise InputError(
            f"{name}: the adjoint is asked for, and the matrix is not its own; a chip drives its rows alone, so give a "
            "second bench that holds the adjoint, on_bench(matrix, bench, adjoint_on=other), or take a method that needs "
            "neither it nor a gradient (gcrotmk, lgmres, bicgstab)"
        )

    return refuse


@overload
def on_bench(
    matrix: Any, bench: Bench, *, seed: Seed = ..., bits: int = ..., adjoint_on: Bench | None = ...,
    exact: Literal[True] = ..., **options: Any,
) -> BenchMatrix: ...  # fmt: skip
@overload
def on_bench(
    matrix: Any, bench: Bench, *, seed: Seed = ..., bits: int = ..., adjoint_on: Bench | None = ...,
    exact: Literal[False], programmed: Programmed = ..., **options: Any,
) -> RawMatrix: ...  # fmt: skip
def on_bench(
    matrix: Any, bench: Bench, *, seed: Seed = None, bits: int = BITS, adjoint_on: Bench | None = None,
    exact: bool = True, programmed: Programmed = "written", **options: Any,
) -> BenchMatrix | RawMatrix:  # fmt: skip
    """Program a matrix onto the chip of an open bench, and return it as operators, or as raw products.

    Parameters
    ----------
    matrix : (n, n) array of any library, sparse array, name of a sample or path
        Real or complex. One that is larger than a loop of the chip is held by blocks. Raw products: real, (m, n).
    bench : Bench
        Open. It holds this matrix until another is programmed on it; of raw products as many as it has cells for.
    bits : int
        Of the products, and what a solution is proved to by default. Raw products: of the vectors, which the converters
        of the bench round as well.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of what is drawn at random while it is planned, and of cells that are drawn; None draws a fresh one. Raw products
        that are written draw nothing, and take none.
    adjoint_on : Bench, optional
        Another bench, which holds the adjoint: for methods that multiply by it. A matrix that is its own needs none. Raw
        products: the transposed matrix, ``M.T``, on cells of its own, of the same bench or another.
    exact : bool
        False for raw products: of a pair of cells for each element, one reading each, with nothing repaired but scales.
    programmed : {"written", "drawn"}
        Of raw products: "drawn" puts the cells where write-verify leaves such ones, without its pulses, in less than a
        hundredth of the time (once the sample of their kind is there); on a bench without instruments.
    **options
        Parameters of `Solve`: encoding, leaf, loop_slices, write_verify, ... Raw products: write_verify.

    Returns
    -------
    BenchMatrix or RawMatrix

    Raises
    ------
    InputError
        For a matrix that is not square, singular, too large or not finite, and a bench that is not open.
    KeywordError
        For an option that it does not have.
    ConvergenceError
        When no loop settles.
    ChipMapError
        When raw products find too few free cells.

    Examples
    --------
    >>> with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
    ...     A = mho.linalg.on_bench([[0.5, 0.1], [0.1, 0.4]], bench, seed=1)
    ...     x = A.solve([0.1, 0.2])
    >>> x.round(4)
    array([0.1053, 0.4737])
    """
    for name, one in (("bench", bench), ("adjoint_on", adjoint_on)):
        if not (isinstance(one, Bench) or (one is None and name == "adjoint_on")):
            raise InputError(
                f"{name} is {one!r}; give an open bench, with mho.open_bench('arrays') as bench, which stays open as long "
                "as the matrix is used"
            )
    given = load_matrix(
        matrix if isinstance(matrix, str | os.PathLike) else to_numpy(matrix, "the matrix"), square=exact
    )
    if programmed not in ("written", "drawn") or (exact and programmed == "drawn"):
        raise InputError(
            f"programmed is {programmed!r}; give 'written', or for raw products (exact=False) 'drawn' as well"
        )
    _check_options(options, exact)
    messages, number = Messages(), drawn_seed(seed)
    if exact:
        return _held(given, bench, messages, bits=bits, seed=number, adjoint_on=adjoint_on, **options)
    if programmed == "written" and seed is not None:
        raise InputError(
            f"seed is {seed!r}, and raw products that are written draw nothing at random; leave it out, or give "
            "programmed='drawn'; the seed of a simulated chip is that of mho.open_bench"
        )
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 1 <= bits <= MAX_BITS:
        raise InputError(f"bits is {bits!r}; give a whole number from 1 to {MAX_BITS}")
    real = real_matrix(given)
    options |= {"bits": bits, "drawn": np.random.default_rng(number) if programmed == "drawn" else None}
    transposed = None if adjoint_on is None else RawMatrix(real.T, adjoint_on, messages, **options)
    return RawMatrix(real, bench, messages, transposed, **options)


def _check_options(options: dict[str, Any], exact: bool) -> None:
    """Raise `KeywordError` for an option that `on_bench` does not have."""
    if "preset" in options:
        raise KeywordError(
            "on_bench() has no 'preset': the bench is open already, with cells of its own; give it where the bench is "
            f"opened, mho.open_bench('arrays', preset={options['preset']!r})"
        )
    if not exact and (foreign := set(options) - {"write_verify"}):
        raise KeywordError(
            f"{', '.join(sorted(foreign))}: raw products (exact=False) take write_verify alone"
        )
    known = sorted(set(Solve().form()) - {"matrix", "rhs", "count", "bits", "seed", "draws"})
    for name in options:
        if name not in known:
            hint = nearest(name, known, otherwise=f"it has {', '.join(known)}")
            raise KeywordError(f"on_bench() has no {name!r}; {hint}")


def _held(
    matrix: Numbers, bench: Bench, messages: Messages, *, bits: int, seed: int, adjoint_on: Bench | None,
    **options: Any,
) -> BenchMatrix:  # fmt: skip
    if adjoint_on is bench:
        raise InputError(
            "adjoint_on is the bench of the matrix itself, whose chip holds one matrix; give another one"
        )
    holder = HoldingBench(matrix, bench, messages, bits=bits, seed=seed, **options)
    adjoint = None
    if adjoint_on is not None:
        adjoint = HoldingBench(matrix.conj().T, adjoint_on, messages, bits=bits, seed=seed, **options)
    if shift := holder.summary()["shift"]:
        lines = len(matrix) * (2 if np.iscomplexobj(matrix) else 1)
        smaller = (
            f"{options['leaf']}" if "leaf" in options else f"the matrix's {lines}, as {max(lines // 2, 1)}"
        )
        messages.say(
            f"an INV loop settles only when it is shifted by {shift:.3g}, so one step is far from the inverse; smaller "
            f"loops may settle as they are: give on_bench a leaf of fewer lines than {smaller}",
            "WARNING",
        )
    return BenchMatrix(matrix, holder, adjoint, messages, bits)


class BenchMatrix:
    """A matrix as the chip of an open bench holds it; `on_bench` makes one.

    Attributes
    ----------
    messages : Messages
        What was said since it was programmed.

    Examples
    --------
    >>> with mho.open_bench("arrays", preset="quiet", seed=1) as bench:
    ...     A = mho.linalg.on_bench([[0.5, 0.1], [0.1, 0.4]], bench, seed=1)
    ...     product, x = A.operator @ np.array([1.0, 2.0]), A.solve([0.1, 0.2])
    >>> A.products_from, product.round(4), x.round(4)
    ('chip', array([0.7, 0.9]), array([0.1053, 0.4737]))
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
        self._warned = False
        self._adjoint = holder if adjoint is None and np.array_equal(matrix, matrix.conj().T) else adjoint

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (len(self._matrix), len(self._matrix))

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64 or complex128."""
        return np.dtype(self._matrix.dtype)

    @property
    def products_from(self) -> str:
        """Where the products of `operator` come from: "chip", or "float64" where the chip holds INV loops alone.

        By blocks, with ``residual="float64"``, and where the chip's products turned out to be worth too little.
        """
        return "chip" if self._holder.products_on_chip else "float64"

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
        Where `products_from` is "float64" it says so once, by a `ProductsWarning`.
        """
        self._warn_of_float64()
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
            Of the library and the precision that `b` has. PyTorch's autograd goes through it by a solve of the adjoint,
            also again, forwards and under `torch.func.vmap`.

        Raises
        ------
        InputError
            For a right-hand side that does not fit or is not finite; backwards, where no chip holds the adjoint.
        ConvergenceError
            When it does not come to the bits; `answers` returns how far it came.
        """

        there, back = solvers(self, bits)
        if is_torch(b):
            return map_tensor(there, back or without_adjoint("A.solve"), b)
        rhs = to_numpy(b, "b")
        return common_kind(b, b)(in_precision_of(there(rhs), rhs))

    def answers(self, b: Any, bits: int | None = None) -> HeldAnswers:
        """Solve as `solve`; return solutions, residuals, cycles and proved bits, whether it converged or not."""
        return self._holder.answers(to_numpy(b, "b"), bits)

    def certify(self, x: Any, b: Any) -> Certificate:
        """Return what is proved of a solution x of A x = b, wherever it comes from; of several columns the least.

        Parameters and errors as those of `solve`; both of one shape.
        """
        return self._holder.certify(to_numpy(x, "x"), to_numpy(b, "b"))

    def summary(self) -> dict[str, Any]:
        """Return how the chip holds the matrix, and what it has cost so far: a plain dict."""
        own = {**self._holder.summary(), "products_from": self.products_from}
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
        """Return shape, type, encoding and where products come from."""
        how = f"{self._holder.summary().get('encoding', 'held')}, products from {self.products_from}"
        return f"<{self.shape[0]} x {self.shape[1]} {self.dtype} matrix on a bench: {how}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(str(name))}</th><td>{html.escape(_short(value))}</td></tr>"
            for name, value in self.summary().items()
        )
        return f"<table><caption>{html.escape(repr(self)[1:-1])}</caption>{rows}</table>"

    def _products(self, holder: HoldingBench) -> OnVectors:
        def multiplied(vectors: Numbers) -> Numbers:
            self._warn_of_float64()  # products of a chip that errs too often become float64's meanwhile
            return holder.multiply(vectors, self.vector_bits)

        return multiplied

    def _warn_of_float64(self) -> None:
        if self.products_from == "float64" and not self._warned:
            self._warned = True
            warnings.warn(
                f"the products of this {self.shape[0]} x {self.shape[1]} operator are float64's and not the chip's: it is "
                "held by blocks or with residual='float64', or the chip's were worth too little; `products_from` says so",
                ProductsWarning, stacklevel=4,
            )  # fmt: skip

    def _operator(self, apply: OnVectors, adjoint: OnVectors | None, name: str) -> LinearOperator[Any]:
        return ChipOperator(len(self._matrix), self.dtype, apply, adjoint, name)


def solvers(held: BenchMatrix, bits: int | None) -> tuple[OnVectors, OnVectors | None]:
    """Return what solves A x = b for arrays of NumPy, and what solves A^H x = b, where a chip holds A^H."""

    def by(holder: HoldingBench) -> OnVectors:
        return lambda rhs: converged(holder.answers(rhs, bits)).solutions

    return by(held._holder), None if held._adjoint is None else by(held._adjoint)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
