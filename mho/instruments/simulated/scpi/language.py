"""SCPI's language: syntax and headers, an instrument's settings and commands, and calls of its methods from a message.

IEEE 488.2-1992 chapter 7 and SCPI-1999 volume 1, chapters 5 and 6. A setting is a value that a command sets, a query
returns and ``*RST`` restores. Text is latin-1, one character a byte, so that data blocks pass through untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, overload

from mho.instruments.simulated.scpi.parameters import CommandParameter, HeaderValue, Numeric
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


T = TypeVar("T")
Key = TypeVar("Key", int, str)

# Placeholder of a function in a header: ``:SENSe:<function>:NPLCycles``
FUNCTION = "<function>"


class SettingBase(Generic[T]):
    """A value that a command sets, its query returns and ``*RST`` restores."""

    def __init__(self, header: str, parameter: CommandParameter[T]) -> None:
        self.header, self.parameter = header, parameter
        self.checks: tuple[str, ...] = ()
        self.changes: tuple[str, ...] = ()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        overridden = next((vars(base)[name] for base in owner.__mro__[1:] if name in vars(base)), None)
        if isinstance(overridden, SettingBase):  # a model's own header and limits, of what its base knows
            self.checks = overridden.checks + self.checks
            self.changes = overridden.changes + self.changes

    @property
    def forms(self) -> list[tuple[str, tuple[CommandParameter[Any], ...], CommandParameter[T]]]:
        """Every header it has, what its handlers receive before the value, and the value's parameter."""
        return [(self.header, (), self.parameter)]

    def check(self, function: Handler) -> Handler:
        """Declare a method that checks (suffix and) new value before it is stored; `ScpiError` refuses it."""
        self.checks += (function.__name__,)
        return function

    def on_change(self, function: Handler) -> Handler:
        """Declare a method that is called with (suffix and) value after it was set."""
        self.changes += (function.__name__,)
        return function

    def store(self, device: Any, *arguments: Any) -> None:
        """Set the value as the command does; `arguments` are suffixes and value."""
        self.storing()(device, *arguments)

    def storing(self) -> Callable[..., None]:
        """Return the command's handler."""
        raise NotImplementedError

    def answering(self, parameter: CommandParameter[Any]) -> Callable[..., str]:
        """Return the query's handler for the header that has this `parameter`; a number's may ask for MIN, MAX or DEF."""
        value_of, write = self._value, parameter.format
        if not isinstance(parameter, Numeric):
            return lambda device, *which: write(value_of(device, *which), device)

        def recall(device: Any, *arguments: Any) -> str:
            *which, value = arguments
            return write(value_of(device, *which) if value is None else value, device)

        return recall

    def _value(self, device: Any, *which: Any) -> Any:
        return device.__dict__[self.name]

    def restore(self, device: Any) -> None:
        """Restore the default without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = self.parameter.default


class Setting(SettingBase[T]):
    """A setting without suffix; the instance's attribute of this name is the value."""

    def storing(self) -> Callable[..., None]:
        """Return the command's handler."""
        name, checks, changes = self.name, self.checks, self.changes

        def store(device: Any, value: Any) -> None:
            for check in checks:
                getattr(device, check)(value)
            device.__dict__[name] = value
            for change in changes:
                getattr(device, change)(value)

        return store

    def answering(self, parameter: CommandParameter[Any]) -> Callable[..., str]:
        """Return the query's handler, which is a quick one for words: states are asked for before every switch."""
        if isinstance(parameter, Numeric):
            return super().answering(parameter)
        name, write = self.name, parameter.format
        return lambda device: write(device.__dict__[name], device)

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self  # on an instance the value in its __dict__ comes first

    if TYPE_CHECKING:

        def __set__(self, instance: object, value: T) -> None: ...


class SettingOfEach(SettingBase[T], Generic[Key, T]):
    """A value for each suffix, or each function, of its header; the instance's attribute is a dict by it."""

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> dict[Key, T]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self

    def storing(self) -> Callable[..., None]:
        """Return the command's handler, for one suffix or function and its value."""
        name, checks, changes = self.name, self.checks, self.changes

        def store(device: Any, which: Any, value: Any) -> None:
            for check in checks:
                getattr(device, check)(which, value)
            device.__dict__[name][which] = value
            for change in changes:
                getattr(device, change)(which, value)

        return store

    def _value(self, device: Any, *which: Any) -> Any:
        return device.__dict__[self.name][which[0]]


class IndexedSetting(SettingOfEach[int, T]):
    """A setting for each suffix of a ``NODE[1|2]``; the instance's attribute is a dict by suffix."""

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        choices = [part.split("]")[0] for part in self.header.split("[") if "|" in part]
        if len(choices) != 1:
            raise ValueError(f"{self.header}: an indexed setting needs exactly one node with suffixes")
        self.indices = tuple(map(int, choices[0].split("|")))

    def restore(self, device: Any) -> None:
        """Restore the defaults without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = dict.fromkeys(self.indices, self.parameter.default)


class FunctionSetting(SettingOfEach[str, T]):
    """A setting for each function of a meter or source; the instance's attribute is a dict by function.

    `functions` are the nodes that replace ``<function>`` in the header, by name, e.g. ``{"CURR": "CURRent[:DC]"}``; the
    parameter is that of all functions, or one for each.
    """

    def __init__(
        self, header: str, functions: Mapping[str, str],
        parameter: CommandParameter[T] | Mapping[str, CommandParameter[T]],
    ) -> None:  # fmt: skip
        self._headers = {function: header.replace(FUNCTION, node) for function, node in functions.items()}
        if isinstance(parameter, CommandParameter):
            parameter = dict.fromkeys(functions, parameter)
        self._parameters = {function: parameter[function] for function in functions}
        first = next(iter(functions))
        super().__init__(self._headers[first], self._parameters[first])

    @property
    def forms(self) -> list[tuple[str, tuple[CommandParameter[Any], ...], CommandParameter[T]]]:
        """Every header it has, what its handlers receive before the value, and the value's parameter."""
        return [
            (header, (HeaderValue(function),), self._parameters[function])
            for function, header in self._headers.items()
        ]

    def restore(self, device: Any) -> None:
        """Restore the defaults without calling `on_change` (``*RST``)."""
        device.__dict__[self.name] = {
            function: parameter.default for function, parameter in self._parameters.items()
        }


KNOWN_MESSAGES = 4096  # messages that are known as they come

Handler = TypeVar("Handler", bound=Callable[..., Any])
# A parameter, or one for each function of a header
Declared = CommandParameter[Any] | Mapping[str, CommandParameter[Any]]


class _Leaf(NamedTuple):
    """The handler of a header."""

    function: Callable[..., Any]
    parameters: tuple[CommandParameter[Any], ...] = ()
    owner: int = 0
    channels: tuple[int, ...] = ()  # of a part of each: the suffix says whose it is


class Call(NamedTuple):
    """One unit of a parsed message, ready to run."""

    function: Callable[..., str | None]
    arguments: tuple[Any, ...] = ()
    late: tuple[CommandParameter[Any] | None, ...] = ()  # parameters to resolve at execution, if any
    suffixes: tuple[int, ...] = ()
    owner: int = 0  # whose handler it is: 0 the device's, then those of its parts


def command(
    header: str, *parameters: Declared, functions: Mapping[str, str] | None = None
) -> Callable[[Handler], Handler]:
    """Declare a method as the handler of a command; several headers may share one method.

    With `functions` the command exists for each: its node replaces ``<function>`` in the header, and the method
    receives its name first.
    """

    def decorate(function: Handler) -> Handler:
        entries = _entries(header, parameters, functions)
        function.__dict__.setdefault("scpi_headers", []).extend(entries)
        return function

    return decorate


def query(
    header: str, *parameters: Declared, functions: Mapping[str, str] | None = None
) -> Callable[[Handler], Handler]:
    """Declare a method, which returns the reply's text, as the handler of a query; otherwise as `command`."""
    return command(f"{header}?", *parameters, functions=functions)


def _entries(
    header: str, parameters: tuple[Declared, ...], functions: Mapping[str, str] | None
) -> Iterator[tuple[str, bool, tuple[Any, ...]]]:
    """Yield header, whether it asks, and parameters, for each function if there are some."""
    form, asks = header.removesuffix("?"), header.endswith("?")
    if functions is None:
        yield form, asks, parameters
    for function, node in (functions or {}).items():
        own = (p[function] if isinstance(p, Mapping) else p for p in parameters)
        yield form.replace(FUNCTION, node), asks, (HeaderValue(function), *own)


def declared_headers(owner: type) -> Iterator[tuple[str, bool, tuple[Any, ...], Any]]:
    """Yield the headers that a class itself declares: header, whether it asks, parameters, and handler.

    The handler is a method's name, or a function of the class's table `commands`: by header, which ends with a question
    mark where it asks, a handler of one expression, or a tuple with functions and parameters, as of `command`, before it.
    """
    for header, row in vars(owner).get("commands", {}).items():
        *parameters, handler = row if isinstance(row, tuple) else (row,)
        functions = parameters.pop(0) if FUNCTION in header else None
        for entry in _entries(header, tuple(parameters), functions):
            yield *entry, handler
    for name, member in vars(owner).items():
        for entry in getattr(member, "scpi_headers", ()):
            yield *entry, name


class _Asked(CommandParameter[Any]):
    """The optional ``MIN|MAX|DEF`` after a numeric setting's question mark."""

    default = None
    required = False

    def __init__(self, numeric: Numeric) -> None:
        self._numeric = numeric
        self.depends = numeric.depends

    def parse(self, text: str) -> Any:
        if not text.isalpha():
            raise ScpiError(-108)
        return self._numeric.parse(text)

    def resolve(self, value: Any, device: Any, suffixes: tuple[int, ...]) -> Any:
        return None if value is None else self._numeric.resolve(value, device, suffixes)


def _refuse(error: ScpiError) -> Call:
    def refuse(device: Any) -> None:
        raise error

    return Call(refuse)


def _bind(leaf: _Leaf, suffixes: tuple[int, ...], texts: tuple[str, ...]) -> Call:
    """Read the parameters of one unit."""
    parameters, owner = leaf.parameters, leaf.owner
    if leaf.channels:
        owner, suffixes = owner + leaf.channels.index(suffixes[0]), suffixes[1:]
    values: list[Any] = []
    late: list[CommandParameter[Any] | None] = [None] * len(suffixes)
    remaining, has_late = list(texts), False
    for parameter in parameters:
        if parameter.given:
            values.append(parameter.default)
        elif parameter.repeated:  # takes all that remain
            if parameter.required and not remaining:
                raise ScpiError(-109)
            values.append([parameter.parse(text) for text in remaining])
            remaining = []
        elif remaining:
            values.append(parameter.parse(remaining.pop(0)))
        elif parameter.required:
            raise ScpiError(-109)
        else:
            values.append(parameter.default)
        late.append(parameter if parameter.depends else None)
        has_late = has_late or late[-1] is not None
    if remaining:
        raise ScpiError(-108)
    return Call(leaf.function, (*suffixes, *values), tuple(late) if has_late else (), suffixes, owner)


def resolve(call: Call, owner: Any) -> list[Any]:
    """Return a call's arguments, with those parameters resolved whose limits depend on `owner`."""
    arguments: list[Any] = []
    for parameter, value in zip(call.late, call.arguments, strict=True):
        if parameter is None:
            arguments.append(value)
        elif parameter.repeated:
            arguments.append([parameter.resolve(item, owner, call.suffixes) for item in value])
        else:
            arguments.append(parameter.resolve(value, owner, call.suffixes))
    return arguments


class Language:
    """The compiled commands of a class of devices and of its `parts`, with a cache of parsed messages.

    `settings`: those of the device itself, by name. `owned`: those of the device, then of each part, or of each channel's.
    """

    def __init__(self, device_class: type, parts: Sequence[type] = ()) -> None:
        tree = HeaderTree()
        self._common_after_colon: bool = getattr(device_class, "common_after_colon", False)
        self.owned: list[dict[str, SettingBase[Any]]] = [{}]
        places: list[tuple[type, int, tuple[int, ...]]] = [(device_class, 0, ())]
        for part in parts:
            channels: tuple[int, ...] = getattr(part, "channels", ())
            places.append((part, len(self.owned), channels))
            self.owned += [{}] * max(1, len(channels))
        self.settings = self.owned[0]
        # The device comes last: what it declares itself replaces what a part does.
        for kind, owner, channels in reversed(places):
            for base in reversed(kind.__mro__):
                self._collect(tree, base, kind, owner, channels)
        self._find = lru_cache(4096)(tree.find)
        self._unit = lru_cache(2048)(self._compile_unit)
        self.parse: Callable[[bytes], list[Call]] = lru_cache(2048)(self.compile)
        self.known: dict[bytes, list[Call]] = {}

    def _collect(
        self, tree: HeaderTree, base: type, kind: type, owner: int, channels: tuple[int, ...]
    ) -> None:
        """Add what `base`, a base of the owner's class `kind`, declares, unless `kind` declares it anew."""
        for name, member in vars(base).items():
            if isinstance(member, SettingBase) and getattr(kind, name) is member:
                self.owned[owner][name] = member
                for header, given, parameter in member.forms:
                    asked = (_Asked(parameter),) if isinstance(parameter, Numeric) else ()
                    store, answer = member.storing(), member.answering(parameter)
                    tree.add(header, False, _Leaf(store, (*given, parameter), owner, channels))
                    tree.add(header, True, _Leaf(answer, (*given, *asked), owner, channels))
        for header, asks, parameters, handler in declared_headers(base):
            # A method as the class has it: an override need not declare the header again.
            function = getattr(kind, handler) if isinstance(handler, str) else handler
            tree.add(header, asks, _Leaf(function, parameters, owner, channels))

    def understood(self, line: bytes) -> list[Call]:
        """Parse one program message with its line feed, and find it in `known` when it comes again.

        (A look-up in a dict takes a fifth of the time of `parse`, and messages come by the hundred thousand.)
        """
        if len(self.known) >= KNOWN_MESSAGES:
            self.known.clear()
        calls = self.known[line] = self.parse(line.strip())
        return calls

    def compile(self, message: bytes) -> list[Call]:
        """Parse one program message, without terminator, into calls; errors become calls that raise."""
        try:
            units = split_units(message.decode("latin-1"))
        except ScpiError as error:
            return [_refuse(error)]
        calls: list[Call] = []
        path = ""
        for unit in units:
            cached = self._unit if len(unit) < 200 else self._compile_unit
            call, path = cached(unit, path)
            calls.append(call)
        return calls

    def _compile_unit(self, text: str, path: str) -> tuple[Call, str]:
        """Parse one unit that follows a header in `path`; returns the path for the next one as well."""
        if self._common_after_colon and text.lstrip().startswith(":*"):
            text = text.replace(":", "", 1)
        try:
            unit = parse_unit(text)
            header = unit.header
            if header[0] != "*":
                if header[0] != ":":
                    header = path + header
                path = header[: header.rindex(":") + 1] if ":" in header else ""
            leaf, suffixes = self._find(header, unit.query)
            return _bind(leaf, suffixes, unit.parameters), path
        except ScpiError as error:
            return _refuse(error), path
