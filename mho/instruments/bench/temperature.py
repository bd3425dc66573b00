"""The chip's temperature: what a bench can do about it.

No role of a bench file sets a temperature yet. A simulated chip is at any temperature at once; on real instruments the
chuck is set by hand, and a run that asks for a temperature is refused before anything is sent.
"""

from __future__ import annotations

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


def set_temperature(bench: Bench, kelvin: float) -> None:
    """Take the chip to `kelvin` (K): a simulated one is there at once. Errors as `check_temperature`."""
    kelvin = check_temperature(bench, kelvin)
    bench.checkpoint()
    assert bench.simulated is not None
    bench.simulated.chip.temperature = kelvin
