"""What a finding is; how all are found apart from each other, bounded in time; what of them is private."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from mho.doctor.machine import Machine

Verdict = Literal["ok", "note", "wrong"]
"""`note`: worth reading. `wrong`: a measurement would fail, or would not be what it seems."""

HIDDEN = "…"
# s for everything together: more than a probe may take, so that it is the probe that says what hung
PATIENCE = 25.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `topic`: what was looked at, in a word or two; `found`: what is there; `advice`: what to do, "" for nothing;
    `private`: parts of both texts that a page for others leaves out, as a serial number.
    """

    topic: str
    verdict: Verdict
    found: str
    advice: str = ""
    private: tuple[str, ...] = ()


class Ending:
    """Makes the findings of one topic: `ok`, `note` and `wrong` take what was found and what to do."""

    def __init__(self, topic: str) -> None:
        self.ok, self.note, self.wrong = (partial(Finding, topic, one) for one in ("ok", "note", "wrong"))


Check = Callable[[Machine], Iterable[Finding]]


def find_all(
    checks: Mapping[str, Check], machine: Machine, patience: float = PATIENCE
) -> tuple[Finding, ...]:
    """Carry out checks at once, each in a thread of its own, and return their findings in the order of the checks.

    One that raises, or has not come to its end in `patience` (s), is a finding itself, beside what it had found by
    then; it keeps none of the others from theirs.
    """
    found: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = [
        # Daemons: one that hangs in the system is not waited for when the process ends
        threading.Thread(target=_carry_out, args=(name, check, machine, found[name]), daemon=True)
        for name, check in checks.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    result: list[Finding] = []
    for name, thread in zip(checks, threads, strict=True):
        thread.join(max(deadline - time.monotonic(), 0.0))
        hung = thread.is_alive()
        result += found[name]
        if hung:
            advice = (
                "what it asks for hangs: a network folder, a driver, a device; restart that, and look again"
            )
            result.append(Finding(name, "note", f"no answer within {patience:g} s", advice))
    return tuple(result)


def _carry_out(name: str, check: Check, machine: Machine, found: list[Finding]) -> None:
    try:
        for finding in check(machine):
            found.append(finding)
    except BaseException as error:  # a vendor's library may raise anything, and nobody waits for this thread
        text = " ".join(str(error).split()) or "without a word"
        found.append(Finding(name, "note", f"could not be found out: {type(error).__name__}: {text}"))


# `USB0::0x05E6::0x2450::SERIAL::INSTR`, `TCPIP0::HOST::INSTR`
_ADDRESSES = re.compile(r"\b(USB\d*::\w+::\w+::|TCPIP\d*::)[^:\s]+", re.IGNORECASE)
_OF_USER = re.compile(r"(process \d+ of )[^\s,]+")  # as a lock names its holder
# Words of the page: as names of a user or a host they tell nothing, and left out they would spoil it
_COMMON = {
    "",
    "localhost",
    "mho",
    "root",
    "user",
    "admin",
    "python",
    "lab",
    "bench",
    "runner",
    "debian",
    "ubuntu",
}


def without_private(findings: Iterable[Finding], machine: Machine) -> tuple[Finding, ...]:
    """Return findings without serial numbers, network addresses, home folder, user name and host name."""
    return tuple(
        replace(
            one, found=_public(one.found, one, machine), advice=_public(one.advice, one, machine), private=()
        )
        for one in findings
    )


def _public(text: str, finding: Finding, machine: Machine) -> str:
    for secret in sorted(filter(None, finding.private), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _ADDRESSES.sub(rf"\1{HIDDEN}", text)
    text = _OF_USER.sub(rf"\1{HIDDEN}", text)
    if home := re.escape(str(machine.home).rstrip("/\\")):
        text = re.sub(rf"{home}(?![\w.-])", "~", text, flags=re.IGNORECASE)
    if machine.user:
        text = re.sub(rf"(?<=[/\\]){re.escape(machine.user)}(?![\w.-])", HIDDEN, text)
    for name in {machine.user, machine.host} - _COMMON:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", HIDDEN, text, flags=re.IGNORECASE)
    return text
