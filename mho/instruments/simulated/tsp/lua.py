"""A sandbox in which a simulated TSP instrument runs scripts on real Lua, bounded in time and in memory.

TSP is Lua 5.0.2 (?); this runs on Lua 5.1 (or later, whose messages differ) with what 5.0 lacks taken away. A
script that runs too long is stopped by a hook which `pcall` cannot get around: once the budget is spent every
further instruction fails. Functions in C are not interrupted by hooks, so those that could take for ever check
their arguments first.

Between two slices of a script, of so many instructions or calls into the instrument, `rest` is called: others may use the
bench then, and end the script by `Sandbox.abort`. Python's interpreter is free all the while that Lua runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

LIBRARY = r"""
table.getn = table.getn or function(list) return #list end
unpack = unpack or table.unpack

function makegetter(object, key) return function() return object[key] end end
function makesetter(object, key) return function(value) object[key] = value end end

function loadstring_checked(source, name)
    if type(source) ~= "string" then error("bad argument #1 to `loadstring' (string expected)", 2) end
    if find(source, "^\27") then return nil, "tsp:1: precompiled chunks are not accepted" end
    return loadstring(source, "=tsp")
end
_G.loadstring, loadstring_checked = loadstring_checked, nil

function string.rep(piece, count)
    count = tonumber(count) or 0
    if type(piece) == "number" then piece = piece .. "" end
    if type(piece) ~= "string" then error("bad argument #1 to `rep' (string expected)", 2) end
    if piece == "" or count < 1 then return "" end
    if #piece * count > 3e7 then halt("memory") error(STOPPED, 0) end
    return rep(piece, count)
end

-- An upper bound of the steps that backtracking takes: n^k / k! for k repetitions.
local function patient(subject, pattern)
    subject, pattern = subject .. "", pattern .. ""
    local steps, k = #subject + #pattern, 1
    for _ in gmatch(pattern, "[%*%+%-%?]") do
        k = k + 1
        steps = steps * (#subject + 1) / k
        if steps > 1e9 then break end
    end
    if steps > 1e9 or #subject * #pattern > 1e9 then error("pattern too complex", 3) end
end

function string.find(subject, pattern, init, plainly)
    patient(subject, pattern)
    return find(subject, pattern, init, plainly)
end

function string.gsub(subject, pattern, replacement, count)
    patient(subject, pattern)
    return gsub(subject, pattern, replacement, count)
end

function string.gfind(subject, pattern)
    patient(subject, pattern)
    return gmatch(subject, pattern)
end

function table.insert(list, position, ...)
    if type(position) == "number" and select("#", ...) > 0 and (position < 1 or position > #list + 1) then
        error("bad argument #2 to `insert' (position out of bounds)", 2)
    end
    return insert(list, position, ...)
end

function math.random(low, high)
    charge()
    local draw = host.random()
    if not low then return draw end
    if not high then low, high = 1, low end
    if low > high then error("bad argument #2 to `random' (interval is empty)", 2) end
    return low + ceiling(draw * (high - low + 1)) - 1
end
function math.randomseed() end

function collectgarbage() collect() return 0 end

for _, name in ipairs({
    "coroutine", "debug", "dofile", "getfenv", "io", "load", "loadfile", "module", "newproxy", "os", "package",
    "python", "rawlen", "require", "select", "setfenv", "utf8", "warn",
}) do _G[name] = nil end
for _, name in ipairs({"dump", "match", "gmatch", "reverse"}) do string[name] = nil end
table.maxn = nil
local strings = getmetatable("")
strings.__index, strings.__metatable = nil, false

"""


_SANDBOX = r"""
local host = ...
local emit, soft, instructions, calls = host.emit, host.soft, host.instructions, host.calls
local error, pcall, type, select, next, rawget, rawset = error, pcall, type, select, next, rawget, rawset
local setmetatable, loadstring, tonumber, original_tostring = setmetatable, loadstring or load, tonumber, tostring
local sethook, getinfo, collect = debug.sethook, debug.getinfo, collectgarbage
local format, concat, find = string.format, table.concat, string.find
local rep, gsub, gmatch, insert = string.rep, string.gsub, string.gmatch, table.insert
local ceiling, math_max = math.ceil, math.max

-- Budget: `reason` says why a script is being stopped.

local TICK, SLICE, STOPPED = 100000, 250, {}
local run, instructions_left, calls_left, calls_due, reason, raised = nil, 0, 0, 0, nil, nil

local function stop()
    if getinfo(2, "f").func == run then sethook() else error(STOPPED, 0) end
end

local function halt(why)
    reason = reason or why
    sethook(stop, "", 1)
end

local function crowded()
    if collect("count") <= soft then return false end
    collect()
    return collect("count") > soft
end

-- What Python raises meanwhile (Ctrl-C) no `pcall` of the script's may catch.
local function rest()
    local ok, why = pcall(host.rest)
    if not ok then raised, why = why, "raised" end
    if why then halt(why) error(STOPPED, 0) end
end

local function tick()
    instructions_left = instructions_left - TICK
    if instructions_left < 0 then halt("time") error(STOPPED, 0) end
    if crowded() then halt("memory") error(STOPPED, 0) end
    rest()
end

local function charge()
    calls_left = calls_left - 1
    if calls_left < calls_due then
        if calls_left < 0 then halt("time") error(STOPPED, 0) end
        calls_due = math_max(calls_left - SLICE, 0)
        rest()
    end
    if collect("count") > soft and crowded() then halt("memory") error(STOPPED, 0) end
end

local chunks, cached = {}, 0

local function compile(source)
    local chunk = chunks[source]
    if chunk then return chunk end
    local message
    chunk, message = loadstring(source, "=tsp")
    if chunk and #source < 1000 then
        if cached == 500 then chunks, cached = {}, 0 end
        chunks[source], cached = chunk, cached + 1
    end
    return chunk, message
end

-- Returns nothing, or a kind of failure and what is known about it.
run = function(chunk)
    reason, raised, instructions_left, calls_left = nil, nil, instructions, calls
    calls_due = calls - SLICE
    sethook(tick, "", TICK)
    local ok, problem = pcall(chunk)
    sethook()
    if collect("count") > soft then crowded() end
    if reason == "raised" then return "runtime", raised end
    if reason then return reason end
    if ok then return nil end
    if type(problem) == "table" or type(problem) == "function" then problem = type(problem) end
    return "runtime", problem
end

local function execute(source)
    local chunk, message = compile(source)
    if not chunk then return "syntax", message end
    return run(chunk)
end

-- Printing.

local number_format = "%.5e"

local function text(value)
    local kind = type(value)
    if kind == "number" then
        if value ~= value then return "nan" end
        return format(number_format, value)
    elseif kind == "string" then
        return value
    end
    return original_tostring(value)
end

function print(...)
    charge()
    local count = select("#", ...)
    if count == 1 then return emit(text((...))) end
    local texts = {...}
    for i = 1, count do texts[i] = text(texts[i]) end
    emit(concat(texts, "\t"))
end

function tostring(value) return text(value) end

function exit()
    halt("exit")
    error(STOPPED, 0)
end

-- What Python gets to see of a value: plain data, or the object behind a proxy.

local handles = setmetatable({}, {__mode = "k"})

local function plain(value)
    local kind = type(value)
    if kind == "table" then
        local handle = handles[value]
        if handle ~= nil then return handle end
        local copy = {}
        for i = 1, #value do
            local item = rawget(value, i)
            copy[i] = type(item) == "number" and item or false
        end
        return copy
    elseif kind == "function" or kind == "userdata" or kind == "thread" then
        return host.opaque
    end
    return value
end

local bridges = {}

local function bridge(callable, arity)
    local build = bridges[arity]
    if not build then
        local names, values = {}, {}
        for i = 1, arity do names[i], values[i] = "a" .. i, "plain(a" .. i .. ")" end
        build = loadstring("local plain, charge = ... return function(f) return function("
            .. concat(names, ",") .. ") charge() return f(" .. concat(values, ",") .. ") end end")(plain, charge)
        bridges[arity] = build
    end
    return build(callable)
end

-- What `getmetatable` shows, as on the instrument: which entries can be read, written, and which are fixed (?).
local function description(outside, values, writable, readable)
    local shown = {Getters = {}, Setters = {}, Objects = {}}
    for key, value in next, values do
        if not writable[key] then shown.Objects[key] = value end
    end
    for key in next, writable do
        shown.Getters[key] = function() return outside[key] end
        shown.Setters[key] = function(value) outside[key] = value end
    end
    for key in next, readable do shown.Getters[key] = function() return outside[key] end end
    return shown
end

-- A table whose attributes live in `values`; what is not there is asked of Python, what is written goes there.
local function proxy(values, writable, readable, get, set, handle)
    local outside = {}
    local shown = description(outside, values, writable, readable)
    if get then
        setmetatable(values, {__index = function(_, key)
            charge()
            return get(plain(key))
        end})
    end
    setmetatable(outside, {
        __index = values,
        __newindex = function(_, key, value)
            if not writable[key] then error("cannot write `" .. original_tostring(key) .. "'", 2) end
            charge()
            set(key, plain(value))
        end,
        __metatable = shown,
    })
    handles[outside] = handle
    return outside
end

-- The front panel: everything can be called, written and read back, and nothing happens.
local function panel(shown, functions)
    for _, name in ipairs(functions or {}) do shown[name] = function() end end
    local outside, writable = {}, {}
    for key, value in next, shown do
        if type(value) == "number" or type(value) == "string" then writable[key] = true end
    end
    local described = description(outside, shown, writable, {})
    setmetatable(outside, {
        __index = function(_, key)
            if shown[key] == nil then shown[key] = panel({}) end
            return shown[key]
        end,
        __newindex = function(_, key, value)
            if value ~= nil then shown[key] = value end
        end,
        __call = function() end,
        __metatable = described,
    })
    return outside
end

-- Scripts.

local named = {}
script = {user = {scripts = named}, anonymous = nil}

local function define(name, source)
    local chunk, message = loadstring(source, "=tsp")
    if not chunk then return "syntax", message end
    local object = {
        name = name or "", source = source, autorun = "no", run = chunk,
        save = function() end, list = function() emit(source) end,
    }
    setmetatable(object, {__call = function() return chunk() end})
    if name then
        named[name] = object
        rawset(_G, name, object)
    else
        script.anonymous = object
    end
    return nil, chunk
end

function script.new(source, name)
    if type(source) ~= "string" or find(source, "^\27") then error("script.new: source expected", 2) end
    local failure, chunk = define(name, source)
    if failure then error(chunk, 0) end
    return name and named[name] or script.anonymous
end
script.load = script.new

function script.run() return script.anonymous and script.anonymous.run() end

function script.delete(name)
    if named[name] then named[name] = nil end
end
"""

_FOR_PYTHON = r"""
return {
    execute = execute, run = run, define = define, halt = halt, bridge = bridge, proxy = proxy, panel = panel,
    crowded = crowded,
    set_precision = function(digits) number_format = "%." .. (digits - 1) .. "e" end,
    set_global = function(name, value) rawset(_G, name, value) end,
}
"""

PRELUDE = _SANDBOX + LIBRARY + _FOR_PYTHON


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
    "abort": Failure(-286, "TSP Runtime error: the script was aborted"),  # (?)
    "time": Failure(-286, "TSP Runtime error: the script did not end and was stopped"),
    "stuck": Failure(-286, "TSP Runtime error: the sweep waits for a trigger that does not come"),
    "memory": Failure(-225, "Out of memory or TSP Memory allocation error"),
    "output": Failure(-430, "Query DEADLOCKED"),
}


class Sandbox:
    """One Lua state with TSP's library and nothing of Python's; `emit` takes each printed line, `random` draws
    from [0, 1), `rest` is called between two slices of a script.
    """

    def __init__(
        self, emit: Callable[[str], None], random: Callable[[], float],
        rest: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._lua = lupa.LuaRuntime(
            encoding="latin-1", register_eval=False, register_builtins=False,
            attribute_filter=_no_attributes, unpack_returned_tuples=True, max_memory=HARD_MEMORY,
        )  # fmt: skip
        self._pause, self._aborted = rest, False
        host = {"emit": emit, "random": random, "rest": self._rest, "opaque": OPAQUE, "soft": MEMORY / 1024,
                "instructions": INSTRUCTIONS, "calls": CALLS}  # fmt: skip
        functions = self._lua.execute(PRELUDE, self._lua.table_from(host))
        self._execute, self._run, self._define = functions.execute, functions.run, functions.define
        self._halt, self._crowded, self._bridge = functions.halt, functions.crowded, functions.bridge
        self._proxy, self._panel = functions.proxy, functions.panel
        self.set_global, self.set_precision = functions.set_global, functions.set_precision
        self._begin()

    def _begin(self) -> None:
        """Give a message its budget; what was aborted before is over."""
        self._spent, self._aborted = 0, False

    def abort(self) -> None:
        """End the script that runs in another thread at its next rest; nothing when none does."""
        self._aborted = True

    def _rest(self) -> str | None:
        self._pause()
        return "abort" if self._aborted else None

    def execute(self, source: str) -> Failure | None:
        """Run a line of commands as a script of its own; returns why it failed, if it did."""
        refused = _refused(source)
        if refused is not None:
            return refused
        self._begin()
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
        self._begin()
        outcome = self._run(result)
        return None if outcome is None else self._failure(outcome)

    def perform(self, work: Callable[[], None]) -> Failure | None:
        """Do `work` within a message's budget, as a script would; returns why it was stopped, if it was."""
        self._begin()
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
        """Charge readings or events to the running message; raises `ScriptStopped` when they are more than it may make."""
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
        self, values: dict[str, Any], writable: Iterable[str], readable: Iterable[str],
        get: Callable[[Any], Any] | None, set_: Callable[[Any, Any], None], handle: object,
    ) -> tuple[Any, Any]:  # fmt: skip
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
        match = _YOUNGER.search(bare)
        if match is not None:
            line = bare.count("\n", 0, match.start()) + 1
            return Failure(-285, f"TSP Syntax error at line {line}: unexpected symbol near `{match[0]}'")
    return None
