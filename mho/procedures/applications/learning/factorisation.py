"""Non-negative matrix factorisation of a picture, its small matrices inverted on the chip, beside float64."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.applications.application import MATRICES, Application, Holder, Prepared
from mho.procedures.applications.conclusions import concluded
from mho.procedures.applications.learning.nonnegative import (
    METHODS,
    Factors,
    Operator,
    factorise,
    least_error,
    multiplications,
    peak_ratio,
    random_factors,
    relative_error,
)
from mho.procedures.applications.learning.pictures import load_picture
from mho.procedures.applications.outcome import Outcome
from mho.procedures.equations.held.direct_solve import DirectSolve, direct_solve
from mho.procedures.equations.worth.work import Work
from mho.procedures.equations.worth.worth import SampledWorth
from mho.procedures.parameters import IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import percent
from mho.runs import Array, Column, Conclusion, Figure, Layout, Map, Table

Floats = NDArray[np.float64]

MOST_RANKS, LARGEST_RANK = 8, 64

STEP_BITS = 12
"""Bits of a solve by the projected method."""

ITERATIONS = Table(
    "iterations",
    (
        Column("rank", dtype="u4"),
        Column("iteration", dtype="u4"),
        Column("error", description="|V - W H| / |V| of the factors found on the chip", digital=1e-6),
        Column("digital_error", description="the same in float64, from the same start", digital=1e-6),
        Column("peak_ratio", "dB", description="peak signal-to-noise ratio of the product", digital=1e-6),
    ),
    signal="error",
    axis="iteration",
    series="rank",
    title="Error of the product",
)
RANKS = Table(
    "ranks",
    (
        Column("rank", dtype="u4"),
        Column("error", description="|V - W H| / |V| at the end, on the chip", digital=1e-6),
        Column("digital_error", description="the same in float64", digital=1e-6),
        Column("least_error", description="of any product of this rank: singular values", digital=1e-9),
        Column("numbers", dtype="u4", description="entries of both factors"),
    ),
    signal="error",
    axis="rank",
    title="Error by rank",
)


@dataclass(frozen=True)
class Pictured:
    """A picture and the ranks of its factors."""

    picture: Floats
    ranks: tuple[int, ...]


class Factorisation(Application):
    """Factorise a picture into non-negative factors of small rank, by alternating least squares on the chip."""

    title: ClassVar[str] = "Non-negative matrix factorisation"

    picture = Parameter("Picture, a sample's name, an image or a matrix file", default="spheres")
    ranks = Parameter("Ranks of the factors, separated by commas", default="4, 8, 16")
    iterations = IntegerParameter("Iterations, of two half steps each", minimum=1, maximum=1000, default=20)
    solves = IntegerParameter("Solves of each half step of ADMM", minimum=1, maximum=100, default=5)
    method = ListParameter("Method of each half step", choices=list(METHODS), default="admm")

    def check(self) -> Pictured:
        """Read the picture, and refuse ranks above its own."""
        super().check()
        picture = load_picture(self.picture)
        return Pictured(picture, _ranks(self.ranks, picture))

    def layout(self, plan: Prepared) -> Layout:
        """Declare errors, and the pictures of every rank."""
        given: Pictured = plan.given
        names = [f"rank_{rank}_{what}" for rank in given.ranks for what in ("chip", "digital")]
        rows, columns = map(np.arange, given.picture.shape)
        maps = [
            Map("picture", "", rows, columns, title="the picture", images=1),
            Map(
                "start",
                "",
                rows,
                columns,
                title="product of the random factors of the largest rank",
                images=1,
            ),
            *(Map(one, "", rows, columns, images=1) for one in names),
        ]
        largest = given.ranks[-1]
        arrays = (
            Array("left", np.full((len(rows), largest), np.nan), description="W of the largest rank"),
            Array("right", np.full((largest, len(columns)), np.nan), description="H of the largest rank"),
        )
        products = tuple(f"rank_{rank}_chip" for rank in given.ranks)
        figures = (
            Figure("pictures", map=("picture", *products), colours="grey",
                   title="The picture, and products of its factors by rank"),
            Figure("errors", table="iterations", x="iteration", y=("error", "digital_error"), by="rank", y_scale="log",
                   title="Error of the product over the iterations"),
            Figure("ranks", table="ranks", x="rank", y=("error", "digital_error", "least_error"), y_scale="log",
                   title="Error of the product by rank"),
            Figure("difference", map=products, minus=tuple(f"rank_{rank}_digital" for rank in given.ranks),
                   title="Product on the chip less the digital one"),
        )  # fmt: skip
        return Layout(
            (MATRICES, ITERATIONS, RANKS), tuple(maps), arrays, default="maps/picture", figures=figures
        )

    def describe_cells(self, plan: Prepared) -> str:
        """Return what the chip holds; where is known once it is programmed."""
        sizes = ", ".join(f"{rank} x {rank}" for rank in plan.given.ranks)
        return f"matrices of {sizes}, one after another, placed when they are programmed"

    def run_title(self) -> str:
        """Return the name of the picture."""
        name = Path(self.picture).name if isinstance(self.picture, (str, Path)) else "a picture"
        return f"Factorisation of {name}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> Outcome:
        """Factorise with every rank on the chip and in float64, from the same start."""
        given: Pictured = plan.given
        stream.snapshot("picture", given.picture, bench.now())
        worst, found = 0.0, (np.nan, np.nan)
        begun = random_factors(given.picture, given.ranks[-1], np.random.default_rng(self.seed))
        stream.snapshot("start", begun.product, bench.now())
        with self.holding(plan, bench, stream) as chip:
            for number, rank in enumerate(given.ranks):
                stream.progress("ranks", number, len(given.ranks))
                factors, found = self._factorised(given.picture, rank, chip, bench, stream)
                worst = max(worst, found[0] / found[1])
            costs = chip.costs()
        stream.set_array("left", factors.left)
        stream.set_array("right", factors.right)
        picture, largest = given.picture, given.ranks[-1]
        return Outcome.of(
            {
                "rows": picture.shape[0],
                "columns": picture.shape[1],
                "rank": largest,
                "error": found[0],
                "digital_error": found[1],
                "least_error": least_error(picture, largest),
                "worst_ratio": worst,
                "peak_ratio": (peak_ratio(picture, factors.product), "dB"),
                "compression": picture.size / (largest * sum(picture.shape)),
                "method": self.method,
                **costs,
            }
        )

    def _factorised(
        self, picture: Floats, rank: int, chip: Holder, bench: Bench, stream: Stream
    ) -> tuple[Factors, tuple[float, float]]:
        """Factorise with one rank; return the factors, and the errors on the chip and in float64."""

        def hold(matrix: Floats) -> Operator:
            if self.method == "projected":
                held = chip.hold(matrix, bits=STEP_BITS)
                return lambda rhs: np.asarray(held.solve(rhs).solutions)
            invert, way = chip.hold(matrix, residual="float64").invert, direct_solve(matrix)
            chip.add_direct(DirectSolve(way.method, way.once, 0), 1)

            def inverted(residuals: Floats) -> Floats:
                # By Cholesky a solve needs no residual: its answer is right to float64.
                work = Work()
                work.digital["residual"] = matrix.size * residuals.shape[1]
                chip.add_worth(SampledWorth(work=work))
                chip.add_direct(DirectSolve(way.method, 0, way.each), residuals.shape[1])
                return np.asarray(invert(residuals))

            return inverted

        starts = [random_factors(picture, rank, np.random.default_rng(self.seed)) for _ in range(2)]
        settings = int(self.iterations), str(self.method), int(self.solves)
        on_chip = factorise(picture, starts[0], settings[0], hold, *settings[1:])
        digital = factorise(picture, starts[1], settings[0], _digital, *settings[1:])
        errors = (np.nan, np.nan)
        for iteration, (found, exact) in enumerate(zip(on_chip, digital, strict=True), 1):
            errors = relative_error(picture, found.product), relative_error(picture, exact.product)
            stream.record(
                "iterations",
                rank=rank,
                iteration=iteration,
                error=errors[0],
                digital_error=errors[1],
                peak_ratio=peak_ratio(picture, found.product),
            )
            stream.progress(f"rank {rank}", iteration, settings[0], error=errors[0])
        chip.beside.digital["beside"] += settings[0] * multiplications(picture.shape, rank)
        stream.snapshot(f"rank_{rank}_chip", starts[0].product, bench.now())
        stream.snapshot(f"rank_{rank}_digital", starts[1].product, bench.now())
        stream.record(
            "ranks",
            rank=rank,
            error=errors[0],
            digital_error=errors[1],
            least_error=least_error(picture, rank),
            numbers=rank * sum(picture.shape),
        )
        return starts[0], errors

    def conclude(self, plan: Prepared, result: Outcome) -> Conclusion:
        """Return the error of the factors beside that of the digital ones."""
        summary = result.summary
        return concluded(
            summary,
            f"rank {summary['rank']}: error {percent(summary['error'])}, digitally {percent(summary['digital_error'])}",
        )


def _digital(matrix: Floats) -> Operator:
    return lambda rhs: np.asarray(np.linalg.solve(matrix, rhs))


def _ranks(given: Any, picture: Floats) -> tuple[int, ...]:
    """Return the ranks in ascending order.

    Raises
    ------
    InputError
        For what is no rank, too many of them, and more than the picture has.
    """
    texts = [one.strip() for one in str(given).split(",") if one.strip()]
    if not texts or not all(one.isdecimal() and int(one) > 0 for one in texts):
        raise InputError(f"ranks is {given!r}; give whole numbers from 1, separated by commas")
    ranks = sorted({int(one) for one in texts})
    if len(ranks) > MOST_RANKS:
        raise InputError(f"{len(ranks)} ranks are given; {MOST_RANKS} is the most")
    largest = int(np.linalg.matrix_rank(picture))
    if ranks[-1] > largest:
        rows, columns = picture.shape
        raise InputError(
            f"rank {ranks[-1]} is above that of the picture, which is {largest} of {rows} x {columns} pixels: no product "
            "needs more; give less"
        )
    if ranks[-1] > LARGEST_RANK:
        raise InputError(
            f"rank {ranks[-1]} is large for a factorisation by the chip; {LARGEST_RANK} is the most"
        )
    return tuple(ranks)
