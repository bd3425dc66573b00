"""The stages of a longer piece of work as bars on standard error, each with how much of it is done."""

from __future__ import annotations

from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mho.cli.terminal.terminal import Terminal


class Stages:
    """A bar a stage, from the first that is shown on; a context manager. `quiet`, it shows nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False),
            console=Terminal(stderr=True),
            transient=True,
            disable=quiet,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int, remark: str = "") -> None:
        """Display how much of a stage is done, and a word on it, such as the best so far."""
        if not self._tasks:
            self._bar.start()  # not before: an input that is refused is answered in one line
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=total, remark="")
        self._bar.update(self._tasks[stage], completed=done, total=total, remark=remark)
