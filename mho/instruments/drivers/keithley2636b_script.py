"""Lua functions of the 2636B's driver, loaded once per connection and run by the instrument.

Lua 5.0: no ``#``, no ``%``. A refused level leaves its error in the queue, and the check after every call reports it.
The instrument's format settings are restored.
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

function mho_run(smu, source_delay, measure_delay, pulsed)
    local was_on, was_auto = smu.source.output, smu.source.autorangev
    local old_source_delay, old_measure_delay = smu.source.delay, smu.measure.delay
    local amperes, volts = smu.nvbuffer1, smu.nvbuffer2
    amperes.clear()
    volts.clear()
    amperes.appendmode, volts.appendmode = 0, 0
    smu.measure.count = 1
    smu.source.levelv = 0
    if pulsed and was_auto == 1 then
        smu.source.rangev = mho_highest()
    end
    smu.source.delay, smu.measure.delay = source_delay, measure_delay
    local trigger = smu.trigger
    trigger.source.listv(mho_levels)
    trigger.source.limiti = smu.LIMIT_AUTO
    trigger.source.action = smu.ENABLE
    trigger.measure.iv(amperes, volts)
    trigger.measure.action = smu.ENABLE
    trigger.endpulse.action = pulsed and smu.SOURCE_IDLE or smu.SOURCE_HOLD
    trigger.endsweep.action = smu.SOURCE_IDLE
    trigger.arm.count = 1
    trigger.count = table.getn(mho_levels)
    smu.source.output = smu.OUTPUT_ON
    trigger.initiate()
    waitcomplete()
    smu.source.output = was_on
    smu.source.delay, smu.measure.delay = old_source_delay, old_measure_delay
    smu.source.autorangev = was_auto
end

function mho_highest()
    local highest = 0
    for _, volts in ipairs(mho_levels) do
        highest = math.max(highest, math.abs(volts))
    end
    return highest
end

function mho_sweep(smu, delay)
    local trigger = smu.trigger
    trigger.arm.stimulus, trigger.source.stimulus = 0, 0
    trigger.measure.stimulus, trigger.endpulse.stimulus = 0, 0
    mho_run(smu, delay, smu.measure.delay, false)
end

function mho_pulse(smu, first_timer, width, period, measure_delay)
    local trigger, pulses = smu.trigger, table.getn(mho_levels)
    local starts, ends = _G.trigger.timer[first_timer], _G.trigger.timer[first_timer + 1]
    starts.reset()
    ends.reset()
    trigger.arm.stimulus, trigger.source.stimulus = 0, 0
    if pulses > 1 then
        starts.delay, starts.count, starts.passthrough = period, pulses - 1, true
        starts.stimulus = trigger.ARMED_EVENT_ID
        trigger.source.stimulus = starts.EVENT_ID
    end
    ends.delay = width
    ends.stimulus = trigger.SOURCE_COMPLETE_EVENT_ID
    trigger.measure.stimulus, trigger.endpulse.stimulus = 0, ends.EVENT_ID
    mho_run(smu, 0, measure_delay, true)
    local late = trigger.source.overrun
    starts.reset()
    ends.reset()
    trigger.source.stimulus, trigger.endpulse.stimulus = 0, 0
    print(late and 1 or 0)
end

function mho_fetch(smu, count)
    local data, order = format.data, format.byteorder
    format.data, format.byteorder = format.REAL64, format.LITTLEENDIAN
    printbuffer(1, count, smu.nvbuffer2, smu.nvbuffer1, smu.nvbuffer1.statuses)
    format.data, format.byteorder = data, order
end
"""
