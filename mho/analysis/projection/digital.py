"""What a GPU or CPU can do at most, by its data sheet: the roofline of batched solves in FP32.

Data that is read or written once a solve, over the memory's rate; operations over the processor's; the slower of both
counts. Matrices of a batch come from memory; what is kept of one matrix for many right-hand sides stays in the
processor's caches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.analysis.projection.assumptions import Parameters, Value
from mho.analysis.projection.operations import inverse_operations, product_operations, solve_operations

FP32 = 4.0
"""Bytes of a number."""


@dataclass(frozen=True)
class Processor:
    """A processor's limits: B/s, op/s, W, cores, and the share of them that is reached."""

    memory_rate: Value
    rate: Value
    power: Value
    cores: Value
    reached: Value = 1.0


@dataclass(frozen=True)
class Reading:
    """One way to count what a processor does: seconds and joules of a solve, in the mean over a full batch."""

    seconds: Value
    joules: Value

    @property
    def rate(self) -> Value:
        """Solves a second."""
        return 1.0 / np.asarray(self.seconds)


def gpu(p: Parameters) -> Processor:
    """Return the whole GPU."""
    return Processor(p.gpu_memory_rate, p.gpu_rate, p.gpu_power, p.gpu_cores, p.gpu_reached)


def cpu(p: Parameters) -> Processor:
    """Return the whole CPU."""
    return Processor(p.cpu_memory_rate, p.cpu_rate, p.cpu_power, p.cpu_cores)


def new_matrix(size: int, one: Processor) -> Reading:
    """Return a solve with a matrix of its own: it is read, factorised, and its one system solved.

    At N = 32 on an H100 SXM memory decides: 4,352 bytes, 0.77e9 solves/s, 909 nJ.
    """
    return _roofline(FP32 * (size**2 + 2.0 * size), solve_operations(size), one)


def kept_matrix(size: int, one: Processor) -> Reading:
    """Return a product with a stored inverse, of many: vectors come from memory and go there, the inverse stays.

    At N = 32 on an H100 SXM: 256 bytes, 13e9 solves/s, 53 nJ.
    """
    return _roofline(FP32 * 2.0 * size, product_operations(size), one)


def inversion(size: int, one: Processor) -> Reading:
    """Return the making of a stored inverse, which is paid once for a matrix."""
    return _roofline(FP32 * 2.0 * size**2, inverse_operations(size), one)


def one_core(whole: Reading, one: Processor) -> Reading:
    """Return what one of the cores does, if all do the same: as many times slower, and the same energy."""
    return Reading(np.multiply(whole.seconds, one.cores), whole.joules)


def published_core(size: int, p: Parameters) -> Reading:
    """Return the core that the published figure compares with: its operations a second and per joule, as stated."""
    operations = solve_operations(size)
    return Reading(operations / p.core_rate, operations / p.core_efficiency)


def _roofline(size: float, operations: Value, one: Processor) -> Reading:
    seconds = np.maximum(np.divide(size, one.memory_rate), np.divide(operations, one.rate)) / one.reached
    return Reading(seconds, np.multiply(seconds, one.power))
