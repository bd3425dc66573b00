"""What a procedure asks of a bench, held against what the bench offers: before anything is opened or sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mho.errors import BenchError
from mho.instruments.bench_file import BenchFile, Operation, check_operations, missing_operations

if TYPE_CHECKING:  # where a procedure is only named, its class is not imported
    from mho.procedures.base import Procedure
    from mho.procedures.manifest import ProcedureEntry


def check_needs(procedure: Procedure, bench: BenchFile) -> None:
    """Refuse a run that asks for an operation which nothing on the bench serves; nothing is opened.

    Raises
    ------
    BenchError
        Naming the procedure, the bench, what is missing, what could serve it, and which parameters ask for it.
    InputError
        For parameters of which the procedure cannot tell what they ask for.
    """
    kind = type(procedure)
    # Else there is no need to ask, for which some read their input files.
    if not bench.surely_offers((*kind.needs, *kind.may_need)):
        _check(bench, procedure.needed(), kind.may_need, kind.__name__)


def check_entry(entry: ProcedureEntry, bench: BenchFile) -> None:
    """Raise `BenchError` as `check_needs`, for a procedure that no run on this bench can carry out, however it is set."""
    _check(bench, entry.needs, entry.may_need, entry.name)


def _check(
    offer: BenchFile, needs: Sequence[Operation], may_need: Mapping[Operation, str], what: str
) -> None:
    lacking = missing_operations(offer, needs)
    try:
        check_operations(offer, needs, what)
    except BenchError as error:
        reasons = "".join(f"; {what} asks for `{one}` {may_need[one]}" for one in lacking if one in may_need)
        raise BenchError(f"{error}{reasons}") from None


@dataclass(frozen=True)
class Ability:
    """What a procedure can do on a bench."""

    procedure: str  # its name
    declared: bool  # whether it says what it needs
    missing: tuple[Operation, ...]  # without which it cannot run there
    without: Mapping[Operation, str]  # what is missing for some of its parameters, with when they ask for it

    @property
    def words(self) -> str:
        """Return in words whether it can run."""
        if not self.declared:
            return "does not say what it needs"
        if self.missing:
            return f"cannot run: nothing serves {' or '.join(f'`{one}`' for one in self.missing)}"
        if not self.without:
            return "can run"
        return f"can run, but nothing serves {', or '.join(f'`{one}` {when}' for one, when in self.without.items())}"


def abilities(bench: BenchFile, entries: Iterable[ProcedureEntry]) -> list[Ability]:
    """Return what each procedure can do on a bench; nothing is opened or imported."""
    offer = bench
    return [
        Ability(
            one.name,
            bool(one.needs),
            missing_operations(offer, one.needs),
            {name: one.may_need[name] for name in missing_operations(offer, one.may_need)},
        )
        for one in entries
    ]
