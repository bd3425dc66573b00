"""Openers of a run's bench: by name, already open, or with an earlier attempt that this run continues.

An opener is called once by a run and gives its bench for as long as the run lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from mho.errors import MhoError
from mho.input_files import bench_key
from mho.instruments import Bench, open_bench
from mho.procedures.chip_in_use import recall_formed
from mho.procedures.stream import BenchTaken, Control, Observer, announced
from mho.runs.index import read_card


@dataclass(frozen=True)
class OpenedBench:
    """A bench that a run may use."""

    bench: Bench
    notes: Mapping[str, str] = field(default_factory=dict)  # provenance for the run file, text by name
    # the run file of an interrupted attempt, whose results the procedure may reuse
    earlier: Path | None = None

    @property
    def chip_kept(self) -> bool:
        """Whether the chip is that of the interrupted attempt, as it was left: real, or in the state of its last row."""
        after = self.notes.get("after", "")
        same = self.earlier is not None and bool(after) and Path(after).resolve() == self.earlier.resolve()
        return same or self.bench.simulated is None

    @property
    def goes_on(self) -> bool:
        """Whether an interrupted attempt goes on with the simulated chip on which it was repeated just before."""
        return self.bench.simulated is not None and self.earlier is not None and self.chip_kept


@dataclass(frozen=True)
class Opening:
    """Arguments of an opener from the run: its seed, observers and control."""

    seed: int
    observers: Sequence[Observer]
    control: Control


Opener = Callable[[Opening], AbstractContextManager[OpenedBench]]


def named(bench: str, preset: str | None = None, force: bool = False) -> Opener:
    """Return the opener of a bench by its name or file; parameters as for `mho.run`."""

    @contextmanager
    def opener(opening: Opening) -> Iterator[OpenedBench]:
        taken = partial(announced, opening.observers, BenchTaken())
        with open_bench(bench, preset=preset, seed=opening.seed, force=force, taken=taken) as opened:
            yield OpenedBench(opened, {"bench": bench_key(bench)})

    return opener


def already_open(bench: Bench) -> Opener:
    """Return the opener of a bench that is open, and stays so; it notes which run has left its chip as it is."""

    @contextmanager
    def opener(opening: Opening) -> Iterator[OpenedBench]:
        yield OpenedBench(bench, _left_by.get(bench, {}))

    return opener


def with_earlier(earlier: Path | None, opener: Opener) -> Opener:
    """Return an opener as `opener`, for a run that takes up the attempt in the run file `earlier`, if there is one."""
    if earlier is None:
        return opener

    @contextmanager
    def taken_up(opening: Opening) -> Iterator[OpenedBench]:
        with with_formed_cells([earlier], opener)(opening) as opened:
            yield replace(opened, notes={**opened.notes, "resume_of": str(earlier)}, earlier=earlier)

    return taken_up


def with_formed_cells(runs: Sequence[Path], opener: Opener) -> Opener:
    """Return an opener as `opener`, whose bench of real instruments knows which cells were formed in earlier `runs`."""

    @contextmanager
    def recalled(opening: Opening) -> Iterator[OpenedBench]:
        with opener(opening) as opened:
            for path in runs:
                recall_formed(opened.bench, path)
            yield opened

    return recalled


# Beside the benches, not on them: a user calls `run` twice with an open bench and hands nothing from one to the other.
_left_by: WeakKeyDictionary[Bench, dict[str, str]] = WeakKeyDictionary()


def note_left(bench: Bench, path: Path) -> None:
    """Remember, as long as a simulated bench is open, that its chip is as the run in the file at `path` has left it."""
    if bench.simulated is None:
        return
    try:
        identity = read_card(path).facts.run_id
    except MhoError:  # the end of that run must not be hidden; it cannot be continued
        identity = ""
    _left_by[bench] = {"after": str(path.resolve()), "after_run": identity}
