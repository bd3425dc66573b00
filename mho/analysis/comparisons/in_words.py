"""The numbers of a comparison as texts: values with a handy unit, differences with intervals, sizes of effects."""

from __future__ import annotations

import math

from mho.analysis.comparisons.comparing import Comparison, ResultDifference, ValueSample
from mho.analysis.comparisons.effects import Effect, Ranged
from mho.analysis.reports.quantities import handy_unit, name_text


def value_text(sample: ValueSample | None, unit: str) -> str:
    """Return a side's value; of several its centre, quartiles and number."""
    if sample is None:
        return "-"
    factor = handy_unit(unit)[0]
    if sample.count == 1:
        return number_text(factor * sample.median, 6)
    quartiles = f"{number_text(factor * sample.lower)} to {number_text(factor * sample.upper)}"
    return f"{number_text(factor * sample.median)} ({quartiles}), n {sample.count}"


def difference_text(effect: Effect | None, unit: str) -> str:
    """Return the difference of the centres, with its interval where there is one."""
    if effect is None:
        return "-"
    return ranged_text(effect.difference, handy_unit(unit)[0], signed=True, digits=5)


def ratio_text(effect: Effect | None) -> str:
    """Return the ratio of the centres."""
    return "-" if effect is None or math.isnan(effect.ratio) else f"{effect.ratio:.4g}"


def ranged_text(ranged: Ranged, factor: float = 1.0, *, signed: bool = False, digits: int = 3) -> str:
    """Return a number and its interval; ``-`` where there is none."""
    if math.isnan(ranged.value):
        return "-"
    if math.isinf(ranged.value):
        return "no scatter"
    value = number_text(factor * ranged.value, digits)
    if signed and ranged.value > 0.0:
        value = f"+{value}"
    if not ranged.known:
        return value
    return (
        f"{value} [{number_text(factor * ranged.low, digits)}, {number_text(factor * ranged.high, digits)}]"
    )


def p_text(effect: Effect | None) -> str:
    """Return a p-value; small ones by their size."""
    if effect is None or math.isnan(effect.p_value):
        return "-"
    return f"{effect.p_value:.2g}" if effect.p_value >= 1e-4 else "< 0.0001"


def named(result: ResultDifference) -> str:
    """Return a result's name with its handy unit."""
    return name_text(result.name, result.unit)


def sides_said(comparison: Comparison) -> str:
    """Return what is compared with what, in a sentence."""
    first, *others = [
        side.name + (f" ({len(side.runs)} runs)" if len(side.runs) > 1 else "") for side in comparison.sides
    ]
    return f"{', '.join(others)} compared with {first}"


def number_text(value: float, digits: int = 5) -> str:
    """Return a number; from a thousand on, as far as it has no exponent, without decimals."""
    if math.isfinite(value) and (value == round(value) or abs(value) >= 1e3) and abs(value) < 1e7:
        return str(round(value))
    return f"{value:.{digits}g}"
