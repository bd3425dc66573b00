"""The Lua around the scripts of a simulated TSP instrument: budget, memory, printing, proxies, script objects.

TSP is Lua 5.0.2 (?); this runs on Lua 5.1 (or later, whose messages differ) with what 5.0 lacks taken away. A
script that runs too long is stopped by a hook which `pcall` cannot get around: once the budget is spent every
further instruction fails. Functions in C are not interrupted by hooks, so those that could take for ever are
bounded here.
"""

from __future__ import annotations

from mho.instruments.simulated.tsp.prelude_library import LIBRARY

_SANDBOX = r"""
local host = ...
local emit, soft, instructions, calls = host.emit, host.soft, host.instructions, host.calls
local error, pcall, type, select, next, rawget, rawset = error, pcall, type, select, next, rawget, rawset
local setmetatable, loadstring, tonumber, original_tostring = setmetatable, loadstring or load, tonumber, tostring
local sethook, getinfo, collect = debug.sethook, debug.getinfo, collectgarbage
local format, concat, find = string.format, table.concat, string.find
local rep, gsub, gmatch, insert, ceiling = string.rep, string.gsub, string.gmatch, table.insert, math.ceil

-- Budget: `reason` says why a script is being stopped.

local TICK, STOPPED = 100000, {}
local run, instructions_left, calls_left, reason = nil, 0, 0, nil

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

local function tick()
    instructions_left = instructions_left - TICK
    if instructions_left < 0 then halt("time") error(STOPPED, 0) end
    if crowded() then halt("memory") error(STOPPED, 0) end
end

local function charge()
    calls_left = calls_left - 1
    if calls_left < 0 then halt("time") error(STOPPED, 0) end
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
    reason, instructions_left, calls_left = nil, instructions, calls
    sethook(tick, "", TICK)
    local ok, problem = pcall(chunk)
    sethook()
    if collect("count") > soft then crowded() end
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
