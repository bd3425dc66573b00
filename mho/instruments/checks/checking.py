"""Check of a bench before use: every instrument separately, then a known resistor through all of them.

Only the contact check changes an output; it needs a ``[check]`` section in the bench file and ends at 0 V.
Switches of the array board move only while the outputs of all sources are known to be off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from mho.errors import MhoError
from mho.instruments.bench.instruments import make_safe
from mho.instruments.bench.stop_requests import signals_held
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.bench_file.plausibility import doubtful_limits
from mho.instruments.checks.contact import CURRENT, Contact, classify_contact, read_contact
from mho.instruments.checks.inspection import LOOKS, Seen, Verdict, look_at_reading
from mho.instruments.opening.opening import bench_openers, need_instruments
from mho.instruments.roles import Cell

ADVICE = {
    Contact.SHORT: "look for a bridge between bit line and source line; do not mate a chip before it is gone",
    Contact.OPEN: "check cables, probes and the socket, and that the resistor is where the bench file says",
    Contact.OFF: "check the resistor's value in the bench file, and clean the contacts",
}


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes
    ----------
    subject : str
        Role of the instrument, or ``bench``.
    what : str
        Subject of the check: connection, identity, errors…
    verdict : {"ok", "note", "wrong"}
        A note is worth reading; a wrong result must be corrected before use.
    detail : str
        What was found.
    advice : str
        What to do about it.
    live : bool or None
        Whether an output, or the board, is on. None where that could not be read, and for all other checks.
    """

    subject: str
    what: str
    verdict: Verdict
    detail: str
    advice: str = ""
    live: bool | None = None


@dataclass(frozen=True)
class BenchReport:
    """The findings on a bench."""

    bench: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.verdict != "wrong" for finding in self.findings)


def check_bench(
    name: str = "simulated", *, preset: str | None = None, seed: int | None = None, force: bool = False
) -> BenchReport:
    """Open and check every instrument of a bench separately; a failure does not keep the others from being checked.

    Parameters
    ----------
    name : str
        A packaged bench or a bench file.
    preset, seed : optional
        Of a simulated bench, as for `open_bench`. The known resistor is also on the simulated chip.
    force : bool
        Report implausible limits as notes instead of as wrong.

    Raises
    ------
    BenchError
        For a wrong bench file, or a bench in use.
    """
    source = load_bench_file(name)
    need_instruments(source)
    check = source.bench.check
    with ExitStack() as stack:
        openers, laboratory = stack.enter_context(bench_openers(source, preset, seed))
        if laboratory is not None and check is not None and check.cell is not None:
            array, row, column = check.cell
            laboratory.chip.cells[array].fix((row, column), 1.0 / check.resistor)
        checker = _Checker(source, stack, force)
        checker.check(openers)
    return BenchReport(source.bench.name, tuple(checker.findings))


class _Checker:
    """Performs the checks one by one and collects the findings."""

    def __init__(self, source: BenchSource, stack: ExitStack, force: bool = False) -> None:
        self.findings: list[Finding] = []
        self._source, self._bench, self._stack = source, source.bench, stack
        self._opened: dict[str, Any] = {}
        self._force = force

    def check(self, openers: Mapping[str, Callable[[], Any]]) -> None:
        """Run all checks; the exit stack closes the instruments."""
        self._look("bench", "reading", lambda: look_at_reading(self._bench))
        self._look("bench", "limits", self._limits)
        for role, open_role in openers.items():
            self._check_instrument(role, open_role)
        reasons, left_on = self._live()
        if reasons:
            moved = "not tried: " + "; ".join(reasons)
            advice = f"{'`mho bench safe`' if left_on else 'mend the connection'}, then check again"
            self.findings.append(Finding("board", "switches", "note", moved, advice))
            if self._bench.check is not None:
                self.findings.append(Finding("bench", "contact", "note", moved, advice))
            return
        if "board" in self._opened:
            self._look("board", "switches", self._switches)
        if "switch" in self._opened:
            self._look("switch", "relays", self._relays)
        self._look("bench", "contact", self._contact)

    def _limits(self) -> Seen:
        doubts = doubtful_limits(self._source)
        if not doubts:
            return Seen("ok", "within what instruments deliver and cells bear, as far as known")
        advice = "correct what is a slip; --force insists, `insist = true` beside the limit for good"
        return Seen("note" if self._force else "wrong", "; ".join(doubts), advice)

    def _check_instrument(self, role: str, open_role: Callable[[], Any]) -> None:
        def connect() -> Seen:
            self._opened[role] = open_role()
            self._stack.callback(self._opened[role].close)
            return Seen("ok", "answers")

        self._look(role, "connection", connect)
        if role in self._opened:
            instrument = self._opened[role]
            for what, look in LOOKS.items():
                self._look(role, what, lambda look=look: look(self._bench, role, instrument))  # type: ignore[misc]

    def _look(self, subject: str, what: str, look: Callable[[], Seen | None]) -> None:
        try:
            seen = look()
        except MhoError as error:
            problem, told, advice = str(error).partition("; ")
            seen = Seen("wrong", problem, advice if told else "check cable, power and the bench file's entry")
        except Exception as error:  # a driver's bug must not keep the other instruments from being checked
            seen = Seen(
                "wrong", f"{type(error).__name__}: {error}", "this is a defect of the driver: report it"
            )
        if seen is not None:
            self.findings.append(Finding(subject, what, *seen))

    def _live(self) -> tuple[list[str], bool]:
        """Return why switches must not move (sources that may be on), and whether `mho bench safe` helps."""
        live = {(finding.subject, finding.what): finding.live for finding in self.findings}
        outputs = {role: live.get((role, "output")) for role in ("smu", "gate", "pulser")}
        reasons = [
            f"the output of {role} is {'on' if on else 'not known to be off'}"
            for role, on in outputs.items()
            if on is not False
        ]
        unsafe = "board" in self._opened and live.get(("board", "mode")) is not False
        if unsafe:
            reasons.append("the board is not SAFE")  # and the level of the DAQ's outputs is not known
        return reasons, unsafe or any(outputs.values())

    def _switches(self) -> Seen:
        """Close every path once; the driver reads each back."""
        board = self._opened["board"]
        with self._safe_afterwards({"board": board}):
            board.set_mode("PROGRAM")
            board.select(self._some_cell())
            for path in ("READ", "SET", "RESET", "OPEN"):
                board.route(path)
        return Seen("ok", "every path closes and opens as read back; SAFE again")

    def _relays(self) -> Seen:
        """Close the crosspoints of every path once; the driver reads each back."""
        switch, entry = self._opened["switch"], self._bench.instruments.switch
        assert entry is not None
        with self._safe_afterwards({"switch": switch}):
            switch.open_all()
            for crosspoints in entry.crosspoints().values():
                switch.close_paths(sorted(crosspoints))
                switch.open_all()
        return Seen("ok", "every path closes and opens as read back; all open again")

    def _some_cell(self) -> Cell:
        check = self._bench.check
        if check is not None and check.cell is not None:
            return Cell(*check.cell)
        return Cell(read_chip_text(self._source.chip_text, self._source.bench.chip).arrays[0].name, 0, 0)

    def _contact(self) -> Seen:
        check = self._bench.check
        if check is None:
            return Seen("note", "no known resistor", "put one in and name it under [check] in the bench file")
        wanted = ["smu"]
        if check.cell is not None:  # made safe in this order
            wanted += (
                ["board", "gate"] if self._bench.instruments.switch is None else ["board", "gate", "switch"]
            )
        missing = [role for role in wanted if role not in self._opened]
        if missing:
            return Seen("wrong", f"not tried without {', '.join(missing)}", "mend the connection first")
        used = {role: self._opened[role] for role in wanted}
        with self._safe_afterwards(used):
            readings = read_contact(
                self._bench, check, used["smu"], used.get("gate"), used.get("board"), used.get("switch")
            )
        contact, ohms = classify_contact(readings, check.resistor, check.tolerance)
        detail = f"{contact}: {ohms / 1e3:.4g} kohm where {check.resistor / 1e3:.4g} kohm are expected"
        if contact is Contact.SHORT and not ohms:
            detail = f"{contact}: more than {CURRENT:g} A at {readings[-1].voltage:.2g} V"
        return Seen("ok" if contact is Contact.OK else "wrong", detail, ADVICE.get(contact, ""))

    @contextmanager
    def _safe_afterwards(self, used: Mapping[str, Any]) -> Iterator[None]:
        """Use instruments, then make them safe; signals that would end the program are held back meanwhile."""
        with signals_held():
            try:
                yield
            finally:
                for role, error in make_safe(used).items():
                    self.findings.append(Finding(role, "safe", "wrong", str(error), "switch it off by hand"))
