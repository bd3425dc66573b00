"""Solve A x = b on the chip: encode, program, forecast, then refine until the residual passes the tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.fixed_point import MAX_BITS, PEAKS, slice_count
from mho.chip_maps.inverse_encoding import KINDS
from mho.chip_maps.matrix_files import from_real_vector, load_matrix, load_vector, to_real, to_real_vector
from mho.chip_maps.multiply_encoding import encode_multiply, slices_needed
from mho.chip_maps.row_exchange import RowExchange
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cells.programming import PULSES, PULSES_PER_CELL, BlockMaps, Programmer
from mho.procedures.cells.write_verify import WriteVerifySettings
from mho.procedures.equations.certificate import Certificate, Certifier, norm
from mho.procedures.equations.inversion import AnalogueInverse
from mho.procedures.equations.products import SlicedProduct
from mho.procedures.equations.refinement import Cycle, refine
from mho.procedures.equations.solve_plan import encode_fitting, plan_solve
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Layout, Table

Floats = NDArray[np.float64]

DIGIT_BITS = 3  # of a cell, until the chip says how many levels it has
NEAR_ONE = 0.95  # contraction from where refinement is too slow to be of use
VECTOR_VOLTS = 0.2  # volts that stand for a 1 in MULTIPLY
INVERT_VOLTS = 1.0  # full scale of the INV inputs; they feed rows through resistors, no cell sees them


@dataclass(frozen=True)
class Solution:
    """What a solve found.

    Attributes
    ----------
    solution : (n,) array
        x, complex when A or b is.
    converged : bool
        Whether the certificate proves the bits asked for, or the tolerance of the residual where one was given.
    certificate : Certificate
        What the residual, recomputed in float64 from matrix and solution as given and handed out, proves.
    cycles : list of dict
        Per cycle: cycle, residual (relative to b, as the products carried it on), relative_error (to a float64
        solve of the matrix as given), sliced_error (to the solution of the matrix as held), bits = -log2
        relative_error.
    summary : dict
        What ``mho solve --json`` prints.
    path : Path
        The run file.
    """

    solution: NDArray[Any]
    converged: bool
    certificate: Certificate
    cycles: list[dict[str, float]]
    summary: dict[str, Any]
    path: Path = field(default=Path())


class Solve(Procedure):
    """Solve a system of linear equations to digital precision with analogue INV and MVM (HP-INV)."""

    version: ClassVar[str] = "2"  # 1: a tolerance of 0 was none given, and the carried residual was believed
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

    def check(self) -> None:
        """Read matrix and right-hand side, and refuse what has no solution at this precision."""
        given = load_matrix(self.matrix)
        rhs = load_vector(
            self.rhs, len(given), np.random.default_rng(self.seed), complex_values=np.iscomplexobj(given)
        )
        self._given = given, rhs
        self._complex = np.iscomplexobj(given)
        self._matrix, self._rhs = to_real(given), to_real_vector(rhs)
        if not np.any(self._rhs):
            raise InputError("the right-hand side is zero everywhere; so is the solution")
        self._multiply = encode_multiply(self._matrix, self.bits, DIGIT_BITS)
        self._certifier = Certifier(self._matrix, self._rhs)
        self._certifier.require(self.bits if self.tolerance is None else 0)
        self._exact: Floats = np.asarray(np.linalg.solve(self._matrix, self._rhs), dtype=np.float64)
        for what, values in (("right-hand side", self._rhs), ("solution", self._exact)):
            peak = float(np.abs(values).max())
            if not PEAKS[0] <= peak <= PEAKS[1]:
                raise InputError(
                    f"the largest magnitude of the {what} is {peak:.3g}; scale the system to between {PEAKS[0]:.0e} and "
                    f"{PEAKS[1]:.0e}"
                )

    def _slices_wanted(self, digit_bits: int) -> int:
        """How many slices make rounding the matrix move the solution by less than the bits asked for."""
        error = 2.0**-self.bits / self._certifier.inverse_norm
        return slices_needed(self._matrix, self.bits, error, digit_bits)

    def prepare(self, bench: Bench, rng: np.random.Generator) -> None:
        """Choose the encoding, place the blocks, check stability and limits."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        digit_bits = chip.level_scale().bits
        self._wanted = self._slices_wanted(digit_bits)
        least = min(self._wanted, slice_count(self.correction_bits, digit_bits))
        self._multiply = encode_fitting(chip, self._matrix, self._wanted, least, bench.vector_size)
        try:
            sliced = np.linalg.solve(self._multiply.matrix, self._rhs)
        except np.linalg.LinAlgError:
            raise InputError(
                f"the matrix is singular to {self._multiply.fixed.bits} bits; use more bits or another matrix"
            ) from None
        self._sliced: Floats = np.asarray(sliced, dtype=np.float64)
        self._plan = plan_solve(
            chip,
            self._multiply,
            rng,
            encoding=self.encoding,
            lines=bench.vector_size,
            input_conductance=bench.input_conductance,
        )
        self._settings = WriteVerifySettings()
        self._check_limits(bench)

    def _check_limits(self, bench: Bench) -> None:
        """Check the largest pulse of each kind before anything is sent."""
        bench.check_read()
        bench.limits.check_voltage("vector", VECTOR_VOLTS)
        for pulse in self._settings.largest_pulses():
            bench.check_pulse(pulse)

    def layout(self) -> Layout:
        """Tables pulses, cycles and products; maps per array; matrices and vectors."""
        n, plan = len(self._matrix), self._plan
        given, rhs = self._given
        vector = lambda name, text, unit="": Column(name, unit, shape=(n,), description=text)  # noqa: E731
        cycles = Table(
            "cycles",
            (
                Column("cycle", dtype="u4"),
                Column("time", "s", description="bench time"),
                Column(
                    "residual",
                    description="relative to the right-hand side, as the products carried it on",
                    digital=1e-11,
                ),
                Column(
                    "true_residual", description="recomputed in float64; NaN where it was not", digital=1e-11
                ),
                Column(
                    "relative_error", description="to a float64 solve of the matrix as given", digital=1e-11
                ),
                Column(
                    "sliced_error",
                    description="to the solution of the matrix as held by the slices",
                    digital=1e-11,
                ),
                Column("bits", description="-log2 relative_error", digital=1e-2),
                Column("step", description="length of the step along the correction", digital=1e-6),
                Column("mvm_outputs", dtype="u8", description="integers read in this cycle"),
                Column("mvm_wrong", dtype="u8", description="of these, not the digits' exact sum"),
                vector(
                    "input",
                    "volts at the INV inputs, by row of A; negated where INV holds the row negated",
                    "V",
                ),
                vector("output", "volts at the INV outputs", "V"),
                Column("solution", shape=(n,), description="x after this cycle", digital=1e-9),
            ),
            signal="relative_error",
            axis="cycle",
            title="refinement",
            rows=min(self.max_cycles, 50),
        )
        products = Table(
            "products",
            (
                Column("cycle", dtype="u4"),
                Column("expected", "digit", description="the digits' exact sum"),
                Column("measured", "digit", description="before it is rounded"),
            ),
            signal="measured",
            axis="expected",
            title="a sample of each product's outputs",
            rows=1000,
        )
        arrays = (
            Array("matrix", given, description="A as given"),
            Array("matrix_held", self._multiply.matrix, description="A as the slices hold it"),
            Array("rhs", rhs, description="b as given"),
            Array(
                "reference", self._exact, description="float64 solution of the matrix as given", digital=1e-9
            ),
            Array("solution", np.full(n, np.nan), description="x", digital=1e-9),
            Array("digits_multiply", self._multiply.digits, description="digits (inputs, columns)"),
            Array("digits_invert", plan.positive.digits, description="digits of the inverting array"),
            Array(
                "rows_invert",
                plan.exchange.order,
                description="row of A (as a real matrix) that each row of INV holds",
            ),
            Array("signs_invert", plan.exchange.signs, description="-1 where it holds it negated"),
            Array(
                "matrix_achieved", np.full((n, n), np.nan), description="A0, what INV inverts", digital=1e-9
            ),
        )
        maps = [
            one
            for name in dict.fromkeys(b.placement.array for b in plan.blocks())
            for one in BlockMaps.covering(name, plan.blocks()).declared()
        ]
        cells = sum(block.digits.size for block in plan.blocks())
        pulses = replace(PULSES, rows=round(PULSES_PER_CELL * cells))
        return Layout((pulses, cycles, products), tuple(maps), arrays, default="cycles")

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out a tolerance of 0, which once stood for the bits'."""
        old = version == "1" and values.get("tolerance") == 0
        return {name: one for name, one in values.items() if not (old and name == "tolerance")}

    def in_use(self) -> Mapping[str, tuple[str, str]]:
        """The residual that the bits ask for, where no tolerance was given."""
        return {"tolerance": (f"what proves {self.bits} bits", "the bits'")}

    def describe_cells(self) -> str:
        """Arrays and cell ranges in use."""
        return "; ".join(
            f"{b.placement.array}[{b.placement.rows.min()}:{b.placement.rows.max() + 1}, "
            f"{b.placement.columns.min()}:{b.placement.columns.max() + 1}]"
            for b in self._plan.blocks()
        )

    def run_title(self) -> str:
        """Name the matrix and the precision."""
        name = Path(self.matrix).name if isinstance(self.matrix, str | Path) else "array"
        return f"Solve {name}, " + (
            f"{self.bits} bit" if self.tolerance is None else f"residual {self.tolerance:g}"
        )

    def estimate(self, source: BenchSource) -> Estimate:
        """Count the cells: zeros take hardly any pulse, and the inverting arrays are taken as full."""
        cells = np.count_nonzero(self._multiply.digits) + 2 * len(self._matrix) ** 2
        return Estimate(pulses=round(PULSES_PER_CELL * cells))

    def execute(self, bench: Bench, stream: Stream) -> Solution:
        """Program, forecast, refine."""
        plan, levels = self._plan, self._plan.levels
        encoding, chosen = plan.encoding, plan.candidate
        others = ", ".join(
            f"{c.encoding.name} {c.rho:.3f}{'' if c.damped else ', which may oscillate'}"
            for c in plan.ranked[1:]
        )
        self._say_what_slices_hold(stream)
        stream.say(
            f"INV encoding: {encoding.name}, because its expected rho of {chosen.rho:.3f} is the smallest"
            + (f" (next: {others})" if others else "")
        )
        if plan.exchange.changes:
            stream.say(
                f"INV holds the rows in the order {_signed(plan.exchange)}, for which the forecast is best"
            )
        if not chosen.damped:
            stream.say(
                "the INV circuit may oscillate: eigenvalues of D^-1 G far from the real axis", "WARNING"
            )
        names = [array.name for array in plan.chip.arrays]
        programmer = Programmer(bench, stream, levels, names, self._settings)
        programmer.program(plan.blocks())
        failed = programmer.failed(plan.blocks())
        if failed:
            stream.say(
                f"{failed} cells read outside their verify window after the last pass (relaxation, read noise, or lost)",
                "WARNING",
            )
        rho = self._forecast(bench, stream)
        if self.wait > 0.0:
            bench.rest()
            bench.wait_until(bench.now() + self.wait)
        full_scale = min(INVERT_VOLTS, bench.file.limits["vector"].voltage)
        inverse = AnalogueInverse(bench, encoding, plan.positive, plan.negative, levels.step, full_scale)
        product = SlicedProduct(bench, plan.multiply, plan.tiles, levels.step, VECTOR_VOLTS)
        product.calibrate()
        sizes = [len(group) for group in product.groups]
        active = (
            f"{min(sizes)} to {max(sizes)} lines" if min(sizes) < max(sizes) else _count(sizes[0], "line")
        )
        stream.say(
            f"MVM: {_count(len(plan.tiles), 'tile')}, {_count(len(sizes), 'group')} of {active} active at once"
        )
        rows, off, last = self._cycles(bench, stream, inverse, product)
        certificate = self._certify(last)
        converged = last.end == "converged"
        reason = "" if converged else self._shortfall(last, certificate, rho, failed, product)
        solution = from_real_vector(last.solution) if self._complex else last.solution
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
            "encoding": encoding.name,
            "forecast_rho": rho,
            "solution": _plain(solution),
            "relative_error": rows[-1]["relative_error"],
            "sliced_error": rows[-1]["sliced_error"],
            "cycles": rows,
            "mvm_outputs": product.outputs,
            "mvm_wrong": product.wrong,
            "products_off": max(off),
            "inv_clamped": inverse.clamped,
            "cells": sum(b.digits.size for b in plan.blocks()),
            "cells_failed": failed,
            "pulses": programmer.pulses,
            "reads": programmer.reads,
            "virtual_seconds": bench.now(),
        }
        return Solution(solution, converged, certificate, rows, summary)

    def _say_what_slices_hold(self, stream: Stream) -> None:
        """Say so where the products cannot hold what the bits ask for: the residual is then recomputed more often."""
        held = self._multiply.fixed.bits
        wanted = self._wanted * self._plan.levels.bits
        if held < wanted:
            stream.say(
                f"there is room for {held} of {wanted} bits of the matrix on the multiplying array; the residual is "
                "recomputed digitally for the rest",
                "WARNING",
            )
        rounding = self._certifier.inverse_norm * np.linalg.norm(self._matrix - self._multiply.matrix, 2)
        if self.tolerance is None and held >= wanted and rounding > 2.0**-self.bits:
            stream.say(
                f"{held} bits of the matrix are all that fixed point holds, {self.bits} of the solution would need more; "
                "the residual is recomputed digitally for the rest",
                "WARNING",
            )

    def _certify(self, cycle: Cycle) -> Certificate:
        return self._certifier.certify(cycle.solution, norm(cycle.residual))

    def _enough(self, solution: Floats, residual: float) -> bool:
        """Tell whether a solution with this norm of the residual has the bits, or meets the tolerance."""
        certificate = self._certifier.certify(solution, residual)
        if self.tolerance is not None:
            return bool(certificate.relative_residual <= self.tolerance)
        return bool(certificate.bits >= self.bits)

    def _shortfall(
        self, last: Cycle, certificate: Certificate, rho: float, failed: int, product: SlicedProduct
    ) -> str:
        """Say why the solve ended before it converged, and what would help."""
        why = {
            "cycles": f"all cycles allowed ({self.max_cycles}) are used up",
            "stalled": "the residual falls no more",
            "railed": "the INV loop rails",
        }[last.end]
        reached = (
            f"{certificate.bits:.1f} of {self.bits} bits are proved"
            if self.tolerance is None
            else f"the residual is {certificate.relative_residual:.2e}, the tolerance {self.tolerance:g}"
        )
        if certificate.residual <= self._certifier.smallest_residual(last.solution):
            return f"{why}, {reached}; a solution in float64 holds no smaller residual"
        help_ = []
        if last.end == "cycles" and rho < NEAR_ONE:
            help_.append("allow more cycles")
        if rho >= NEAR_ONE:
            help_.append(f"choose another encoding or a chip with tighter cells (rho is {rho:.2f})")
        if product.wrong or failed:
            help_.append(
                f"program again, or use quieter cells ({failed} cells outside their window, {product.wrong} of "
                f"{product.outputs} MVM integers wrong)"
            )
        help_ = help_ or ["scale or reorder the matrix"]
        return f"{why}, {reached}; {', or '.join(help_)}"

    def _forecast(self, bench: Bench, stream: Stream) -> float:
        """Contraction and stability from the achieved conductances, said before the first cycle."""
        achieved, rho = self._plan.forecast(bench.input_conductance)
        stream.set_array("matrix_achieved", achieved)
        if rho < 1.0:
            stream.say(f"forecast: rho(I - A A0^-1) = {rho:.3f}, {-np.log2(rho):.1f} bits a cycle")
        else:
            stream.say(
                f"forecast: rho(I - A A0^-1) = {rho:.3f}, plain refinement would diverge; the line search keeps "
                "the residual from growing but may be slow",
                "WARNING",
            )
        return rho

    def _cycles(
        self, bench: Bench, stream: Stream, inverse: AnalogueInverse, product: SlicedProduct
    ) -> tuple[list[dict[str, float]], list[float], Cycle]:
        rows: list[dict[str, float]] = []
        off = [0.0]  # what the products were seen to lose
        outputs = wrong = 0
        for cycle in refine(
            self._rhs,
            lambda residual: inverse(self._plan.exchange.of(residual)),
            product,
            self._certifier.residual,
            self._enough,
            correction_bits=self.correction_bits,
            max_cycles=self.max_cycles,
        ):
            stream.check()
            error = _relative(cycle.solution, self._exact)
            row = {
                "cycle": cycle.number,
                "residual": cycle.carried,
                "relative_error": error,
                "sliced_error": _relative(cycle.solution, self._sliced),
                "bits": float(-np.log2(max(error, 1e-300))),
            }
            rows.append(row)
            off += [cycle.off] if cycle.off == cycle.off else []
            stream.emit(
                "cycles",
                **row,
                true_residual=cycle.recomputed,
                time=bench.now(),
                step=cycle.step,
                mvm_outputs=product.outputs - outputs,
                mvm_wrong=product.wrong - wrong,
                input=self._plan.exchange.undone(inverse.last[0]),
                output=inverse.last[1],
                solution=cycle.solution,
            )
            expected, measured = product.sample
            numbers = np.full(expected.shape, cycle.number)
            stream.record_block("products", {"cycle": numbers, "expected": expected, "measured": measured})
            outputs, wrong = product.outputs, product.wrong
        return rows, off, cycle


def _signed(exchange: RowExchange) -> str:
    """Rows from 1, negated ones with a minus."""
    return ", ".join(
        f"{'-' if s < 0.0 else ''}{r + 1}" for r, s in zip(exchange.order, exchange.signs, strict=True)
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _relative(value: Floats, reference: Floats) -> float:
    return norm(value - reference) / norm(reference)


def _plain(vector: NDArray[Any]) -> list[Any]:
    """A vector as JSON has it: complex numbers as [real, imaginary]."""
    if np.iscomplexobj(vector):
        return [[float(v.real), float(v.imag)] for v in vector]
    return [float(v) for v in vector]
