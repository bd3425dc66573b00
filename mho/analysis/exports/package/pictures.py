"""Draws the figures of a package: each declared figure of each run, or the runs of a procedure together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from mho.analysis.exports.package.contents import PackagedRun
from mho.errors import InputError
from mho.runs import RunFile

if TYPE_CHECKING:
    from mho.analysis.figures.sheet import Sheet

How = Literal["each", "together", "none"]
HOWS: tuple[How, ...] = get_args(How)
MOST_EACH = 10
"""Runs whose figures are drawn one by one unless it is asked for: they take 2 s of processor time a run."""

PICTURES: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg", "pdf")


@dataclass(frozen=True)
class PackagePicture:
    """A figure in several forms: `paths` from the package's folder, the runs it shows, and its title."""

    title: str
    runs: tuple[PackagedRun, ...]
    paths: tuple[PurePosixPath, ...]


def check_how(figures: str | None) -> How | None:
    """Return which figures are drawn; None for what suits the number of runs.

    Raises `InputError`: another word.
    """
    if figures is None or figures in HOWS:
        return figures
    raise InputError(f"figures {figures!r} cannot be drawn so; give one of {', '.join(HOWS)}")


def draw_pictures(
    folder: Path, runs: Sequence[PackagedRun], how: How | None, progress: Callable[[int, int], None]
) -> tuple[PackagePicture, ...]:
    """Draw the figures of packaged runs into ``figures/``.

    By default each figure of up to `MOST_EACH` runs is drawn, else each figure of a procedure with all its runs.
    """
    how = how or ("each" if len(runs) <= MOST_EACH else "together")
    if how == "none":
        return ()
    (folder / "figures").mkdir()
    kinds = dict.fromkeys(one.procedure for one in runs)
    lots = [[one] for one in runs]
    if how == "together":
        lots = [[one for one in runs if one.procedure == kind] for kind in kinds]
    pictures: list[PackagePicture] = []
    for number, lot in enumerate(lots):
        progress(number, len(lots))
        pictures += _each(folder, lot[0]) if len(lot) == 1 else _together(folder, lot)
    return tuple(pictures)


def _each(folder: Path, one: PackagedRun) -> Iterator[PackagePicture]:
    from mho.analysis.figures.sheet import draw_runs  # matplotlib takes its time
    from mho.analysis.figures.values.figures_of_run import figures_of

    with RunFile(folder / one.path) as run:
        for figure in figures_of(run):
            place = PurePosixPath("figures", f"{one.name}-{figure.name}")
            yield PackagePicture(figure.heading, (one,), _save(folder, place, draw_runs([run], figure.name)))


def _together(folder: Path, runs: Sequence[PackagedRun]) -> Iterator[PackagePicture]:
    """Draw each figure of the first run over all: medians and quartiles, by preset where there are several."""
    from mho.analysis.figures import draw
    from mho.analysis.figures.values.figures_of_run import figures_of

    paths = [folder / one.path for one in runs]
    presets = {one.provenance.get("preset", "") for one in runs}
    with RunFile(paths[0]) as first:
        figures = figures_of(first)
    for figure in figures:
        place = PurePosixPath("figures", f"{runs[0].procedure}-{figure.name}")
        sheet = draw(*paths, figure=figure.name, by="preset" if len(presets) > 1 else "procedure")
        title = f"{runs[0].procedure}, {figure.heading}: {len(runs)} runs"
        yield PackagePicture(title, tuple(runs), _save(folder, place, sheet))


def _save(folder: Path, place: PurePosixPath, sheet: Sheet) -> tuple[PurePosixPath, ...]:
    from mho.analysis.figures.sheet import save

    paths = tuple(place.with_name(f"{place.name}.{form}") for form in PICTURES)
    for form, path in zip(PICTURES, paths, strict=True):
        save(sheet, folder / path, form)
    return paths
