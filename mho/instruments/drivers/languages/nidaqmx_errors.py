"""Conversion of nidaqmx errors to one sentence with the device, the operation, the code and advice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nidaqmx.errors import DaqError, DaqNotFoundError, DaqNotSupportedError, Error

from mho.errors import InstrumentError

ADVICE = {
    -200170: "check the channel names in the bench file",
    -200220: "check the device name in the bench file against NI MAX or `nilsdev`",
    -201003: "check its cable and its power",
    -88709: "check its cable and its power, and that nobody else resets it",
    -200324: "check its cable and its power",
    -50103: "close the other program or task that uses it",
    -200022: "close the other program or task that uses it",
    -200284: "check that the sample clock is wired from the output to the input device",
    -200560: "check the sample clock",
    -200474: "check its cable and its power",
    -200292: "check the sample clock",
    -200279: "lower the rate",
    -200290: "lower the rate",
    -89125: "wire the clock between the devices and name its terminal as clock_wire",
    -200081: "lower the rate or use fewer inputs",
    -200332: "lower the rate",
    -200561: "scale the values down",
    -200077: "choose ranges that the device has",
    -200088: "it has been closed; open the bench again",
}

# Lines of NI's message that name the subject of the error.
DETAILS = (
    "Device:", "Device Specified:", "Physical Channel Name:", "Channel Name:", "Resource:", "Requested Value:",
    "Maximum Value:",
)  # fmt: skip


@contextmanager
def daqmx_errors(who: str, doing: str) -> Iterator[None]:
    """Convert every nidaqmx error within the block to `InstrumentError`.

    Parameters
    ----------
    who, doing : str
        Instrument and operation, for the message.
    """
    try:
        yield
    except (DaqNotFoundError, DaqNotSupportedError) as error:
        raise InstrumentError(
            f"{who}: {doing} failed because NI-DAQmx is not installed; install it from ni.com, "
            f"or use the simulated bench (--bench simulated)"
        ) from error
    except DaqError as error:
        advice = ADVICE.get(error.error_code, "look the code up in the NI-DAQmx help")
        raise InstrumentError(
            f"{who}: {doing} failed with DAQmx error {error.error_code}: "
            f"{first_line(error)}{_details(error)}; {advice}"
        ) from error
    except Error as error:
        raise InstrumentError(f"{who}: {doing} failed: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of NI's message, without its full stop."""
    return str(error).partition("\n")[0].rstrip(".")


def _details(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith(DETAILS)]
    return f" ({', '.join(lines)})" if lines else ""
