"""Shares, confusions and correlations over groups of runs: what all runs of a group have counted, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.analysis.figures.drawing import compose
from mho.analysis.figures.over_runs.groups_of_runs import MOST_PANELS, Compared, RunsOfGroup
from mho.analysis.figures.values.figure_data import FigureData, PointGroup
from mho.runs.figures import Figure


def pooled_statistics(figure: Figure, groups: Sequence[RunsOfGroup], notes: list[str]) -> Compared:
    """Return the drawing of a share, a confusion or a correlation, one curve or image a group of runs."""
    if len(groups) > MOST_PANELS:
        notes.append(f"{MOST_PANELS} of {len(groups)} groups")
    notes.append("runs of a group taken together")
    drawing = compose(figure, [_together(group) for group in groups[:MOST_PANELS]])
    return Compared(drawing.title, "; ".join(notes), (replace(drawing, note=""),))


def _together(group: RunsOfGroup) -> FigureData:
    """Return the data of all runs of a group as that of one."""
    every = [one.data for one in group.kept]
    parts = [points for data in every for points in data.groups]
    return replace(
        every[0],
        run=group.name,
        groups=_merged(parts[::2], parts[1::2]) if parts and parts[0].y.size else tuple(parts),
        images=tuple(image for data in every for image in data.images),
        note="",
        colour="",
    )


def _merged(found: Sequence[PointGroup], of: Sequence[PointGroup]) -> tuple[PointGroup, ...]:
    """Return pairs of counts, how many and of how many, with one pair for each label."""
    merged = []
    for label in dict.fromkeys(one.label for one in found):
        for counts in (found, of):
            mine = [one for one in counts if one.label == label]
            merged.append(
                replace(
                    mine[0],
                    x=np.concatenate([one.x for one in mine]),
                    y=np.concatenate([one.y for one in mine]),
                )
            )
    return tuple(merged)
