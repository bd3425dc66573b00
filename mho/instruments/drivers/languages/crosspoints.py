"""What the drivers of switch matrices share: relays that moved are compared with those that were to move."""

from __future__ import annotations

from collections.abc import Iterable

from mho.errors import InstrumentError


def check_moved(title: str, command: str, closed: Iterable[str], expected: Iterable[str]) -> None:
    """Compare the crosspoints that are closed after a command with the expected ones.

    `InstrumentError` for a relay that did not obey: which, and to what.
    """
    there, wanted = set(closed), set(expected)
    faults = [
        f"{', '.join(sorted(names))} {what}"
        for names, what in ((wanted - there, "did not close"), (there - wanted, "did not open"))
        if names
    ]
    if faults:
        raise InstrumentError(
            f"{title}: {'; '.join(faults)} after {command!r}: a relay is stuck; take the card out of use"
        )
