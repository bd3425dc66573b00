"""The whole examination: every finding there is, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping

from mho.doctor import benches, buses, computer, display, installation, libraries, storage
from mho.doctor.findings import PATIENCE, Check, Finding, find_all, without_private
from mho.doctor.machine import Machine

CHECKS: Mapping[str, Check] = {
    "Python": installation.check_python,
    "mho": installation.check_mho,
    "packages": installation.check_packages,
    "VISA library": buses.check_visa_library,
    "VISA DLLs": libraries.check_visa,
    "PyVISA-py": buses.check_visa_py,
    "USB": buses.check_usb,
    "serial ports": buses.check_serial,
    "GPIB": buses.check_gpib,
    "NI-DAQmx": buses.check_daqmx,
    "WGFMU": libraries.check_wgfmu,
    "instruments": benches.check_instruments,
    "locks": benches.check_locks,
    "queue": benches.check_queue,
    "runs folder": storage.check_storage,
    "window": display.check_display,
    "console": display.check_console,
    "clock": computer.check_clock,
    "sleep": computer.check_sleep,
    "USB power": computer.check_usb_power,
    "updates": computer.check_updates,
    "processor": computer.check_computing,
}
"""Every check by the topic under which it is reported when it fails."""

OF_WINDOWS = frozenset({"VISA DLLs", "WGFMU", "console", "USB power", "updates"})
"""Topics that other systems do not have."""

PER_INSTRUMENT = 5.0  # s more for each that may be asked, of the 30 that a GPIB board takes
MOST_INSTRUMENTS = 30


def examine(
    machine: Machine | None = None, *, full: bool = False, checks: Mapping[str, Check] = CHECKS,
    patience: float | None = None,
) -> tuple[Finding, ...]:  # fmt: skip
    """Look at everything that a measurement needs of a machine.

    Parameters
    ----------
    machine : Machine, optional
        Which machine; this one unless given. Its `bench` and `ask` say which instruments are asked for their identity,
        which is the only traffic there is.
    full : bool
        Keep what is private: serial numbers, network addresses, the home folder, the names of user and host.
    checks : mapping of str to callable
        What is looked at, by topic.
    patience : float, optional
        s for everything; what has not come to its end by then is a finding itself.

    Returns
    -------
    tuple of Finding
        In the order of the checks.
    """
    machine = machine or Machine()
    if patience is None:
        patience = PATIENCE + (PER_INSTRUMENT * MOST_INSTRUMENTS if machine.bench or machine.ask else 0.0)
    if machine.system != "win32":
        checks = {topic: check for topic, check in checks.items() if topic not in OF_WINDOWS}
    findings = find_all(checks, machine, patience)
    return findings if full else without_private(findings, machine)
