"""How long a characterisation takes on a bench: as its procedures estimate it, or as a rehearsal on the twins finds it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mho.errors import MhoError
from mho.instruments.bench_file import load_bench_file
from mho.instruments.opening import open_rehearsal
from mho.running.characterising.carrying_out import Characterisation, During, StepEnd, unobserved
from mho.running.plan import PlannedRun
from mho.running.queue import own_seconds
from mho.running.rehearsal import MESSAGE_TIMES, bus_reports


@dataclass(frozen=True)
class ExpectedStep:
    """What a step is expected to take on real instruments."""

    planned: PlannedRun
    pulses: int | None
    seconds: float | None  # s; None where its procedure does not say
    reason: str = ""  # why it would be refused, for what is known without a bench


def expected_steps(characterisation: Characterisation) -> list[ExpectedStep]:
    """Return what the remaining steps are expected to take on a bench of real instruments, if nothing is broken."""
    found = []
    for planned in characterisation.remaining():
        source = load_bench_file(planned.bench)
        real = source.model_copy(update={"bench": source.bench.model_copy(update={"simulation": None})})
        try:
            procedure = planned.make()
            own = procedure.estimate(procedure.check(), real)
        except MhoError as error:
            found.append(ExpectedStep(planned, None, None, str(error)))
            continue
        found.append(ExpectedStep(planned, own.pulses, own_seconds(own, real)))
    return found


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal of all steps on the twins of a bench came to."""

    steps: tuple[tuple[StepEnd, float], ...]  # each with its time on the instruments, s
    message_seconds: float  # what messages take beside, s, as `mho.running.rehearsal` assumes it
    incidents: tuple[str, ...]  # what would have gone wrong at the wires

    @property
    def seconds(self) -> float:
        """All together, s."""
        return sum(seconds for _, seconds in self.steps) + self.message_seconds


def rehearsed(
    folder: Path, during: During = unobserved, tell: Callable[[StepEnd], None] = lambda end: None
) -> Rehearsed:
    """Carry a plan out on the twins of its bench, cells of the plan's preset, and keep nothing of it."""
    first = Characterisation(folder)
    planned = first.plan.runs[0]
    source = load_bench_file(planned.bench)
    times: list[tuple[StepEnd, float]] = []
    with (
        tempfile.TemporaryDirectory(prefix="mho-rehearsal-") as name,
        open_rehearsal(source, preset=planned.preset, seed=planned.seed) as bench,
    ):
        laboratory = bench.laboratory
        assert laboratory is not None  # a rehearsal always has one
        copy = Path(name)
        for file in folder.iterdir():
            if file.suffix in (".toml", ".csv"):
                (copy / file.name).write_bytes(file.read_bytes())
        begun = bench.now()

        def timed(end: StepEnd) -> None:
            nonlocal begun
            times.append((end, bench.now() - begun))
            begun = bench.now()
            tell(end)

        Characterisation(copy, bench).carry_out(during, timed)
        buses = bus_reports(source.bench, laboratory, MESSAGE_TIMES)
        incidents = tuple(f"{one.kind}: {one.detail}" for one in laboratory.incidents)
    return Rehearsed(tuple(times), sum(bus.seconds for bus in buses), incidents)
