"""A sandbox in which a simulated TSP instrument runs scripts on real Lua, bounded in time and in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mho.instruments.simulated.tsp.prelude import PRELUDE

try:
    from lupa import lua51 as lupa
except ImportError:  # a lupa built without Lua 5.1: the newest it has
    import lupa

Value = float | bool | str | None

INSTRUCTIONS = 200_000_000  # Lua instructions a message may execute: some seconds of wall time
CALLS = 1_000_000  # calls into the instrument, readings and trigger events a message may make
MEMORY = 64 << 20  # bytes scripts may hold
# Lua 5.1 aborts the process when memory ends outside a protected call, which is where Python passes a message
# on. So scripts are stopped at `MEMORY`, and only what a single instruction may grab beyond it is refused here.
HARD_MEMORY = 4 * MEMORY

_LOCATED = re.compile(r"\Atsp:(\d+): (.*)\Z", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|--\[\[.*?\]\]|\[\[.*?\]\]|--[^\n]*', re.DOTALL)
_YOUNGER = re.compile(r"[#%]")


class Failure(NamedTuple):
    """Error that ended a script: error number and text."""

    code: int
    text: str


class ScriptStopped(Exception):
    """Ends the running script; raised after the sandbox was set to stop it."""


class Opaque:
    """Opaque Python object for a Lua function."""


OPAQUE = Opaque()
STOPPED = {
    "time": Failure(-286, "TSP Runtime error: the script did not end and was stopped"),
    "stuck": Failure(-286, "TSP Runtime error: the sweep waits for a trigger that does not come"),
    "memory": Failure(-225, "Out of memory or TSP Memory allocation error"),
    "output": Failure(-430, "Query DEADLOCKED"),
}


class Sandbox:
    """One Lua state with TSP's library and nothing of Python's.

    Parameters
    ----------
    emit : callable
        Takes each line that is printed.
    random : callable
        Draws from [0, 1).
    """

    def __init__(self, emit: Callable[[str], None], random: Callable[[], float]) -> None:
        self._lua = lupa.LuaRuntime(
            encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
            unpack_returned_tuples=True,
            max_memory=HARD_MEMORY,
        )
        host = self._lua.table_from(
            {
                "emit": emit,
                "random": random,
                "opaque": OPAQUE,
                "soft": MEMORY / 1024,
                "instructions": INSTRUCTIONS,
                "calls": CALLS,
            }
        )
        functions = self._lua.execute(PRELUDE, host)
        self._execute = functions.execute
        self._run = functions.run
        self._define = functions.define
        self._halt = functions.halt
        self._bridge = functions.bridge
        self._proxy = functions.proxy
        self._panel = functions.panel
        self._crowded = functions.crowded
        self.set_global = functions.set_global
        self.set_precision = functions.set_precision
        self._spent = 0

    def execute(self, source: str) -> Failure | None:
        """Run a line of commands as a script of its own; returns why it failed, if it did."""
        refused = _refused(source)
        if refused is not None:
            return refused
        self._spent = 0
        outcome = self._execute(source)
        return None if outcome is None else self._failure(outcome)

    def define(self, name: str, source: str, *, run: bool) -> Failure | None:
        """Store a script under `name` ("" for the anonymous one), and optionally run it."""
        refused = _refused(source)
        if refused is not None:
            return refused
        failed, result = self._define(name or None, source)
        if failed is not None:
            return self._failure((failed, result))
        if not run:
            return None
        self._spent = 0
        outcome = self._run(result)
        return None if outcome is None else self._failure(outcome)

    def perform(self, work: Callable[[], None]) -> Failure | None:
        """Do `work` within a message's budget, as a script would; returns why it was stopped, if it was."""
        self._spent = 0
        outcome = self._run(self._bridge(work, 0))
        return None if outcome is None else self._failure(outcome)

    def _failure(self, outcome: Any) -> Failure | None:
        kind, problem = outcome if isinstance(outcome, tuple) else (outcome, "")
        if kind == "exit":
            return None
        if kind in STOPPED:
            return STOPPED[kind]
        if isinstance(problem, BaseException):  # a mistake of ours, or a signal
            raise problem
        if problem == "not enough memory":
            return STOPPED["memory"]
        located = _LOCATED.match(str(problem))
        line, text = located.groups() if located else ("1", str(problem))
        text = _QUOTED.sub(r"`\1'", text)  # as Lua 5.0 quotes
        if kind == "syntax":
            return Failure(-285, f"TSP Syntax error at line {line}: {text}")
        return Failure(-286, f"TSP Runtime error at line {line}: {text}")

    @property
    def crowded(self) -> bool:
        """Return whether scripts use so much memory that the state should be replaced."""
        return bool(self._crowded())

    def spend(self, count: int = 1) -> None:
        """Charge readings or events to the running message.

        Raises
        ------
        ScriptStopped
            When they are more than a message may make.
        """
        self._spent += count
        if self._spent > CALLS:
            self.stop("time")

    def stop(self, reason: str) -> None:
        """End the running script, for a reason of `STOPPED`; raises `ScriptStopped`."""
        self._halt(reason)
        raise ScriptStopped(reason)

    def function(self, callable_: Callable[..., Any], arity: int) -> Any:
        """Return a Lua function that calls Python with `arity` arguments, None for those not given."""
        return self._bridge(callable_, arity)

    def proxy(
        self,
        values: dict[str, Any],
        writable: Iterable[str],
        readable: Iterable[str],
        get: Callable[[Any], Any] | None,
        set_: Callable[[Any, Any], None],
        handle: object,
    ) -> tuple[Any, Any]:
        """Return a Lua table as a proxy of `handle`, and the table with its values.

        `get` is called for names in `readable`, and for numbers; `set_` is called for names in `writable`.
        """
        mirror = self._lua.table_from(values)
        writes, reads = (self._lua.table_from(dict.fromkeys(each, True)) for each in (writable, readable))
        return self._proxy(mirror, writes, reads, get, set_, handle), mirror

    def panel(self, values: dict[str, Any], functions: Iterable[str]) -> Any:
        """Return a table whose entries can all be called, written and read, to no effect."""
        return self._panel(self._lua.table_from(values), self._lua.table_from(list(functions)))

    def array(self, items: list[Any]) -> Any:
        """Return a Lua array."""
        return self._lua.table_from(items)


def _no_attributes(_object: object, _name: str, _setting: bool) -> str:
    raise AttributeError("scripts see no attributes of Python's objects")


def _refused(source: str) -> Failure | None:
    """Refuse what Lua 5.1 would take and the instrument's 5.0 does not: ``#``, ``%`` and precompiled chunks."""
    if "\x1b" in source[:1]:
        return Failure(-285, "TSP Syntax error at line 1: unexpected symbol near `char(27)'")
    if "#" in source or "%" in source:
        bare = _TEXT.sub(lambda text: "\n" * text[0].count("\n"), source)
        found = _YOUNGER.search(bare)
        if found is not None:
            line = bare.count("\n", 0, found.start()) + 1
            return Failure(-285, f"TSP Syntax error at line {line}: unexpected symbol near `{found[0]}'")
    return None
