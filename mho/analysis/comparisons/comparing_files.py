"""Compares run files: each with the first, one lot with another, or in groups of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mho.analysis.comparisons.compared_runs import UnreadableRun, read_sides
from mho.analysis.comparisons.comparing import MOST_SIDES, Comparison, compare
from mho.analysis.comparisons.effects import CENTRES
from mho.analysis.grouping import group_runs, read_cards
from mho.analysis.reports import find_runs, left_out_tries
from mho.errors import InputError


def compare_files(
    places: Sequence[Path], *, against: Sequence[Path] = (), by: str = "", centre: str = CENTRES[0]
) -> Comparison:
    """Compare runs: each file with the first; or those of `places` with those of `against`; or in groups.

    Parameters
    ----------
    places : sequence of path
        Run files; folders of them with `against` or `by`.
    against : sequence of path
        The other lot.
    by : str
        Make a group of the runs of each value of a fact, parameter or result, as in ``mho runs --where``; of several
        names, with commas between them, of each pair of values.
    centre : str
        What stands for a group: ``median`` or ``mean``.

    Raises
    ------
    InputError
        There is nothing to compare: no such file, no run that can be read, one group only, nothing in common.
    """
    if by and against:
        raise InputError("--by and --against do not go together; leave one out")
    skipped: list[UnreadableRun] = []
    if by:
        names = [name.strip() for name in by.split(",") if name.strip()]
        groups = group_files(places, names, skipped)
    elif against:
        lots = _found(places), _found(against)
        groups = list(zip(_names_of_lots(places, against), lots, strict=True))
    else:
        folders = [str(one) for one in places if one.is_dir()]
        if folders:
            raise InputError(
                f"{folders[0]} is a folder: say by what its runs are grouped (--by preset), or what they are compared "
                "with (--against OTHER)"
            )
        paths = _found(places)
        groups = [(name, [path]) for name, path in zip(names_of(paths), paths, strict=True)]
    sides, unread = read_sides(groups)
    found = compare(sides, skipped=[*skipped, *unread], centre=centre, by=by)
    tries = left_out_tries(*places, *against)
    return replace(found, notes=(*found.notes, tries)) if tries else found


def group_files(
    places: Sequence[Path], by: Sequence[str], skipped: list[UnreadableRun]
) -> list[tuple[str, list[Path]]]:
    """Return the files of each group of runs, ordered by its values; those that cannot be read go to `skipped`.

    Raises
    ------
    InputError
        No run can be read or has such a name, all are in one group, or there are too many.
    """
    runs, unread = read_cards(places)
    skipped += [UnreadableRun(Path(one.path), one.reason) for one in unread]
    groups = [(group.label, [runs[place].path for place in group.runs]) for group in group_runs(by, runs)]
    if not 2 <= len(groups) <= MOST_SIDES:
        some = ", ".join(name for name, _ in groups[:3])
        raise InputError(
            f"by {', '.join(by)} there {'is' if len(groups) == 1 else 'are'} {len(groups)} "
            f"group{'s' * (len(groups) > 1)} ({some}); 2 to {MOST_SIDES} can be compared"
        )
    return groups


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return short names of files, which differ: with the folder where two are called the same."""
    stems = [path.stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else f"{path.resolve().parent.name}/{stem}"
        for stem, path in zip(stems, paths, strict=True)
    ]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]


def _names_of_lots(places: Sequence[Path], against: Sequence[Path]) -> list[str]:
    names = [
        lot[0].resolve().name
        if lot[0].is_dir()
        else lot[0].stem + (f" and {len(lot) - 1} more" * (len(lot) > 1))
        for lot in (places, against)
    ]
    return names if names[0] != names[1] else [f"{name} ({place})" for place, name in enumerate(names, 1)]


def _found(places: Sequence[Path]) -> list[Path]:
    paths = list(dict.fromkeys(find_runs(*places)))
    if not paths:
        raise InputError("no run file was found; give run files or folders that hold some")
    return paths
