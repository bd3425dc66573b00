"""Findings on what instruments are reached by: VISA, USB, serial ports, GPIB, NI-DAQmx. Listing opens none of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mho import platforms
from mho.doctor.findings import Ending, Finding
from mho.doctor.libraries import DAQMX, GPIB, check_product, libraries
from mho.doctor.machine import Machine
from mho.errors import install_command

MAKERS = {
    "05e6": "Keithley", "0957": "Agilent", "2a8d": "Keysight", "0699": "Tektronix", "0b21": "Yokogawa",
    "3923": "National Instruments", "1ab1": "Rigol", "0aad": "Rohde & Schwarz", "1fb9": "Lake Shore",
}  # fmt: skip
"""Makers of instruments by their USB number of a vendor."""

USBTMC = ("fe", "03")  # class and subclass of an interface that takes messages, USBTMC 1.0, table 43
NO_TRAFFIC = "a process measures with a bench of mho: resources are not listed meanwhile"
LIBRARIES = "NI-VISA or Keysight IO Libraries"
_BENCH_LOCKS = "@mho-bench/"


def is_measuring(machine: Machine) -> bool:
    """Return whether a process on this machine has locked a bench (Linux; elsewhere that is seen by bench only)."""
    return _BENCH_LOCKS in machine.text("/proc/net/unix")


def check_visa_library(machine: Machine) -> Iterator[Finding]:
    """Find a vendor's VISA library, which a bench file without `visa` uses, and list what it finds."""
    say = Ending("VISA library")
    if chosen := machine.environ.get("PYVISA_LIBRARY"):
        yield say.note(
            f"PYVISA_LIBRARY={chosen} is taken where a bench file names none", "unset it if it is not meant"
        )
    if is_measuring(machine):
        yield say.note(NO_TRAFFIC, "look again when it has ended")
        return
    there = machine.probe("visa_ivi")
    if not there["paths"]:
        yield say.note(
            "none of a vendor is installed",
            f'install {LIBRARIES}, or write visa = "@py" into the bench file (PyVISA-py)',
        )
        return
    yield say.ok(f"{there['vendor']} {there['version']}, {', '.join(there['paths'])}")
    yield from _resources("VISA finds", there)


def check_visa_py(machine: Machine) -> Iterator[Finding]:
    """Find which interfaces PyVISA-py can use, which a bench file with `visa = "@py"` uses, and list what is on them."""
    say = Ending("PyVISA-py")
    if is_measuring(machine):
        yield say.note(NO_TRAFFIC, "look again when it has ended")
        return
    there = machine.probe("visa_py")
    lacking = [name.split()[0] for name in there["unusable"] if name.endswith("INSTR")]
    what = f"{there['version']}; usable: {', '.join(there['usable'])}"
    if {"USB", "ASRL"} & set(lacking):
        what += f"; not: {', '.join(lacking)}"
        yield say.note(what, f"for USB and serial ports: {install_command('pyvisa-py[serial,usb]')}")
    else:
        yield say.ok(what)
    yield from _resources("PyVISA-py finds", there)


def _resources(topic: str, there: dict[str, list[str]]) -> Iterator[Finding]:
    say = Ending(topic)
    for trouble in there["troubles"]:
        backend = "install libusb: `sudo apt install libusb-1.0-0`, or `pip install libusb-package`"
        advice = "see below for the permissions of USB and of serial ports"
        yield say.note(trouble, backend if "backend" in trouble.lower() else advice)
    yield say.ok(", ".join(there["resources"]) or "none on USB, GPIB, serial ports and PXI")


@dataclass(frozen=True)
class UsbDevice:
    """A device on USB: numbers of vendor and product in hexadecimal, what it calls itself, and its node."""

    vendor: str
    product: str
    name: str
    serial: str
    node: Path | None = None  # below /dev/bus/usb, on Linux
    messages: bool = False  # whether it has an interface of USBTMC

    def __str__(self) -> str:
        maker = MAKERS.get(self.vendor, "")
        name = self.name if maker.lower() in self.name.lower() else f"{maker} {self.name}".strip()
        serial = f", serial {self.serial}" if self.serial else ""
        return f"{self.vendor}:{self.product} {name}{' (USBTMC)' if self.messages else ''}{serial}"


def usb_instruments(machine: Machine) -> list[UsbDevice]:
    """Return the devices on USB that are instruments: by their maker, or by an interface of USBTMC (Linux)."""
    match machine.system:
        case "linux":
            devices = _usb_of_linux(machine)
        case "win32":
            listing = machine.program("pnputil", "/enum-devices", "/connected") or ""
            numbers = re.findall(r"USB\\VID_([0-9A-F]{4})&PID_([0-9A-F]{4})\\(\S+)", listing, re.IGNORECASE)
            # What Windows has made up for a device without a serial number has an "&"
            devices = [UsbDevice(v.lower(), p.lower(), "", "" if "&" in s else s) for v, p, s in numbers]
        case _:
            listing = machine.program("ioreg", "-p", "IOUSB", "-l", "-w", "0") or ""
            devices = list(filter(None, map(_usb_of_mac, re.split(r"(?m)^.*\+-o ", listing))))
    return [one for one in devices if one.vendor in MAKERS or one.messages]


def _usb_of_linux(machine: Machine) -> list[UsbDevice]:
    devices = []
    for folder in machine.paths("/sys/bus/usb/devices/*"):
        place = f"/sys/bus/usb/devices/{folder.name}"
        vendor = machine.text(f"{place}/idVendor")
        if not vendor:  # an interface, not a device
            continue
        kinds = {
            (machine.text(f"{place}/{one.name}/bInterfaceClass"), machine.text(f"{place}/{one.name}/bInterfaceSubClass"))
            for one in folder.glob("*:*")
        }  # fmt: skip
        name = " ".join(machine.text(f"{place}/{part}") for part in ("manufacturer", "product")).strip()
        numbers = [machine.text(f"{place}/{part}") for part in ("busnum", "devnum")]
        node = None
        if all(number.isdecimal() for number in numbers):
            node = machine.path("/dev/bus/usb/{:03d}/{:03d}".format(*map(int, numbers)))
        devices.append(
            UsbDevice(
                vendor,
                machine.text(f"{place}/idProduct"),
                name,
                machine.text(f"{place}/serial"),
                node,
                USBTMC in kinds,
            )
        )
    return devices


def _usb_of_mac(entry: str) -> UsbDevice | None:
    numbers = [re.search(rf'"{key}" = (\d+)', entry) for key in ("idVendor", "idProduct")]
    if None in numbers:
        return None
    vendor, product = (f"{int(number[1]):04x}" for number in numbers if number)
    serial = re.search(r'"USB Serial Number" = "([^"]*)"', entry)
    return UsbDevice(vendor, product, re.split(r"@|\s*<", entry)[0].strip(), serial[1] if serial else "")


def check_usb(machine: Machine) -> Iterator[Finding]:
    """Find instruments on USB, and whether this user may open them."""
    say = Ending("USB")
    instruments = usb_instruments(machine)
    closed = [
        one for one in instruments if one.node is not None and not os.access(one.node, os.R_OK | os.W_OK)
    ]
    for one in instruments:
        secret = (one.serial,)
        if one not in closed:
            yield say.ok(str(one), private=secret)
            continue
        yield say.wrong(
            f"{one}: {one.node} may not be opened by this user", udev_advice(machine, one), private=secret
        )
    if not instruments:
        yield say.ok("no device of a maker of instruments")
    kernel = machine.paths("/dev/usbtmc*")
    if kernel:
        yield say.ok(
            f"the kernel's driver has {', '.join(one.name for one in kernel)}; PyVISA-py takes them from it"
        )


def udev_advice(machine: Machine, device: UsbDevice) -> str:
    """Return how this user may come to open a device on USB."""
    group = "plugdev" if re.search(r"^plugdev:", machine.text("/etc/group"), re.MULTILINE) else "users"
    rule = (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{device.vendor}", MODE="0660", GROUP="{group}", TAG+="uaccess"'
    )
    return (
        f"write the line {rule} into /etc/udev/rules.d/70-mho.rules; then `sudo usermod -aG {group} $USER`, "
        "`sudo udevadm control --reload`, `sudo udevadm trigger`, and log in anew"
    )


PORTS = {
    "linux": ("/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*", "/dev/ttyXRUSB*"),
    "darwin": ("/dev/cu.usb*", "/dev/cu.SLAB*"),
}  # fmt: skip


def serial_ports(machine: Machine) -> list[Path]:
    """Return the nodes of the serial ports that were plugged in (Linux, macOS)."""
    return [port for pattern in PORTS.get(machine.system, ()) for port in machine.paths(pattern)]


def check_serial(machine: Machine) -> Iterator[Finding]:
    """Find serial ports, and whether this user may open them."""
    say = Ending("serial ports")
    if machine.system == "win32":
        yield from _com_ports(machine, say)
        return
    ports = serial_ports(machine)
    closed = [port for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    if shown := [port.name for port in ports if port not in closed]:
        yield say.ok(", ".join(shown))
    for port in closed:
        group = platforms.here.group_of(port) or "dialout"
        advice = f"`sudo usermod -aG {group} $USER`, then log in anew (a group counts from the next login on)"
        yield say.wrong(f"{port.name} belongs to group {group}, and may not be opened by this user", advice)
    if not ports:
        yield say.ok("none")
    state = machine.program("systemctl", "is-active", "ModemManager") if ports else None
    if (state or "").strip() == "active":
        yield say.note(
            "ModemManager runs, and sends to every new port to see whether it is a modem",
            "`sudo systemctl disable --now ModemManager` where there is no modem",
        )


def _com_ports(machine: Machine, say: Ending) -> Iterator[Finding]:
    """Find the ports of Windows: its registry has all that are there, pyserial knows what each is."""
    ports = {
        str(name): "" for name in machine.registry(r"HKLM\HARDWARE\DEVICEMAP\SERIALCOMM").values() if name
    }
    described = machine.probe("serial_ports")
    secrets = []
    for one in described or ():
        maker = MAKERS.get(one["vendor"], "")
        numbers = f"{one['vendor']}:{one['product']}" if one["vendor"] else ""
        serial = f"serial {one['serial']}" if one["serial"] else ""
        what = ", ".join(filter(None, [f"{maker} {one['description']}".strip(), numbers, serial]))
        ports[one["port"]] = f" ({what})" if what else ""
        secrets.append(one["serial"])
    order = sorted(ports, key=lambda name: (len(name), name))
    what = "; ".join(f"{name}{ports[name]}" for name in order) or "none"
    if described is None:
        yield say.note(what, "for what is at each port: pip install pyserial")
    else:
        yield say.ok(what, private=tuple(secrets))


def check_gpib(machine: Machine) -> Iterator[Finding]:
    """Find GPIB: boards of linux-gpib, and NI-488.2."""
    say = Ending("GPIB")
    if machine.system == "win32":
        yield from check_product(machine, GPIB)
        return
    if machine.system == "darwin":
        there = [one.name for one in machine.paths("/Library/Frameworks/*488*.framework")]
        yield say.ok(", ".join(there) or "no driver")
        return
    boards = machine.paths("/dev/gpib*")
    closed = [board for board in boards if not os.access(board, os.R_OK | os.W_OK)]
    for board in closed:
        advice = f"`sudo usermod -aG {platforms.here.group_of(board) or 'dialout'} $USER`, then log in anew"
        yield say.wrong(f"{board.name} may not be opened by this user", advice)
    if opened := [board.name for board in boards if board not in closed]:
        yield say.ok(", ".join(opened))
    libraries = set(re.findall(r"lib(?:gpib|gpibapi|ni4882)\.so", machine.program("ldconfig", "-p") or ""))
    if boards and not libraries:
        yield say.note(
            "a board without its library",
            "`sudo apt install libgpib0` or NI-488.2, and `pip install gpib-ctypes`",
        )
    elif not boards:
        yield say.ok(f"no board{', library ' + ', '.join(sorted(libraries)) if libraries else ''}")


def check_daqmx(machine: Machine) -> Iterator[Finding]:
    """Find the NI-DAQmx driver and its devices."""
    if machine.system == "win32":
        yield from check_product(machine, DAQMX)
        if not libraries(machine, DAQMX.names):  # nothing to be asked, and asking takes seconds
            return
    say = Ending("NI-DAQmx")
    there = machine.probe("daqmx")
    if not there["version"]:
        yield say.ok("no driver; only a bench with an NI DAQ needs it")
        return
    devices, secrets = [], []
    for one in there["devices"]:
        serial = f", serial {one['serial']}" if one["serial"] else ""
        devices.append(f"{one['name']} {one['type']}{serial}")
        secrets.append(one["serial"])
    what = f"{there['version']}; {'; '.join(devices) or 'no device'}"
    if devices:
        yield say.ok(what, private=tuple(secrets))
    else:
        yield say.note(
            what, "look in NI MAX (Windows) or with `nilsdev` (Linux) whether the driver sees the device"
        )
