"""What a chip is worth: GCR around INV beside GCR without it, in cycles and in digital multiplications.

Every solve, to 24 proved bits with products and residuals in float64, tells both: it is done once more with the residual in
the place of INV(r), in the same form of the matrix. By one loop and, larger, by blocks in loops of 32. A repeat is one
seed of system and chip of each family and size by one loop; by blocks there is one seed, and so of other loops (targets
that are not rounded to digits, a second slice) and other cells at 32 unknowns. One process, five minutes of one core.
Nobody else solves on such cells, so the peer is the same method.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._families import FAMILIES, draw
from benchmarks.reach import BINS, NUMBER
from benchmarks.registry import Figure

BITS = 24
CYCLES = 100  # allowed with the chip
PRESET, OTHERS = "pku", ("quiet", "relaxing")
SIZES = (8, 16, 32)
FEW = (
    "dominant",
    "Gram",
    "condition 10",
    "condition 100",
    "condition 1e3",
    "Poisson 2-D",
    "PageRank",
    "convection-diffusion",
)
BY_BLOCKS = {
    64: FEW,
    256: FEW,
    1024: ("dominant", "condition 10", "condition 100", "Poisson 2-D", "PageRank"),
}
LOOPS: Mapping[str, Mapping[str, Any]] = {
    "digits": {},
    "targets not rounded": {"loop_targets": "analogue"},
    "two slices": {"loop_slices": 2},
}
JUDGED, HARDEST = 32, 100.0  # unknowns, and condition number up to which,
HALF = 0.5  # at most this share of the cycles is wanted
MEASURED = Path(__file__).parent / "measured" / "worth.json"


@dataclass(frozen=True)
class Weighed:
    """One system solved with the chip and without it.

    Attributes
    ----------
    family, size, number, preset, loop : which system, cells and loop
    condition : float
        Of the matrix as given.
    cycles, without : int or None
        With the chip and without it; None where the goal was not met.
    most : int
        Cycles allowed without it.
    digital, digital_without : int
        Digital multiplications with the chip and without it, but for the certificate.
    certificate : int
        Those of the certificate, which both take.
    inversions : int
        INV that the chip made; by blocks a cycle takes many.
    refused : str
        Why nothing was solved.
    """

    family: str
    size: int
    number: int
    preset: str
    loop: str
    condition: float
    cycles: int | None = None
    without: int | None = None
    most: int = CYCLES
    digital: int = 0
    digital_without: int = 0
    certificate: int = 0
    inversions: int = 0
    refused: str = ""

    @property
    def cycles_ratio(self) -> float:
        """Cycles with the chip over those without it; as many as are allowed where the goal was not met."""
        return (self.cycles or CYCLES) / (self.without or self.most)

    @property
    def digital_ratio(self) -> float:
        """Digital multiplications with the chip over those without it, the certificate left out."""
        return self.digital / self.digital_without

    @property
    def whole_ratio(self) -> float:
        """The same with the certificate."""
        return (self.digital + self.certificate) / (self.digital_without + self.certificate)


def weigh(family: str, size: int, number: int = 0, preset: str = PRESET, loop: str = "digits") -> Weighed:
    """Solve one system with the chip and without it."""
    from mho.errors import ChipMapError, ConvergenceError, InputError
    from mho.instruments import open_bench
    from mho.procedures import Solve
    from mho.running.execution import evaluate

    system = draw(family, size, number)
    which = (family, size, number, preset, loop, system.condition)
    solve = Solve(
        matrix=system.matrix,
        rhs=system.rhs,
        bits=BITS,
        residual="float64",
        method="gcr",
        max_cycles=CYCLES,
        **LOOPS[loop],
    )
    try:
        with open_bench("arrays", preset=preset, seed=number) as bench:
            found = evaluate(solve, bench, seed=number)
    except (ConvergenceError, ChipMapError, InputError) as error:
        return Weighed(*which, refused=str(error))
    told = found.summary["without_chip"]
    certificate = found.summary["multiplications"]["digital"]["certificate"]
    return Weighed(
        *which,
        told["cycles_with"],
        told["cycles"],
        told["most_cycles"],
        told["digital_with"] - certificate,
        told["digital"] - certificate,
        certificate,
        found.summary["inversions"],
    )


def measure(repeat: int) -> list[Weighed]:
    """Weigh `repeat` seeds by one loop, one of other loops and cells, and some families by blocks."""
    return [*_by_one_loop(repeat), *_otherwise(), *_by_blocks()]


def _by_one_loop(repeat: int) -> Iterator[Weighed]:
    for size in SIZES:
        for family in FAMILIES:
            for number in range(repeat):
                yield weigh(family, size, number)


def _otherwise() -> Iterator[Weighed]:
    for family in FAMILIES:
        for loop in list(LOOPS)[1:]:
            yield weigh(family, JUDGED, loop=loop)
        for preset in OTHERS:
            yield weigh(family, JUDGED, preset=preset)


def _by_blocks() -> Iterator[Weighed]:
    for size, families in BY_BLOCKS.items():
        for family in families:
            yield weigh(family, size)


def run(repeat: int) -> list[Figure]:
    """Weigh, and count."""
    return figures_of(measure(repeat))


def figures_of(everything: list[Weighed]) -> list[Figure]:
    """Return the figures: where the chip helps, by loop, cells, unknowns and condition number."""
    solved = [one for one in everything if not one.refused]
    mine = [one for one in solved if (one.preset, one.loop) == (PRESET, "digits")]
    figures = [
        _judged(f"{preset}, {loop}", [one for one in solved if (one.preset, one.loop) == (preset, loop)])
        for preset, loop in (*((PRESET, loop) for loop in LOOPS), *((preset, "digits") for preset in OTHERS))
    ]  # fmt: skip
    for size in sorted({one.size for one in mine}):
        each = [one for one in mine if one.size == size]
        figures.append(_ratios(f"cycles with the chip over those without, n = {size:,}", each, _cycles))
        figures.append(_ratios(f"digital multiplications likewise, n = {size:,}", each, _digital))
        figures.append(_ratios(f"… certificate included, n = {size:,}", each, _whole))
    refused = [one for one in everything if one.refused]
    return [
        *figures,
        Figure(
            "refused",
            len(refused),
            f"of {len(everything)}",
            detail=dict(Counter(NUMBER.sub("#", one.refused) for one in refused)),
        ),
    ]


def _judged(name: str, weighed: list[Weighed]) -> Figure:
    """Compare the medians at the size and up to the condition number that are judged."""
    each = [one for one in weighed if one.size == JUDGED and one.condition <= HARDEST * (1.0 + 1e-6)]
    if not each:
        return Figure(f"cycles over those without the chip: {name}", float("nan"), "")
    ours, without = (
        median(one.cycles or CYCLES for one in each),
        median(one.without or one.most for one in each),
    )
    return Figure(
        f"median cycles, n = {JUDGED}, condition number up to {HARDEST:g}: {name}",
        ours,
        "",
        "without the chip",
        without,
        target=f"<= {HALF:g} of those without",
        met=ours <= HALF * without,
        detail={"systems": len(each), "median of the ratios": round(median(map(_cycles, each)), 3)},
    )


def _cycles(one: Weighed) -> float:
    return one.cycles_ratio


def _digital(one: Weighed) -> float:
    return one.digital_ratio


def _whole(one: Weighed) -> float:
    return one.whole_ratio


def _ratios(name: str, weighed: list[Weighed], ratio: Callable[[Weighed], float]) -> Figure:
    """Return the median ratio, by condition number, and how often the chip saved nothing."""
    detail: dict[str, Any] = {}
    for low, high in zip((0.0, *BINS), (*BINS, float("inf")), strict=True):
        each = [ratio(one) for one in weighed if low * (1.0 + 1e-6) < one.condition <= high * (1.0 + 1e-6)]
        if each:
            where = f"up to {high:g}" if high < float("inf") else f"above {low:g}"
            detail[where] = f"{median(each):.2f} ({len(each)})"
    detail["no less"] = f"{sum(ratio(one) >= 1.0 for one in weighed)} of {len(weighed)}"
    return Figure(name, median(map(ratio, weighed)), "", detail=detail)


def save(weighed: list[Weighed], path: Path = MEASURED) -> None:
    """Write what was measured, one system a line."""
    lines = ",\n".join(json.dumps(asdict(one)) for one in weighed)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def load(path: Path = MEASURED) -> list[Weighed]:
    """Return what was measured."""
    return [Weighed(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
