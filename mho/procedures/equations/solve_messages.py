"""Messages of a running solve: plan, forecast, and reasons for missing convergence."""

from __future__ import annotations

import numpy as np

from mho.chip_maps.row_exchange import RowExchange
from mho.procedures.equations.algorithms.certificate import Certificate
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.linear_system import LinearSystem
from mho.procedures.equations.products import SlicedProduct
from mho.procedures.equations.solve_plan import SolvePlan
from mho.procedures.stream import Stream

NEAR_ONE = 0.95  # contraction from which refinement is too slow to be useful


def say_what_slices_hold(system: LinearSystem, plan: SolvePlan, wanted: int, stream: Stream) -> None:
    """Announce that the products hold fewer slices than the bits require; the residual is then recomputed more often.

    `wanted` is the number of slices that the bits require.
    """
    held, bits = plan.multiply.fixed.bits, system.goal.bits
    if held < wanted * plan.levels.bits:
        stream.say(
            f"there is room for {held} of {wanted * plan.levels.bits} bits of the matrix on the multiplying array; the "
            "residual is recomputed digitally for the rest",
            "WARNING",
        )
        return
    rounding = system.certifier.inverse_norm * np.linalg.norm(system.matrix - plan.multiply.matrix, 2)
    if system.goal.tolerance is None and rounding > 2.0**-bits:
        stream.say(
            f"{held} bits of the matrix are all that fixed point holds, {bits} of the solution would need more; "
            "the residual is recomputed digitally for the rest",
            "WARNING",
        )


def say_encoding(plan: SolvePlan, stream: Stream) -> None:
    """Announce how INV holds the matrix, and why."""
    chosen = plan.candidate
    others = ", ".join(
        f"{c.encoding.name} {c.rho:.3f}{'' if c.damped else ', which may oscillate'}" for c in plan.ranked[1:]
    )
    stream.say(
        f"INV encoding: {plan.encoding.name}, because its expected rho of {chosen.rho:.3f} is the smallest"
        + (f" (next: {others})" if others else "")
    )
    if plan.exchange.changes:
        stream.say(
            f"INV holds the rows in the order {_signed(plan.exchange)}, for which the forecast is best"
        )
    if not chosen.damped:
        stream.say("the INV circuit may oscillate: eigenvalues of D^-1 G far from the real axis", "WARNING")


def say_forecast(rho: float, stream: Stream) -> None:
    """Announce how fast the residual is expected to fall."""
    if rho < 1.0:
        stream.say(f"forecast: rho(I - A A0^-1) = {rho:.3f}, {-np.log2(rho):.1f} bits a cycle")
    else:
        stream.say(
            f"forecast: rho(I - A A0^-1) = {rho:.3f}, plain refinement would diverge; the line search keeps "
            "the residual from growing but may be slow",
            "WARNING",
        )


def say_products(tiles: int, product: SlicedProduct, stream: Stream) -> None:
    """Announce the number of tiles of the matrix, and of lines active at once."""
    sizes = [len(group) for group in product.groups]
    active = f"{min(sizes)} to {max(sizes)} lines" if min(sizes) < max(sizes) else _count(sizes[0], "line")
    stream.say(f"MVM: {_count(tiles, 'tile')}, {_count(len(sizes), 'group')} of {active} active at once")


def shortfall(
    system: LinearSystem,
    last: Cycle,
    certificate: Certificate,
    rho: float,
    failed: int,
    product: SlicedProduct,
) -> str:
    """Return why the solve ended before it converged, with advice.

    `failed` is the number of cells outside their window, `rho` the forecast contraction.
    """
    why = {
        "cycles": f"all cycles allowed ({last.number}) are used up",
        "stalled": "the residual falls no more",
        "railed": "the INV loop rails",
    }[last.end]
    reached = system.goal.reached(certificate)
    if system.exhausted(last.solution, certificate.residual):
        return f"{why}, {reached}; a solution in float64 holds no smaller residual"
    advice = []
    if last.end == "cycles" and rho < NEAR_ONE:
        advice.append("allow more cycles")
    if rho >= NEAR_ONE:
        advice.append(f"choose another encoding or a chip with tighter cells (rho is {rho:.2f})")
    if product.wrong or failed:
        advice.append(
            f"program again, or use quieter cells ({failed} cells outside their window, {product.wrong} of "
            f"{product.outputs} MVM integers wrong)"
        )
    return f"{why}, {reached}; {', or '.join(advice or ['scale or reorder the matrix'])}"


def _signed(exchange: RowExchange) -> str:
    """Format rows counted from 1, negated ones with a minus."""
    return ", ".join(
        f"{'-' if s < 0.0 else ''}{r + 1}" for r, s in zip(exchange.order, exchange.signs, strict=True)
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
