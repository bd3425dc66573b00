"""A session by hand: holds a bench open and carries out one procedure after another on its chip, as it is asked to.

It is a job of the queue like any other, so that safety, STOP and locks are those of every job. Each act is a run of its
own, with a run file of its own; the session's file has the list of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from mho.errors import Aborted, InputError, MhoError, UnsafeError
from mho.instruments import Bench
from mho.procedures.base import Procedure
from mho.procedures.catalogue import find_procedure, make_procedure
from mho.procedures.parameters import FloatParameter
from mho.procedures.stream import ActChanged, ActWanted, Ended, Event, Message, Progress, Row, Started, Stream
from mho.procedures.wording import counted, if_any, joined
from mho.running.execution import run
from mho.runs import Column, Conclusion, Layout, Table, new_run_path

LOOK = 0.05  # s between two looks for what is wanted
PASSED_ON = Progress, Row, Message
"""Events of an act that the session's observers get as well."""


@dataclass
class _Act:
    """What is known of an act that is being carried out."""

    path: Path = Path()
    title: str = ""
    conclusion: str = ""


class ByHand(Procedure[dict[str, Any]]):
    """Hold the bench, and do with its cells what the window asks for, one act after another.

    It ends when it is asked to, or after `idle` without an act.
    """

    title: ClassVar[str] = "Session by hand"
    group: ClassVar[str] = "Cells"

    idle = FloatParameter("Ends after so long without an act", units="s", minimum=1.0, default=1800.0)

    def check(self) -> None:
        """Take any parameters."""

    def layout(self, plan: Any) -> Layout:
        """Declare the table of acts; what each of them was, and where its run file is, is in the log."""
        columns = (
            Column("number", dtype="u4"),
            Column("begun", "s", description="bench time"),
            Column("ended", "s", description="bench time"),
            Column("failed", dtype="u1"),
        )
        return Layout((Table("acts", columns, axis="number", title="acts of the session"),), default="acts")

    def execute(self, plan: Any, bench: Bench, stream: Stream) -> dict[str, Any]:
        """Carry out what is wanted until the end is."""
        acts = failed = 0
        waiting_since = time.monotonic()
        while time.monotonic() - waiting_since < self.idle:
            stream.pace("waiting for an act", acts, 0)
            try:
                wanted = stream.control.acts.get(timeout=LOOK)
            except Empty:
                continue
            if not wanted.procedure:
                break
            acts += 1
            failed += self._carry_out(wanted, acts, bench, stream)
            waiting_since = time.monotonic()
        return {"acts": acts, "failed_acts": failed, "virtual_seconds": (bench.now(), "s")}

    def conclude(self, plan: Any, result: Any) -> Conclusion:
        """Return how many acts there were."""
        acts = result["acts"]
        return Conclusion(
            joined(counted(acts, "act"), if_any(result["failed_acts"], "failed")), measured=acts > 0
        )

    def _carry_out(self, wanted: ActWanted, number: int, bench: Bench, stream: Stream) -> bool:
        """Carry out one act, and return whether it failed; what leaves the bench unsafe, and a stop, end the session."""
        act, begun = _Act(title=wanted.procedure), bench.now()

        def watch(event: Event) -> None:
            if isinstance(event, Started):
                act.path, act.title = event.path, event.title
                stream.announce(ActChanged(number, event.title, event.path))
            elif isinstance(event, Ended):
                act.conclusion = event.conclusion.line or event.reason
            elif isinstance(event, PASSED_ON):
                stream.announce(event)

        trouble = ""
        try:
            if issubclass(find_procedure(wanted.procedure), ByHand):
                raise InputError("a session by hand is no act of a session by hand")
            procedure = make_procedure(wanted.procedure, wanted.parameters)
            run(
                procedure, bench, output=new_run_path(wanted.procedure, stream.path.parent),
                observers=[watch], control=stream.control,
            )  # fmt: skip
        except (Aborted, UnsafeError):
            raise
        except MhoError as error:
            trouble = str(error)
        stream.emit("acts", number=number, begun=begun, ended=bench.now(), failed=int(bool(trouble)))
        outcome = trouble or act.conclusion or "done"
        where = f", in {act.path.name}" if act.path != Path() else ""
        stream.say(f"act {number}, {act.title}: {outcome}{where}", "ERROR" if trouble else "INFO")
        stream.announce(ActChanged(number, act.title, act.path, outcome, bool(trouble)))
        return bool(trouble)
