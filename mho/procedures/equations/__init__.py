"""Procedures on equations.

- `solve`, `invert`, `multiply`: the procedures; `held_matrix`: a matrix on a chip that answers many vectors;
- `forecast`: intervals of what a solve will come to; `worth`: the same solve without the chip, and by factors;
- `planning`: what is chosen before anything is programmed; `circuits`: INV and MVM on a bench as functions of vectors;
- `algorithms`, `blocks`, `certificates`: what knows no instrument: refinement, inverses from blocks, proofs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.procedures.equations.algorithms.refinement import CORRECTION_BITS, BatchMethod, refine_columns
    from mho.procedures.equations.certificates.certificate import dependent_rows
    from mho.procedures.equations.circuits.loop_on_cells import INVERT_VOLTS, AnalogueInverse
    from mho.procedures.equations.circuits.products import SlicedProduct
    from mho.procedures.equations.circuits.programmed_blocks import check_limits
    from mho.procedures.equations.forecast import VectorMeter, metering
    from mho.procedures.equations.multiply import place_product
    from mho.procedures.equations.planning.block_solve_plan import plan_block_solve
    from mho.procedures.equations.planning.loop_choice import LoopSetup
    from mho.procedures.equations.solve.programmed_matrix import VECTOR_VOLTS
    from mho.procedures.equations.worth import (
        DirectSolve,
        DirectWork,
        SampledWorth,
        UnaidedSolve,
        Work,
        solve_directly,
        worth_in_numbers,
    )
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "CORRECTION_BITS", "INVERT_VOLTS", "VECTOR_VOLTS", "AnalogueInverse", "BatchMethod", "DirectSolve",
    "DirectWork", "LoopSetup", "SampledWorth", "SlicedProduct", "UnaidedSolve", "VectorMeter", "Work",
    "check_limits", "dependent_rows", "metering", "place_product", "plan_block_solve", "refine_columns",
    "solve_directly", "worth_in_numbers",
]  # fmt: skip
