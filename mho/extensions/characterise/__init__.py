"""The standard protocol over a sample of a chip's cells: one plan, its run files in one folder, and one report.

- `plan_files`: cells, steps and the plan; `carrying_out`: the steps, from wherever the run files stop;
- `command`, `terminal`: `mho characterise`, and what it prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.extensions.characterise.carrying_out import (
        Characterisation,
        ExpectedStep,
        Rehearsed,
        StepEnd,
        expected_steps,
        rehearsed,
    )
    from mho.extensions.characterise.plan_files import (
        PLAN,
        CharacterisationRequest,
        Planned,
        plan_protocol,
        write_plan,
    )
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "PLAN", "Characterisation", "CharacterisationRequest", "ExpectedStep", "Planned", "Rehearsed", "StepEnd",
    "expected_steps", "plan_protocol", "rehearsed", "write_plan",
]  # fmt: skip
