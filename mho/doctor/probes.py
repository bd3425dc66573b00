"""What is asked of vendors' libraries, and of what may crash or hang, in a process of its own.

``python -m mho.doctor.probes NAME [WORD …]`` prints what the function finds, as JSON on its last line.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Interfaces whose resources are listed. Not TCPIP: PyVISA-py would send broadcasts into every network.
INTERFACES = ("USB", "GPIB", "ASRL", "PXI")
ANSWER_WITHIN = 3000  # ms, of an instrument


def visa_ivi() -> dict[str, Any]:
    """Find the VISA library of a vendor, and list the resources that it knows; none is opened."""
    import pyvisa
    from pyvisa.constants import ResourceAttribute
    from pyvisa.ctwrapper.highlevel import IVIVisaLibrary

    paths = [str(path) for path in IVIVisaLibrary.get_library_paths()]
    found: dict[str, Any] = {"paths": paths, "vendor": "", "version": "", "resources": [], "troubles": []}
    if not paths:
        return found
    manager = pyvisa.ResourceManager("@ivi")

    def fact(attribute: ResourceAttribute) -> Any:
        return manager.visalib.get_attribute(manager.session, attribute)[0]

    found["vendor"] = str(fact(ResourceAttribute.resource_manufacturer_name))
    number = int(fact(ResourceAttribute.resource_impl_version))  # 0xMMMmmmss, VPP-4.3, section 3.2
    found["version"] = f"{number >> 20}.{number >> 8 & 0xFFF}.{number & 0xFF}"
    for interface in INTERFACES:
        _list_into(found, interface, partial(manager.list_resources, f"{interface}?*"))
    return found


def visa_py() -> dict[str, Any]:
    """Find which interfaces PyVISA-py can use, and list the resources on them; none is opened."""
    import_module("pyvisa_py.highlevel")  # it loads every interface
    sessions = import_module("pyvisa_py.sessions").Session
    found: dict[str, Any] = {
        "version": version("pyvisa-py"), "usable": [], "unusable": {}, "resources": [],
        "troubles": [],
    }  # fmt: skip
    for (interface, kind), session in sessions.iter_valid_session_classes():
        found["usable"].append(f"{interface.name.upper()} {kind}")
        if interface.name.upper() in INTERFACES and kind == "INSTR":
            _list_into(found, interface.name.upper(), session.list_resources)
    for (interface, kind), trouble in sessions.iter_session_classes_issues():
        found["unusable"][f"{interface.name.upper()} {kind}"] = str(trouble).splitlines()[0]
    return found


def _list_into(found: dict[str, Any], interface: str, listing: Callable[[], Sequence[str]]) -> None:
    try:
        found["resources"] += listing()
    except (
        Exception
    ) as error:  # of one interface: a board that is not configured, a device without permission
        found["troubles"].append(f"{interface}: {error}")


def serial_ports() -> list[dict[str, str]] | None:
    """List the serial ports, and what each says of itself; None without pyserial. None is opened."""
    try:
        listing = import_module("serial.tools.list_ports").comports()
    except ImportError:
        return None
    return [
        {
            "port": one.device,
            "description": (one.description or "").removesuffix(f" ({one.device})").replace("n/a", ""),
            "vendor": "" if one.vid is None else f"{one.vid:04x}",
            "product": "" if one.pid is None else f"{one.pid:04x}",
            "serial": one.serial_number or "",
        }
        for one in listing
    ]


def daqmx() -> dict[str, Any]:
    """Find the NI-DAQmx driver and its devices; `version` is "" without a driver."""
    from nidaqmx.errors import DaqNotFoundError
    from nidaqmx.system import System

    try:
        system = System.local()
        driver = ".".join(map(str, system.driver_version))
    except DaqNotFoundError:
        return {"version": "", "devices": []}
    devices = []
    for device in system.devices:
        serial = ""
        with suppress(Exception):  # simulated devices may have none
            serial = f"{device.serial_num:X}"
        devices.append({"name": device.name, "type": device.product_type, "serial": serial})
    return {"version": driver, "devices": devices}


def qt() -> dict[str, Any]:
    """Find PySide6, and whether its window can be shown here, and off the screen."""
    from mho.gui.system_libraries import qt_trouble

    found = {
        "version": version("PySide6-Essentials"),
        "trouble": qt_trouble(),
        "offscreen": "",
    }
    try:
        import_module("PySide6.QtWidgets")
    except ImportError as error:
        found["offscreen"] = str(error)
    return found


def hdf5(folder: str) -> dict[str, Any]:
    """Write a file as a run is written, read it meanwhile, and remove it; `sync` (s) is what reaching the disk takes."""
    import h5py

    with tempfile.TemporaryDirectory(prefix=".mho-doctor-", dir=folder) as place:
        path = Path(place, "trial.h5")
        with h5py.File(path, "w-", libver="v110", locking="best-effort") as file:
            values = file.create_dataset("values", (0,), maxshape=(None,), chunks=(512,), dtype="f8")
            file.swmr_mode = True
            values.resize((512,))
            values[:] = 1.0
            begun = time.perf_counter()
            values.flush()
            os.fsync(file.id.get_vfd_handle())
            took = time.perf_counter() - begun
            with h5py.File(path, "r", swmr=True, locking="best-effort") as reader:
                seen = float(reader["values"][:].sum())
    return {"hdf5": h5py.version.hdf5_version, "sync": took, "read_meanwhile": seen == 512.0}


def identify(library: str, *addresses: str) -> dict[str, dict[str, str]]:
    """Ask instruments, one after the other, ``*IDN?``; `library` is PyVISA's choice of one."""
    import pyvisa

    manager = pyvisa.ResourceManager(library)
    answers: dict[str, dict[str, str]] = {}
    for address in addresses:
        try:
            session: Any = manager.open_resource(
                address, read_termination="\n", write_termination="\n", timeout=ANSWER_WITHIN,
                open_timeout=ANSWER_WITHIN,
            )  # fmt: skip
            try:
                answers[address] = {"identity": session.query("*IDN?").strip()}
            finally:
                session.close()
        except Exception as error:  # of any library, on any bus
            answers[address] = {"trouble": " ".join(str(error).split()) or type(error).__name__}
    return answers


PROBES: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (visa_ivi, visa_py, serial_ports, daqmx, qt, hdf5, identify)
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of vendors' libraries, to a terminal that is not theirs
    print("\n" + json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))
