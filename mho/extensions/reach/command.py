"""``mho reach``: systems of 36 families, solved by mho beside no chip at all, or exported so that others can be scored."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import AsJson, Bench, Preset, Stages, grouped, say
from mho.errors import InputError
from mho.extensions.reach import (
    FAMILIES,
    GROUPS,
    Answer,
    Package,
    ReachError,
    System,
    certified_system,
    check_absent,
    choose,
    load,
    score,
    solve_systems,
    write_answers,
    write_package,
)

GROUP = "Experiments"  # of the verb, in the list of all


def reach_families() -> tuple[str, ...]:
    """Return the families of systems that reach is counted over."""
    return tuple(FAMILIES)


@dataclass(frozen=True)
class SystemOptions:
    """Which systems are drawn, or taken of a data package, and how many of them mho solves."""

    export: Annotated[
        Path | None,
        typer.Option(help="write the systems as a data package into this folder", show_default=False),
    ] = None
    package: Annotated[
        Path | None, typer.Option(help="take the systems of this data package", show_default=False)
    ] = None
    family: Annotated[
        list[str] | None,
        typer.Option(help="may be repeated; default all", autocompletion=reach_families),
    ] = None
    size: Annotated[
        list[int] | None, typer.Option(help="unknowns; may be repeated; default 1, 2, 3, 4, 8, 16, 32")
    ] = None
    seeds: Annotated[
        int | None,
        typer.Option(help="of each family and size, from 1; default 20 of an export, else 1"),
    ] = None
    solve: Annotated[
        int | None,
        typer.Option(help="of these, seeds that mho solves; default none of an export, else all"),
    ] = None

    @property
    def most(self) -> int | None:
        """Seeds of which mho solves the systems; None for all."""
        return 0 if self.solve is None and self.export is not None else self.solve

    def check(self, output: Path | None) -> None:
        """Refuse what does not fit together, and places that cannot be written."""
        if self.export is not None and self.package is not None:
            raise InputError("--export writes a data package and --package reads one; give one of them")
        if output is not None and self.most == 0:
            raise InputError(
                "nothing is solved, so --output would hold no answers; give --solve, a number of seeds"
            )
        if self.solve is not None and self.solve < (0 if self.export is not None else 1):
            raise InputError(f"--solve is {self.solve}; give a number of seeds, from 1")
        if self.seeds is not None and self.seeds < 1:
            raise InputError(f"--seeds is {self.seeds}; give a number of seeds, from 1")
        for new in filter(None, (self.export, output)):
            check_absent(new)
            if not os.access(new.absolute().parent, os.W_OK):
                raise InputError(f"nothing can be written into {new.absolute().parent}; give another place")

    def drawn(self, stages: Stages) -> list[System]:
        """Return systems of a package, or drawn, certified and solved without a chip."""
        families, sizes = self.family or [], self.size or []
        seeds = (1 if self.export is None else 20) if self.seeds is None else self.seeds
        if self.package is not None:
            chosen = [
                one
                for one in load(self.package).systems
                if one.family in (families or (one.family,))
                and one.size in (sizes or (one.size,))
                and one.seed <= seeds
            ]
            if not chosen:
                raise InputError(
                    f"{self.package} has no system of these families, sizes and seeds; leave some out"
                )
            return chosen
        choices = choose(families, sizes, seeds)
        systems = []
        for choice in choices:
            systems.append(certified_system(choice))
            stages.show("certifying", len(systems), len(choices))
        return systems


@grouped
def reach(
    *,
    systems: SystemOptions,
    by: Annotated[str, typer.Option(help="rows of the table: condition, family, size")] = "condition",
    bench: Bench = "arrays", preset: Preset = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file for mho's answers (.json)",
                                                show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Solve systems of 36 families beside no chip at all, or export them so that other solvers can be scored."""
    if by not in GROUPS:
        raise InputError(f"there are no rows by {by!r}; there are {', '.join(GROUPS)}")
    systems.check(output)
    try:
        with Stages(quiet=as_json) as stages:
            drawn = systems.drawn(stages)
            chosen = [one for one in drawn if systems.most is None or one.seed <= systems.most]
            answers = _answers(chosen, bench, preset, stages)
        scores = score(Package({}, tuple(drawn)), answers, by) if answers else None
    except ReachError as error:
        raise InputError(str(error)) from None
    solver = f"mho, bench {bench}{f', cells {preset}' if preset else ''}"
    if systems.export is not None:
        write_package(systems.export, drawn, answers, solver)
    if output is not None:
        write_answers(output, solver, answers)
    if as_json:
        typer.echo(json.dumps({"systems": len(drawn), "rows": scores.rows if scores else []}))
        return
    if scores is not None:
        typer.echo(str(scores))
    for written in filter(None, (systems.export, output)):
        say(written)


def _answers(systems: list[System], bench: str, preset: str | None, stages: Stages) -> list[Answer]:
    answers = []
    for answer in solve_systems(systems, bench, preset):
        answers.append(answer)
        stages.show("solving", len(answers), len(systems))
    return answers
