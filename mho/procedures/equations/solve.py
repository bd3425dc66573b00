"""Solve A x = b on the chip: encode, program, forecast, then refine until the residual passes the tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.fixed_point import MAX_BITS, slice_count
from mho.chip_maps.inverse_encoding import KINDS
from mho.chip_maps.multiply_encoding import MultiplyEncoding, slices_needed
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cells.programming import PULSES, PULSES_PER_CELL, BlockMaps, Programmer
from mho.procedures.cells.settings_text import read_settings, settings_in_use, settings_text
from mho.procedures.cells.write_verify import largest_pulses
from mho.procedures.equations.algorithms.certificate import Certificate, norm
from mho.procedures.equations.algorithms.refinement import Cycle, refine
from mho.procedures.equations.inversion import AnalogueInverse
from mho.procedures.equations.linear_system import Goal, LinearSystem
from mho.procedures.equations.products import SlicedProduct
from mho.procedures.equations.solve_messages import (
    say_encoding,
    say_forecast,
    say_products,
    say_what_slices_hold,
    shortfall,
)
from mho.procedures.equations.solve_plan import SolvePlan, encode_fitting, plan_solve
from mho.procedures.equations.solve_tables import PRODUCTS, cycles_table, solve_arrays
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Layout, RecordedParameter
from mho.runs.standard_figures import convergence_figure, programming_figures

Floats = NDArray[np.float64]

VECTOR_VOLTS = 0.2  # V, input of a 1 in MULTIPLY
INVERT_VOLTS = 1.0  # V, full scale of the INV inputs, which feed rows through resistors


@dataclass(frozen=True)
class Solution:
    """Result of a solve; `units` are those of the summary.

    Attributes
    ----------
    solution : (n,) array
        x, complex when A or b is.
    converged : bool
        Whether the certificate proves the requested bits, or the tolerance of the residual where one was given.
    certificate : Certificate
        Error bound from the residual, recomputed in float64 from the matrix as given and the solution as returned.
    cycles : list of dict
        Per cycle: cycle, residual (relative to b, as updated from the products), relative_error (to a float64 solve
        of the matrix as given), sliced_error (to the solution of the matrix as held), bits = -log2 relative_error.
    summary : dict
        Output of ``mho solve --json``.
    path : Path
        The run file.
    """

    solution: NDArray[Any]
    converged: bool
    certificate: Certificate
    cycles: list[dict[str, float]]
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {"virtual_seconds": "s"}


@dataclass(frozen=True)
class PreparedSolve:
    """A system on one bench.

    Attributes
    ----------
    system : LinearSystem
    on_chip : SolvePlan
        Encoding and placement of the matrix.
    sliced : (n,) array
        The solution of the matrix as the slices hold it.
    slices_wanted : int
        Number of slices required by the bits; the chip may have room for fewer.
    settings : WriteVerifySettings
    """

    system: LinearSystem
    on_chip: SolvePlan
    sliced: Floats
    slices_wanted: int
    settings: WriteVerifySettings


@dataclass(frozen=True)
class Refined:
    """Result of the refinement.

    Attributes
    ----------
    rows : list of dict
        As `Solution.cycles`.
    products_off : float
        Largest relative error of a carried residual that was found.
    last : Cycle
    """

    rows: list[dict[str, float]]
    products_off: float
    last: Cycle


@dataclass(frozen=True)
class Circuits:
    """Inverse and products of the programmed arrays; `rho` is the contraction forecast from their cells."""

    inverse: AnalogueInverse
    product: SlicedProduct
    rho: float


class Solve(Procedure):
    """Solve a system of linear equations to digital precision with analogue INV and MVM (HP-INV)."""

    version: ClassVar[str] = "2"  # in version 1 a tolerance of 0 meant none given
    title: ClassVar[str] = "Solve A x = b"
    group: ClassVar[str] = "Linear equations"

    matrix = Parameter("Matrix", default="")
    rhs = Parameter("Right-hand side", default="random")
    bits = IntegerParameter("Precision", units="bit", minimum=3, maximum=MAX_BITS - 2, default=24)
    tolerance = FloatParameter("Tolerance of the residual instead of the bits", minimum=0.0, maximum=1.0)
    max_cycles = IntegerParameter("Most cycles", minimum=1, maximum=10_000, default=50)
    encoding = ListParameter("Encoding of INV", choices=["auto", *KINDS], default="auto")
    correction_bits = IntegerParameter(
        "Bits of each correction", units="bit", minimum=3, maximum=24, default=12
    )
    wait = FloatParameter(
        "Wait between programming and the first cycle", units="s", minimum=0.0, maximum=1e8, default=0.0
    )
    seed = IntegerParameter("Seed of the right-hand side", minimum=0, default=0)
    write_verify = Parameter("Write-verify settings, the chip map's unless given")

    def check(self) -> LinearSystem:
        """Read matrix and right-hand side, and refuse a system without a solution at this precision."""
        read_settings(self.write_verify)
        return LinearSystem.load(self.matrix, self.rhs, self.seed, Goal(self.bits, self.tolerance))

    def prepare(self, given: LinearSystem, bench: Bench, rng: np.random.Generator) -> PreparedSolve:
        """Choose the encoding, place the blocks, check stability and limits."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        digit_bits = chip.level_scale().bits
        # Enough slices that rounding the matrix changes the solution by less than the requested bits.
        error = 2.0**-self.bits / given.certifier.inverse_norm
        wanted = slices_needed(given.matrix, self.bits, error, digit_bits)
        least = min(wanted, slice_count(self.correction_bits, digit_bits))
        multiply = encode_fitting(chip, given.matrix, wanted, least, bench.vector_size)
        sliced = _solution_as_sliced(multiply, given.rhs)
        on_chip = plan_solve(
            chip,
            multiply,
            rng,
            encoding=self.encoding,
            lines=bench.vector_size,
            input_conductance=bench.input_conductance,
        )
        settings = settings_in_use(chip.write_verify, self.write_verify)
        _check_limits(bench, settings)
        return PreparedSolve(given, on_chip, sliced, wanted, settings)

    def layout(self, plan: PreparedSolve) -> Layout:
        """Declare tables of pulses, cycles and products, maps per array, and matrices and vectors."""
        blocks = plan.on_chip.blocks()
        cells = sum(block.digits.size for block in blocks)
        pulses = replace(PULSES, rows=round(PULSES_PER_CELL * cells))
        cycles = cycles_table(plan.system.size, min(self.max_cycles, 50))
        maps = [
            one
            for name in dict.fromkeys(block.placement.array for block in blocks)
            for one in BlockMaps.covering(name, blocks).declared()
        ]
        arrays = solve_arrays(plan.system, plan.on_chip)
        names = list(dict.fromkeys(block.placement.array for block in blocks))
        levels = plan.on_chip.levels
        windows = zip(levels.low.tolist(), levels.high.tolist(), strict=True)
        figures = (convergence_figure(int(self.bits), self.tolerance), *programming_figures(names, windows))
        return Layout((pulses, cycles, PRODUCTS), tuple(maps), arrays, default="cycles", figures=figures)

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a tolerance of 0, which stood for that of the bits in version 1."""
        old = version == "1" and values.get("tolerance") == 0
        return {name: one for name, one in values.items() if not (old and name == "tolerance")}

    def in_use(self, plan: PreparedSolve) -> Mapping[str, tuple[str, str]]:
        """Return the residual that the bits require, where no tolerance was given, and the settings of write-verify."""
        return {
            "tolerance": (f"what proves {self.bits} bits", "the bits'"),
            "write_verify": (settings_text(plan.settings), "the chip map's"),
        }

    def recorded_parameters(self, plan: PreparedSolve) -> dict[str, RecordedParameter]:
        """Return the parameters, with all settings of write-verify."""
        recorded = super().recorded_parameters(plan)
        whole = replace(recorded["write_verify"], value=settings_text(plan.settings))
        return recorded | {"write_verify": whole}

    def describe_cells(self, plan: PreparedSolve) -> str:
        """Return arrays and cell ranges in use."""
        return "; ".join(
            f"{b.placement.array}[{b.placement.rows.min()}:{b.placement.rows.max() + 1}, "
            f"{b.placement.columns.min()}:{b.placement.columns.max() + 1}]"
            for b in plan.on_chip.blocks()
        )

    def run_title(self) -> str:
        """Return the name of the matrix and the precision."""
        name = Path(self.matrix).name if isinstance(self.matrix, str | Path) else "array"
        return f"Solve {name}, " + (
            f"{self.bits} bit" if self.tolerance is None else f"residual {self.tolerance:g}"
        )

    def estimate(self, given: LinearSystem, source: BenchSource) -> Estimate:
        """Estimate the pulses from the number of cells; zeros take hardly any, and inverting arrays count as full."""
        return Estimate(pulses=round(PULSES_PER_CELL * (given.digits + 2 * given.size**2)))

    def execute(self, plan: PreparedSolve, bench: Bench, stream: Stream) -> Solution:
        """Program, forecast, refine, report."""
        say_what_slices_hold(plan.system, plan.on_chip, plan.slices_wanted, stream)
        say_encoding(plan.on_chip, stream)
        programmer = _program(plan, bench, stream)
        rho = _forecast(plan, bench, stream)
        if self.wait > 0.0:
            bench.rest()
            bench.wait_until(bench.now() + self.wait)
        circuits = _calibrate(plan, bench, stream, rho)
        refined = self._refine(plan, bench, stream, circuits)
        return self._report(plan, bench, stream, programmer, circuits, refined)

    def _refine(self, plan: PreparedSolve, bench: Bench, stream: Stream, circuits: Circuits) -> Refined:
        system, exchange = plan.system, plan.on_chip.exchange
        inverse, product = circuits.inverse, circuits.product
        rows: list[dict[str, float]] = []
        off = 0.0
        outputs = wrong = 0
        for cycle in refine(
            system.rhs,
            lambda residual: inverse(exchange.of(residual)),
            product,
            system.certifier.residual,
            system.good_enough,
            correction_bits=self.correction_bits,
            max_cycles=self.max_cycles,
        ):
            stream.check()
            rows.append(_row(cycle, system.reference, plan.sliced))
            off = max(off, cycle.off) if cycle.off == cycle.off else off
            stream.emit(
                "cycles",
                **rows[-1],
                true_residual=cycle.recomputed,
                time=bench.now(),
                step=cycle.step,
                mvm_outputs=product.outputs - outputs,
                mvm_wrong=product.wrong - wrong,
                input=exchange.undone(inverse.last[0]),
                output=inverse.last[1],
                solution=cycle.solution,
            )
            expected, measured = product.sample
            numbers = np.full(expected.shape, cycle.number)
            stream.record_block("products", {"cycle": numbers, "expected": expected, "measured": measured})
            outputs, wrong = product.outputs, product.wrong
        return Refined(rows, off, cycle)

    def _report(
        self,
        plan: PreparedSolve,
        bench: Bench,
        stream: Stream,
        programmer: Programmer,
        circuits: Circuits,
        refined: Refined,
    ) -> Solution:
        """Announce the result, and return it with its certificate."""
        blocks, last, product = plan.on_chip.blocks(), refined.last, circuits.product
        failed = programmer.failed(blocks)
        certificate = plan.system.certify(last)
        converged = last.end == "converged"
        reason = "" if converged else shortfall(plan.system, last, certificate, circuits.rho, failed, product)
        solution = plan.system.as_given(last.solution)
        stream.set_array("solution", last.solution)
        if product.wrong:
            stream.say(f"{product.wrong} of {product.outputs} MVM integers were wrong", "WARNING")
        if reason:
            stream.say(f"not converged: {reason}", "WARNING")
        summary = {
            "converged": converged,
            "reason": reason,
            "bits_asked": int(self.bits) if self.tolerance is None else None,
            "tolerance": self.tolerance,
            "bits": certificate.bits,
            "certificate": certificate.plain(),
            "encoding": plan.on_chip.encoding.name,
            "forecast_rho": circuits.rho,
            "solution": _plain(solution),
            "relative_error": refined.rows[-1]["relative_error"],
            "sliced_error": refined.rows[-1]["sliced_error"],
            "cycles": refined.rows,
            "mvm_outputs": product.outputs,
            "mvm_wrong": product.wrong,
            "products_off": refined.products_off,
            "inv_clamped": circuits.inverse.clamped,
            "cells": sum(block.digits.size for block in blocks),
            "cells_failed": failed,
            "pulses": programmer.pulses,
            "reads": programmer.reads,
            "virtual_seconds": bench.now(),
        }
        return Solution(solution, converged, certificate, refined.rows, summary)


def _solution_as_sliced(multiply: MultiplyEncoding, rhs: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(multiply.matrix, rhs), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise InputError(
            f"the matrix is singular to {multiply.fixed.bits} bits; use more bits or another matrix"
        ) from None


def _check_limits(bench: Bench, settings: WriteVerifySettings) -> None:
    """Check the largest pulse of each kind before anything is sent."""
    bench.check_read()
    bench.limits.check_voltage("vector", VECTOR_VOLTS)
    for pulse in largest_pulses(settings):
        bench.check_pulse(pulse)


def _program(plan: PreparedSolve, bench: Bench, stream: Stream) -> Programmer:
    """Program all blocks; return the programmer with its totals."""
    on_chip = plan.on_chip
    names = [array.name for array in on_chip.chip.arrays]
    programmer = Programmer(bench, stream, on_chip.levels, names, plan.settings)
    programmer.program(on_chip.blocks())
    if failed := programmer.failed(on_chip.blocks()):
        stream.say(
            f"{failed} cells read outside their verify window after the last pass (relaxation, read noise, or lost)",
            "WARNING",
        )
    return programmer


def _forecast(plan: PreparedSolve, bench: Bench, stream: Stream) -> float:
    """Forecast contraction and stability from the achieved conductances, before the loop is closed."""
    achieved, rho = plan.on_chip.forecast(bench.input_conductance)
    stream.set_array("matrix_achieved", achieved)
    say_forecast(rho, stream)
    return rho


def _calibrate(plan: PreparedSolve, bench: Bench, stream: Stream, rho: float) -> Circuits:
    """Create inverse and products of the programmed arrays, with the products calibrated for their wires."""
    on_chip = plan.on_chip
    step, full_scale = on_chip.levels.step, min(INVERT_VOLTS, bench.file.limits["vector"].voltage)
    inverse = AnalogueInverse(bench, on_chip.encoding, on_chip.positive, on_chip.negative, step, full_scale)
    product = SlicedProduct(
        bench, on_chip.multiply, on_chip.tiles, step, VECTOR_VOLTS, checked=on_chip.checked
    )
    product.calibrate()
    say_products(len(on_chip.tiles), product, stream)
    return Circuits(inverse, product, rho)


def _row(cycle: Cycle, reference: Floats, sliced: Floats) -> dict[str, float]:
    error = _relative(cycle.solution, reference)
    return {
        "cycle": cycle.number,
        "residual": cycle.carried,
        "relative_error": error,
        "sliced_error": _relative(cycle.solution, sliced),
        "bits": float(-np.log2(max(error, 1e-300))),
    }


def _relative(value: Floats, reference: Floats) -> float:
    return norm(value - reference) / norm(reference)


def _plain(vector: NDArray[Any]) -> list[Any]:
    """Convert a vector for JSON: complex numbers as [real, imaginary]."""
    if np.iscomplexobj(vector):
        return [[float(v.real), float(v.imag)] for v in vector]
    return [float(v) for v in vector]
