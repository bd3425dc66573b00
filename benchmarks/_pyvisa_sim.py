"""pyvisa-sim as a peer: canned replies to known messages, behind the same PyVISA."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyvisa

from benchmarks._steps import Message, Replay

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


@contextmanager
def replaying(messages: Sequence[Message], path: Path) -> Iterator[Replay]:
    """Return what sends `messages` to pyvisa-sim, which has been told in a file at `path` what to answer."""
    roles = sorted({message.role for message in messages})
    replies = {role: {m.text: m.reply for m in messages if m.role == role} for role in roles}
    addresses = write_definition(path, *replies.values())
    with closing(pyvisa.ResourceManager(f"{path}@sim")) as manager:
        sessions: dict[str, Any] = {
            role: manager.open_resource(address, read_termination="\n", write_termination="\n")
            for role, address in zip(roles, addresses, strict=True)
        }

        def replay() -> None:
            for role, text, _ in messages:
                sessions[role].query(text)

        for role, text, _ in messages:
            if (answer := sessions[role].query(text)) != replies[role][text]:
                raise RuntimeError(f"pyvisa-sim answered {answer!r} to {text!r}")
        yield replay
