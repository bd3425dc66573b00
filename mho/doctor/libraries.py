"""Findings on the libraries of vendors on Windows: where each lies, its version, and whether this Python can load it.

A DLL is read, never loaded: its header says for which processor it is (Microsoft, PE Format: COFF File Header), its
resource of version which release (VS_VERSIONINFO, VS_FIXEDFILEINFO).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mho.doctor.findings import Ending, Finding
from mho.doctor.machine import Machine

PROCESSORS = {0x014C: "32 bits", 0x8664: "64 bits", 0xAA64: "64 bits of ARM"}
"""What a DLL is for, by the number in its header."""

OF_PYTHON = {"win32": "32 bits", "win-amd64": "64 bits", "win-arm64": "64 bits of ARM"}
"""The same of a Python, by `sysconfig.get_platform`."""

RESOURCES = 2  # the place of the resources among the data directories
VERSION_RESOURCE = 16  # RT_VERSION
FIXED = struct.pack("<L", 0xFEEF04BD)  # how VS_FIXEDFILEINFO begins
IVI = "IVI Foundation"


@dataclass(frozen=True)
class Library:
    """A DLL: for which processor it is, its version and who made it; both "" where it does not say so."""

    processor: str
    version: str = ""
    company: str = ""


def library_of(data: bytes | mmap.mmap) -> Library:
    """Return what the bytes of a DLL say of it.

    `ValueError` when they are no DLL. One whose resources cannot be read has no version.
    """
    try:
        header = struct.unpack_from("<L", data, 0x3C)[0]
        if data[:2] != b"MZ" or data[header : header + 4] != b"PE\0\0":
            raise ValueError("it is no library of Windows")
        number = struct.unpack_from("<H", data, header + 4)[0]
    except (struct.error, IndexError):
        raise ValueError("it is no library of Windows, or cut off") from None
    processor = PROCESSORS.get(number, f"a processor of number {number:#06x}")
    try:
        version = _version_resource(data, header)
    except (struct.error, IndexError, StopIteration):
        version = b""
    place = version.find(FIXED)
    numbers = struct.unpack_from("<4H", version, place + 8) if 0 <= place <= len(version) - 16 else ()
    # Each double word holds its higher half behind the lower one
    release = "{1}.{0}.{3}.{2}".format(*numbers) if numbers else ""
    return Library(processor, release, _text(version, "CompanyName"))


def _version_resource(data: bytes | mmap.mmap, header: int) -> bytes:
    sections, size = struct.unpack_from("<H12xH", data, header + 6)
    optional = header + 24
    directories = optional + (96 if struct.unpack_from("<H", data, optional)[0] == 0x10B else 112)
    root = struct.unpack_from("<L", data, directories + 8 * RESOURCES)[0]
    tables = (struct.unpack_from("<LLLL", data, optional + size + 40 * one + 8) for one in range(sections))
    # Of each section: its size and its place in memory, its size and its place in the file
    shift = next(raw - start for _, start, length, raw in tables if start <= root < start + length)

    def entries(table: int) -> Iterator[tuple[int, int]]:
        named, numbered = struct.unpack_from("<HH", data, table + 12)
        for one in range(named + numbered):
            yield struct.unpack_from("<LL", data, table + 16 + 8 * one)

    table = root + shift
    kind = next(place for number, place in entries(table) if number == VERSION_RESOURCE)
    for _ in ("name", "language"):  # the first of each
        kind = next(entries(table + (kind & 0x7FFFFFFF)))[1]
    place, length = struct.unpack_from("<LL", data, table + kind)
    return bytes(data[place + shift : place + shift + length])


def _text(version: bytes, key: str) -> str:
    """Return a text of a resource of version, in the first language that it has."""
    name = (key + "\0").encode("utf-16-le")
    place = version.find(name)
    if place < 0:
        return ""
    begin = -(-(place + len(name)) // 4) * 4  # it starts at a double word
    text = version[begin : begin + 512].decode("utf-16-le", "replace")
    return " ".join(text.partition("\0")[0].split())


def read_library(path: Path) -> Library | None:
    """Return what a file says of itself as a DLL; None where it cannot be read, or is none."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return library_of(data)
    except (OSError, ValueError):  # not there, not allowed, empty
        return None


def libraries(machine: Machine, names: Sequence[str]) -> list[tuple[Path, Library]]:
    """Return those of the DLLs that Windows finds by their name alone, in the order of `names`.

    A Windows of 64 bits keeps those of 64 bits in the folder System32, and those of 32 bits in SysWOW64.
    """
    windows = Path(machine.environ.get("SYSTEMROOT", r"C:\Windows"))
    paths = [windows / folder / name for folder in ("System32", "SysWOW64") for name in names]
    return [(path, library) for path in paths if (library := read_library(path)) is not None]


def described(path: Path, library: Library) -> str:
    """Return a DLL in a few words."""
    maker = f" of {library.company}" if library.company else ""
    return f"{path.name} {library.version or 'without a version'}{maker}, {library.processor}"


@dataclass(frozen=True)
class Product:
    """What a vendor's installer brings: its name, its DLLs, who needs it, and what has it for a Python of 64 bits."""

    topic: str
    names: tuple[str, ...]
    needs: str
    install: str


VISA = Product(
    "VISA DLLs",
    ("visa64.dll", "visa32.dll", "nivisa64.dll", "ktvisa32.dll", "agvisa32.dll", "rsvisa32.dll"),
    'a bench with `visa = "@py"` needs none',
    "install NI-VISA or Keysight IO Libraries of 64 bits",
)
GPIB = Product(
    "GPIB", ("ni4882.dll", "gpib-32.dll"), "resources are listed above", "install NI-488.2 of 64 bits"
)
DAQMX = Product(
    "NI-DAQmx", ("nicaiu.dll",), "only a bench with an NI DAQ needs it", "install NI-DAQmx of 64 bits"
)
WGFMU = Product(
    "WGFMU",
    ("wgfmu.dll",),
    "only a B1530A needs it",
    "install Keysight's B1530A Instrument Library A.03.00 or newer, which has both; remove an older one first",
)
IMPLEMENTATIONS = {
    "nivisa64.dll": "NI-VISA", "ktvisa32.dll": "Keysight IO Libraries", "agvisa32.dll": "Keysight IO Libraries",
    "rsvisa32.dll": "R&S VISA",
}  # fmt: skip
"""Which vendor's VISA a DLL is; the others are the primary one, or pass on to it (VPP-4.3.5)."""


def check_product(machine: Machine, product: Product) -> Iterator[Finding]:
    """Find the DLLs of a product, and whether this Python can load them (Windows)."""
    say = Ending(product.topic)
    there = libraries(machine, product.names)
    mine = OF_PYTHON.get(machine.python, "64 bits")
    fitting = [one for one in there if one[1].processor == mine]
    for path, library in fitting:
        yield say.ok(described(path, library))
    if not there:
        yield say.ok(f"no {product.names[0]}; {product.needs}")
    elif not fitting:
        what = "; ".join(f"{described(path, library)}, in {path.parent.name}" for path, library in there)
        yield say.wrong(f"{what}: a Python of {mine} cannot load it", product.install)


def check_wgfmu(machine: Machine) -> Iterator[Finding]:
    """Find the instrument library of Keysight's B1530A (Windows)."""
    yield from check_product(machine, WGFMU)


def check_visa(machine: Machine) -> Iterator[Finding]:
    """Find the DLLs of VISA, and whose is the primary one, which a bench file without `visa` takes (Windows)."""
    yield from check_product(machine, VISA)
    yield from _primary(machine)


def _primary(machine: Machine) -> Iterator[Finding]:
    say = Ending("primary VISA")
    there = [
        (path.name, one) for path, one in libraries(machine, VISA.names) if path.parent.name == "System32"
    ]
    vendors = dict.fromkeys(IMPLEMENTATIONS[name] for name, _ in there if name in IMPLEMENTATIONS)
    primary = next((one.company for name, one in there if name not in IMPLEMENTATIONS), "")
    if not primary and not vendors:
        return
    what = primary if primary and IVI not in primary else "what answers is said above, under VISA library"
    if len(vendors) < 2:
        yield say.ok(what)
        return
    yield say.note(
        f"{what}; installed: {', '.join(vendors)}. A bench file without `visa` takes the primary one",
        "choose it in NI MAX (Tools, NI-VISA, Options, Conflict Manager) or in Keysight Connection Expert (Settings); or "
        "name one for a bench: visa = 'C:/Windows/System32/ktvisa32.dll'",
    )
