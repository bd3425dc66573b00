"""SCPI's syntax: splitting of program messages into units and parameters, and a look-up tree of header patterns.

IEEE 488.2-1992 chapter 7 and SCPI-1999 volume 1, chapters 5 and 6. Text is latin-1, one character a byte, so
that data blocks pass through untouched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mho.instruments.simulated.scpi.status import ScpiError

_SPECIAL = re.compile(r"""["'#;,\n()]""")
_UNIT = re.compile(r"\s*(\*?[A-Za-z:][\w:]*)(\?)?(?:\s+(.*))?\Z", re.DOTALL)


class Unit(NamedTuple):
    """One program message unit: header as typed, whether it is a query, and its parameters as text."""

    header: str
    query: bool
    parameters: tuple[str, ...]


def block_end(text: str, start: int) -> int:
    """Return where the block whose ``#`` is just before `start` ends; beyond the text if bytes are missing.

    ``#<n><length><bytes>`` has a length, ``#0<bytes>`` runs to the end, anything else (``#H1F``) is no block.
    """
    count = text[start : start + 1]
    if not count.isdecimal():
        return start if count else start + 1
    if count == "0":
        return len(text) - text.endswith("\n")
    digits = text[start + 1 : start + 1 + int(count)]
    if len(digits) < int(count):
        return len(text) + 1
    return start + 1 + len(digits) + int(digits) if digits.isdecimal() else start


def _split(text: str, separator: str) -> tuple[list[str], bool]:
    """Split outside strings, blocks and (for commas) parentheses; return whether the last piece is complete."""
    pieces: list[str] = []
    start = position = depth = 0
    while match := _SPECIAL.search(text, position):
        character, position = match[0], match.end()
        if character in "\"'":
            # A line feed inside a string means a missing quote: the next message begins there.
            line_end = text.find("\n", position)
            end = text.find(character, position, line_end if line_end >= 0 else len(text))
            position = end + 1 if end >= 0 else (line_end if line_end >= 0 else len(text))
        elif character == "#":
            position = block_end(text, position)
            if position > len(text):
                return [*pieces, text[start:]], False
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == separator and (depth <= 0 or separator != ","):
            pieces.append(text[start : match.start()])
            start = position
    return [*pieces, text[start:]], True


def _hides(text: str, separator: str) -> bool:
    """Return whether some `separator` may stand in a string or a block, where it separates nothing."""
    if "#" in text or "'" in text or "\n" in text:
        return True
    if '"' not in text:
        return False
    pieces = text.split('"')
    return len(pieces) % 2 == 0 or any(separator in inside for inside in pieces[1::2])


def split_messages(data: bytes) -> tuple[list[bytes], bytes]:
    """Split at line feeds that are not inside a data block; the rest is what is not terminated yet."""
    pieces, _ = _split(data.decode("latin-1"), "\n")
    *messages, rest = (piece.encode("latin-1") for piece in pieces)
    return messages, rest


def parse_unit(text: str) -> Unit:
    """Split one unit into header and parameters; `ScpiError` -102 when it has no header."""
    match = _UNIT.match(text)
    if match is None:
        raise ScpiError(-102)
    header, query, parameters = match.groups()
    if not parameters:
        return Unit(header, query is not None, ())
    hidden = "(" in parameters or _hides(parameters, ",")
    pieces = _split(parameters, ",")[0] if hidden else parameters.split(",")
    return Unit(header, query is not None, tuple(map(_trim, pieces)))


def _trim(parameter: str) -> str:
    """Strip white space around a parameter, but not what belongs to a data block."""
    if "#" not in parameter:
        return parameter.strip()
    text = parameter.lstrip()
    end = block_end(text, 1) if text[:1] == "#" and text[1:2].isdecimal() else 0
    return text[:end] + text[end:].rstrip()


def split_units(message: str) -> list[str]:
    """Split a program message at the semicolons outside strings and blocks; empty units are dropped.

    `ScpiError` -161 when a data block is shorter than its length says.
    """
    if _hides(message, ";"):
        units, complete = _split(message, ";")
        if not complete:
            raise ScpiError(-161)
    else:
        units = message.split(";")
    return [unit for unit in units if unit and not unit.isspace()]


# --- headers ---------------------------------------------------------------------------------------------

_ELEMENT = re.compile(r"(?P<optional>\[)?(?P<nodes>(?::?\*?[A-Za-z_]\w*(?:\[\d[\d|]*\])?)+)(?(optional)\])")
_NODE = re.compile(r":?(\*?[A-Za-z_]\w*)(?:\[(\d[\d|]*)\])?")


class PatternNode(NamedTuple):
    """One mnemonic of a header pattern and the numeric suffixes it allows (the first is the default)."""

    name: str
    suffixes: tuple[int, ...]

    @property
    def spellings(self) -> set[str]:
        """The long form, and the short form: what is not in lower case."""
        return {self.name.upper(), "".join(letter for letter in self.name if not letter.islower())}


class _Slot(NamedTuple):
    depth: int  # which typed mnemonic carries the suffix; -1 when it was left out
    suffixes: tuple[int, ...]


@dataclass
class _Branch:
    children: dict[str, _Branch] = field(default_factory=dict)
    leaves: dict[bool, tuple[Any, tuple[_Slot, ...]]] = field(default_factory=dict)


def expand(pattern: str) -> list[tuple[tuple[PatternNode, ...], frozenset[int]]]:
    """Expand ``[:SOURce[1|2]]:VOLTage[:LEVel]`` into every spelling: all nodes, and the positions of those that
    are present.
    """
    nodes: list[PatternNode] = []
    spellings: list[frozenset[int]] = [frozenset()]
    position = 0
    while position < len(pattern):
        element = _ELEMENT.match(pattern, position)
        if element is None:
            raise ValueError(f"not a SCPI header pattern: {pattern!r}")
        position = element.end()
        first = len(nodes)
        for name, suffixes in _NODE.findall(element["nodes"]):
            nodes.append(PatternNode(name, tuple(map(int, suffixes.split("|"))) if suffixes else (1,)))
        present = frozenset(range(first, len(nodes)))
        with_element = [spelling | present for spelling in spellings]
        spellings = spellings + with_element if element["optional"] else with_element
    return [(tuple(nodes), spelling) for spelling in spellings if spelling]


class HeaderTree:
    """Finds what belongs to a header in long, short or mixed form, with optional nodes and suffixes."""

    def __init__(self) -> None:
        self._root = _Branch()

    def add(self, pattern: str, query: bool, leaf: Any) -> None:
        """Add `leaf` under every spelling of `pattern`; a later entry replaces an earlier one."""
        for nodes, present in expand(pattern):
            branch = self._root
            depth_of = {index: depth for depth, index in enumerate(sorted(present))}
            for index in sorted(present):
                spellings = nodes[index].spellings
                known = next((branch.children[name] for name in spellings if name in branch.children), None)
                child = known or _Branch()
                branch.children.update(dict.fromkeys(spellings, child))
                branch = child
            slots = tuple(_Slot(depth_of.get(i, -1), node.suffixes) for i, node in enumerate(nodes))
            branch.leaves[query] = (leaf, slots)

    def find(self, header: str, query: bool) -> tuple[Any, tuple[int, ...]]:
        """Return the leaf of a typed header and the suffixes of those nodes which offer a choice.

        `ScpiError` -113 for an unknown header, -114 for a suffix that the node does not have.
        """
        branch = self._root
        typed = []
        for mnemonic in header.upper().removeprefix(":").split(":"):
            child, suffix = branch.children.get(mnemonic), None
            if child is None:
                name = mnemonic.rstrip("0123456789")
                child, suffix = branch.children.get(name), mnemonic[len(name) :]
            if child is None:
                raise ScpiError(-113)
            if suffix and len(suffix) > 9:
                raise ScpiError(-114)
            typed.append(int(suffix) if suffix else None)
            branch = child
        if query not in branch.leaves:
            raise ScpiError(-113)
        leaf, slots = branch.leaves[query]
        chosen = []
        for slot in slots:
            typed_suffix = typed[slot.depth] if slot.depth >= 0 else None
            suffix_value = slot.suffixes[0] if typed_suffix is None else typed_suffix
            if suffix_value not in slot.suffixes:
                raise ScpiError(-114)
            if len(slot.suffixes) > 1:
                chosen.append(suffix_value)
        return leaf, tuple(chosen)
