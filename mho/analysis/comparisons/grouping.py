"""Makes groups of the runs that are compared: file by file, one lot against another, or by a setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mho.analysis.comparisons.compared_runs import Skipped, read_sides
from mho.analysis.comparisons.comparing import MOST_SIDES, Comparison, compare
from mho.analysis.comparisons.effects import CENTRES
from mho.analysis.reports import find_runs
from mho.errors import InputError, RunFileError
from mho.runs.index import Card, read_card

OF_THE_CARD = (
    "preset",
    "seed",
    "procedure",
    "version",
    "chip",
    "bench",
    "mho",
    "commit",
    "status",
    "host",
    "user",
)
"""What runs can be grouped by, beside their parameters."""


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
        Make a group of the runs of each value of a parameter, or of one of `OF_THE_CARD`.
    centre : str
        What stands for a group: ``median`` or ``mean``.

    Raises
    ------
    InputError
        There is nothing to compare: no such file, no run that can be read, one group only, nothing in common.
    """
    if by and against:
        raise InputError("--by and --against do not go together; leave one out")
    skipped: list[Skipped] = []
    if by:
        groups = group_runs(_found(places), by, skipped)
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
    return compare(sides, skipped=[*skipped, *unread], centre=centre, by=by)


def group_runs(paths: Sequence[Path], by: str, skipped: list[Skipped]) -> list[tuple[str, list[Path]]]:
    """Return the files of each value of a setting, ordered by it; those that cannot be read go to `skipped`.

    Raises
    ------
    InputError
        No run has such a setting, all have the same value of it, or there are too many.
    """
    cards = list(_cards(paths, skipped))
    if not cards:
        why = f": {skipped[0].reason}" if skipped else ""
        raise InputError(f"no run can be read{why}; give run files or folders that hold some")
    lots: dict[tuple[float, str], list[Path]] = {}
    for path, card in cards:
        key = value_of(card, by)
        if key is not None:
            lots.setdefault(key, []).append(path)
    if not lots:
        known = dict.fromkeys((*OF_THE_CARD[:5], *(one.name for _, card in cards for one in card.parameters)))
        raise InputError(f"no run has a {by!r}; runs are grouped by one of {', '.join(known)}")
    groups = [(f"{by} {text or 'none'}", found) for (_, text), found in sorted(lots.items())]
    if not 2 <= len(groups) <= MOST_SIDES:
        some = ", ".join(name for name, _ in groups[:3])
        raise InputError(
            f"by {by} there {'is' if len(groups) == 1 else 'are'} {len(groups)} group{'s' * (len(groups) > 1)} ({some}); "
            f"2 to {MOST_SIDES} can be compared"
        )
    return groups


def value_of(card: Card, name: str) -> tuple[float, str] | None:
    """Return a setting of a run as a number to be ordered by, and as text; None where the run has none."""
    if name in OF_THE_CARD:
        text = card.status if name == "status" else str(getattr(card.facts, name))
        return (float(text) if text.isdecimal() and len(text) < 16 else 0.0), text
    for one in card.parameters:
        if one.name == name:
            return (0.0 if one.number is None else one.number), f"{one.text} {one.unit}".rstrip()
    return None


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


def _cards(paths: Sequence[Path], skipped: list[Skipped]) -> Iterator[tuple[Path, Card]]:
    for path in paths:
        try:
            yield path, read_card(path)
        except RunFileError as error:
            skipped.append(Skipped(path, str(error)))
