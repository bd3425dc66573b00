"""Random program messages that reach deep into a simulated instrument: its own vocabulary, well used, ill used, garbled.

Each language takes its words from the twin's declarations: what is added there is fuzzed from then on.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mho.instruments.simulated.agilentb1500.language import FlexDevice
from mho.instruments.simulated.lakeshore335 import SimulatedLakeShore335
from mho.instruments.simulated.scpi.instrument import ScpiDevice
from mho.instruments.simulated.scpi.language import SettingBase, declared_headers
from mho.instruments.simulated.scpi.parameters import (  # fmt: skip
    BlockParameter,
    Boolean,
    ChannelList,
    Choice,
    CommandParameter,
    HeaderValue,
    Numeric,
    Text,
)
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.tables import InertTable, ScriptTable

Messages = Callable[[random.Random], bytes]
"""Draws one message, without the line feed at its end."""

MISFITS = (
    "", "1", "0", "-1", "1e-3", "1E400", "NAN", "INF", "MIN", "MAX", "DEF", "ON", "OFF", "5,3", "0.1,0.2,0.3", "VOLT",
    '"CURR"', '"defbuffer1"', "(@101:110)", "(@1)", "(@", "#15hello", "#9", "#0", "#HFF", "200mV", "10 US", ",", "'",
    '"multiply",1,2', "PULS", "1,2500", "1e9", "9" * 40, "A" * 300,
)  # fmt: skip
TEXTS = (
    "defbuffer1", "defbuffer2", "b", "B1", "EMEM", "USER1", "VOLATILE", "multiply", "invert_positive", "CURR:DC", "", "'",
)  # fmt: skip
CHANNELS = (
    "(@1)", "(@2)", "(@1,2)", "(@1:2)", "(@101)", "(@101:110)", "(@110:101,105)", "(@3)", "(@0)", "(@10101)",
    "(@10101:10112,20203)", "(@00101,00224)", "(@11413)",
)  # fmt: skip


def garbled(message: bytes, chance: random.Random) -> bytes:
    """Insert, drop or repeat a few bytes."""
    where = chance.randrange(len(message) + 1)
    length = chance.randrange(1, 9)
    return chance.choice(
        (
            message[:where] + chance.randbytes(chance.randrange(1, 4)) + message[where:],
            message[:where] + message[where + length :],
            message[:where] + message[where : where + length] * 3 + message[where + length :],
            message[:where],
        )
    )


def with_noise(messages: Messages) -> Messages:
    """Garble one message in ten, and replace one in thirty by noise."""

    def draw(chance: random.Random) -> bytes:
        luck = chance.random()
        if luck < 0.033:
            return chance.randbytes(chance.randrange(1, 60))
        message = messages(chance)
        return garbled(message, chance) if luck < 0.133 else message

    return draw


# --- SCPI ---


def scpi(device: ScpiDevice) -> Messages:
    """Draw SCPI messages: headers that exist, parameters that mostly fit."""
    vocabulary = sorted(_scpi_vocabulary(type(device)), key=lambda entry: (entry[0], entry[1]))

    def unit(chance: random.Random) -> str:
        header, asks, parameters = chance.choice(vocabulary)
        header = re.sub(
            r"\[([\d|]+)\]", lambda found: chance.choice(("", *found[1].split("|")) * 6 + ("3",)), header
        )
        header = re.sub(r"\[([^]]*)\]", lambda found: chance.choice(("", found[1])), header)
        if chance.random() < 0.5:
            header = re.sub(r"[a-z]+", "", header)
        if chance.random() < 0.03:
            header = header[: chance.randrange(1, len(header) + 1)]
        if chance.random() < 0.15:
            texts = [chance.choice(MISFITS)]
        else:
            texts = [text for each in parameters for text in _fitting(each, chance)]
        return f"{header}{'?' if asks else ''} {','.join(texts)}"

    def message(chance: random.Random) -> bytes:
        return ";".join(unit(chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))).encode("latin-1")

    return with_noise(message)


def _scpi_vocabulary(
    device: type[ScpiDevice],
) -> Iterator[tuple[str, bool, tuple[CommandParameter[Any], ...]]]:
    """Every header a class understands, whether it asks, and its parameters."""
    for kind, owner in ((part, base) for part in (device, *device.parts) for base in part.__mro__):
        for name, member in vars(owner).items():
            if isinstance(member, SettingBase) and getattr(kind, name) is member:
                for header, _, parameter in member.forms:
                    yield header, False, (parameter,)
                    yield header, True, ()
        for header, asks, parameters, _ in declared_headers(owner):
            yield header, asks, parameters


def _fitting(parameter: CommandParameter[Any], chance: random.Random) -> list[str]:
    """Texts that a parameter takes, most of them."""
    if isinstance(parameter, HeaderValue) or (not parameter.required and chance.random() < 0.5):
        return []
    count = chance.choice((1, 2, 3, 10)) if parameter.repeated else 1
    return [_text(parameter, chance) for _ in range(count)]


def _text(parameter: CommandParameter[Any], chance: random.Random) -> str:
    match parameter:
        case Numeric():
            return _number(parameter, chance)
        case Boolean():
            return chance.choice(("ON", "OFF", "1", "0"))
        case Choice():
            option = re.sub(r"\[(.*)\]", chance.choice(("", r"\1")), chance.choice(parameter.options))
            option = re.sub(r"[a-z]+", "", option) if chance.random() < 0.5 else option
            return f'"{option}"' if parameter.quoted else option
        case Text():
            return f'"{chance.choice(TEXTS)}"'
        case BlockParameter():
            data = chance.randbytes(2 * chance.randrange(40)).decode("latin-1")
            return f"#2{len(data):02}{data}"
        case ChannelList():
            return chance.choice(CHANNELS)
        case _:
            return chance.choice(MISFITS)


def _number(parameter: Numeric, chance: random.Random) -> str:
    # Large numbers are rare: a count of 100,000 stays until the next reset, and costs a second each time.
    if chance.random() < 0.1:
        return chance.choice((*["MIN", "DEF"] * 4, "MAX", *parameter.names))
    low = parameter.minimum if isinstance(parameter.minimum, int | float) else -10.0
    high = parameter.maximum if isinstance(parameter.maximum, int | float) else 10.0
    low, high = max(low, -1e6), min(high, 1e6)
    value = low + (high - low) * 10.0 ** (-8.0 * math.sqrt(chance.random()))
    if chance.random() < 0.2:
        value = chance.choice((*[low, float(parameter.default)] * 6, high, 0.0, -value))
    return str(round(value)) if parameter.integer else f"{value:.6g}"


# --- FLEX ---


NUMBERS = (
    "0", "1", "2", "3", "5", "10", "11", "-1", "-11", "-14", "-16", "12", "20", "0.2", "-0.5", "1.5", "1E-3", "1E-4",
    "1e-12", "2E-6", "21", "99", "100.5", "2000", "+7", "1e31", ".5", "", "x", "1..2",
)  # fmt: skip


SOUND = (
    "DV 1,0,0.2,1E-3",
    "DV 2,0,-1.5,1E-4",
    "PA 0.01",
    "TI 1,0;TV 1,0",
    "TI 2,-14",
    "TV 2",
    "DZ",
    "RZ 1",
    "CN 1,2",
)


def flex(device: FlexDevice) -> Messages:
    """Draw FLEX lines, programs among them."""
    vocabulary = sorted((header, *(takes or (0,)) * 2) for header, (_, takes) in device.vocabulary.items())

    def command(chance: random.Random) -> str:
        header, fewest, *_, most = chance.choice(vocabulary)
        count = chance.randint(fewest, most) if chance.random() < 0.9 else chance.randrange(12)
        channel = [chance.choice(("1", "2"))] if count and chance.random() < 0.7 else []
        few = NUMBERS[: 12 if chance.random() < 0.6 else None]
        numbers = channel + [chance.choice(few) for _ in range(count - len(channel))]
        return f"{header} {','.join(numbers)}"

    def line(chance: random.Random) -> str:
        return ";".join(command(chance) for _ in range(chance.choice((1, 1, 2, 3, 5))))

    def message(chance: random.Random) -> bytes:
        if chance.random() < 0.05:
            lines = [chance.choice((line(chance), *SOUND)) for _ in range(chance.randrange(20))]
            number = chance.randrange(1, 4)
            text = "\r\n".join((f"CN 1,2\r\nST {number}", *lines, "END", f"DO {number},{number}"))
        elif chance.random() < 0.2:
            text = f"CN 1,2;DV 1,0,{chance.uniform(-3, 3):.4f},1E-3;{line(chance)}"
        else:
            text = line(chance)
        return f"{text}\r".encode("latin-1")

    return with_noise(message)


# --- Lake Shore's controllers ---


SETTINGS = ("300", "398.15", "10.5", "0.05", "100", "1e3", "-5", "9999", "1.", ".5", "", "x")


def lake_shore(device: SimulatedLakeShore335) -> Messages:
    """Draw messages of one to three commands."""
    vocabulary = sorted((header, parameters) for header, (_, parameters) in device.vocabulary.items())

    def text(parameter: Any, chance: random.Random) -> str:
        if parameter.__name__ == "sensor":
            return chance.choice((*"AABCDabE", "1"))
        if parameter.__name__ == "output":
            return chance.choice((*"1112345", "A"))
        return chance.choice((*"0123", *SETTINGS) if chance.random() < 0.8 else MISFITS)

    def command(chance: random.Random) -> str:
        header, parameters = chance.choice(vocabulary)
        texts = [text(each, chance) for each in parameters]
        if chance.random() < 0.1:
            texts = texts[1:] if chance.random() < 0.5 else [*texts, "1"]
        return f"{header if chance.random() < 0.8 else header.lower()} {','.join(texts)}"

    def message(chance: random.Random) -> bytes:
        return ";".join(command(chance) for _ in range(chance.choice((1, 1, 2, 3)))).encode("latin-1")

    return with_noise(message)


# --- TSP ---


VALUES = (
    "0", "1", "2", "3", "-1", "0.1", "0.2", "-2", "1e-3", "1e-6", "1e-9", "20", "200", "1e5", "1e30", "1/0", "0/0", "nil",
    "true", "false", "'x'", "'1A01'", "'1A01:1B03'", "'allslots'", "'slot3'", "'p'", "'9Z99'", "{}", "{0.1,0.2,0.3}",
    "{1e-3}", "print", "x", "smua.nvbuffer1", "smua.nvbuffer2", "b", "function() end",
)  # fmt: skip
TOKENS = (
    "for i = 1, 2 do end while if then else elseif function return local repeat until and or not nil true = == ~= < "
    "+ - * / ^ .. . , ; ( ) [ ] { } 0 1 3 -1 1e-6 'x' x y t i pcall getmetatable setmetatable tostring tonumber type "
    "loadscript loadandrunscript endscript string.rep table.insert math.random next pairs error exit()"
)
COMMON = (
    "*IDN?", "*CLS", "*OPC", "*OPC?", "*WAI", "*TRG", "*ESR?", "*STB?", "*ESE 255", "*SRE 4", "*RST", "*TST?", "*SRE", "*X",
)  # fmt: skip
WRAPS = (
    "{}", "{}", "{}", "{}", "{}", "{}", "{} {}", "{} {} {}", "pcall(function() {} end)", "for i = 1, 3 do {} end",
    "if x then {} else {} end", "function f() {} end f()", "x = {{{{}}}} {}", "local x = 2 {}", "while x do {} x = nil end",
    "loadandrunscript\n{}\n{}\nendscript", "loadscript s\n{}\nendscript\ns()", "repeat {} until true",
)  # fmt: skip
SENTENCES = (
    "smua.trigger.source.listv({{{v},{v}}}) smua.trigger.source.action = 1 smua.trigger.count = {n}",
    "smua.trigger.source.linearv({v}, {v}, {n})",
    "smua.trigger.measure.iv(smua.nvbuffer1, smua.nvbuffer2) smua.trigger.measure.action = 1",
    "smua.trigger.endpulse.action = {n}", "smua.source.output = 1 smua.trigger.initiate() waitcomplete()",
    "smua.trigger.initiate()", "waitcomplete()", "printbuffer(1, {n}, smua.nvbuffer1.readings)", "x = {v}",
    "smua.measure.count = {n} smua.measure.iv(smua.nvbuffer1, smua.nvbuffer2)", "b = smua.makebuffer({n})",
    "smua.source.levelv = {v} print(smua.measure.iv())", "printnumber({v}, {v})", "delay({v})",
    "format.data = {n}", "print(errorqueue.count)", "print(errorqueue.next())", "smub.trigger.count = {n}",
    "smua.source.rangev = 2 smua.measure.nplc = 0.001 smua.measure.autozero = 0 smua.source.output = 1 "
    "print(ConfigPulseVMeasureI(smua, {v}, {v}, 0.1, 1e-3, {v}, {n}, smua.nvbuffer1, {n}))",
    "smub.source.rangei = 0.1 "
    "print(ConfigPulseIMeasureVSweepLin(smub, 0, {v}, {v}, 2, 1e-3, 0.1, {n}, nil, {n}, {n}, {n}))",
    "smua.source.output = 1 print(InitiatePulseTest({n}))", "smub.source.output = 1 print(InitiatePulseTestDual({n}, {n}))",
    "smua.source.output = 1 SweepVLinMeasureI(smua, {v}, {v}, {v}, {n})",
    "channel.close({v})", "channel.open({v})", "channel.exclusiveclose({v})", "print(channel.getclose({v}))",
)  # fmt: skip


def tsp(device: TspDevice) -> Messages:
    """Draw TSP lines: the tables' attributes and functions, in and out of place, in statements of all kinds."""
    tokens = TOKENS.split()
    paths: dict[str, list[str]] = {kind: [] for kind in ("written", "read", "called", "fixed")}
    for name, content in device.tables.items():
        for kind, path in _tsp_paths(name, content):
            paths[kind].append(path)
    # A group's words appear once for each of its copies (timers, channels): every kind of word shall have its turn.
    families = {kind: list(_families(found).values()) for kind, found in paths.items()}
    sentences = [each for each in SENTENCES if each.startswith(tuple(device.tables)) or "smu" not in each]
    if "channel" not in device.tables:
        sentences = [each for each in sentences if "channel" not in each]

    def path(kind: str, chance: random.Random) -> str:
        return chance.choice(chance.choice(families[kind]))

    def value(chance: random.Random) -> str:
        luck = chance.random()
        if luck < 0.15 and families["fixed"]:
            return path("fixed", chance)
        if luck < 0.2:
            return path("read", chance)
        if luck < 0.35:
            return f"{chance.uniform(-1, 1) * 10.0 ** chance.randrange(-7, 3):.4g}"
        return chance.choice(VALUES[:8] if luck < 0.65 else VALUES)

    def statement(chance: random.Random) -> str:
        luck = chance.random()
        if luck < 0.35:
            return f"{path('written', chance)} = {value(chance)}"
        if luck < 0.5:
            return f"print({path('read', chance)})"
        if luck < 0.75:
            call = f"{path('called', chance)}({', '.join(value(chance) for _ in range(chance.randrange(4)))})"
            return call if chance.random() < 0.6 else f"print({call})"
        sentence: str = chance.choice(sentences)
        while "{n}" in sentence or "{v}" in sentence:
            sentence = sentence.replace("{n}", chance.choice("0123456"), 1).replace("{v}", value(chance), 1)
        return sentence.replace("{{", "{").replace("}}", "}")

    def message(chance: random.Random) -> bytes:
        luck = chance.random()
        if luck < 0.05:
            text = chance.choice(COMMON)
        elif luck < 0.15:
            words = [path(chance.choice(("written", "called")), chance), *tokens]
            text = " ".join(chance.choices(words, k=chance.randrange(1, 12)))
        else:
            text = re.sub(r"\{\}", lambda _: statement(chance), chance.choice(WRAPS))
        return text.encode("latin-1")

    return with_noise(message)


def _tsp_paths(path: str, content: Any) -> Iterator[tuple[str, str]]:
    """The operation possible with each of a table's entries, and its name."""
    if isinstance(content, ScriptTable):
        entry = re.sub(r"\.(\d+)(?=\.|\Z)", r"[\1]", path)
        for name in content._attributes:
            written = f"{entry}[{name}]" if isinstance(name, int) else f"{entry}.{name}"
            yield "written", written
            yield "read", written
        yield from (("read", f"{entry}.{name}") for name in content._readings)
        if content._item is not None:
            yield "read", f"{entry}[1]"
        for name, inner in content._contents.items():
            yield from _tsp_paths(f"{entry}.{name}", inner)
    elif isinstance(content, list):
        for index, inner in enumerate(content, 1):
            yield from _tsp_paths(f"{path}[{index}]", inner)
    elif isinstance(content, InertTable):
        yield "written", f"{path}.screen"
        yield from (("called", f"{path}.{name}") for name in content.functions)
    elif callable(content):
        yield "called", path
    elif not isinstance(content, Mapping):
        yield "fixed", path


def _families(paths: list[str]) -> dict[str, list[str]]:
    """Sort paths by what they are called when their numbers are left out."""
    families: dict[str, list[str]] = {}
    for path in paths:
        families.setdefault(re.sub(r"\d+", "", path), []).append(path)
    return families
