"""``mho reach``: systems of 36 families, solved by mho beside no chip at all, or exported so that others can be scored."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from mho.cli import AsJson, Bench, Preset, Stages, say
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


def reach(
    export: Annotated[Path | None, typer.Option(help="write the systems as a data package into this folder",
                                                show_default=False)] = None,
    package: Annotated[Path | None, typer.Option(help="take the systems of this data package",
                                                 show_default=False)] = None,
    family: Annotated[list[str] | None, typer.Option(help="may be repeated; default all",
                                                     autocompletion=reach_families)] = None,
    size: Annotated[list[int] | None, typer.Option(
        help="unknowns; may be repeated; default 1, 2, 3, 4, 8, 16, 32")] = None,
    seeds: Annotated[int | None, typer.Option(
        help="of each family and size, from 1; default 20 of an export, else 1")] = None,
    solve: Annotated[int | None, typer.Option(
        help="of these, seeds that mho solves; default none of an export, else all")] = None,
    by: Annotated[str, typer.Option(help="rows of the table: condition, family, size")] = "condition",
    bench: Bench = "arrays", preset: Preset = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file for mho's answers (.json)",
                                                show_default=False)] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Solve systems of 36 families beside no chip at all, or export them so that other solvers can be scored."""
    _check(export, package, seeds, solve, by, output)
    drawn = (1 if export is None else 20) if seeds is None else seeds
    try:
        with Stages(quiet=as_json) as stages:
            systems = _systems(package, family or [], size or [], drawn, stages)
            most = solve if solve is not None else (0 if export is not None else None)
            chosen = [one for one in systems if most is None or one.seed <= most]
            answers = _answers(chosen, bench, preset, stages)
        found = score(Package({}, tuple(systems)), answers, by) if answers else None
    except ReachError as error:
        raise InputError(str(error)) from None
    solver = f"mho, bench {bench}{f', cells {preset}' if preset else ''}"
    if export is not None:
        write_package(export, systems, answers, solver)
    if output is not None:
        write_answers(output, solver, answers)
    if as_json:
        typer.echo(json.dumps({"systems": len(systems), "rows": found.rows if found else []}))
        return
    if found is not None:
        typer.echo(str(found))
    for written in filter(None, (export, output)):
        say(written)


def _check(
    export: Path | None,
    package: Path | None,
    seeds: int | None,
    solve: int | None,
    by: str,
    output: Path | None,
) -> None:
    if by not in GROUPS:
        raise InputError(f"there are no rows by {by!r}; there are {', '.join(GROUPS)}")
    if export is not None and package is not None:
        raise InputError("--export writes a data package and --package reads one; give one of them")
    if output is not None and not (solve if solve is not None else export is None):
        raise InputError(
            "nothing is solved, so --output would hold no answers; give --solve, a number of seeds"
        )
    if solve is not None and solve < (0 if export is not None else 1):
        raise InputError(f"--solve is {solve}; give a number of seeds, from 1")
    if seeds is not None and seeds < 1:
        raise InputError(f"--seeds is {seeds}; give a number of seeds, from 1")
    for new in filter(None, (export, output)):
        check_absent(new)
        if not os.access(new.absolute().parent, os.W_OK):
            raise InputError(f"nothing can be written into {new.absolute().parent}; give another place")


def _systems(
    package: Path | None, families: list[str], sizes: list[int], seeds: int, stages: Stages
) -> list[System]:
    """Return systems of a package, or drawn, certified and solved without a chip."""
    if package is not None:
        chosen = [
            one
            for one in load(package).systems
            if one.family in (families or (one.family,))
            and one.size in (sizes or (one.size,))
            and one.seed <= seeds
        ]
        if not chosen:
            raise InputError(f"{package} has no system of these families, sizes and seeds; leave some out")
        return chosen
    wanted = choose(families, sizes, seeds)
    systems = []
    for choice in wanted:
        systems.append(certified_system(choice))
        stages.show("certifying", len(systems), len(wanted))
    return systems


def _answers(systems: list[System], bench: str, preset: str | None, stages: Stages) -> list[Answer]:
    answers = []
    for answer in solve_systems(systems, bench, preset):
        answers.append(answer)
        stages.show("solving", len(answers), len(systems))
    return answers
