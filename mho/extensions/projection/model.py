"""Latency, energy, area and writes of analogue inversion, from counts and assumptions; whole arrays at once.

A solve takes ``cycles`` of refinement, each with the INV and MVM operations of `Calls`:

    time = cycles (inversions (t_INV + t_conv) + products shots (t_MVM + t_conv))
    cycles = bits / bits_per_cycle, rounded up      shots = passes over slices x vector slices x line groups

Throughput is `solve_operations` over that time. Nothing in it depends on N for one loop: that is the whole of the
published curve. By blocks the same formula has the calls of BlockAMC, and no parameter more.

The model is held to what is published of the circuit, point by point. Throughput (Zuo et al. 2025, Fig. 5, read off to
1 to 5 %) is known at six sizes. Energy of a solve is operations over operations per joule of the same figure; three
points of it are known here, two with the measured amplifiers and one with the faster ones. Two constants are fitted to
those three by least squares of relative deviations,

    E = P_amp (amplifiers x time)  +  V^2 G (cells x time)  +  conversions + adding
          ~ N                            ~ N^2                     ~ N

the amplifiers' power and the voltage across cells; energies of conversion and adding are taken, not fitted. Without the
term of the cells the best fit is 12 % off. The term of N^2 has to shrink with time: if it did not, the amplifiers alone
would make what faster ones save, with 0.79 mW, by which N = 32 takes 134 nJ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log2

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError
from mho.extensions.projection.assumptions import Assumptions, Parameters, Value

LARGEST = 1 << 24  # unknowns beyond which nothing is counted


def solve_operations(size: ArrayLike) -> Floats:
    """Return the operations of one digital solve of a positive definite system, factorisation included.

    Cholesky takes ``N^3/3 + N^2/2 + N/6`` additions, multiplications, divisions and roots, the two triangular systems
    ``N^2`` each (Golub and Van Loan, Matrix Computations, sections 3.1 and 4.2): together ``N^3/3 + 5/2 N^2 + N/6``.

    This is the convention that the published throughput follows (Zuo et al. 2025, Fig. 5): this count over each of the six
    published values is one and the same time, 1.546 us, within 0.3 %. LU, 2/3 N^3 + 2 N^2, is not it: its times would
    differ by a factor of 1.6.
    """
    n = np.asarray(size, dtype=np.float64)
    return n**3 / 3.0 + 2.5 * n**2 + n / 6.0


def inverse_operations(size: ArrayLike) -> Floats:
    """Return the operations of a whole inverse by LU: ``2 N^3`` (Golub and Van Loan, section 3.2)."""
    return 2.0 * np.asarray(size, dtype=np.float64) ** 3


def product_operations(size: ArrayLike) -> Floats:
    """Return the operations of one product of matrix and vector: ``2 N^2``."""
    return 2.0 * np.asarray(size, dtype=np.float64) ** 2


@dataclass(frozen=True)
class Calls:
    """What one cycle of refinement takes."""

    lines: int  # of each loop, and of each block of a product
    # inversions, products: INV and MVM operations
    inversions: float
    products: float
    # loops, blocks: arrays for INV, and blocks of the matrix for MVM, that must be there
    loops: float
    blocks: float


def one_loop(size: int) -> Calls:
    """Return what a cycle takes in one loop: one INV and one MVM."""
    return Calls(_checked(size), 1.0, 1.0, 1.0, 1.0)


def in_blocks(size: int, loop: int) -> Calls:
    """Return what a cycle takes by BlockAMC, to the depth at which a block fits a loop.

    With n = N / N0 (arXiv 2401.10042): n^(log2 3) INV; 2 n^2 - 2 n^(log2 3) products within the block
    inverse, and n^2 for the residual. The loops hold n blocks, the products n^2 - n blocks of the recursion and all n^2 of
    the residual.

    Raises `InputError`: the size is no power of two times the loop: BlockAMC halves a matrix.
    """
    n = _checked(size) / loop
    if n <= 1.0:
        return one_loop(size)
    if log2(n) % 1.0:
        near = loop * 2 ** round(log2(n))
        raise InputError(
            f"size {size} is no power of two times the loop of {loop} lines, and BlockAMC halves a matrix down to it; take "
            f"{near}, or another loop_size"
        )
    inversions = n ** log2(3.0)
    return Calls(loop, inversions, 3.0 * n**2 - 2.0 * inversions, n, 2.0 * n**2 - n)


def _checked(size: int) -> int:
    if not 1 <= size <= LARGEST or size != int(size):
        raise InputError(f"size {size}: give a whole number of unknowns, 1 to {LARGEST}")
    return int(size)


@dataclass(frozen=True)
class Cost:
    """What one solve costs, and its matrix; numbers, or arrays of draws."""

    time: Value
    energy: Value
    amplifiers: Value
    conversions: Value
    adding: Value
    cells: Value
    write_time: Value
    write_energy: Value
    cells_written: Value
    area: Value
    throughput: Value

    @property
    def power(self) -> Value:
        """Mean power of a circuit that solves all the time, W."""
        return self.energy / self.time

    @property
    def efficiency(self) -> Value:
        """Equivalent operations per joule."""
        return self.throughput / self.power


def cycles(p: Parameters) -> Floats:
    """Return how many cycles of refinement a solve takes."""
    return np.ceil(np.divide(p.bits, p.bits_per_cycle) - 1e-9)


def slices(p: Parameters) -> Floats:
    """Return how many slices A is cut into."""
    return np.ceil(np.divide(p.bits, p.slice_bits) - 1e-9)


def shots(p: Parameters) -> Floats:
    """Return how many times, one after the other, a product plays its lines."""
    passes = np.ceil(slices(p) / p.slices_at_once - 1e-9)
    return np.asarray(passes * p.vector_slices * p.line_groups)


def cost_in_one_loop(size: int, p: Parameters) -> Cost:
    """Return what a solve costs in one loop of all `size` lines, as in the published curve."""
    return cost(size, one_loop(size), p)


def cost_in_blocks(size: int, p: Parameters) -> Cost:
    """Return what a solve costs in loops of `loop_size` lines, by BlockAMC; `InputError` as `in_blocks`."""
    return cost(size, in_blocks(size, int(np.max(p.loop_size))), p)


def cost(size: int, calls: Calls, p: Parameters) -> Cost:
    """Return what a solve costs that takes these calls a cycle."""
    lines, rounds, parts = calls.lines, cycles(p), slices(p)
    played = np.multiply(p.vector_slices, p.line_groups)
    inv, mvm = np.add(p.inv_time, p.conversion_time), np.add(p.mvm_time, p.conversion_time)
    time = rounds * (calls.inversions * inv + calls.products * shots(p) * mvm)

    loop_amplifiers = np.multiply(p.inv_amplifiers, lines + 1)  # one sums the outputs for the bias column
    at_once = np.minimum(parts, p.slices_at_once)
    busy = rounds * (calls.inversions * loop_amplifiers * inv + calls.products * parts * lines * played * mvm)
    there = calls.loops * loop_amplifiers + calls.blocks * at_once * lines
    waiting = np.maximum(there * time - busy, 0.0) * p.idle_share
    amplifiers = np.multiply(p.amplifier_power, busy + waiting)

    integers = calls.products * parts * lines * played
    conversions = rounds * p.conversion_energy * (
        calls.inversions * 2 * lines + calls.products * lines * played + integers
    )  # fmt: skip
    adding = rounds * integers * p.adding_energy
    cell_power = np.square(p.read_voltage) * p.mean_conductance * p.cells_per_element * float(lines) ** 2
    cells = rounds * cell_power * (
        calls.inversions * np.asarray(p.inv_time) + calls.products * parts * played * p.mvm_time
    )  # fmt: skip

    written = float(lines) ** 2 * p.cells_per_element * (calls.loops + calls.blocks * parts)
    pulses = written * p.write_pulses
    area = (
        written * p.cell_area
        + there * p.amplifier_area
        + (calls.loops * 2 * lines + calls.blocks * (1 + at_once) * lines) * p.converter_area
    )
    return Cost(
        time=time, energy=amplifiers + conversions + adding + cells, amplifiers=amplifiers,
        conversions=conversions, adding=adding, cells=cells,
        write_time=np.ceil(written / p.cells_at_once) * p.write_pulses * p.pulse_time,
        write_energy=pulses * p.pulse_energy, cells_written=written, area=area,
        throughput=solve_operations(size) / time,
    )  # fmt: skip


# INV and MVM times, s: as measured, and as the published headline assumes
MEASURED, FASTER = (120e-9, 60e-9), (20e-9, 10e-9)
HEADLINE_SIZE = 128  # lines of the one loop of the published headline
PUBLISHED_SIZES = (4, 8, 16, 32, 64, 128)
# Equivalent operations a second of the published circuit, one loop, converters included
PUBLISHED_THROUGHPUT = (4.0e7, 2.15e8, 1.3e9, 8.7e9, 6.3e10, 4.8e11)
# J of a solve of the published headline: one loop of 128 lines with the faster amplifiers
HEADLINE_ENERGY = 125e-9


@dataclass(frozen=True)
class PublishedPoint:
    """One published number of one loop of `size` lines: `quantity` names what of `Cost` it is."""

    quantity: str
    size: int
    times: tuple[float, float]
    value: float

    def model(self, p: Parameters) -> float:
        """Return what the model says with these assumptions, and the point's own INV and MVM times."""
        return float(getattr(self.cost(p), self.quantity))

    def cost(self, p: Parameters) -> Cost:
        """Return what a solve costs with the point's own times."""
        inv, mvm = self.times
        return cost_in_one_loop(self.size, replace(p, inv_time=inv, mvm_time=mvm))

    def deviation(self, p: Parameters) -> float:
        """Return how far the model is off, relative to what is published."""
        return self.model(p) / self.value - 1.0

    @property
    def words(self) -> str:
        """What it is of, in words."""
        return self.quantity if self.times == MEASURED else f"{self.quantity} with faster amplifiers"


PUBLISHED_POINTS = (
    *(
        PublishedPoint("throughput", size, MEASURED, value)
        for size, value in zip(PUBLISHED_SIZES, PUBLISHED_THROUGHPUT, strict=True)
    ),
    PublishedPoint("energy", 32, MEASURED, 103e-9),
    PublishedPoint("energy", HEADLINE_SIZE, MEASURED, 529e-9),
    PublishedPoint("energy", HEADLINE_SIZE, FASTER, HEADLINE_ENERGY),
)


def published_deviations(assumptions: Assumptions, quantity: str = "throughput") -> list[float]:
    """Return the relative deviations from the published points of a quantity, ``throughput`` or ``energy``."""
    p = assumptions.parameters
    return [one.deviation(p) for one in PUBLISHED_POINTS if one.quantity == quantity]
