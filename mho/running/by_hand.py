"""A session by hand: holds a bench open and carries out procedures on its chip, and touches of its instruments, as asked.

It is a job of the queue like any other, so that safety, STOP and locks are those of every job. Each act is a run of its
own, with a run file of its own. The session's file has the list of them, each touch, and what was read of instruments.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar

from mho.errors import Aborted, InputError, MhoError, UnsafeError
from mho.instruments import Bench
from mho.instruments.bench import WATCH, Hands
from mho.procedures.base import Procedure
from mho.procedures.catalogue import find_procedure, make_procedure
from mho.procedures.parameters import FloatParameter
from mho.procedures.stream import (
    ActChanged,
    ActWanted,
    Ended,
    Event,
    Message,
    Progress,
    Row,
    Standing,
    Started,
    Stream,
)
from mho.procedures.wording import counted, if_any, joined
from mho.running.execution import run
from mho.running.phases import note_used
from mho.runs import Column, Conclusion, Layout, Table, new_run_path

LOOK = 0.05  # s between two looks for what is wanted
PASSED_ON = Progress, Row, Message, Standing
"""Events of an act that the session's observers get as well."""


@dataclass
class _Act:
    """What is known of an act that is being carried out."""

    path: Path = Path()
    title: str = ""
    conclusion: str = ""


class _Watches:
    """What is read again and again, by role: how often, s, and when next, on the bench's clock."""

    def __init__(self, bench: Bench, hands: Hands, stream: Stream) -> None:
        self._bench, self._hands, self._stream = bench, hands, stream
        self._due: dict[str, tuple[float, float]] = {}

    def set(self, role: str, every: float) -> str:
        """Read an instrument `every` so many seconds from now on; 0 for no more."""
        if not every:
            self._due.pop(role, None)
            return "is not read again"
        self._due[role] = every, self._bench.now()
        return f"is read every {every:g} s"

    def look(self) -> None:
        """Read what is due; an instrument that fails is said once, and read no more."""
        for role, (every, due) in tuple(self._due.items()):
            now = self._bench.now()
            if now < due:
                continue
            self._due[role] = every, now + every
            try:
                read = self._hands.read(role)
            except MhoError as error:
                del self._due[role]
                self._stream.say(f"{role}: {error}; it is not read again", "WARNING")
                continue
            self.keep(role, read)

    def keep(self, role: str, read: Mapping[str, float]) -> None:
        """Write what was read of an instrument."""
        self._stream.emit(role, time=self._bench.now(), **read)


class ByHand(Procedure[dict[str, Any]]):
    """Hold the bench, and do with cells and instruments what the window asks for, one act or touch after another.

    It ends when it is asked to, or after `idle` without one. Once an instrument was touched, or is watched, a virtual
    bench's time goes on as on the wall.
    """

    title: ClassVar[str] = "Session by hand"
    group: ClassVar[str] = "Cells"

    idle = FloatParameter("Ends after so long without an act", units="s", minimum=1.0, default=1800.0)

    def check(self) -> None:
        """Take any parameters."""

    def prepare(self, given: Any, bench: Bench, rng: Any) -> Hands:
        """Return what can be done with the instruments."""
        return Hands(bench)

    def layout(self, plan: Hands) -> Layout:
        """Declare the tables of acts and touches, and one for each instrument that can be read.

        What each act and touch was, and came to, is in the log.
        """
        columns = (
            Column("number", dtype="u4"),
            Column("begun", "s", description="bench time"),
            Column("ended", "s", description="bench time"),
            Column("failed", dtype="u1"),
        )
        tables = [
            Table("acts", columns, axis="number", title="acts of the session"),
            Table("touches", columns, axis="number", title="touches of instruments"),
        ]
        for one in plan.touchables.values():
            if one.readings and not one.beside:  # what is beside the bench every run reads
                read = (Column(name, unit) for name, unit in one.readings.items())
                time_read = Column("time", "s", description="bench time")
                tables.append(Table(one.role, (time_read, *read), title=f"readings of {one.title}"))
        return Layout(tuple(tables), default="acts")

    def execute(self, plan: Hands, bench: Bench, stream: Stream) -> dict[str, Any]:
        """Carry out what is wanted until the end is."""
        watches = _Watches(bench, plan, stream)
        done, failed = {"acts": 0, "touches": 0}, 0
        waiting_since = looked = time.monotonic()
        lives, ended = False, f"ended after {self.idle:g} s without an act"
        while time.monotonic() - waiting_since < self.idle:
            paused = stream.control.pausing
            stream.pace("waiting for an act", done["acts"], 0, now=paused)
            if paused:  # the bench was at rest meanwhile: what was held and connected is not any more
                plan.rest()
            looked, before = time.monotonic(), looked
            if lives:
                bench.wait_until(bench.now() + looked - before)  # on a virtual bench time goes on as well
            watches.look()
            try:
                wanted = stream.control.acts.get(timeout=LOOK)
            except Empty:
                continue
            if not wanted.procedure:
                ended = wanted.by and f"ended by {wanted.by}"
                break
            kind = "touches" if wanted.instrument else "acts"
            done[kind] += 1
            number = sum(done.values())
            if wanted.instrument:
                if wanted.procedure != "look":
                    lives = True
                    note_used(bench, "touches by hand")
                failed += self._touch(wanted, number, not lives, plan, watches, stream)
            else:
                plan.rest()
                failed += self._carry_out(wanted, number, not lives, bench, stream)
                plan.heat_again()
            waiting_since = time.monotonic()
        return {**done, "failed_acts": failed, "ended": ended, "virtual_seconds": (bench.now(), "s")}

    def conclude(self, plan: Any, result: Any) -> Conclusion:
        """Return how many acts there were."""
        acts, touches = result["acts"], result["touches"]
        done = [counted(acts, "act")] if acts or not touches else []
        if touches:
            done.append(f"{touches} {'touch' if touches == 1 else 'touches'}")
        line = joined(*done, if_any(result["failed_acts"], "failed"), result["ended"])
        return Conclusion(line, measured=acts + touches > 0)

    def _touch(
        self, wanted: ActWanted, number: int, kept: bool, hands: Hands, watches: _Watches, stream: Stream
    ) -> bool:
        """Carry out a touch, and return whether it failed; what leaves the bench unsafe, and a stop, end the session."""
        role, begun, trouble, words = wanted.instrument, hands.now(), "", ""
        title = f"{role} {wanted.procedure}"
        stream.announce(ActChanged(number, title, Path()))
        try:
            if wanted.procedure == WATCH:
                words = watches.set(role, hands.interval(role, wanted.parameters))
            else:
                touched = hands.touch(role, wanted.procedure, wanted.parameters)
                words = touched.words
                if touched.readings:
                    watches.keep(role, touched.readings)
        except (Aborted, UnsafeError):
            raise
        except MhoError as error:
            trouble = str(error)
        stream.emit("touches", number=number, begun=begun, ended=hands.now(), failed=int(bool(trouble)))
        values = ", ".join(f"{name} {value}" for name, value in wanted.parameters.items())
        given = f" ({values})" if values else ""
        stream.say(f"touch {number}, {title}{given}: {trouble or words}", "ERROR" if trouble else "INFO")
        stream.announce(ActChanged(number, title, Path(), trouble or words, bool(trouble), kept))
        return bool(trouble)

    def _carry_out(self, wanted: ActWanted, number: int, kept: bool, bench: Bench, stream: Stream) -> bool:
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
        stream.announce(ActChanged(number, act.title, act.path, outcome, bool(trouble), kept))
        return bool(trouble)
