"""The simulated Keithley 2450."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450
else:
    from mho.lazy_names import lazy_names

    # Loaded when it is asked for (PEP 562): the bench without instruments needs its ranges only.
    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = ["SimulatedKeithley2450"]
