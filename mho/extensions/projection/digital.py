"""What a GPU or CPU can do at most, by its data sheet: the roofline of batched solves in FP32 or FP64.

Data that is read or written once a solve, over the memory's rate; operations over the processor's; the slower of both
counts. Matrices of a batch come from memory; what is kept of one matrix for many right-hand sides stays in the
processor's caches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mho.extensions.projection.assumptions import Parameters, Value
from mho.extensions.projection.model import inverse_operations, product_operations, solve_operations

FP32, FP64 = 4.0, 8.0  # bytes of a number


@dataclass(frozen=True)
class Processor:
    """A processor's limits: B/s, op/s, W, cores, the share of them that is reached, and bytes of a number."""

    memory_rate: Value
    rate: Value
    power: Value
    cores: Value
    reached: Value = 1.0
    number: float = FP32


@dataclass(frozen=True)
class DigitalReading:
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


def in_double(p: Parameters) -> Mapping[str, Processor]:
    """Return the processors that work in FP64, natively and emulated, by name.

    Emulation, Ozaki scheme II, makes one product in FP64 of some 15 in INT8 on tensor cores. What is reported is of large
    products; here it is a limit at every size, as data sheets' rates are.
    """
    rates = {
        "FP64": p.gpu_fp64_rate,
        "FP64 on tensor cores": p.gpu_fp64_tensor_rate,
        "emulated FP64": p.gpu_fp64_emulated_rate,
    }
    whole = {"H100": (p.gpu_memory_rate, p.gpu_power), "GH200": (p.superchip_memory_rate, p.superchip_power)}
    return {
        f"{name} in {how}": Processor(memory, rate, power, p.gpu_cores, p.gpu_reached, FP64)
        for name, (memory, power) in whole.items()
        for how, rate in rates.items()
    }


def new_matrix(size: int, one: Processor) -> DigitalReading:
    """Return a solve with a matrix of its own: it is read, factorised, and its one system solved.

    At N = 32 on an H100 SXM memory decides: 4,352 bytes, 0.77e9 solves/s, 909 nJ.
    """
    return _roofline(size**2 + 2.0 * size, solve_operations(size), one)


def kept_matrix(size: int, one: Processor) -> DigitalReading:
    """Return a product with a stored inverse, of many: vectors come from memory and go there, the inverse stays.

    At N = 32 on an H100 SXM: 256 bytes, 13e9 solves/s, 53 nJ.
    """
    return _roofline(2.0 * size, product_operations(size), one)


def inversion(size: int, one: Processor) -> DigitalReading:
    """Return the making of a stored inverse, which is paid once for a matrix."""
    return _roofline(2.0 * size**2, inverse_operations(size), one)


def refined_new(size: int, p: Parameters) -> DigitalReading:
    """Return `new_matrix` with a factorisation in FP16 on tensor cores, refined digitally to the bits of the circuit.

    Each cycle takes the residual and two triangular systems in FP32, ``4 N^2`` operations. Only arithmetic shrinks: up to
    N = 234 a new matrix in FP32 takes longer to read than to factorise on an H100 SXM.
    """
    return _refined(size**2 + 2.0 * size, size**3 / 3.0, 2.0 * product_operations(size), p)


def refined_kept(size: int, p: Parameters) -> DigitalReading:
    """Return `kept_matrix` with an inverse in FP16 on tensor cores, refined so: the residual in FP32 is what takes time."""
    rounds = _refinements(p)
    return _refined(2.0 * size, rounds * product_operations(size), product_operations(size), p)


def _refinements(p: Parameters) -> Value:
    return np.ceil(np.divide(p.bits, p.gpu_fp16_bits) - 1e-9)


def _refined(numbers: float, low: Value, each: Value, p: Parameters) -> DigitalReading:
    """Return a solve of `low` operations in FP16, and `each` in FP32 a cycle of refinement."""
    # in operations of FP32, so that the roofline is that of the others
    operations = low * np.divide(p.gpu_rate, p.gpu_fp16_tensor_rate) + _refinements(p) * each
    return _roofline(numbers, operations, gpu(p))


def one_core(whole: DigitalReading, one: Processor) -> DigitalReading:
    """Return what one of the cores does, if all do the same: as many times slower, and the same energy."""
    return DigitalReading(np.multiply(whole.seconds, one.cores), whole.joules)


def published_core(size: int, p: Parameters) -> DigitalReading:
    """Return the core that the published figure compares with: its operations a second and per joule, as stated."""
    operations = solve_operations(size)
    return DigitalReading(operations / p.core_rate, operations / p.core_efficiency)


def _roofline(numbers: float, operations: Value, one: Processor) -> DigitalReading:
    read = np.divide(one.number * numbers, one.memory_rate)
    seconds = np.maximum(read, np.divide(operations, one.rate)) / one.reached
    return DigitalReading(seconds, np.multiply(seconds, one.power))
