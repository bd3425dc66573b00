"""Inspection of one instrument of a bench: its identity, abilities and present state. Nothing is changed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from mho.errors import LimitError
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.limits import RISE

Verdict = Literal["ok", "note", "wrong"]

INTERLOCKED = 42.0  # V above which source-measure units require a closed interlock (2450, B2900)


class Seen(NamedTuple):
    """Result of one inspection; `live` is whether an output, or the board, is on, and None for all else."""

    verdict: Verdict
    detail: str
    advice: str = ""
    live: bool | None = None


def look_at_reading(bench: BenchFile) -> Seen:
    """Check that the bench file's read settings are within its own limits; raises `LimitError`."""
    limits, read = bench.terminal_limits(), bench.read
    for line, volts in (("bit line", read.voltage), ("word line", read.gate)):
        limits.check_level(line, volts)
        limits.check_current(line, read.current_limit)
    return Seen(
        "ok",
        f"{read.voltage:g} V, word line {read.gate:g} V, at most {read.current_limit:g} A: within limits",
    )


def _identity(bench: BenchFile, role: str, instrument: Any) -> Seen:
    identity = instrument.identify()
    fields = [field.strip() for field in identity.split(",")]
    if len(fields) != 4:  # not IEEE 488.2: a DAQ
        return Seen("ok", identity)
    maker, model, serial, firmware = fields
    return Seen("ok", f"{maker} {model}, serial {serial}, firmware {firmware}")


def _errors(bench: BenchFile, role: str, instrument: Any) -> Seen | None:
    whole = getattr(instrument, "parent", None) or instrument
    if not hasattr(whole, "found_errors"):
        return None  # it has no queue
    found = whole.found_errors
    if found is None:
        return Seen("note", "what was in the queue is gone unread", "look at the instrument's own event log")
    if found:
        return Seen(
            "note", f"{len(found)} in the queue, first {found[0]}", "left by somebody else; taken out now"
        )
    return Seen("ok", "none in the queue")


def _interlock(bench: BenchFile, role: str, instrument: Any) -> Seen | None:
    closed = getattr(instrument, "interlock_closed", None)
    if closed is None:
        return None
    if closed:
        return Seen("ok", "closed")
    limit = bench.limits[_terminals(bench, role)[0]].voltage  # type: ignore[index]
    detail = f"open: more than {INTERLOCKED:g} V are refused"
    if limit > INTERLOCKED:
        return Seen("wrong", detail, "close the fixture, or lower the limit in the bench file")
    return Seen("note", detail, "no more is allowed here; close it all the same if the fixture has one")


def _abilities(bench: BenchFile, role: str, instrument: Any) -> Seen | None:
    """Compare the bench file with the abilities of the instrument as its driver's module states them."""
    spans = vars(sys.modules[type(instrument).__module__])
    able = {
        name: spans[name]
        for name in ("VOLTAGE", "LEVEL", "WIDTH", "CURRENT_LIMIT")
        if hasattr(spans.get(name), "unit")
    }
    top = able.get("LEVEL") or able.get("VOLTAGE") or getattr(instrument, "voltage_span", None)
    most = top.maximum if top is not None else _output_range(role, instrument)
    beyond = []
    for terminal in _terminals(bench, role):
        limits = bench.terminal_limits().terminals.get(terminal)
        if limits is None:
            raise LimitError(f'{terminal} has no limits; add [limits."{terminal}"] to the bench file')
        if most is not None and limits.voltage > most:
            beyond.append(f"{terminal}: limit of {limits.voltage:g} V, the instrument gives {most:g} V")
        if role == "pulser" and RISE * limits.voltage / instrument.edge > limits.slew:
            steep = f"edges of {instrument.edge:g} s exceed the slew limit of {limits.slew:g} V/s"
            beyond.append(f"{terminal}: above {limits.slew * instrument.edge / RISE:.3g} V {steep}")
        if "WIDTH" in able and limits.pulse_width < able["WIDTH"].minimum:
            beyond.append(f"{terminal}: no pulse is as short as its limit of {limits.pulse_width:g} s")
    if role in ("smu", "gate") and "CURRENT_LIMIT" in able:
        span, asked = able["CURRENT_LIMIT"], bench.read.current_limit
        if not span.minimum <= asked <= span.maximum:
            return Seen(
                "wrong", f"cannot limit the current to {asked:g} A", "choose another [read] current_limit"
            )
    if beyond:
        return Seen("note", "; ".join(beyond), "values in between will be refused before they are sent")
    return None if most is None else Seen("ok", f"up to {most:g} V; the bench's limits are within")


def _output(bench: BenchFile, role: str, instrument: Any) -> Seen | None:
    channels = [instrument] if role in ("smu", "gate", "chuck") else []
    if role == "pulser":
        channels = [getattr(instrument, f"ch_{channel}") for channel in bench.instruments.pulser.channels]
    if not channels:
        return None
    if any(channel.output_enabled for channel in channels):
        return Seen("wrong", "on", "left on by somebody: `mho bench safe` switches it off", live=True)
    return Seen("ok", "off", live=False)


def _state(bench: BenchFile, role: str, instrument: Any) -> Seen | None:
    if role == "switch":
        closed = instrument.closed()
        if closed:
            return Seen(
                "note", f"{', '.join(closed)} closed", "left by somebody; `mho bench safe` opens them"
            )
        return Seen("ok", "every crosspoint is open")
    if role == "chuck":
        if (check_loop := getattr(instrument, "check_loop", None)) is not None:
            check_loop()
        return Seen("ok", f"{instrument.temperature():.2f} K")
    if role != "board":
        return None
    if instrument.mode != "SAFE":
        return Seen(
            "wrong",
            f"mode {instrument.mode}, path {instrument.path}",
            "left by somebody: `mho bench safe` grounds it",
            live=True,
        )
    return Seen("ok", "SAFE", live=False)


LOOKS: Mapping[str, Callable[[BenchFile, str, Any], Seen | None]] = {
    "identity": _identity, "errors": _errors, "interlock": _interlock, "limits": _abilities, "output": _output,
    "mode": _state,
}  # fmt: skip


def _terminals(bench: BenchFile, role: str) -> list[str]:
    tools = bench.instruments
    wired: dict[str, list[str]] = {
        "smu": [tools.smu.terminal], "gate": [tools.gate.terminal], "pulser": [*tools.pulser.channels.values()],
        "daq": ["vector"],
    }  # fmt: skip
    return wired.get(role, [])


def _output_range(role: str, instrument: Any) -> float | None:
    """Return the smaller magnitude of a DAQ's output range limits, V."""
    found = (
        re.fullmatch(r"(\S+) V to (\S+) V", instrument.settings()["output_range"]) if role == "daq" else None
    )
    return None if found is None else min(-float(found[1]), float(found[2]))
