"""Maps of groups of runs: the median of the runs, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.analysis.figures.drawing import with_images
from mho.analysis.figures.marks import Drawing
from mho.analysis.figures.over_runs.groups_of_runs import MOST_INNER, MOST_PANELS, Compared, RunsOfGroup
from mho.analysis.figures.values.figure_data import MapImage
from mho.analysis.figures.values.pooling import quantiles_over_runs

MOST_MAPS = 2
"""Maps of one run that are drawn, the largest."""


def median_images(base: Drawing, groups: Sequence[RunsOfGroup], notes: list[str]) -> Compared:
    """Return the median image of each group, a row a map, a column a group; the largest maps are kept."""
    names: dict[str, int] = {}
    for group in groups:
        for one in group.kept:
            for image in one.data.images:
                names[image.name] = max(names.get(image.name, 0), int(image.values.size))
    kept = sorted(names, key=lambda name: names[name])[-MOST_MAPS:]
    if len(names) > len(kept):
        notes.append(f"the {len(kept)} largest of {len(names)} maps")
    if len(groups) > MOST_PANELS:
        notes.append(f"{MOST_PANELS} of {len(groups)} groups")
    images = []
    for name in kept:
        for group in groups[:MOST_PANELS]:
            middle, count = _median_image(group, name)
            if middle is not None:
                images.append(
                    replace(middle, name=f"{group.label}\n{name}" if len(kept) > 1 else group.label)
                )
                if count < len(group.kept):
                    notes.append(f"{group.label}: {count} of {len(group.kept)} runs have {name} in this size")
    if any(len(group.kept) > 1 for group in groups):
        notes.append("median over " + ", ".join(group.name for group in groups[:MOST_INNER]))
    codes = groups[0].kept[0].data.codes if all(len(group.kept) == 1 for group in groups) else None
    columns = len(groups[:MOST_PANELS]) if len(kept) > 1 else 0
    return Compared(base.title, "; ".join(notes), (with_images(base, images, codes),), columns=columns)


def _median_image(group: RunsOfGroup, name: str) -> tuple[MapImage | None, int]:
    """Return the median over the runs of a group, cell by cell, and of how many runs it is."""
    found = [image for one in group.kept for image in one.data.images if image.name == name]
    if not found:
        return None, 0
    same = [image for image in found if image.values.shape == found[0].values.shape]
    stacked = np.array([image.values.ravel() for image in same])
    _, middle, _ = quantiles_over_runs(stacked)
    return replace(found[0], values=middle.reshape(found[0].values.shape)), len(same)
