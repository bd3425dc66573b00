"""Latency, energy, area and writes of analogue inversion, from counts and assumptions; whole arrays at once.

A solve takes ``cycles`` of refinement, each with the INV and MVM operations of `Calls`:

    time = cycles (inversions (t_INV + t_conv) + products shots (t_MVM + t_conv))
    cycles = bits / bits_per_cycle, rounded up      shots = passes over slices x vector slices x line groups

Throughput is `solve_operations` over that time. Nothing in it depends on N for one loop: that is the whole of the
published curve. By blocks the same formula has the calls of BlockAMC, and no parameter more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.extensions.projection.assumptions import Parameters, Value
from mho.extensions.projection.operations import Calls, in_blocks, one_loop, solve_operations


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
