"""Settings of a channel of the 2636B. Series 2600B Reference Manual 2600BS-901-01."""

from __future__ import annotations

from mho.instruments.drivers.languages.source_meters import SourceMeterChannel
from mho.instruments.drivers.languages.tsp import Span, TspChannel, choice, control, reading, switch

VOLTAGE = Span(-202.0, 202.0, "source voltage", "V")
SOURCE_RANGE = Span(-200.0, 200.0, "source range", "V")
CURRENT_LIMIT = Span(1e-10, 1.5, "current limit", "A")
VOLTAGE_LIMIT = Span(0.02, 200.0, "voltage limit", "V")
CURRENT_RANGE = Span(1e-10, 1.5, "current range", "A")
DELAY = Span(0.0, 1e4, "delay", "s")
NPLC = Span(0.001, 25.0, "integration time", "power line cycles")


class Keithley2636BSettings(SourceMeterChannel, TspChannel):
    """The settings of one channel; ``{ch}`` is ``smua`` or ``smub``."""

    VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY = VOLTAGE, CURRENT_LIMIT, CURRENT_RANGE, NPLC, DELAY

    recorded = (
        "source_voltage_range", "source_voltage_range_auto", "source_delay", "current_limit", "current_range", "nplc",
        "four_wire", "autozero", "output_off_mode", "output_off_limit", "output_enabled",
    )  # fmt: skip

    source_function = choice(
        "{ch}.source.func",
        "Control what is sourced: ``AMPS`` or ``VOLTS`` (p. 7-222 (?)).",
        ("AMPS", "VOLTS"),
    )
    source_voltage = control("{ch}.source.levelv", "Control the source level, V.", VOLTAGE)
    source_voltage_range = control(
        "{ch}.source.rangev", "Control the source range, V; setting it switches auto range off.",
        SOURCE_RANGE,
    )  # fmt: skip
    source_voltage_range_auto = switch(
        "{ch}.source.autorangev", "Control whether the range follows the level."
    )
    source_delay = control("{ch}.source.delay", "Control the wait between level and measurement, s.", DELAY)
    current_limit = control("{ch}.source.limiti", "Control the current limit, A.", CURRENT_LIMIT)
    voltage_limit = control(
        "{ch}.source.limitv", "Control the voltage limit when amperes are sourced, V.", VOLTAGE_LIMIT
    )
    current_limit_tripped = reading(
        "{ch}.source.compliance", "Get whether the source is limited right now.",
        cast=lambda text: text.strip() == "true",
    )  # fmt: skip
    current_range = control(
        "{ch}.measure.rangei", "Control the measurement range, A; setting it ends auto range.", CURRENT_RANGE
    )
    current_range_auto = switch("{ch}.measure.autorangei", "Control whether the range follows the current.")
    nplc = control("{ch}.measure.nplc", "Control the integration time in power line cycles.", NPLC)
    four_wire = switch("{ch}.sense", "Control whether the sense terminals are used.")
    autozero = choice(
        "{ch}.measure.autozero",
        "Control automatic zeroing: ``OFF``, ``ONCE`` or ``AUTO``.",
        ("OFF", "ONCE", "AUTO"),
    )
    output_enabled = switch("{ch}.source.output", "Control whether the output is on.")
    output_off_mode = choice(
        "{ch}.source.offmode",
        "Control what the output is when off: ``NORMAL`` (0 V, limited), ``ZERO`` or ``HIGH_Z`` (opens the relay, "
        "and wears it; p. 7-226).",
        ("NORMAL", "ZERO", "HIGH_Z"),
    )
    output_off_function = choice(
        "{ch}.source.offfunc", "Control what is sourced when off: 0 ``AMPS`` or 0 ``VOLTS`` (p. 7-225).",
        ("AMPS", "VOLTS"),
    )  # fmt: skip
    output_off_limit = control(
        "{ch}.source.offlimiti", "Control the current limit when off, A (p. 7-226).", CURRENT_LIMIT
    )
