"""The simulated Keithley 2450 (SCPI command set): a source of volts or amperes that measures volts, amperes and ohms.

Model 2450 Reference Manual 2450-901-01; accuracies from the data sheet. (?) in the modules behind it marks what is from
memory, here the error texts. Not simulated: configuration lists, trigger models, limit tests, math and digital I/O.
The wires are on the front and on the rear terminals alike.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2450.buffers import EPOCH, FULL, NAME_TAKEN
from mho.instruments.simulated.keithley2450.panel import FrontPanel
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.scpi.instrument import Setting
from mho.instruments.simulated.scpi.parameters import Choice
from mho.instruments.simulated.scpi.status import ERROR_TEXTS, QueuedError

_NO_ERROR = '0,"No error;0;0 0"'


class SimulatedKeithley2450(FrontPanel):
    """A 2450 on a bench.

    Parameters
    ----------
    clock, rng, serial
        As for `ScpiDevice`.
    output : SourcePort
        What its terminals are wired to.
    accuracy : float
        Standard deviation of this specimen's gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    interlock : bool
        Whether the interlock is closed, which more than 42 V need.
    """

    identity = "KEITHLEY INSTRUMENTS,MODEL 2450,{serial},1.7.12b"

    language = Setting("*LANG", Choice("SCPI", ("SCPI", "TSP", "SCPI2400")))

    def __init__(
        self,
        clock: VirtualClock,
        rng: np.random.Generator,
        output: SourcePort,
        *,
        serial: str = "SIM00000",
        accuracy: float = 0.2,
        noise: float = 2e-6,
        interlock: bool = True,
    ) -> None:
        super().__init__(
            clock, rng, output, serial=serial, accuracy=accuracy, noise=noise, interlock=interlock
        )
        self.reset()

    def reset(self) -> None:
        """Power-on state: 0 V, output off, automatic ranges, empty buffers."""
        self.screen = "HOME"
        self._clear_display()
        self._forget_buffers()
        self._forget_sweeps()
        self._averaged.clear()
        self._apply()

    def error_texts(self) -> dict[int, str]:
        """Return the texts as the 2450 words them."""
        return _TEXTS

    def format_error(self, error: QueuedError) -> str:
        """Write ``code,"text;type;time"`` (p. 6-6)."""
        if error.code == 0:
            return _NO_ERROR
        time = (EPOCH + timedelta(seconds=error.time)).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        return f'{error.code},"{error.text};1;{time}"'


_TEXTS = {
    **ERROR_TEXTS,
    -222: "Parameter data out of range",
    1133: "Parameter 4, Syntax error, expected valid name parameters",
    NAME_TAKEN: "Parameter error: TRACe:MAKE cannot take an existing reading buffer name",
    FULL: "Attempting to store past capacity of reading buffer",
}
