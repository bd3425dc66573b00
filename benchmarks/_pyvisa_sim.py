"""pyvisa-sim as a peer: canned replies to known messages, behind the same PyVISA."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

MODULE, PACKAGE = "pyvisa_sim", "pyvisa-sim"
RESOURCE = "USB0::0x05E6::0x2450::CANNED{}::0::INSTR"


def write_definition(path: Path, *devices: Mapping[str, str]) -> list[str]:
    """Write pyvisa-sim's file of devices, each answering messages as told, and return their addresses.

    JSON is YAML enough, and quotes the messages.
    """
    terminated = {"USB INSTR": {"q": "\n", "r": "\n"}}
    addresses = [RESOURCE.format(number) for number in range(len(devices))]
    definition = {
        "spec": "1.1",
        "devices": {
            f"device {number}": {
                "eom": terminated,
                "delimiter": "",  # a message is answered whole
                "error": "ERROR",
                "dialogues": [{"q": message, "r": reply} for message, reply in replies.items()],
            }
            for number, replies in enumerate(devices)
        },
        "resources": {address: {"device": f"device {n}"} for n, address in enumerate(addresses)},
    }
    path.write_text(json.dumps(definition), encoding="utf-8")
    return addresses
