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
    """What operations take in the circuit of Zuo 2025 (Nature Electronics 8, 1222, Fig. 5), and the GPU core beside it.

    Attributes
    ----------
    inv_time, mvm_time, conversion_time : float
        Seconds of one INV, one MVM of binary inputs, and the converters of either.
    amplifier_power, inv_amplifiers : float
        Watts of an amplifier, and how many INV has for each line.
    conversion_energy, adding_energy : float
        Joules of a conversion, and of shifting and adding an integer: choices for 40 nm.
    core_rate, core_efficiency : float
        Operations a second and a joule of one core of an H100.
    """

    inv_time: float = 120e-9
    mvm_time: float = 60e-9
    conversion_time: float = 6.6e-9
    amplifier_power: float = 0.529e-3
    inv_amplifiers: float = 1
    conversion_energy: float = 1e-12
    adding_energy: float = 0.2e-12
    core_rate: float = 3.2e9
    core_efficiency: float = 4.9e10


COSTS = PublishedCosts()


@dataclass(frozen=True)
class Side:
    """Time and energy of one side of a solve."""

    seconds: float
    joules: float


def digital_side(multiplications: float) -> Side:
    """Return what so many multiplications, each with an addition, take one core."""
    p = COSTS
    return Side(float(2.0 * multiplications / p.core_rate), float(2.0 * multiplications / p.core_efficiency))


def chip_side(result: Mapping[str, Any]) -> Side:
    """Return what the circuit's operations in a solve's result take, by its counts of operations.

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
    return Side(float(sum(settling)), float(amplifiers + conversions + integers * p.adding_energy))


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
    return rows + _costs(result, total, without)


def _costs(result: Mapping[str, Any], digital: int, without: Any) -> list[tuple[str, str]]:
    """Return time and energy of both sides, by the projection's published assumptions."""

    if not {"inversions", "products", "mvm_outputs"} <= set(result):
        return []
    sides = [("chip", chip_side(result)), ("digital", digital_side(digital))]
    if isinstance(without, Mapping):
        sides.append(("without the chip", digital_side(without["digital"])))
    return [
        (
            "projected",
            ", ".join(
                f"{name} {' '.join(quantity_text(side.seconds, 's'))} and {' '.join(quantity_text(side.joules, 'J'))}"
                for name, side in sides
            ),
        )
    ]
