"""What a chip was worth, as figures: cycles beside those without it, digital multiplications beside a direct solve's."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.registry import Figure


def without_chip(name: str, results: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Return the medians over the results of runs.

    Cycles are means over right-hand sides, left out where nothing was refined, or not within the cycles allowed.
    """
    figures = []
    pairs = [
        (one["without_chip"]["cycles_with"], one["without_chip"]["cycles"])
        for one in results
        if one.get("without_chip")
    ]
    known = [pair for pair in pairs if None not in pair]
    if known:
        aided, unaided = (float(statistics.median(column)) for column in zip(*known, strict=True))
        detail = {
            "verdicts": sorted({one["without_chip"]["verdict"] for one in results}),
            "runs": len(known),
        }
        figures.append(
            Figure(f"{name}: cycles a right-hand side", aided, "", "without the chip", unaided, detail=detail)
        )
    direct = [one["direct"] for one in results if one.get("direct")]
    if direct:
        aided, other = (
            float(statistics.median(one[key] for one in direct)) for key in ("digital_with", "digital")
        )
        shares = [one["multiplications"]["share_on_chip"] for one in results]
        figures.append(
            Figure(
                f"{name}: digital multiplications",
                aided,
                "",
                direct[0]["method"],
                other,
                detail={"share on the chip": statistics.median(shares)},
            )
        )
    return figures
