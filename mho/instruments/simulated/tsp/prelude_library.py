"""Lua's library on a TSP instrument: functions that 5.0 lacks are removed, and functions that could hang are bounded.

TSP is Lua 5.0.2 (?); this runs on Lua 5.1, or later, whose messages differ. Functions in C are not interrupted by
hooks, so those that could take for ever check their arguments first. Part of `prelude`, whose locals it uses.
"""

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
