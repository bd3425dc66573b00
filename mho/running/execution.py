"""Runs one procedure in this process: on a bench by name, on an open one, or on the chip that an earlier run left."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

import numpy as np

from mho.errors import InputError, MhoError, RunWarning
from mho.escaping import html
from mho.input_files import bench_key
from mho.instruments import Bench
from mho.instruments.simulated import Cells
from mho.keywords import Seed, drawn_seed, keywords_checked, seed_number
from mho.procedures.base import Procedure, Result
from mho.procedures.chip_in_use import on_chip
from mho.procedures.needs import check_needs
from mho.procedures.stream import Control, Ended, Event, Message, NullStream, Observer, Progress, Started
from mho.running.phases import Opener, already_open, carry_out, note_used, opener_of, with_earlier
from mho.running.safety_statement import own_code_read_back
from mho.runs import Labels, outcome_line, returned

if TYPE_CHECKING:  # asked by runs after another one only, and by few
    from mho.instruments.simulated import Circuit
    from mho.running.trust import Trust

INTERVAL = 0.25  # between two pictures of a bar, s
MOST_MESSAGES = 20  # warnings that are shown, the latest


class NotebookPage:
    """A page for a notebook, and what is shown of it where there is only text."""

    def __init__(self, page: str, text: str) -> None:
        self._page = page
        self._text = text

    def _repr_html_(self) -> str:
        return self._page

    def __repr__(self) -> str:
        return self._text


class NotebookProgress:
    """Observes a run: a bar for each of its stages, its warnings, and in their place the run when it is over.

    `display`: shows something below the cell, and returns the handle by which it is replaced.
    `clock`: wall time, s: bars are drawn at most four times a second.
    """

    def __init__(self, display: Callable[[object], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._handle: Any = None
        self._title = ""
        self._stages: dict[str, Progress] = {}
        self._messages: list[str] = []
        self._drawn = -INTERVAL

    def __call__(self, event: Event) -> None:
        """Show what an event of the run changes."""
        match event:
            case Started(title=title):
                self._title = title
                self._show(self._bars())
            case Progress():
                is_last = event.done >= event.total
                self._stages[event.stage] = event
                if is_last or self._clock() - self._drawn >= INTERVAL:
                    self._show(self._bars())
            case Message(level=level, text=text) if level != "INFO":
                self._messages = [*self._messages, text][-MOST_MESSAGES:]
                self._show(self._bars())
            case Ended():
                self._show(self._over(event))

    def _show(self, shown: object) -> None:
        self._drawn = self._clock()
        if self._handle is None:
            self._handle = self._display(shown)
        else:
            self._handle.update(shown)

    def _bars(self) -> NotebookPage:
        lines = [
            f"<div>{html(one.stage)} <progress value='{one.done}' max='{max(one.total, 1)}'></progress> "
            f"{one.done} of {one.total}{html(_numbers(one))}</div>"
            for one in self._stages.values()
        ]
        text = "; ".join(f"{one.stage} {one.done} of {one.total}" for one in self._stages.values())
        return NotebookPage(
            f"<div><b>{html(self._title)}</b>{''.join(lines)}{self._warnings()}</div>",
            f"{self._title}: {text or 'started'}",
        )

    def _over(self, event: Ended) -> NotebookPage:
        outcome = outcome_line(event.status, event.reason, event.conclusion)
        unsafe = "" if event.safe else f"<div><b>{html(event.unsafe_reason)}</b></div>"
        kept = event.path != Path()
        text = f"{self._title}: {outcome}" + (f"; {event.path}" if kept else "")
        from mho.analysis.datasets import Run  # not before it is needed: a worker starts without it

        page = f"<div>{html(text)}</div>"
        if kept:
            with suppress(MhoError), Run(event.path) as run:
                page = run._repr_html_()
        return NotebookPage(f"<div>{unsafe}{page}{self._warnings()}</div>", text)

    def _warnings(self) -> str:
        return "".join(f"<div>{html(text)}</div>" for text in self._messages)


def _numbers(event: Progress) -> str:
    return "".join(f", {value:g} {name}" for name, value in event.detail.items())


def notebook_observers() -> tuple[Observer, ...]:
    """Return what shows a run in the notebook that this process is the kernel of; nothing elsewhere."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return ()
    from IPython.display import display

    return (NotebookProgress(lambda shown: display(shown, display_id=True)),)


Output: TypeAlias = str | os.PathLike[str] | bool | None
"""Where a run file goes: a file (``.h5``) or folder; True for ``data/runs`` or ``MHO_RUNS``; None or False for none."""


class RunOptions(TypedDict, total=False):
    """Further arguments of `run`, which only a queue, a campaign or a window gives."""

    control: Control | None
    resume_of: str | Path | None
    same_chip: Sequence[Path]
    provenance: Mapping[str, str] | None
    labels: Labels | None
    trust: Trust


@keywords_checked(RunOptions)
def run(
    procedure: Procedure[Result],
    bench: str | os.PathLike[str] | Bench = "simulated",
    *,
    preset: Cells | None = None,
    circuit: Circuit | None = None,
    seed: Seed = None,
    output: Output = True,
    after: str | Path | None = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
    **options: Unpack[RunOptions],
) -> Result:
    """Run a procedure and return its result, `path` filled in.

    In a notebook its progress is shown below the cell, and the run itself when it is over.

    Parameters
    ----------
    procedure : Procedure
    bench : str, path or Bench
        A bench name or file, or a bench that is open already (it is made safe and stays open).
    preset : str or object, optional
        Cells of a simulated bench, as `mho.cells.cell_preset` takes them.
    circuit : str, object or list of these, optional
        Amplifiers, converters or wires of a simulated bench, as `mho.circuits.circuit_elements` takes them.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of everything random: simulated cells and the plan. A fresh one is drawn of None, and kept in the file.
    output : path, bool or None
        Run file (``.h5``) or folder; True for ``data/runs`` or ``MHO_RUNS``. Of None no file is kept: the result's `path`
        is None, and what the file would have had as a warning is one of Python's (`RunWarning`).
    after : path, optional
        A finished run on the same simulated bench: its chip is gone on with, by repeating it first.
    force : bool
        Take limits of a bench file that can hardly be meant as they are.
    observers : sequence of callables
        Called with every event of the run, in this thread.
    control : Control, optional
        Through which another thread may pause and stop the run.
    resume_of : path, optional
        The run file of an earlier attempt; kept in the file, and offered to the procedure as `stream.earlier`.
    same_chip : sequence of paths
        Run files of earlier runs on the chip: a bench of real instruments learns from them which cells are formed.
    provenance : mapping, optional
        Further provenance to store, text by name.
    labels : Labels, optional
        Sample, operator and project; by default those of the user's environment.
    trust : callable
        Asked for code that the run files behind `after` name and that is none of mho's own, see `mho.running.trust`.

    Returns
    -------
    ProcedureResult or other
        What the procedure's `execute` returned. A mapping comes back as a `ResultMapping`, a dataclass as one of its class:
        with `path`, `units` and `to_xarray`.

    Raises
    ------
    MhoError
        For what is wrong with the input, before a file exists or anything is sent. `InputError` is a `ValueError` as
        well, and `KeywordError`, of a keyword that `run` does not have, a `TypeError`.
    UnsafeError
        Code of one's own (the procedure, its strategy, a driver of the bench file) took a bench of real instruments for
        safe, and a fresh process, which reads its outputs back after the run, found one on.

    Warns
    -----
    RunWarning
        Of a run without a file, for each warning of the run.

    Examples
    --------
    >>> reads = mho.run(mho.Read(rows="0:2", columns="0:3"), "arrays", seed=1)
    >>> reads.conductance.shape, reads.unit("conductance"), reads.path.suffix
    ((1, 2, 3), 'S', '.h5')
    """
    result, said = run_with_warnings(
        procedure, bench, preset=preset, circuit=circuit, seed=seed, output=output, after=after, force=force,
        observers=observers, **options,
    )  # fmt: skip
    if not keeps_file(output):
        for text in said:
            warnings.warn(text, RunWarning, stacklevel=3)
    return result


def keeps_file(output: Output) -> bool:
    """Return whether a run is to keep a file, see `Output`."""
    return output is not None and output is not False


def run_with_warnings(
    procedure: Procedure[Result], bench: str | os.PathLike[str] | Bench, *, preset: Cells | None,
    circuit: Circuit | None = None, seed: Seed, output: Output, after: str | Path | None = None,
    force: bool = False, observers: Sequence[Observer] = (),
    **options: Unpack[RunOptions],
) -> tuple[Result, tuple[str, ...]]:  # fmt: skip
    """Run a procedure as `run`; return its result, and the warnings of the run."""
    _check_arguments(procedure, bench, preset, circuit, output)
    bench = os.fspath(bench) if isinstance(bench, os.PathLike) else bench
    labels, resume_of = options.get("labels") or Labels.from_environment(), options.get("resume_of")
    earlier = None if resume_of is None else Path(resume_of).absolute()
    opener = _opener(bench, preset, circuit, after, force, options.get("trust"))
    opener = with_earlier(earlier, opener, options.get("same_chip", ()))
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Ended):
            said.extend(event.conclusion.warnings)

    with own_code_read_back(procedure, bench, observers) as safety:
        result = carry_out(
            procedure, opener, seed=seed_number(seed), kept=keeps_file(output),
            output=None if isinstance(output, bool) or output is None else os.fspath(output),
            observers=(*observers, *safety, *notebook_observers(), listen), control=options.get("control"),
            provenance={**(options.get("provenance") or {}), **labels.given()},
        )  # fmt: skip
    return result, tuple(said)


def _check_arguments(
    procedure: Any, bench: Any, preset: Cells | None, circuit: Circuit | None, output: Any
) -> None:
    """Raise `InputError` for what is of no kind that a run takes."""
    if isinstance(procedure, type):
        raise InputError(
            f"the procedure is the class {procedure.__name__} itself; give {procedure.__name__}(...)"
        )
    if not isinstance(procedure, Procedure):
        raise InputError(
            f"the procedure is {procedure!r}; give one with its parameters, as mho.Read(rows='0:4'), or "
            "mho.applications has more"
        )
    if isinstance(bench, Bench):
        if preset is not None:
            raise InputError(f"the bench is open already, with cells of its own; leave out preset {preset!r}")
        if circuit is not None:
            raise InputError(f"the bench is open already, with its circuits; leave out circuit {circuit!r}")
    elif not isinstance(bench, str | os.PathLike) or not os.fspath(bench):
        raise InputError(
            f"bench is {bench!r}; give the name of a bench ('arrays'), a bench file, or an open bench of mho.open_bench"
        )
    if preset == "":
        raise InputError("preset is ''; leave it out for the bench's own cells, or name some")
    if isinstance(circuit, str) and not circuit:
        raise InputError("circuit is ''; leave it out for the bench's own circuits, or name an element")
    named = isinstance(output, str | os.PathLike)
    place = os.fspath(output) if named else ""
    if not (
        isinstance(output, bool) or output is None or (isinstance(place, str) and place and "\0" not in place)
    ):
        raise InputError(
            f"output is {output!r}; give a run file (.h5) or a folder, True for the usual folder, or None to keep no file"
        )


def _opener(
    bench: str | Bench, preset: Cells | None, circuit: Circuit | None, after: str | Path | None, force: bool,
    trust: Trust | None,
) -> Opener:  # fmt: skip
    """Return what opens the bench of a run."""
    if after is not None:
        if not isinstance(bench, str) or preset is not None or circuit is not None:
            given = f"preset {preset!r}" if preset is not None else f"circuit {circuit!r}"
            given = given if isinstance(bench, str) else "an open bench"
            raise InputError(f"a run after {after} takes bench and cells from there; leave out {given}")
        from mho.running.continuing import chip_after  # few runs repeat another first

        return chip_after(after, bench_key(bench), *([] if trust is None else [trust]))
    return opener_of(bench, preset, force, circuit) if isinstance(bench, str) else already_open(bench)


def evaluate(procedure: Procedure[Result], bench: Bench, *, seed: Seed = None) -> Result:
    """Run a procedure on an open bench and return its result, without a run file, observers or warnings.

    For thousands of runs on a bench without instruments. The bench is made safe and stays open.

    Parameters
    ----------
    procedure : Procedure
    bench : Bench
        An open one.
    seed : int, numpy.random.SeedSequence, numpy.random.Generator or None
        Of the plan; the cells are the bench's.

    Returns
    -------
    ProcedureResult or other
        As of `run`; its `path` is None.

    Raises
    ------
    MhoError
        As `run`.

    Examples
    --------
    >>> with mho.open_bench("arrays", seed=1) as bench:
    ...     means = [mho.evaluate(mho.Read(rows="0:4"), bench, seed=k).summary["mean_conductance"] for k in range(3)]
    >>> len(means)
    3
    """
    procedure = on_chip(procedure, bench.chip_text, f"chip map {bench.file.chip}")
    given = procedure.check()
    check_needs(procedure, bench.file)
    plan = procedure.prepare(given, bench, np.random.default_rng([drawn_seed(seed), 1]))
    try:
        result: Result = returned(procedure.execute(plan, bench, NullStream()), None)
        return result
    finally:
        note_used(bench)
        bench.safe()
