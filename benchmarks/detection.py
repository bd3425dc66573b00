"""Massive-MIMO detection, 128 antennas and 8 users, 256-QAM: bit error rates beside float32, and the published ones.

The peer of a bit error rate is LAPACK in float32, from the same symbols through the same channel and noise. Zuo et al.,
Nature Electronics 8, 1222 (2025) have it as float32 after three cycles, and at 0.125 to 0.156 after one, whatever the SNR.
One point is repeated at the wire, where every vector is played by instruments, with fewer bits.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._solves import threads
from benchmarks._without_chip import without_chip
from benchmarks.registry import Figure
from mho.extensions.applications.wireless.mimo import Mimo
from mho.extensions.applications.wireless.published_rates import CYCLE_3, RATIOS, SINGLE
from mho.running import run as run_procedure

BITS_PER_POINT, AT_THE_WIRE = 100_000, 10_000
WIRE_SNR = 11.78
LONGEST = 60.0  # s, for a point
IMAGE = {"antennas": 16, "users": 4, "image": "sample", "cycles": 2}


def run(repeat: int) -> list[Figure]:
    """Measure one channel on one chip a repeat, three at most: a repeat takes half a minute."""
    seeds = range(1, min(repeat, 3) + 1)
    found = [_timed({"seed": seed, "bits_per_point": BITS_PER_POINT}, "arrays") for seed in seeds]
    wire, wire_seconds = _timed({"seed": 1, "snr": str(WIRE_SNR), "bits_per_point": AT_THE_WIRE}, "simulated")
    figures = [
        _rate(snr, [result["by_snr"][number] for result, _ in found]) for number, snr in enumerate(RATIOS)
    ]
    agree, points = (sum(result[name] for result, _ in found) for name in ("agree", "points"))
    seconds = statistics.median(taken for _, taken in found) / len(RATIOS)
    (point,) = wire["by_snr"]
    return [
        *figures,
        Figure(
            "points at which float32 lies in the 95 % interval after 3 cycles",
            agree,
            f"of {points}",
            target="all",
            met=agree == points,
            threads=threads(),
        ),
        Figure(
            "seconds for a point of 100,000 bits, all points with one programming",
            seconds,
            "s",
            target=f"< {LONGEST:g} s",
            met=seconds < LONGEST,
            detail={"whole runs": [round(taken, 1) for _, taken in found]},
            threads=threads(),
        ),
        Figure(
            "share of a vector's multiplications that the chip does, an INV and an MVM a cycle, H^H y being digital",
            found[0][0]["share_of_a_vector_on_chip"],
            "",
            "of all multiplications of the run",
            found[0][0]["multiplications"]["share_on_chip"],
        ),
        *without_chip("128 x 8", [one for one, _ in found]),
        Figure(
            f"bit error rate at the wire, {WIRE_SNR:g} dB, {point['bits']} bits",
            point["after cycle 3"],
            "",
            "float32",
            point["float32"],
            target="float32 within the interval",
            met=point["agrees"],
            detail={
                "interval": point["interval"],
                "seconds": round(wire_seconds, 1),
                "wrong": wire["mvm_wrong"],
            },
            threads=threads(),
        ),
        *(_image(constellation, snr) for constellation, snr in ((64, 23.0), (256, 23.0), (256, 30.0))),
    ]


def _rate(snr: float, points: list[dict[str, Any]]) -> Figure:
    published = dict(SINGLE).get(snr), dict(CYCLE_3).get(snr)
    return Figure(
        f"bit error rate after 3 cycles, {snr:g} dB, median",
        statistics.median(point["after cycle 3"] for point in points),
        "",
        "float32",
        statistics.median(point["float32"] for point in points),
        target="float32 within the interval",
        met=all(point["agrees"] for point in points),
        detail={
            "interval of the first": points[0]["interval"],
            "less float32": points[0]["difference_interval"],
            "after cycle 1": statistics.median(point["after cycle 1"] for point in points),
            "closed form": statistics.median(point["closed_form"] for point in points),
            "published float32": published[0],
            "published after cycle 3": published[1],
        },
        threads=threads(),
    )


def _image(constellation: int, snr: float) -> Figure:
    result, _ = _timed({**IMAGE, "seed": 1, "constellation": constellation, "snr": str(snr)}, "arrays")
    return Figure(
        f"wrong bits of an image after 2 cycles, 16 x 4, {constellation}-QAM, {snr:g} dB",
        result["errors_after_cycle_2"],
        f"of {result['bits_sent']}",
        "float32",
        result["errors_float32"],
        target="none" if constellation == 64 or snr > 28.0 else None,
        met=result["errors_after_cycle_2"] == 0 if constellation == 64 or snr > 28.0 else None,
        detail={"after cycle 1": result["errors_after_cycle_1"]},
        threads=threads(),
    )


def _timed(parameters: dict[str, Any], bench: str) -> tuple[Any, float]:
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        result = run_procedure(Mimo(**parameters), bench, seed=1, output=Path(folder) / "run.h5")
        return result, time.perf_counter() - begin
