"""The chip's temperature: what a bench can do about it.

No role of a bench file sets a temperature yet. A simulated chip is at any temperature at once; on real instruments the
chuck is set by hand, and a run that asks for a temperature is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mho.errors import BenchError, InputError
from mho.instruments.bench import arguments as given
from mho.instruments.bench.bench import Bench


def check_temperature(bench: Bench, kelvin: float) -> float:
    """Return a temperature (K) to which `bench` can take its chip; nothing is sent.

    Raises
    ------
    InputError
        When it is no positive number.
    BenchError
        When the bench has real instruments.
    """
    kelvin = given.finite(kelvin, "temperature", "K")
    if kelvin <= 0.0:
        raise InputError(f"temperature is {kelvin:g} K; give one above 0 K")
    if bench.simulated is None:
        raise BenchError(
            f"bench {bench.file.name!r} has no temperature controller, so that nothing can take the chip to {kelvin:g} K: "
            "set the chuck by hand, wait until it has settled, and leave `temperature` out"
        )
    return kelvin


@contextmanager
def at_temperature(bench: Bench, kelvin: float | None) -> Iterator[None]:
    """Within the block the chip is at `kelvin` (K), or as it is for None; errors as `check_temperature`.

    A simulated chip is there at once, and as it was before at the end.
    """
    if kelvin is None:
        yield
        return
    kelvin = check_temperature(bench, kelvin)
    assert bench.simulated is not None
    chip = bench.simulated.chip
    before, chip.temperature = chip.temperature, kelvin
    try:
        yield
    finally:
        chip.temperature = before
