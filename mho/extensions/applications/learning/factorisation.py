"""Non-negative matrix factorisation of a picture, its small matrices inverted on the chip, beside float64.

    V = W H,  W >= 0 (m, k),  H >= 0 (k, n):   in turn H and W are those of least squares, the other one given

Each half step is one matrix of k x k for all columns (or rows) at once:

- projected: H <- max(0, (W^T W)^-1 W^T V), one solve (Berry et al., Comput. Stat. Data Anal. 52, 155 (2007), section 4.3);
- admm: alternating direction method of multipliers for the constraint (Huang, Sidiropoulos and Liavas, IEEE Trans. Signal
  Process. 64, 5052 (2016)): solves with W^T W + I, each followed by a projection. With columns of W of length one that
  matrix has 2 on its diagonal and a condition number below k + 1.

A solve is one step of INV of what is left, its residual taken digitally: its error is a share of the change and not of the
value, so that the factors converge as in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.applications.application import (
    MATRICES,
    Application,
    ApplicationResult,
    MatrixHolder,
    Prepared,
    name_of,
)
from mho.extensions.applications.image_files import read_image
from mho.extensions.applications.input_data import real_matrix
from mho.instruments import Bench
from mho.instruments.bench_file import Operation
from mho.procedures import IntegerParameter, ListParameter, Parameter, Stream, percent
from mho.procedures.equations import DirectSolve, SampledWorth, Work, solve_directly
from mho.runs import Array, Column, Figure, Layout, Map, Table

Operator = Callable[[Floats], Floats]
Hold = Callable[[Floats], Operator]

METHODS = ("admm", "projected")

# Added to the diagonal of a Gram matrix, whose own is one: projected columns may depend on one another
RIDGE = 1e-3
LEAST = 1e-12  # shorter rows and columns are those of a part that has died out


@dataclass
class MatrixFactors:
    """Factors as they are after an iteration."""

    # left, right: (m, k): W with columns of length one, and H; none of their entries is negative
    left: Floats
    right: Floats
    # left_dual, right_dual: multipliers of ADMM
    left_dual: Floats = field(init=False)
    right_dual: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.left_dual, self.right_dual = np.zeros_like(self.left), np.zeros_like(self.right)

    @property
    def product(self) -> Floats:
        """W H."""
        return self.left @ self.right


def random_factors(picture: Floats, rank: int, rng: np.random.Generator) -> MatrixFactors:
    """Return random factors whose product is as bright as the picture."""
    rows, columns = picture.shape
    left, right = rng.random((rows, rank)), rng.random((rank, columns))
    left /= np.linalg.norm(left, axis=0)
    return MatrixFactors(left, right * picture.mean() / (left @ right).mean())


def factorise(
    picture: Floats, start: MatrixFactors, iterations: int, hold: Hold, method: str = "admm", inner: int = 3
) -> Iterator[MatrixFactors]:
    """Yield the factors after each iteration, the same object each time; it begins as `start`.

    `picture` (m, n): V; no entry is negative. `hold`: symmetric positive definite (k, k) -> an operator r -> about its
    inverse times r, of (k, any) columns; `method`: one of `METHODS`; `inner`: solves of each half step of ADMM.
    """
    factors = start
    for _ in range(iterations):
        _unit(factors.left, factors.right, factors.right_dual)
        factors.right, factors.right_dual = _half(
            factors.left, picture, factors.right, factors.right_dual, hold, method, inner
        )
        _unit(factors.right.T, factors.left.T, factors.left_dual.T)
        turned, dual = _half(
            factors.right.T, picture.T, factors.left.T, factors.left_dual.T, hold, method, inner
        )
        factors.left, factors.left_dual = turned.T, dual.T
        yield factors


def relative_error(picture: Floats, product: Floats) -> float:
    """Return |V - W H| / |V|, of the Frobenius norm."""
    return float(np.linalg.norm(picture - product) / np.linalg.norm(picture))


def peak_ratio(picture: Floats, product: Floats) -> float:
    """Return the peak signal-to-noise ratio, dB, the peak being 1."""
    return float(-10.0 * np.log10(max(float(np.mean((picture - product) ** 2)), np.finfo(np.float64).tiny)))


def multiplications(shape: tuple[int, int], rank: int) -> int:
    """Return those of an iteration beside its solves: W^T W, W^T V, H H^T and H V^T."""
    rows, columns = shape
    return rank * (rank * (rows + columns) + 2 * rows * columns)


def least_error(picture: Floats, rank: int) -> float:
    """Return the relative error of the best product of this rank without the constraint (Eckart and Young)."""
    singular = np.linalg.svd(picture, compute_uv=False)
    return float(np.linalg.norm(singular[rank:]) / np.linalg.norm(singular))


def _half(
    known: Floats, picture: Floats, primal: Floats, dual: Floats, hold: Hold, method: str, inner: int
) -> tuple[Floats, Floats]:
    """Return the other factor and its multipliers; `known` (m, k) has columns of length one, `primal` is (k, n)."""
    gram, rhs = known.T @ known, known.T @ picture
    eye = np.eye(len(gram))
    if method == "projected":
        matrix = gram + RIDGE * eye
        return np.maximum(primal + hold(matrix)(rhs - matrix @ primal), 0.0), dual
    matrix = gram + eye
    invert, free = hold(matrix), primal
    for _ in range(inner):
        free = free + invert(rhs + primal - dual - matrix @ free)
        primal = np.maximum(free + dual, 0.0)
        dual = dual + free - primal
    return primal, dual


def _unit(left: Floats, right: Floats, dual: Floats) -> None:
    """Scale columns of `left` to length one, and the rows of `right` and `dual` against it, in place."""
    lengths = np.linalg.norm(left, axis=0)
    dead = lengths < LEAST
    lengths = np.where(dead, 1.0, lengths)
    left /= lengths
    right *= lengths[:, None]
    dual /= lengths[:, None]  # multipliers are slopes over `right`
    left[:, dead] = 1.0 / np.sqrt(len(left))  # a part that has died out begins anew, all grey
    right[dead], dual[dead] = 0.0, 0.0


LARGEST = 512  # most rows or columns of a picture
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm")


def sample_pictures() -> list[str]:
    """Return the names of the pictures that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.npy"))


def load_picture(source: Any) -> Floats:
    """Return the grey picture in a file, or an array checked in the same way.

    `source`: one of `sample_pictures`, an image file (colours become their luminance), a matrix file, or numbers (rows,
    columns). Result (rows, columns): from 0 to 1, the largest entry being 1. Raises `InputError`: as `load_matrix`; a
    file that is no image; a negative entry; no entry but zeros; more than `LARGEST` rows or columns.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the picture"
    if isinstance(source, str) and source in sample_pictures():
        source = _samples() / f"{source}.npy"
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() in IMAGES:
        values = read_image(Path(source), LARGEST)
    elif isinstance(source, str) and not Path(source).suffix:
        raise InputError(
            f"there is no picture called {source!r}; there are {', '.join(sample_pictures())}; a file of yours ends in "
            f"{', '.join(IMAGES)}, .npy, .csv or .mtx"
        )
    else:
        values = real_matrix(source, f"{name} is complex; a picture has real entries of 0 or more")
    if max(values.shape) > LARGEST or min(values.shape) < 2:
        rows, columns = values.shape
        raise InputError(f"{name} has {rows} x {columns} pixels; give 2 to {LARGEST} a side")
    wrong = np.argwhere(values < 0.0)
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            f"{name}: entry [{row}, {column}], counted from 0, is {values[row, column]:g}; factors without negative "
            "entries make none: give a picture of 0 or more"
        )
    if not values.any():
        raise InputError(f"{name} is all black; give a picture with something in it")
    return np.asarray(values / values.max(), dtype=np.float64)


def _samples() -> Path:
    return Path(__file__).parent / "data"


MOST_RANKS, LARGEST_RANK = 8, 64
STEP_BITS = 12  # bits of a solve by the projected method

ITERATIONS = Table(
    "iterations",
    (
        Column("rank", dtype="u4"), Column("iteration", dtype="u4"),
        Column("error", description="|V - W H| / |V| of the factors found on the chip", digital=1e-6),
        Column("digital_error", description="the same in float64, from the same start", digital=1e-6),
        Column("peak_ratio", "dB", description="peak signal-to-noise ratio of the product", digital=1e-6),
    ),
    signal="error", axis="iteration", series="rank", title="Error of the product",
)  # fmt: skip
RANKS = Table(
    "ranks",
    (
        Column("rank", dtype="u4"),
        Column("error", description="|V - W H| / |V| at the end, on the chip", digital=1e-6),
        Column("digital_error", description="the same in float64", digital=1e-6),
        Column("least_error", description="of any product of this rank: singular values", digital=1e-9),
        Column("numbers", dtype="u4", description="entries of both factors"),
    ),
    signal="error", axis="rank", title="Error by rank",
)  # fmt: skip


@dataclass(frozen=True)
class Pictured:
    """A picture and the ranks of its factors."""

    picture: Floats
    ranks: tuple[int, ...]


class Factorisation(Application[ApplicationResult]):
    """Factorise a picture into non-negative factors of small rank, by alternating least squares on the chip."""

    title: ClassVar[str] = "Non-negative matrix factorisation"
    leading: ClassVar[tuple[str, ...]] = ("picture", "ranks", "iterations")
    needs: ClassVar[tuple[Operation, ...]] = ("select", "read", "program", "invert")
    may_need: ClassVar[Mapping[Operation, str]] = {
        "multiply": "where method = projected, or write_verify says verify = row or hadamard"
    }

    picture: Parameter[Any] = Parameter(
        "Picture, a sample's name, an image or a matrix file", default="spheres"
    )
    ranks: Parameter[Any] = Parameter("Ranks of the factors, separated by commas", default="4, 8, 16")
    iterations = IntegerParameter("Iterations, of two half steps each", minimum=1, maximum=1000, default=20)
    solves = IntegerParameter("Solves of each half step of ADMM", minimum=1, maximum=100, default=5)
    method = ListParameter("Method of each half step", choices=list(METHODS), default="admm")

    def check(self) -> Pictured:
        """Read the picture, and refuse ranks above its own."""
        super().check()
        picture = load_picture(self.picture)
        return Pictured(picture, _ranks(self.ranks, picture))

    def needed(self) -> tuple[Operation, ...]:
        """Return `needs`, and `multiply` for refined solves: ADMM takes single steps of INV, their residuals in float64."""
        return (*super().needed(), *(() if self.method == "admm" else ("multiply",)))

    def layout(self, plan: Prepared) -> Layout:
        """Declare errors, and the pictures of every rank."""
        given: Pictured = plan.given
        names = [f"rank_{rank}_{what}" for rank in given.ranks for what in ("chip", "digital")]
        rows, columns = map(np.arange, given.picture.shape)
        maps = [
            Map("picture", "", rows, columns, title="the picture", images=1),
            Map("start", "", rows, columns, title="product of the random factors of the largest rank",
                images=1),
            *(Map(one, "", rows, columns, images=1) for one in names),
        ]  # fmt: skip
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
        return f"Factorisation of {name_of(self.picture, 'a picture')}"

    def execute(self, plan: Prepared, bench: Bench, stream: Stream) -> ApplicationResult:
        """Factorise with every rank on the chip and in float64, from the same start."""
        given: Pictured = plan.given
        stream.snapshot("picture", given.picture, bench.now())
        worst, errors = 0.0, (np.nan, np.nan)
        begun = random_factors(given.picture, given.ranks[-1], np.random.default_rng(self.seed))
        stream.snapshot("start", begun.product, bench.now())
        with self.holding(plan, bench, stream) as chip:
            for number, rank in enumerate(given.ranks):
                stream.progress("ranks", number, len(given.ranks))
                factors, errors = self._factorised(given.picture, rank, chip, bench, stream)
                worst = max(worst, errors[0] / errors[1])
            costs = chip.costs()
        stream.set_array("left", factors.left)
        stream.set_array("right", factors.right)
        picture, largest = given.picture, given.ranks[-1]
        return ApplicationResult.of({
            "rows": picture.shape[0], "columns": picture.shape[1], "rank": largest, "error": errors[0],
            "digital_error": errors[1], "least_error": least_error(picture, largest), "worst_ratio": worst,
            "peak_ratio": (peak_ratio(picture, factors.product), "dB"),
            "compression": picture.size / (largest * sum(picture.shape)), "method": self.method, **costs,
        })  # fmt: skip

    def _factorised(
        self, picture: Floats, rank: int, chip: MatrixHolder, bench: Bench, stream: Stream
    ) -> tuple[MatrixFactors, tuple[float, float]]:
        """Factorise with one rank; return the factors, and the errors on the chip and in float64."""

        def hold(matrix: Floats) -> Operator:
            if self.method == "projected":
                chip_matrix = chip.hold(matrix, bits=STEP_BITS)
                return lambda rhs: np.asarray(chip_matrix.solve(rhs).solutions)
            invert, way = chip.hold(matrix, residual="float64").invert, solve_directly(matrix)
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
        for iteration, (approximation, exact) in enumerate(zip(on_chip, digital, strict=True), 1):
            errors = relative_error(picture, approximation.product), relative_error(picture, exact.product)
            stream.record(
                "iterations", rank=rank, iteration=iteration, error=errors[0], digital_error=errors[1],
                peak_ratio=peak_ratio(picture, approximation.product),
            )  # fmt: skip
            stream.progress(f"rank {rank}", iteration, settings[0], error=errors[0])
        chip.beside.digital["beside"] += settings[0] * multiplications(picture.shape, rank)
        stream.snapshot(f"rank_{rank}_chip", starts[0].product, bench.now())
        stream.snapshot(f"rank_{rank}_digital", starts[1].product, bench.now())
        stream.record(
            "ranks", rank=rank, error=errors[0], digital_error=errors[1],
            least_error=least_error(picture, rank), numbers=rank * sum(picture.shape),
        )  # fmt: skip
        return starts[0], errors

    def findings(self, summary: Mapping[str, Any]) -> Sequence[str]:
        """Return the error of the factors beside that of the digital ones."""
        return (
            f"rank {summary['rank']}: error {percent(summary['error'])}, digitally {percent(summary['digital_error'])}",
        )


def _digital(matrix: Floats) -> Operator:
    return lambda rhs: np.asarray(np.linalg.solve(matrix, rhs))


def _ranks(given: Any, picture: Floats) -> tuple[int, ...]:
    """Return the ranks in ascending order.

    Raises `InputError`: for what is no rank, too many of them, and more than the picture has.
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
