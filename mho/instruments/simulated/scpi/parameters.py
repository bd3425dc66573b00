"""The kinds of parameters a SCPI command takes: numbers and switches, mnemonics, strings, blocks, channels.

IEEE 488.2-1992 chapter 7.7, SCPI-1999 volume 1 chapters 7 and 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from mho.instruments.simulated.scpi.numbers import (
    Boolean,
    CommandParameter,
    Given,
    Limit,
    Numeric,
    mnemonic_forms,
)
from mho.instruments.simulated.scpi.status import ScpiError

__all__ = [
    "BlockParameter",
    "Boolean",
    "ChannelList",
    "Choice",
    "CommandParameter",
    "Given",
    "Limit",
    "Numeric",
    "Text",
    "block_text",
    "quote",
    "unquote",
]  # fmt: skip


@dataclass(frozen=True)
class Choice(CommandParameter[str]):
    """One of several mnemonics; the value and the reply are its short form.

    Attributes
    ----------
    options : tuple of str
        As in the manual, e.g. ``("VOLTage", "CURRent[:DC]")``: upper case is the short form. A part in
        brackets may be left out by the sender and belongs to the value.
    quoted : bool
        Whether it travels as a string: ``"CURR:DC"``.
    """

    default: str
    options: tuple[str, ...]
    quoted: bool = False
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
    """Read string data in single or double quotes.

    Raises
    ------
    ScpiError
        -104 when it is no string, -151 when its quotes do not match.
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
