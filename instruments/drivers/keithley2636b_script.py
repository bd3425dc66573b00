"""What the 2636B's driver has the instrument do by itself: Lua functions, loaded once a connection.

Lua 5.0: no ``#``, no ``%``. A level that is refused leaves its error in the queue, and the check behind every call
reports it. The instrument's own settings of formats are put back.
"""

SCRIPT = """
function mho_point(smu, volts)
    smu.source.levelv = volts
    local amperes, measured = smu.measure.iv()
    local tripped = smu.source.compliance
    smu.source.levelv = 0
    return string.format("%.9e,%.9e,%d", measured, amperes, tripped and 64 or 0)
end

function mho_read(smu, volts)
    print(mho_point(smu, volts))
end

function mho_append(levels)
    for _, volts in ipairs(levels) do
        table.insert(mho_levels, volts)
    end
end

function mho_read_list(smu)
    local points = {}
    for _, volts in ipairs(mho_levels) do
        table.insert(points, mho_point(smu, volts))
    end
    print(table.concat(points, ","))
end

function mho_sweep(smu, delay)
    local was_on, old_delay = smu.source.output, smu.source.delay
    local amperes, volts = smu.nvbuffer1, smu.nvbuffer2
    amperes.clear()
    volts.clear()
    amperes.appendmode, volts.appendmode = 0, 0
    smu.measure.count = 1
    smu.source.levelv = 0
    smu.source.delay = delay
    local trigger = smu.trigger
    trigger.arm.stimulus, trigger.source.stimulus = 0, 0
    trigger.measure.stimulus, trigger.endpulse.stimulus = 0, 0
    trigger.source.listv(mho_levels)
    trigger.source.limiti = smu.LIMIT_AUTO
    trigger.source.action = smu.ENABLE
    trigger.measure.iv(amperes, volts)
    trigger.measure.action = smu.ENABLE
    trigger.endpulse.action = smu.SOURCE_HOLD
    trigger.endsweep.action = smu.SOURCE_IDLE
    trigger.arm.count = 1
    trigger.count = table.getn(mho_levels)
    smu.source.output = smu.OUTPUT_ON
    trigger.initiate()
    waitcomplete()
    smu.source.output = was_on
    smu.source.delay = old_delay
end

function mho_fetch(smu, count)
    local data, order = format.data, format.byteorder
    format.data, format.byteorder = format.REAL64, format.LITTLEENDIAN
    printbuffer(1, count, smu.nvbuffer2, smu.nvbuffer1, smu.nvbuffer1.statuses)
    format.data, format.byteorder = data, order
end
"""
