"""All of it in one run file: experiments of the paper on chips of the virtual bench, beside the published numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mho.errors import InputError
from mho.extensions.published.comparisons import Experiment, ExperimentOutcome, Setup
from mho.extensions.published.experiments import EXPERIMENTS, named_experiments
from mho.extensions.published.rejection import LEVEL, combined
from mho.instruments.simulated import cell_preset
from mho.procedures import check_seed
from mho.runs import (
    Column,
    Conclusion,
    Figure,
    Layout,
    RecordedParameter,
    ReferenceLine,
    RunHeader,
    RunWriter,
    Table,
    collect,
)

BENCH = "zuo2025"
CHIPS, MOST_CHIPS = 20, 10_000
NUMBERS = {name: number for number, name in enumerate(EXPERIMENTS, 1)}
BY_NUMBER = ", ".join(f"{number} {name}" for name, number in NUMBERS.items())

DEVIATIONS = Table(
    "deviations",
    (
        Column("experiment", dtype="u1", description=BY_NUMBER),
        Column("row", dtype="u2", description="row of the experiment"),
        Column("number", dtype="u2", description="cycle, or which of several"), Column("published"),
        Column("low", digital=1e-6, description="5 % of the chips are below"), Column("median", digital=1e-6),
        Column("high", digital=1e-6, description="95 % of the chips are below"),
        Column("deviation", digital=1e-6, description="median over published"),
        Column("below", digital=1e-6, description="share of the chips below the published number"),
    ),
    title="Published numbers beside the chips'", signal="deviation", axis="row", series="experiment",
)  # fmt: skip
REJECTIONS = Table(
    "rejections",
    (
        Column("experiment", dtype="u1", description=BY_NUMBER),
        Column("p", digital=1e-6, description="that the published curve is one of the chips'"),
        Column("least", description="the smallest p that so many chips allow"), Column("chips", dtype="u4"),
        Column("slower", digital=1e-6, description="factor a cycle above 1 that would have been seen"),
        Column("faster", digital=1e-6, description="factor a cycle below 1 that would have been seen"),
    ),
    title="Is the published curve one of the chips'?", signal="p",
)  # fmt: skip
OVERVIEW = (
    Figure("parity", "Every number: median of the chips beside the published one", "scatter", "deviations",
           x="published", y="median", by="experiment", x_scale="log", y_scale="log",
           lines=(ReferenceLine(1.0, power=1.0, label="as published"),)),
    Figure("deviations", "Median of the chips over the published number", "scatter", "deviations", x="row",
           y="deviation", by="experiment", y_scale="log", lines=(ReferenceLine(1.0, label="as published"),)),
)  # fmt: skip


@dataclass(frozen=True)
class Repeated:
    """What came of the experiments."""

    setup: Setup
    outcomes: Mapping[str, ExperimentOutcome]  # by the experiment's name, in the paper's order
    path: Path  # the run file

    @property
    def joint_p(self) -> float | None:
        """Fisher's p of all tested curves together; None of fewer than two."""
        tested = [one.rejection.p for one in self.outcomes.values() if one.rejection is not None]
        return combined(tested) if len(tested) > 1 else None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "bench": self.setup.bench, "wire": self.setup.wire, "chips": self.setup.chips,
            "seed": self.setup.seed,
            "experiments": {name: one.plain() for name, one in self.outcomes.items()},
            "joint_p": self.joint_p,
        }  # fmt: skip


def repeat_published(
    names: Sequence[str] = (), *, bench: str = BENCH, preset: str | None = None, chips: int = CHIPS,
    seed: int = 1, wire: bool = False, output: str | Path | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Repeated:  # fmt: skip
    """Repeat experiments of the reference paper, and keep them in one run file.

    Parameters
    ----------
    names : sequence of str
        Of `EXPERIMENTS`; all where empty.
    bench, preset
        A packaged bench or a file, and cells in place of its own.
    chips, seed : int
        Number of chips of every experiment, and what they are drawn from.
    wire : bool
        At the wire of simulated instruments, which takes some ten times as long.
    output : path, optional
        Run file (``.h5``) or folder.
    progress : callable
        Experiment, chips done, of how many.

    Raises
    ------
    MhoError
        For an unknown experiment, bench or preset, a bench that will not do, a number of chips that is none, and a file
        that is there already.
        A keyboard interrupt leaves a readable run file of what was done, and is raised.
    """
    asked = named_experiments(names)
    if not 1 <= chips <= MOST_CHIPS:
        raise InputError(f"chips is {chips}; give a number from 1 to {MOST_CHIPS}")
    check_seed(seed)
    if preset is not None:
        cell_preset(preset)
    setup = Setup(bench, preset, chips, seed, wire)
    setup.check()
    outcomes: dict[str, ExperimentOutcome] = {}
    with RunWriter.create_new("published", output, _header(setup, asked), _layout(asked)) as run:
        path = run.path
        try:
            for one in asked:

                def tell(done: int, total: int, stage: str = one.name) -> None:
                    progress(stage, done, total)

                setup.limited.clear()
                outcome = one.carry_out(setup, tell)
                if limited := setup.limited:
                    where = f"on {len(limited)} of {chips} chips"
                    sentence = f"amplifiers did not give what they were asked for {where}: {limited[0]}"
                    outcome = replace(outcome, open_=(*outcome.open_, sentence))
                outcomes[one.name] = outcome
                _write(run, one.name, outcome)
                run.set_result(Repeated(setup, outcomes, path).plain())
                run.conclude(_conclusion(outcomes, len(asked)))
        except KeyboardInterrupt:
            run.log("WARNING", f"stopped: {len(outcomes)} of {len(asked)} experiments are here")
            raise
    return Repeated(setup, outcomes, path)


def _conclusion(outcomes: Mapping[str, ExperimentOutcome], asked: int) -> Conclusion:
    """Return how many experiments were repeated, and which of them the published curve rejects."""
    curves = {name: one.rejection for name, one in outcomes.items() if one.rejection is not None}
    tested = {name: one for name, one in curves.items() if one.least <= LEVEL}  # few chips reject nothing
    rejected = [name for name, one in tested.items() if one.rejected]
    done = f"{len(outcomes)} of {asked} experiments repeated"
    if not tested:
        return Conclusion(done)
    which = f": {', '.join(rejected)}" if rejected else ""
    return Conclusion(f"{done}, {len(rejected)} of {len(tested)} published curves rejected{which}")


def _layout(asked: Sequence[Experiment]) -> Layout:
    declared = [one.declared() for one in asked]
    tables, figures = (tuple(one for some in part for one in some) for part in zip(*declared, strict=True))
    return Layout((DEVIATIONS, REJECTIONS, *tables), default=DEVIATIONS.name, figures=(*figures, *OVERVIEW))


def _header(setup: Setup, asked: Sequence[Experiment]) -> RunHeader:
    source, names = setup.source, [one.name for one in asked]
    parameters = {
        "experiments": RecordedParameter(", ".join(names), label="Experiments"),
        "bench": RecordedParameter(setup.bench, label="Bench"),
        "preset": RecordedParameter(
            setup.preset or (source.bench.simulation.preset if source.bench.simulation else None),
            label="Cells",
            origin="" if setup.preset else "the bench's",
        ),
        "chips": RecordedParameter(setup.chips, label="Chips"),
        "seed": RecordedParameter(setup.seed, label="Seed"),
        "wire": RecordedParameter(setup.wire, label="At the wire"),
    }
    return RunHeader(
        title=f"The published experiments on {setup.chips} chips of bench {setup.bench}",
        procedure="Published", version="1", parameters=parameters, bench=source.text, chip=source.chip_text,
        defects=source.defects_text, cells="of every chip its own", provenance=collect(setup.seed, sys.argv),
    )  # fmt: skip


def _write(run: RunWriter, name: str, outcome: ExperimentOutcome) -> None:
    """Write one experiment's tables, deviations, verdict and remarks."""
    for table, columns in outcome.tables.items():
        run.emit_block(table, columns)
    for number, row in enumerate(outcome.rows, 1):
        run.emit(
            DEVIATIONS.name, experiment=NUMBERS[name], row=number, number=row.number,
            published=np.nan if row.published is None else row.published, low=row.low, median=row.median,
            high=row.high, deviation=row.deviation, below=row.below,
        )  # fmt: skip
    if outcome.rejection is not None:
        faster, slower = outcome.seen or (np.nan, np.nan)
        rejection = outcome.rejection
        run.emit(
            REJECTIONS.name, experiment=NUMBERS[name], p=rejection.p, least=rejection.least, chips=rejection.chips,
            slower=slower, faster=faster,
        )  # fmt: skip
        run.log("INFO", f"{name}: {rejection.in_words()}")
    for remark in outcome.open_:
        run.log("INFO", f"{name}: {remark}")
