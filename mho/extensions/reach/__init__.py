"""How far a solver reaches: families of systems, drawn by seed, as a benchmark that other solvers can be scored by too.

- `families`: the systems;
- `certified`: their solutions with proof, what no chip at all makes of them, and mho's own answers;
- `package`: all of it as a data package; `reader`: what the package is read and scored by, without mho;
- `command`: `mho reach`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.reach.certified import certified_system, choose, solve_systems
    from mho.extensions.reach.families import FAMILIES
    from mho.extensions.reach.package import check_absent, write_package
    from mho.extensions.reach.reader import (
        GROUPS,
        Answer,
        Package,
        ReachError,
        Score,
        System,
        load,
        score,
        write_answers,
    )
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "FAMILIES", "GROUPS", "Answer", "Package", "ReachError", "Score", "System", "certified_system",
    "check_absent", "choose", "load", "score", "solve_systems", "write_answers", "write_package",
]  # fmt: skip
