"""A chip map's text with other settings in its section ``[write_verify]``: all else, comments included, stays as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mho.chip_maps.chip import parse_chip_map
from mho.errors import ChipMapError

_SECTION = re.compile(r"^\[write_verify\][^\S\n]*(?:#.*)?$", re.MULTILINE)
_NEXT = re.compile(r"^\s*\[", re.MULTILINE)


def write_verify_section(values: Mapping[str, float], note: str = "") -> str:
    """Return settings as lines of a chip map, each value to four digits, below a `note` of one or several lines."""
    notes = "".join(f"# {line}\n" for line in note.splitlines())
    return notes + "".join(f"{name} = {_number(value)}\n" for name, value in values.items())


def with_write_verify(text: str, values: Mapping[str, float], note: str = "") -> str:
    """Return the text of a chip map with these settings of write-verify, in place of its own or added.

    Parameters
    ----------
    text : str
        A chip map.
    values : mapping
        Numbers by the name of the setting, in SI units.
    note : str
        A comment above them.

    Raises
    ------
    ChipMapError
        When `text` is no chip map, a value is not allowed, or its settings are not in a section of their own.
    """
    parse_chip_map(text)
    lines = write_verify_section(values, note)
    section = _SECTION.search(text)
    if section is None:
        changed = f"{text.rstrip()}\n\n[write_verify]\n{lines}"
    else:
        start = section.end() + 1
        following = _NEXT.search(text, start)
        end = len(text) if following is None else following.start()
        old = re.compile(rf"^[^\S\n]*(?:{'|'.join(values)})[^\S\n]*=.*\n?", re.MULTILINE)
        changed = f"{text[: section.end()]}\n{lines}{old.sub('', text[start:end])}{text[end:]}"
    try:
        found = parse_chip_map(changed, "the new chip map").write_verify
        taken = all(getattr(found, name) == float(_number(value)) for name, value in values.items())
    except ChipMapError as error:
        raise ChipMapError(f"{error}; write by hand into [write_verify]: {lines.strip()}") from None
    if not taken:
        raise ChipMapError(
            f"this chip map's settings are not lines of a section [write_verify]; write by hand: {lines.strip()}"
        )
    return changed


def _number(value: float) -> str:
    return repr(float(f"{value:.4g}"))
