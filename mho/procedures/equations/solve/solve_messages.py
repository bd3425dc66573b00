"""Messages of a running solve: the plan, the forecast, the products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mho.procedures.equations.algorithms.refinement import Method, method_name
from mho.procedures.equations.blocks.schwarz import SchwarzPlan
from mho.procedures.equations.circuits.products import SlicedProduct
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import FORM_NAMES, LinearSystem
from mho.procedures.equations.planning.method_choice import MethodChoice
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.procedures.equations.solve.answers import ColumnAnswer
from mho.procedures.stream import Stream


def say_what_slices_hold(system: LinearSystem, plan: SolvePlan, slices: int, stream: Stream) -> None:
    """Announce that the products hold fewer slices than the bits require; the residual is then recomputed more often.

    `slices` is the number of slices that the bits require.
    """
    if plan.multiply is None:
        stream.say("the residual is taken in float64; the chip inverts")
        return
    fitting, bits = plan.multiply.fixed.bits, system.goal.bits
    if fitting < slices * plan.levels.bits:
        stream.say(
            f"there is room for {fitting} of {slices * plan.levels.bits} bits of the matrix on the multiplying array; the "
            "residual is recomputed digitally for the rest",
            "WARNING",
        )
        return
    if system.residual_only:
        return
    values = np.linalg.svd(plan.loop.matrix, compute_uv=False)
    rounding = np.linalg.norm(plan.loop.matrix - plan.multiply.matrix, 2) / values[-1]
    if system.goal.tolerance is None and rounding > 2.0**-bits:
        stream.say(
            f"{fitting} bits of the matrix are all that fixed point holds, {bits} of the solution would need more; "
            "the residual is recomputed digitally for the rest",
            "WARNING",
        )


def say_least_squares(system: LinearSystem, stream: Stream) -> None:
    """Announce by which square system least squares are solved, and why; nothing for a square matrix."""
    form = system.square_form
    if form is not None:
        rows, columns = system.given_matrix.shape
        stream.say(
            f"{rows} equations for {columns} unknowns are solved by least squares, by the "
            f"{FORM_NAMES[form.form]} ({system.size} lines): {form.why}"
        )


def say_taken_over(taken: int, system: LinearSystem, stream: Stream) -> None:
    """Announce how many answers of an earlier run are taken over; nothing where there is no such run."""
    if stream.earlier is not None:
        stream.say(
            f"{taken} of {system.count} right-hand sides are taken over from {stream.earlier}, their residuals taken again"
        )


def say_inverse_residual(residual: float, stream: Stream) -> None:
    """Announce the residual of the whole inverse."""
    stream.say(f"the largest magnitude in I - A X is {residual:.2e}")


def say_encoding(plan: SolvePlan, stream: Stream) -> None:
    """Announce how INV holds the matrix, and why."""
    chosen, form = plan.candidate, plan.preconditioning
    others = ", ".join(
        f"{c.encoding.name} {c.rho:.3f}{'' if c.damped else ', which may oscillate'}"
        for c in plan.loop.ranked
        if c.encoding.name != plan.encoding.name
    )
    stream.say(
        f"INV encoding: {plan.encoding.name}, expected rho {chosen.rho:.3f}, {plan.loop.cycles:.0f} cycles to 24 bits"
        + (f" (others: {others})" if others else "")
    )
    if form.exchanges:
        rows = (f"{'-' if s < 0.0 else ''}{r + 1}" for r, s in zip(form.order, form.signs, strict=True))
        stream.say(f"the chip holds the rows in the order {', '.join(rows)}, for which the forecast is best")
    if form.scales:
        stream.say(
            "the chip holds rows and columns scaled by powers of two to like size, which is undone exactly"
        )
    if chosen.shift:
        stream.say(
            f"no loop of the matrix itself settles: INV holds A + {chosen.shift:.3g} I, whose inverse serves the method "
            "as preconditioner"
        )
    if not chosen.damped:
        stream.say("the INV circuit may oscillate: eigenvalues of D^-1 G far from the real axis", "WARNING")


def say_method(choice: MethodChoice, stream: Stream) -> None:
    """Announce the method that was chosen, with what each is expected to take; nothing for one that was given."""
    if choice.judged:
        stream.say(f"method: {method_name(choice.method)}; {choice.in_words()}")


def say_other_method(chosen: Method, stream: Stream) -> None:
    """Announce that the cells came out so that another method than the chosen one serves them."""
    stream.say(
        f"around the cells as programmed {method_name(chosen)} would take more cycles than GCR, which is the method from "
        "here on"
    )


def say_blocks(plan: BlockSolvePlan, stream: Stream) -> None:
    """Announce how a matrix that no loop holds is cut."""
    shifted = sum(leaf.loop.candidate.shift > 0.0 for leaf in plan.leaves)
    stream.say(f"the matrix is inverted by {_decomposition(plan)}; the residual is taken in float64")
    for one in plan.judged:
        stream.say(one.in_words(), "INFO" if one.enough or one is not plan.judged[-1] else "WARNING")
    if rotated := sum(leaf.rotation is not None for leaf in plan.leaves):
        stream.say(
            f"{rotated} of the loops hold a definite polar factor, as those of their own blocks do not settle"
        )
    if shifted:
        stream.say(f"{shifted} of the loops are shifted, as those of their own blocks do not settle")
    if plan.preconditioning.exchanges or plan.preconditioning.scales:
        stream.say(
            "the chip holds the rows in another order, or rows and columns scaled, which is undone exactly"
        )


def _decomposition(plan: BlockSolvePlan) -> str:
    tree, loops = plan.tree, _count(len(plan.leaves), "loop")
    if not isinstance(tree, SchwarzPlan):
        return (
            f"blocks: {loops}, {len(plan.products)} blocks to multiply with; {tree.inversions} inversions of a leaf and "
            f"{tree.products} products a cycle ({plan.effort.name})"
        )
    overlapping = any(len(one.own) < len(one.unknowns) for one in tree.subdomains)
    how = "restricted additive Schwarz" if overlapping else "block Jacobi"
    level = "" if tree.coarse is None else f", and a coarse level of {_count(tree.coarse.size, 'unknown')}"
    return f"{how}: {_count(len(tree.subdomains), 'subdomain')} on {loops}{level}; {tree.inversions} inversions a cycle"


def say_outcome(
    counts: Mapping[str, int], unconverged: Sequence[tuple[int, ColumnAnswer]], system: LinearSystem,
    stream: Stream,
) -> None:  # fmt: skip
    """Announce wrong integers, and the right-hand sides that did not converge, with their reasons."""
    if counts["wrong"]:
        stream.say(f"{counts['wrong']} of {counts['outputs']} MVM integers were wrong", "WARNING")
    for column, answer in unconverged:
        which = "" if system.single else f"right-hand side {column}: "
        stream.say(f"{which}not converged: {answer.reason}", "WARNING")


def say_forecast(rho: float, shift: float, stream: Stream) -> None:
    """Announce how fast the residual is expected to fall; `shift` is that of the loop."""
    if shift:
        stream.say(
            f"forecast: rho(I - A A0^-1) = {rho:.3f} with the shifted loop, which GCR or CG need not mind"
        )
    elif rho < 1.0:
        stream.say(f"forecast: rho(I - A A0^-1) = {rho:.3g}, up to {-np.log2(rho):.1f} bits a cycle")
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


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
