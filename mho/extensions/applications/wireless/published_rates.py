"""Published bit error rates of 128 antennas, 8 users and 256-QAM, zero forcing, to stand beside a run's own.

Zuo et al., Nature Electronics 8, 1222 (2025), doi 10.1038/s41928-025-01477-0, read off the figure
of massive MIMO (1 to 5 %). How many bits a point of the chip is made of is not stated.
"""

from __future__ import annotations

from mho.runs import ReferenceLine, ReferencePoints

ANTENNAS, USERS, POINTS = 128, 8, 256

# SNR, dB, and bit error rate of float32
SINGLE = ((1.33, 0.193), (5.42, 0.116), (8.97, 0.0631), (11.78, 0.0264), (14.2, 0.0089))
CYCLE_3 = ((10.03, 0.0469), (11.76, 0.0281), (14.46, 0.0078))  # the same of the chip after three cycles

CYCLE_1 = (0.125, 0.156)  # the lowest and the highest rate after one cycle: about the same at every SNR

RATIOS = tuple(sorted(snr for snr, _ in (*SINGLE, *CYCLE_3)))  # every SNR of these, dB


def published_points() -> tuple[ReferencePoints, ...]:
    """Return the points for a figure of the bit error rate over the SNR."""
    return tuple(
        ReferencePoints(tuple(snr for snr, _ in curve), tuple(rate for _, rate in curve), label)
        for curve, label in ((SINGLE, "published, float32"), (CYCLE_3, "published, after cycle 3"))
    )


def published_lines() -> tuple[ReferenceLine, ...]:
    """Return the lines between which the published chip lies after one cycle."""
    low, high = CYCLE_1
    return ReferenceLine(high, label="published, after cycle 1"), ReferenceLine(low)
