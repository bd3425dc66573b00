"""The parameters in a run's result, each with its interval and unit, as the run declared them: nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.analysis.reports import quantity_text
from mho.runs.index import plain_results

LOW, HIGH = "_low", "_high"
OF_THE_RUN = ("wall_seconds", "run_file", "virtual_seconds")
"""What a result tells of the run, and not of the cells."""

Number = int | float


@dataclass(frozen=True)
class Extracted:
    """One parameter."""

    name: str  # as the result has it: ``lrs.median``
    value: Number | str | None
    low: Number | None  # end of its interval, of 95 % unless the procedure's page says otherwise
    high: Number | None
    unit: str

    @property
    def interval(self) -> str:
        """Its interval in a unit of a handy size; "" where it has none."""
        ends = [quantity_text(end, self.unit, 4)[0] for end in (self.low, self.high)]
        return "" if self.low is None and self.high is None else " to ".join(ends)


def extracted(result: Mapping[str, Any], units: Mapping[str, str]) -> tuple[Extracted, ...]:
    """Return the parameters of a result, in its order; ``NAME_low`` and ``NAME_high`` are the interval of ``NAME``."""
    plain = plain_results(result)
    ends = {f"{name}{end}" for name in plain for end in (LOW, HIGH)} & plain.keys()
    return tuple(
        Extracted(
            name,
            ("yes" if value else "no") if isinstance(value, bool) else value,
            _number(plain.get(name + LOW)),
            _number(plain.get(name + HIGH)),
            units.get(name, ""),
        )
        for name, value in plain.items()
        if name not in ends and name not in OF_THE_RUN
    )


def _number(value: Any) -> Number | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
