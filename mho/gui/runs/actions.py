"""What can be done with the runs that are chosen: which verb, with which of them, and why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mho.instruments.simulated import CELL_PRESETS
from mho.runs import GOING_ON, Status
from mho.runs.index import UNREADABLE, IndexedRun

EXPLAINED = ("Solve", "Invert", "Multiply", "Program")
"""Procedures whose errors `mho budget` takes apart."""

PLAN = "plan.toml"
SETTINGS = "programming.toml"
"""Where settings go that were found for programming, unless another file is named."""


@dataclass(frozen=True)
class Selection:
    """The runs that are chosen in a folder, and beside them the bench and the cells of the window.

    `cells` are array, rows and columns; empty texts where none are selected. `busy` is why real instruments of the bench
    cannot be used now; "" where they can.
    """

    runs: Sequence[IndexedRun]
    folder: Path
    bench: str = "simulated"
    cells: tuple[str, str, str] = ("", "", "")
    busy: str = ""

    @property
    def paths(self) -> list[Path]:
        """The run files."""
        return [self.folder / run.path for run in self.runs]

    @cached_property
    def plan(self) -> Path | None:
        """The plan that all of the runs come from: in their folder, or in the one above; None without one."""
        folders = {path.parent for path in self.paths}
        if len(folders) != 1:
            return None
        (folder,) = folders
        return next((one for one in (folder / PLAN, folder.parent / PLAN) if one.is_file()), None)

    @property
    def is_campaign(self) -> bool:
        """Whether the plan is one of a campaign, whose runs are in a folder below it."""
        return self.plan is not None and self.paths[0].parent != self.plan.parent


Reason = Callable[[Selection], str]
"""Returns why something cannot be done with a selection; "" where it can."""


@dataclass(frozen=True)
class RunAction:
    """A verb, what it is called in the menu, and how it takes the chosen runs.

    Attributes
    ----------
    text, verb : str
        Of the menu, and as it is typed.
    takes : str
        Key of the parameter that takes the runs; "" where it takes none.
    procedure : str
        Instead of a verb: its form in Experiments is filled in.
    fewest, most : int
        Of runs.
    reasons : tuple of callable
        Why it cannot be done.
    leading : tuple of str
        Keys of the parameters that a form shows first.
    places : callable
        What the verb takes, if not the run files.
    begin : callable
        Values to begin with.
    """

    text: str
    verb: str = ""
    takes: str = ""
    procedure: str = ""
    fewest: int = 1
    most: int = 10**9
    reasons: tuple[Reason, ...] = ()
    leading: tuple[str, ...] = ()
    places: Callable[[Selection], Sequence[Path]] = lambda chosen: chosen.paths
    begin: Callable[[Selection], Mapping[str, Any]] = lambda chosen: {}

    def why_not(self, chosen: Selection) -> str:
        """Return in a sentence why this cannot be done with a selection; "" where it can."""
        count = len(chosen.runs)
        if not self.fewest <= count <= self.most:
            wanted = (
                "one run" if self.fewest == self.most == 1
                else f"{self.fewest} runs or more" if self.fewest > 1
                else "at least one run"
            )  # fmt: skip
            return f"choose {wanted}; {count or 'none'} {'is' if count < 2 else 'are'} chosen"
        return next(filter(None, (reason(chosen) for reason in self.reasons)), "")

    def title(self, chosen: Selection) -> str:
        """Return what an action is called in a list: the verb, and what of."""
        paths = self.places(chosen) if self.takes else chosen.paths if self.fewest else []
        names = " ".join(path.name for path in paths[:2])
        return f"{self.verb} {names}".rstrip() + (f" and {len(paths) - 2} more" if len(paths) > 2 else "")


def _first(chosen: Selection, is_wrong: Callable[[IndexedRun], bool], words: str) -> str:
    wrong = [run for run in chosen.runs if is_wrong(run)]
    return f"{wrong[0].path.name} {words}" if wrong else ""


def _unreadable(chosen: Selection) -> str:
    return _first(chosen, lambda run: run.status == UNREADABLE, "cannot be read")


def _goes_on(chosen: Selection) -> str:
    return _first(chosen, lambda run: run.status in GOING_ON, "is still running; wait until it is over")


def _real(chosen: Selection) -> str:
    return _first(
        chosen,
        lambda run: not run.facts.preset,
        "was made on real instruments, and cells are never twice the same: run the procedure again, by To the form",
    )


def _finished(chosen: Selection) -> str:
    return _first(
        chosen, lambda run: run.status == Status.FINISHED, "has finished: nothing of it is left to do"
    )


def _not_finished(chosen: Selection) -> str:
    return _first(chosen, lambda run: run.status != Status.FINISHED, "has not finished")


def _not_interrupted(chosen: Selection) -> str:
    return _first(
        chosen,
        lambda run: run.status not in (Status.INTERRUPTED, UNREADABLE),
        "was not interrupted: it is an ordinary file",
    )


def _not_of(*procedures: str) -> Reason:
    names = " or ".join(
        [", ".join(procedures[:-1]), procedures[-1]] if len(procedures) > 1 else procedures
    ).lower()
    return lambda chosen: _first(
        chosen, lambda run: run.facts.procedure not in procedures, f"is no run of {names}"
    )


def _busy(chosen: Selection) -> str:
    return chosen.busy


def _no_campaign(chosen: Selection) -> str:
    return (
        "" if chosen.is_campaign else f"these runs are of no campaign: there is no {PLAN} above their folder"
    )


def _no_protocol(chosen: Selection) -> str:
    there = chosen.plan is not None and not chosen.is_campaign
    return "" if there else f"these runs are of no characterisation: there is no {PLAN} in their folder"


def _preset(chosen: Selection) -> dict[str, Any]:
    """Return the simulated cells of the runs, where all have the same and these are packaged."""
    presets = {run.facts.preset for run in chosen.runs}
    return {"preset": presets.pop()} if len(presets) == 1 and presets <= CELL_PRESETS.keys() else {}


def _on_bench(chosen: Selection) -> dict[str, Any]:
    return {"bench": chosen.bench}


def _characterised(chosen: Selection) -> dict[str, Any]:
    array, rows, columns = chosen.cells
    return _on_bench(chosen) | {"array": array, "rows": rows, "columns": columns}


def _campaign(chosen: Selection) -> dict[str, Any]:
    """Return the plan in a campaign's folder; the one that it is a copy of serves, too, and finds its files."""
    return {} if chosen.plan is None else {"plan": str(chosen.plan), "output": str(chosen.plan.parent)}


def _plan_folder(chosen: Selection) -> list[Path]:
    return [] if chosen.plan is None else [chosen.plan.parent]


ACTIONS: Mapping[str, tuple[RunAction, ...]] = {
    "Look": (
        RunAction("Print what it came to…", "show", "run", most=1, reasons=(_unreadable,), leading=("whole",)),
        RunAction("Draw figures…", "plot", "runs", reasons=(_unreadable,), leading=("output", "figure", "by", "width")),
        RunAction("Compare in numbers…", "compare", "runs", fewest=2, reasons=(_unreadable,), leading=("by", "everything")),
        RunAction("Related runs…", "runs about", "run", most=1, reasons=(_unreadable,)),
        RunAction("Verify…", "verify", "runs"),
    ),
    "Write": (
        RunAction("Report…", "report", "runs", reasons=(_unreadable,), leading=("output", "by")),
        RunAction(
            "Report of its campaign…", "report", "runs", reasons=(_no_campaign,), leading=("output", "by"),
            places=_plan_folder,
        ),
        RunAction(
            "Table of parameters and results…", "table", "runs", reasons=(_unreadable,), leading=("output", "columns"),
            begin=lambda chosen: {"output": str(chosen.folder / "runs.csv")},
        ),
        RunAction(
            "Export…", "export", "runs", reasons=(_unreadable,), leading=("to", "output"),
            begin=lambda chosen: {"to": "csv"},
        ),
        RunAction("Recover…", "recover", "runs", reasons=(_not_interrupted,)),
    ),
    "Explain": (
        RunAction(
            "Budget of its error…", "budget", "run", most=1, leading=("draws", "figure", "preset"),
            reasons=(_unreadable, _goes_on, _not_of(*EXPLAINED)),
        ),
        RunAction(
            "Forecast of such a solve…", "forecast", most=1, leading=("draws", "bits", "bench", "preset"),
            reasons=(_unreadable, _not_of("Solve")), begin=lambda chosen: _on_bench(chosen) | _preset(chosen),
        ),
        RunAction(
            "Projection from what was measured…", "projection", "runs", leading=("size", "preset", "measure"),
            reasons=(_unreadable, _not_of("Solve", "Invert")), begin=lambda chosen: {"preset": "bench"},
        ),
    ),
    "Repeat": (
        RunAction(
            "Rerun and compare bit for bit…", "rerun", "run", most=1, reasons=(_unreadable, _goes_on, _real),
            leading=("output",),
        ),
        RunAction(
            "Resume…", "resume", "run", most=1, reasons=(_unreadable, _goes_on, _finished, _real), leading=("output",)
        ),
        RunAction("Queue again…", "queue clone", "source", most=1, reasons=(_unreadable, _goes_on)),
        RunAction(
            "Go on with its campaign…", "campaign", reasons=(_no_campaign,), begin=_campaign,
            leading=("output", "workers", "tries", "dry_run"),
        ),
        RunAction(
            "Go on with its characterisation…", "characterise", "place", reasons=(_no_protocol, _busy),
            leading=("rehearse",), places=_plan_folder,
        ),
    ),
    "Chip": (
        RunAction(
            "Characterise cells…", "characterise", fewest=0, begin=_characterised, reasons=(_busy,),
            leading=("bench", "array", "rows", "columns", "quick"),
        ),
        RunAction(
            "Calibrate the simulated cells…", "calibrate", "runs", reasons=(_unreadable, _goes_on),
            leading=("to", "base", "checks"),
            begin=lambda chosen: {"to": str(chosen.folder / "mychip.toml")},
        ),
        RunAction(
            "Optimise programming…", "optimise", fewest=0, leading=("strategy", "preset", "to", "minutes"),
            begin=lambda chosen: {"strategy": "all", "to": str(chosen.folder / SETTINGS)} | _preset(chosen),
        ),
        RunAction(
            "Hold to the optimised settings…", "optimise", "compare", most=1, leading=("strategy",),
            reasons=(_unreadable, _goes_on, _not_of("Program")),
            begin=lambda chosen: {"strategy": str(chosen.folder / SETTINGS)},
        ),
        RunAction(
            "Refresh its cells, in the form", procedure="refresh", takes="of", most=1,
            reasons=(_unreadable, _goes_on, _not_of("Program")),
        ),
        RunAction("Collect defects…", "chip defects", "runs", reasons=(_unreadable,), leading=("to",)),
    ),
}  # fmt: skip
"""What the menu offers, under its headings."""


def all_actions() -> list[RunAction]:
    """Return the actions in their order."""
    return [action for some in ACTIONS.values() for action in some]
