"""Plan of a sparse matrix that no loop holds, by subdomains: one loop each on inverting arrays, no blocks between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.preconditioning import Preconditioning
from mho.errors import InputError
from mho.procedures.equations.blocks.schwarz import plan_schwarz
from mho.procedures.equations.planning.block_solve_plan import RECURSIONS, BlockSolvePlan
from mho.procedures.equations.planning.leaves_on_chip import place_leaves

Floats = NDArray[np.float64]

SUBDOMAINS = ("jacobi", "schwarz")
BLOCKS = (*RECURSIONS, *SUBDOMAINS)
"""How a matrix that no loop holds is cut: by recursion (BlockAMC, block LU, or whichever of them a stage takes fewer
inversions with and no more arrays), or into subdomains without and with overlap."""

OVERLAP = 1
"""Layers of neighbours that a subdomain of Schwarz takes where nothing else is said: each further one takes more loops than
it saves cycles (docs/blocks.md)."""


def check_blocks(blocks: str, overlap: int | None, coarse: bool, schur: str, effort: str) -> None:
    """Raise `InputError` for an option that is another decomposition's: each of `BLOCKS` has its own."""
    if overlap is not None and blocks != "schwarz":
        raise InputError(
            f"overlap is {overlap}, which is of Schwarz subdomains, and blocks is {blocks}: give blocks = schwarz, or "
            "leave it out"
        )
    if coarse and blocks not in SUBDOMAINS:
        raise InputError(
            f"a coarse level is one of subdomains, and blocks is {blocks}: give blocks = jacobi or schwarz, or leave it out"
        )
    for name, value, default in (("schur", schur, "exact"), ("effort", effort, "auto")):
        if value != default and blocks in SUBDOMAINS:
            raise InputError(
                f"{name} is {value}, which is of recursive blocks, and blocks is {blocks}: give blocks = recursive, or "
                "leave it out"
            )
    if blocks == "lu" and schur != "exact":
        raise InputError(
            f"schur is {schur}, and blocks is lu, which takes M3 M1^-1 from exact Schur complements: give blocks = "
            "recursive, or leave schur out"
        )


def plan_schwarz_solve(
    chip: ChipMap,
    matrix: Floats,
    rng: np.random.Generator,
    *,
    leaf: int,
    encoding: str,
    lines: tuple[int, int],
    input_conductance: float,
    overlap: int,
    coarse: bool = False,
    slice_ratio: float | None = None,
) -> BlockSolvePlan:
    """Cut a matrix into subdomains of its graph, choose a loop for each, and place them all.

    Parameters
    ----------
    chip, matrix, rng, encoding, lines, input_conductance, slice_ratio
        As `plan_block_solve`.
    leaf : int
        N0, the largest subdomain with its overlap.
    overlap, coarse
        As `plan_schwarz`; an overlap of 0 is block Jacobi.

    Raises
    ------
    InputError
        For an overlap with which no subdomain fits on a loop.
    ChipMapError
        When the loops do not fit, with how many would.
    ConvergenceError
        For a subdomain that is singular, or one for which no loop settles.
    """
    form = Preconditioning.equilibrating(matrix)
    held = form.matrix(matrix)
    tree = plan_schwarz(held, leaf, overlap=overlap, coarse=coarse)
    places = place_leaves(
        chip,
        tree.leaves,
        encoding=encoding,
        lines=lines,
        input_conductance=input_conductance,
        size=len(matrix),
        slice_ratio=slice_ratio,
    )
    loops = places.hold([places.chooser.choose(each, rng) for each in tree.leaves])
    return BlockSolvePlan(chip, chip.level_scale(), form, held, tree, loops, [], [])
