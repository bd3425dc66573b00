"""The kinds of parameters a SCPI command takes: numbers and switches, mnemonics, strings, blocks, channels.

`parse` needs only the text, so its result is cached with the parsed message; `resolve` is called at execution time for
parameters whose limits depend on the instrument's state (`depends` is true). IEEE 488.2-1992 chapter 7.7, SCPI-1999
volume 1 chapters 7 and 8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mho.instruments.simulated.scpi.status import ScpiError

T = TypeVar("T")
# A fixed limit, or a function of the device (and of the header's suffixes) that returns it
Limit = float | Callable[..., float]
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[Ee]\s*[+-]?\d+)?)\s*([A-Za-z%]\w*)?")
_RADIX = {"H": 16, "Q": 8, "B": 2}
# IEEE 488.2-1992 table 7-2; "M" is mega for hertz and ohms only
_MULTIPLIERS = {
    "EX": 1e18, "PE": 1e15, "T": 1e12, "G": 1e9, "MA": 1e6, "K": 1e3, "": 1.0,
    "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12, "F": 1e-15, "A": 1e-18,
}  # fmt: skip


def mnemonic_forms(name: str) -> tuple[str, str]:
    """Return the short and the long form of a mnemonic written as ``VOLTage``."""
    return "".join(letter for letter in name if not letter.islower()), name.upper()


def multiplier(suffix: str, unit: str) -> float:
    """Return the factor of a suffix like ``MV`` for the `unit` ``V``; `ScpiError` -138 for no unit, -131 for
    another one.
    """
    if not unit:
        raise ScpiError(-138)
    suffix, unit = suffix.upper(), unit.upper()
    prefix = suffix.removesuffix(unit)
    if prefix == "M" and unit in ("HZ", "OHM"):
        return 1e6
    if prefix == suffix or prefix not in _MULTIPLIERS:
        raise ScpiError(-131)
    return _MULTIPLIERS[prefix]


class CommandParameter(Generic[T]):
    """One parameter of a command."""

    default: T  # value after ``*RST``, and when omitted
    required: bool = True  # whether omitting it is error -109
    repeated: bool = False  # whether it takes all remaining values; the handler then receives a list
    depends: bool = False  # whether `resolve` has to be called each time
    given: bool = False  # whether it comes from the header, not from the text of the message

    def parse(self, text: str) -> Any:
        """Parse the parameter as far as possible from the text alone; raises `ScpiError`."""
        raise NotImplementedError

    def resolve(self, value: Any, device: Any, suffixes: tuple[int, ...]) -> T:
        """Return the final value of what `parse` returned; raises `ScpiError`."""
        raise NotImplementedError

    def format(self, value: T, device: Any) -> str:
        """Write `value` as the instrument's reply."""
        raise NotImplementedError


@dataclass(frozen=True)
class HeaderValue(CommandParameter[str]):
    """A value from the header, such as the function: handlers receive it first."""

    default: str
    given: bool = True


@dataclass(frozen=True)
class Keyword:
    """``MINimum``, ``MAXimum`` or ``DEFault`` in place of a number."""

    name: str


_KEYWORDS = {
    form: Keyword(name.upper()) for name in ("MINimum", "MAXimum", "DEFault") for form in mnemonic_forms(name)
}


@dataclass(frozen=True)
class Numeric(CommandParameter[float]):
    """A number with an optional unit, ``MIN``, ``MAX`` and ``DEF``."""

    # default, minimum, maximum: beyond the limits is -222, and the setting keeps its old value
    default: float = 0.0
    minimum: Limit = -math.inf
    maximum: Limit = math.inf
    unit: str = ""  # SI unit that may follow the number, with or without multiplier (``200mV``)
    integer: bool = False  # whether it is rounded to an integer and replied as one
    # Names for particular numbers, e.g. ``{"INFinity": 9.9e37}``; they are allowed beyond the limits.
    names: Mapping[str, float] = field(default_factory=dict)
    required: bool = True
    repeated: bool = False

    @property
    def depends(self) -> bool:  # type: ignore[override]
        """Whether a limit is a function of the device."""
        return callable(self.minimum) or callable(self.maximum)

    def parse(self, text: str) -> float | Keyword:
        """Read a number; refuses it at once where the limits are fixed."""
        number = self._number(text)
        if isinstance(number, Keyword):
            return number if self.depends else self._keyword(number, None, ())
        return number if self.depends else self._check(number, *self.limits(None, ()))

    def _number(self, text: str) -> float | Keyword:
        if text.isascii() and text.isdecimal() and len(text) < 10:
            return float(text)
        match = _NUMBER.fullmatch(text)
        if match is None:
            return self._other(text)
        digits, suffix = match.groups()
        try:
            number = float(digits)
        except ValueError:  # white space around the E is allowed by the standard, not by Python
            number = float("".join(digits.split()))
        if math.isinf(number):
            raise ScpiError(-123)
        if suffix:
            number *= multiplier(suffix, self.unit)
        return float(round(number)) if self.integer else number

    def _other(self, text: str) -> float | Keyword:
        upper = text.upper()
        if upper in _KEYWORDS:
            return _KEYWORDS[upper]
        for name, value in self.names.items():
            if upper in mnemonic_forms(name):
                return value
        if upper[:1] == "#" and upper[1:2] in _RADIX:
            try:
                return float(int(upper[2:], _RADIX[upper[1]]))
            except (ValueError, OverflowError):
                raise ScpiError(-121) from None
        raise ScpiError(-224 if self.names and text.isalpha() else -104)

    def _check(self, number: float, minimum: float, maximum: float) -> float:
        if minimum <= number <= maximum or number in self.names.values():
            return number
        raise ScpiError(-222)

    def _keyword(self, keyword: Keyword, device: Any, suffixes: tuple[int, ...]) -> float:
        if keyword.name == "DEFAULT":
            return self.default
        number = self.limits(device, suffixes)[keyword.name == "MAXIMUM"]
        if math.isinf(number):
            raise ScpiError(-224)
        return number

    def resolve(self, value: float | Keyword, device: Any, suffixes: tuple[int, ...]) -> float:
        """Check the number against limits that depend on the device."""
        if isinstance(value, Keyword):
            return self._keyword(value, device, suffixes)
        return self._check(value, *self.limits(device, suffixes))

    def limits(self, device: Any, suffixes: tuple[int, ...]) -> tuple[float, float]:
        """Return the lowest and the highest number that the device takes now."""
        minimum = self.minimum(device, *suffixes) if callable(self.minimum) else self.minimum
        return minimum, self.maximum(device, *suffixes) if callable(self.maximum) else self.maximum

    def format(self, value: float, device: Any) -> str:
        """Write the number in the device's format."""
        return str((device.integer_format if self.integer else device.real_format) % value)


@dataclass(frozen=True)
class Boolean(CommandParameter[bool]):
    """``ON``, ``OFF`` or a number; replied as 1 or 0."""

    default: bool = False
    required: bool = True

    def parse(self, text: str) -> bool:
        """Read a switch; a number is true when it rounds to something else than 0."""
        upper = text.upper()
        if upper in ("ON", "1"):
            return True
        if upper in ("OFF", "0"):
            return False
        if _NUMBER.fullmatch(text):
            return abs(float(Numeric().parse(text))) >= 0.5  # type: ignore[arg-type]
        raise ScpiError(-224 if text.isalpha() else -104)

    def format(self, value: bool, device: Any) -> str:
        """Write 1 or 0."""
        return "1" if value else "0"


@dataclass(frozen=True)
class Choice(CommandParameter[str]):
    """One of several mnemonics; the value and the reply are its short form."""

    default: str
    # As in the manual, e.g. ``("VOLTage", "CURRent[:DC]")``: upper case is the short form. A part in brackets may be
    # left out by the sender and belongs to the value.
    options: tuple[str, ...]
    quoted: bool = False  # whether it travels as a string: ``"CURR:DC"``
    required: bool = True
    repeated: bool = False
    _values: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Write out every spelling; each is spelled long or short throughout."""
        for option in self.options:
            whole, bare = option.replace("[", "").replace("]", ""), re.sub(r"\[.*\]", "", option)
            value = mnemonic_forms(whole)[0]
            for spelling in (*mnemonic_forms(whole), *mnemonic_forms(bare)):
                self._values[spelling] = value
        if self.default not in self._values.values():
            raise ValueError(f"default {self.default!r} is not one of {self.options}")

    def parse(self, text: str) -> str:
        """Read a mnemonic in its short or long form."""
        if self.quoted or text[:1] in ("'", '"'):
            if not self.quoted:
                raise ScpiError(-158)
            text = unquote(text)
        value = self._values.get(text.upper().removeprefix(":") if self.quoted else text.upper())
        if value is None:
            raise ScpiError(-224 if self.quoted or text[:1].isalpha() else -104)
        return value

    def format(self, value: str, device: Any) -> str:
        """Write the short form, quoted where it was sent so."""
        return quote(value) if self.quoted else value


def quote(text: str) -> str:
    """Write a string reply; quotes inside are doubled."""
    return '"' + text.replace('"', '""') + '"'


def unquote(text: str) -> str:
    """Read string data in single or double quotes; `ScpiError` -104 when it is no string, -151 when its quotes do
    not match.
    """
    mark = text[:1]
    if mark not in ("'", '"') or not mark:
        raise ScpiError(-104)
    inner = text[1:-1]
    if len(text) < 2 or text[-1] != mark or mark in inner.replace(2 * mark, ""):
        raise ScpiError(-151)
    return inner.replace(2 * mark, mark)


@dataclass(frozen=True)
class Text(CommandParameter[str]):
    """A quoted string; `bare` lets a plain word pass too, as arbitrary waveform names do."""

    default: str = ""
    bare: bool = False
    required: bool = True

    def parse(self, text: str) -> str:
        """Read a string."""
        if self.bare and text and re.fullmatch(r"[A-Za-z]\w*", text):
            return text
        return unquote(text)

    def format(self, value: str, device: Any) -> str:
        """Write it quoted."""
        return quote(value)


@dataclass(frozen=True)
class BlockParameter(CommandParameter[bytes]):
    """A definite or indefinite length block of bytes."""

    default: bytes = b""
    required: bool = True

    def parse(self, text: str) -> bytes:
        """Read ``#<n><length><bytes>`` or ``#0<bytes>``."""
        if text[:1] != "#" or not text[1:2].isdecimal():
            raise ScpiError(-104)
        if text[1] == "0":
            return text[2:].encode("latin-1")
        start = 2 + int(text[1])
        length = text[2:start]
        if not length.isdecimal() or len(text) - start != int(length):
            raise ScpiError(-161)
        return text[start:].encode("latin-1")

    def format(self, value: bytes, device: Any) -> str:
        """Write a definite length block."""
        return block_text(value)


def block_text(data: bytes) -> str:
    """Write a definite length block as latin-1 text."""
    length = str(len(data))
    return f"#{len(length)}{length}{data.decode('latin-1')}"


@dataclass(frozen=True)
class ChannelList(CommandParameter[tuple[int, ...]]):
    """``(@101:110,112)``: the channels in the order given, a range upwards or downwards."""

    default: tuple[int, ...] = ()
    required: bool = True
    limit: int = 10_000  # a range longer than this is a typing error

    def parse(self, text: str) -> tuple[int, ...]:
        """Read a channel list."""
        if not re.fullmatch(r"\(\s*@.*\)", text, re.DOTALL):
            raise ScpiError(-104)
        channels: list[int] = []
        for entry in text[text.index("@") + 1 : -1].split(","):
            match = re.fullmatch(r"\s*(\d{1,9})\s*(?::\s*(\d{1,9})\s*)?", entry)
            if match is None:
                raise ScpiError(-170)
            first, last = int(match[1]), int(match[2] or match[1])
            if abs(last - first) >= self.limit:
                raise ScpiError(-222)
            step = 1 if last >= first else -1
            channels.extend(range(first, last + step, step))
        return tuple(channels)

    def format(self, value: tuple[int, ...], device: Any) -> str:
        """Write every channel by name."""
        return f"(@{','.join(map(str, value))})"
