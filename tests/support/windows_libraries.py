"""DLLs as a vendor's installer leaves them, as far as their header and their resource of version go."""

from __future__ import annotations

import struct
from pathlib import Path

PROCESSORS = {"32 bits": 0x014C, "64 bits": 0x8664, "64 bits of ARM": 0xAA64}
START, PLACE = 0x1000, 0x200  # of the section of resources: in memory, and in the file


def _block(key: str, value: bytes, text: bool, *children: bytes) -> bytes:
    """Return a structure of a resource of version: VS_VERSIONINFO, StringFileInfo, StringTable, String."""
    name = (key + "\0").encode("utf-16-le")
    head = name + b"\0" * (-(6 + len(name)) % 4) + value
    for child in children:
        head += b"\0" * (-(6 + len(head)) % 4) + child
    return struct.pack("<HHH", 6 + len(head), len(value) // (2 if text else 1), text) + head


def version_resource(version: str, company: str) -> bytes:
    """Return a resource of version; of no version it has no fixed part, of no company no texts."""
    one, two, three, four = map(int, (version or "0.0.0.0").split("."))
    fixed = struct.pack("<LLHHHH", 0xFEEF04BD, 0x10000, two, one, four, three) + b"\0" * 36
    string = _block("CompanyName", f"{company}\0".encode("utf-16-le"), True)
    texts = _block("StringFileInfo", b"", True, _block("040904b0", b"", True, string))
    return _block("VS_VERSION_INFO", fixed if version else b"", False, *([texts] if company else []))


def dll(processor: str, version: str = "", company: str = "") -> bytes:
    """Return the bytes of a DLL with one section, which holds its resources."""
    resource = version_resource(version, company)
    # Three folders of one entry each: the kind, the name, the language; then where the resource lies
    tree = b""
    for number, below in ((16, 0x80000018), (1, 0x80000030), (0x409, 0x48)):
        tree += struct.pack("<LLHHHHLL", 0, 0, 0, 0, 0, 1, number, below)
    tree += struct.pack("<LLLL", START + len(tree) + 16, len(resource), 0, 0)
    section = tree + resource
    wide = processor != "32 bits"
    optional = bytearray(240 if wide else 224)
    struct.pack_into("<H", optional, 0, 0x20B if wide else 0x10B)
    struct.pack_into("<LL", optional, (112 if wide else 96) + 8 * 2, START, len(section))
    header = struct.pack("<4sHHLLLHH", b"PE\0\0", PROCESSORS[processor], 1, 0, 0, 0, len(optional), 0x2000)
    table = struct.pack("<8sLLLL16x", b".rsrc", len(section), START, len(section), PLACE)
    begin = b"MZ".ljust(0x3C, b"\0") + struct.pack("<L", 0x80)
    front = begin.ljust(0x80, b"\0") + header + bytes(optional) + table
    return front.ljust(PLACE, b"\0") + section


def install(windows: Path, *libraries: tuple[str, str, str, str]) -> dict[str, str]:
    """Lay DLLs into a folder of Windows, each by its path there, processor, version and company; return its environment."""
    for name in ("System32", "SysWOW64"):
        (windows / name).mkdir(parents=True, exist_ok=True)
    for place, processor, version, company in libraries:
        (windows / place).write_bytes(dll(processor, version, company))
    return {"SYSTEMROOT": str(windows)}
