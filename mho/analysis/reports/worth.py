"""What a solve's chip was worth, in words: cycles, digital work, time and energy with it and without it.

The circuit's operations take the published times and the model's energies (`model`); the digital multiplications, each with
an addition, run on the core that the published figure compares with. Programming is left out on the one side, and what
fetches numbers from memory on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.analysis.reports.quantities import quantity_text


def enclosure_sentence(enclosure: Mapping[str, Any]) -> str:
    """Return what the enclosure in a solve's summary proves, in one line."""
    if not enclosure.get("certified"):
        return f"cannot be certified: {enclosure.get('reason') or 'no reason is known'}"
    error, own = (enclosure.get(name) for name in ("relative_error", "componentwise_error"))
    by_itself = "" if own is None else f", and to within {own:.2e} of itself"
    return (
        f"enclosed: every element to within {error or 0.0:.2e} of the largest{by_itself} "
        f"({enclosure.get('bits', 0.0):.1f} bits, {enclosure.get('method')})"
    )


@dataclass(frozen=True)
class PublishedCosts:
    """What operations take in the circuit of Zuo 2025 (Nature Electronics 8, 1222, Fig. 5), and the GPU core beside it."""

    inv_time: float = 120e-9  # of one INV, s
    mvm_time: float = 60e-9  # of one MVM of binary inputs, s
    conversion_time: float = 6.6e-9  # of the converters of either, s
    amplifier_power: float = 0.529e-3  # of an amplifier, W
    inv_amplifiers: float = 1  # that INV has for each line
    conversion_energy: float = 1e-12  # of a conversion, J: a choice for 40 nm, as is the next
    adding_energy: float = 0.2e-12  # of shifting and adding an integer, J
    core_rate: float = 3.2e9  # operations a second of one core of an H100
    core_efficiency: float = 4.9e10  # and a joule


COSTS = PublishedCosts()


def digital_side(multiplications: float) -> tuple[float, float]:
    """Return the seconds and joules that so many multiplications, each with an addition, take one core."""
    return 2.0 * multiplications / COSTS.core_rate, 2.0 * multiplications / COSTS.core_efficiency


def chip_side(result: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds and joules of the circuit's operations in a solve's result, by its counts of operations.

    A loop has as many lines as the root of the multiplications that an INV stands for.
    """
    p, chip = COSTS, result["multiplications"]["chip"]
    inversions, shots, integers = (
        float(result[name] or 0) for name in ("inversions", "products", "mvm_outputs")
    )
    lines = (chip.get("inversions", 0) / inversions) ** 0.5 if inversions else 0.0
    settling = inversions * (p.inv_time + p.conversion_time), shots * (p.mvm_time + p.conversion_time)
    # An MVM has an amplifier for each integer that it reads.
    amplifiers = p.amplifier_power * (
        settling[0] * p.inv_amplifiers * (lines + 1.0) + integers * (p.mvm_time + p.conversion_time)
    )
    conversions = p.conversion_energy * (2.0 * inversions * lines + integers + shots * lines)
    return float(sum(settling)), float(amplifiers + conversions + integers * p.adding_energy)


def worth_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the chip was worth as pairs of name and text, as far as the result of a solve or an application says."""
    work, without = result.get("multiplications"), result.get("without_chip")
    if not isinstance(work, Mapping) or not {"chip", "digital", "share_on_chip"} <= set(work):
        return []
    rows = []
    if isinstance(without, Mapping):
        rows.append(("chip", str(without["in_words"])))
    digital = work["digital"]
    kinds = sorted(digital.items(), key=lambda pair: -pair[1])
    total = sum(digital.values())
    part = work["share_on_chip"]
    share = "" if part is None else f"; {part:.1%} of all multiplications on the chip"
    beside = f", {without['digital']:,} without the chip" if isinstance(without, Mapping) else ""
    rows.append(("digital work", f"{total:,} multiplications{beside}{share}"))
    rows.append(("of these", ", ".join(f"{name} {count:,}" for name, count in kinds if count)))
    direct = result.get("direct")
    if isinstance(direct, Mapping):
        aside = f"{direct['digital_with']:,} beside the chip, certificates left out"
        rows.append(("directly", f"{direct['method']}, {direct['digital']:,} multiplications; {aside}"))
    if {"inversions", "products", "mvm_outputs"} <= set(result):
        sides = [("chip", chip_side(result)), ("digital", digital_side(total))]
        if isinstance(without, Mapping):
            sides.append(("without the chip", digital_side(without["digital"])))
        costs = [
            f"{name} {' '.join(quantity_text(seconds, 's'))} and {' '.join(quantity_text(joules, 'J'))}"
            for name, (seconds, joules) in sides
        ]
        rows.append(("projected", ", ".join(costs)))
    return rows
