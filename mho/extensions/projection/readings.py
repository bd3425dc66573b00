"""A solve counted in every way: one circuit, a GPU's core, the whole GPU; a new matrix each time, or one that is kept.

From how many right-hand sides of one matrix analogue inversion pays is where two straight lines cross: both sides pay
once for a matrix and once for each right-hand side: an analogue circuit writes its cells, a processor makes the
inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.projection.assumptions import Assumptions, Parameters
from mho.extensions.projection.digital import (
    DigitalReading,
    Processor,
    cpu,
    gpu,
    in_double,
    inversion,
    kept_matrix,
    new_matrix,
    one_core,
    published_core,
    refined_kept,
    refined_new,
)
from mho.extensions.projection.model import (
    FASTER,
    HEADLINE_ENERGY,
    HEADLINE_SIZE,
    Cost,
    cost_in_blocks,
    cost_in_one_loop,
    in_blocks,
    solve_operations,
)


def crossing(setup: ArrayLike, each: ArrayLike, other_setup: ArrayLike, other_each: ArrayLike) -> Floats:
    """Return the number from which ``setup + n each`` is below ``other_setup + n other_each``, at least 1.

    Infinite where it never is: where each one costs no less. Where the first is below for few and not for many, which
    no number "from which" can say, it is infinite, too.
    """
    setup, each, other_setup, other_each = np.broadcast_arrays(setup, each, other_setup, other_each)
    gain = np.asarray(other_each - each, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = np.asarray(setup - other_setup, dtype=np.float64) / gain
    return np.where(gain > 0.0, np.maximum(meet, 1.0), np.inf)


@dataclass(frozen=True)
class BreakEven:
    """Right-hand sides of a matrix from which the circuit beats the whole GPU; infinite for never.

    The GPU takes the cheaper of two ways: it makes the inverse and keeps it, or it factorises anew for each one.
    """

    energy: float
    time: float
    time_by_area: float
    time_of_core: float
    energy_of_new: float
    energy_of_cpu: float


def break_even(size: int, p: Parameters) -> BreakEven:
    """Return where a circuit of one loop pays."""
    ours, whole = cost_in_one_loop(size, p), gpu(p)
    circuits = circuits_on(p, ours)
    new = new_matrix(size, whole)
    return BreakEven(
        energy=_in_energy(size, ours, whole),
        time=_in_time(size, ours, whole, 1.0),
        time_by_area=_in_time(size, ours, whole, circuits),
        time_of_core=_in_time(size, ours, whole, whole.cores),
        energy_of_new=float(crossing(ours.write_energy, ours.energy, 0.0, new.joules)),
        energy_of_cpu=_in_energy(size, ours, cpu(p)),
    )


def _in_energy(size: int, ours: Cost, one: Processor) -> float:
    made, reused, new = inversion(size, one), kept_matrix(size, one), new_matrix(size, one)
    against_kept = crossing(ours.write_energy, ours.energy, made.joules, reused.joules)
    return float(np.maximum(against_kept, crossing(ours.write_energy, ours.energy, 0.0, new.joules)))


def _in_time(size: int, ours: Cost, one: Processor, circuits: ArrayLike) -> float:
    """Return where circuits beat a processor in time; as many circuits as it has cores are one circuit a core."""
    made, reused, new = inversion(size, one), kept_matrix(size, one), new_matrix(size, one)
    setup, each = np.divide(ours.write_time, circuits), np.divide(ours.time, circuits)
    against_kept = crossing(setup, each, made.seconds, reused.seconds)
    return float(np.maximum(against_kept, crossing(setup, each, 0.0, new.seconds)))


def circuits_on(p: Parameters, ours: Cost) -> Floats:
    """Return how many circuits take the area of the GPU's die, at least one."""
    return np.maximum(np.floor(np.divide(p.gpu_area, ours.area)), 1.0)


HEADLINE_INV, HEADLINE_MVM = FASTER

# Share of the data-sheet limit that batched factorisations have reached elsewhere
MEASURED_SHARE = (0.05, 0.1)


@dataclass(frozen=True)
class NamedReading:
    """One way to count: what it is called, solves a second, joules a solve (NaN if unknown)."""

    key: str
    words: str
    rate: float
    joules: float

    @property
    def solves(self) -> str:
        """Solves a second in words, such as 0.77 G/s."""
        return f"{in_prefixes(self.rate)}/s"


@dataclass(frozen=True)
class Rival:
    """A whole processor that is faster or more precise than the FP32 of `readings`: a new A each time, and A kept."""

    words: str
    new: DigitalReading
    kept: DigitalReading
    cores: float


def rivals(size: int, assumptions: Assumptions) -> list[Rival]:
    """Return H100 and GH200 in FP64, with tensor cores and emulated, and FP16 with digital refinement; data sheets."""
    p = assumptions.parameters
    cores = float(p.gpu_cores)
    double = [
        Rival(name, new_matrix(size, one), kept_matrix(size, one), cores)
        for name, one in in_double(p).items()
    ]
    return [
        *double,
        Rival(
            "H100 in FP16 on tensor cores and refinement", refined_new(size, p), refined_kept(size, p), cores
        ),
    ]


def readings(size: int, assumptions: Assumptions, more: Sequence[NamedReading] = ()) -> list[NamedReading]:
    """Return all readings of a solve of `size` unknowns, the circuit first; `more` were measured.

    Raises `InputError`: the size is none that can be counted.
    """
    p = assumptions.parameters
    ours = cost_in_one_loop(size, p)
    whole, other = gpu(p), cpu(p)
    circuits = float(circuits_on(p, ours))
    rows = [_ours("circuit", f"one circuit of {size} lines, A written", ours)]
    if size > p.loop_size and not not_in_blocks(size, assumptions):
        rows.append(_ours("circuit_blocks", f"… by blocks of {p.loop_size:g} lines", cost_in_blocks(size, p)))
    rows += [
        _named("circuit_new_a", "… that writes a new A each time",
               DigitalReading(np.add(ours.time, ours.write_time), np.add(ours.energy, ours.write_energy))),
        _named("circuits_of_gpu_area", f"{circuits:,.0f} such circuits, the GPU's area, A written",
               DigitalReading(np.divide(ours.time, circuits), ours.energy)),
        _named("core_published", "one GPU core, as published", published_core(size, p)),
        _named("core_new_a", "one GPU core, new A, data sheet", one_core(new_matrix(size, whole), whole)),
        _named("core_kept_a", "one GPU core, A kept, data sheet", one_core(kept_matrix(size, whole), whole)),
        _named("gpu_new_a", "whole GPU, new A, data sheet", new_matrix(size, whole)),
        *(
            _named(f"gpu_new_a_{100 * share:.0f}_percent",
                   f"… at {100 * share:.0f} % of that, as measured elsewhere",
                   new_matrix(size, replace(whole, reached=np.multiply(whole.reached, share))))
            for share in MEASURED_SHARE[::-1]
        ),
        _named("gpu_kept_a", "whole GPU, A kept, data sheet", kept_matrix(size, whole)),
        _named("cpu_core_new_a", "one CPU core, new A, data sheet", one_core(new_matrix(size, other), other)),
        _named("cpu_core_kept_a", "one CPU core, A kept, data sheet",
               one_core(kept_matrix(size, other), other)),
        _named("cpu_new_a", "whole CPU, new A, data sheet", new_matrix(size, other)),
        _named("cpu_kept_a", "whole CPU, A kept, data sheet", kept_matrix(size, other)),
    ]  # fmt: skip
    return [*rows, *more]


def not_in_blocks(size: int, assumptions: Assumptions) -> str:
    """Return why a size cannot be solved by blocks; nothing for one that can."""
    try:
        in_blocks(size, int(assumptions["loop_size"].value))
    except InputError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Headline:
    """The parts of "1,000 times", each a ratio of the circuit's throughput to something."""

    throughput: float
    over_core: float
    without_converters: float
    energy: float
    efficiency: float
    published_efficiency: float
    over_gpu_new: float
    over_gpu_kept: float
    as_assumed: float
    write_time: float
    cores: float
    ladder: Sequence[tuple[str, float]]

    @property
    def sentence(self) -> str:
        """Where "1,000 times" comes from."""
        return (
            f'"1,000 times": one loop of {HEADLINE_SIZE} lines that inverts in {HEADLINE_INV * 1e9:.0f} ns and '
            f"multiplies in {HEADLINE_MVM * 1e9:.0f} ns, A written before, makes {self.throughput:.2g} equivalent "
            "operations a second: "
            f"{self.over_core:.0f} times one of the GPU's {self.cores:,.0f} cores, {self.without_converters:.0f} times if "
            f"converters took no time. With the times assumed here it is {self.as_assumed:.0f} times one core. Of the "
            f"whole GPU it is {_share(self.over_gpu_new)} with a new A each time, where the circuit would also have to "
            f"write for {in_prefixes(self.write_time)}s, and {_share(self.over_gpu_kept)} with A kept, which is what the "
            f"circuit does. A solve takes {in_prefixes(self.energy)}J (published: {in_prefixes(HEADLINE_ENERGY)}J), "
            f"{self.efficiency:.0f} times that core's operations per joule (published: {self.published_efficiency:.0f})."
        )


def headline(assumptions: Assumptions) -> Headline:
    """Return what "1,000 times" is made of."""
    p = assumptions.parameters
    fast = replace(p, inv_time=HEADLINE_INV, mvm_time=HEADLINE_MVM)
    ours = cost_in_one_loop(HEADLINE_SIZE, fast)
    bare = cost_in_one_loop(HEADLINE_SIZE, replace(fast, conversion_time=0.0))
    operations = float(solve_operations(HEADLINE_SIZE))
    whole = gpu(p)
    through = float(ours.throughput)
    new, reused = new_matrix(HEADLINE_SIZE, whole), kept_matrix(HEADLINE_SIZE, whole)
    over_core = through / float(p.core_rate)
    assumed = cost_in_one_loop(HEADLINE_SIZE, p)
    without_converters = float(bare.throughput) / float(p.core_rate)
    as_assumed = float(assumed.throughput) / float(p.core_rate)
    over_new, over_kept = (through / (operations * float(one.rate)) for one in (new, reused))
    ladder = [
        ("one core if converters took no time", without_converters), ("one core as published", over_core),
        ("one core and INV and MVM as assumed", as_assumed),
        ("one core that keeps A", over_kept * float(p.gpu_cores)),
        (
            f"whole GPU with new A at {100 * MEASURED_SHARE[0]:.0f} % of its limit",
            over_new / MEASURED_SHARE[0],
        ),
        ("whole GPU with new A at its limit", over_new), ("whole GPU with A kept", over_kept),
        (
            "whole GPU where both take new A",
            over_new * float(np.divide(ours.time, np.add(ours.time, ours.write_time))),
        ),
    ]  # fmt: skip
    if not not_in_blocks(HEADLINE_SIZE, assumptions):
        blocks = float(cost_in_blocks(HEADLINE_SIZE, p).throughput) / float(p.core_rate)
        ladder.append((f"one core and blocks of {p.loop_size:g} as assumed", blocks))
    return Headline(
        throughput=through, over_core=over_core, without_converters=without_converters,
        energy=float(ours.energy), efficiency=float(ours.efficiency) / float(p.core_efficiency),
        published_efficiency=operations / HEADLINE_ENERGY / float(p.core_efficiency), over_gpu_new=over_new,
        over_gpu_kept=over_kept, as_assumed=as_assumed, write_time=float(ours.write_time),
        cores=float(p.gpu_cores), ladder=sorted(ladder, key=lambda step: step[1], reverse=True),
    )  # fmt: skip


def _ours(key: str, words: str, cost: Cost) -> NamedReading:
    return _named(key, words, DigitalReading(cost.time, cost.energy))


def _named(key: str, words: str, reading: DigitalReading) -> NamedReading:
    return NamedReading(key, words, float(reading.rate), float(reading.joules))


def _share(ratio: float) -> str:
    return f"{ratio:.2g} times it" if ratio >= 1.0 else f"a {_ordinal(1.0 / ratio)}"


def _ordinal(number: float) -> str:
    whole = round(number)
    suffix = "th" if whole % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
    return f"{whole:,}{suffix}"


def in_prefixes(value: float) -> str:
    """Return a number with a prefix: 0.77 G as 770 M, 23 m."""
    if not value or not np.isfinite(value):
        return f"{value:g} "
    power = int(np.clip(3 * np.floor(np.log10(abs(value)) / 3.0), -15, 15))
    prefix = "fpnum kMGTP"[power // 3 + 5].strip()
    return f"{value / 10.0**power:.3g} {prefix}"
