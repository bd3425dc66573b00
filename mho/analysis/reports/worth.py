"""What a solve's chip was worth, in words: cycles, digital work, time and energy with it and without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mho.analysis.reports.quantities import quantity_text


def worth_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the chip was worth as pairs of name and text; none of a file that does not say.

    Parameters
    ----------
    result : mapping
        Of a solve or an application, with ``multiplications``, ``without_chip`` and ``direct`` as far as they are known.
    """
    work, without = result.get("multiplications"), result.get("without_chip")
    if not isinstance(work, Mapping) or not {"chip", "digital", "share_on_chip"} <= set(work):
        return []
    rows = []
    if isinstance(without, Mapping):
        rows.append(("chip", str(without["in_words"])))
    digital = work["digital"]
    kinds = sorted(digital.items(), key=lambda pair: -pair[1])
    total = sum(digital.values())
    share = (
        ""
        if work["share_on_chip"] is None
        else f"; {work['share_on_chip']:.1%} of all multiplications on the chip"
    )
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
    from mho.analysis.projection.solve_costs import chip_side, digital_side  # which loads much

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
