"""The result of an application: numbers with units, for the run file and for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class ApplicationResult:
    """What an application found; ``outcome["name"]`` is one of it."""

    summary: dict[str, Any]  # in the run file and of ``--json``
    units: dict[str, str]  # by name, of those that have one
    path: Path = field(default=Path())  # the run file

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Return the outcome of values, or pairs of value and unit, by name."""
        pairs = {name: one if isinstance(one, tuple) else (one, "") for name, one in found.items()}
        return cls(
            {name: value for name, (value, _) in pairs.items()},
            {name: unit for name, (_, unit) in pairs.items() if unit},
        )

    def __getitem__(self, name: str) -> Any:
        """Return one value of the summary."""
        return self.summary[name]
