"""What stands in a rehearsal for an instrument whose class of one's own has no twin: nothing is sent, and nothing measured.

It is idle as often as it is asked to be; whatever it would do to a cell is refused with the sentence that says why. Thus a
run is rehearsed as far as it does without.
"""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

from mho.errors import BenchError
from mho.instruments import roles
from mho.instruments.bench_file.entries import BesideEntry, BoardEntry, DaqEntry, Instruments

_ACTS = frozenset(
    name
    for kind in vars(roles).values() if inspect.isclass(kind) and kind.__module__ == roles.__name__
    for name, method in vars(kind).items() if inspect.isfunction(method) and not name.startswith("_")
)  # fmt: skip
"""Methods of all roles."""


class Untwinned:
    """The driver in its place; `missing` is the sentence, `edge` the one that the bench file says of a generator (s)."""

    channel_count = 99  # as many as anybody may wire
    output_enabled = False

    def __init__(
        self, address: str, visa_library: str = "", *, missing: str = "", edge: float = 10e-9, **given: Any
    ) -> None:
        self._missing, self.edge = missing, edge

    def channel(self, number: int) -> Untwinned:
        """Return itself for every channel."""
        return self

    def identify(self) -> str:
        """Return the sentence."""
        return self._missing

    def settings(self) -> dict[str, str]:
        """Return none."""
        return {}

    def configure(self, *given: Any, **settings: Any) -> None:
        """Do nothing."""

    def enable(self) -> None:
        """Do nothing."""

    def make_safe(self) -> None:
        """Do nothing: there is no output."""

    def close(self) -> None:
        """Do nothing."""

    def closed(self) -> tuple[str, ...]:
        """Return that no crosspoint is closed."""
        return ()

    def open_all(self) -> None:
        """Do nothing."""

    def hold(self, voltage: float) -> None:
        """Do nothing at 0 V; `BenchError` for a level."""
        if voltage:
            self._refuse()

    gate = hold

    def _refuse(self, *given: Any, **settings: Any) -> NoReturn:
        raise BenchError(self._missing)


for _name in _ACTS.difference(vars(Untwinned)):
    setattr(Untwinned, _name, Untwinned._refuse)


class NoDevice:
    """The twin in its place, to which nothing is sent."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        """Take what twins are given."""

    def write(self, message: bytes) -> None:
        """Do nothing."""

    def read(self, size: int) -> tuple[bytes, bool]:
        """Return nothing."""
        return b"", True

    def idle_voltage(self, channel: int) -> float:
        """Return 0 V."""
        return 0.0


def missing_twins(instruments: Instruments) -> dict[str, str]:
    """Return, by name in the file, the sentence on each instrument of a class of one's own that names no twin.

    Not of what carries the chip, or plays its vectors: without it nothing is left to rehearse, and its own error says so.
    """
    missing = {}
    for name, entry in instruments.root.items():
        models, _ = entry._known(entry.kind)
        if isinstance(entry, BesideEntry | BoardEntry | DaqEntry) or models is None:
            continue
        if entry.driver in models or entry.twin:
            continue
        served = " and ".join(f"`{one}`" for one in entry.served()) or "what it does"
        missing[name] = (
            f"`{name}` ({entry.driver}) has no simulated twin, so that {served} cannot be rehearsed: name one beside it, "
            "twin = 'module:Class'"
        )
    return missing


def without_twins(instruments: Instruments) -> Instruments:
    """Return the instruments with a stand-in for each that `missing_twins` names."""
    for name, sentence in missing_twins(instruments).items():
        changes = {
            "driver": f"{__name__}:{Untwinned.__name__}", "twin": f"{__name__}:{NoDevice.__name__}",
            "options": {"missing": sentence},
        }  # fmt: skip
        instruments = instruments.changed(name, instruments.root[name].model_copy(update=changes))
    return instruments
