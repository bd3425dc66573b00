"""The standard protocol over a sample of a chip's cells: one plan, its run files in one folder, and one report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.running.characterising.carrying_out import (
        Characterisation,
        ExpectedStep,
        Rehearsed,
        StepEnd,
        expected_steps,
        rehearsed,
    )
    from mho.running.characterising.plan_files import (
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
