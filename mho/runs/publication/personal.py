"""Finds what is personal in the texts of a run file, and replaces it: user, host, folders of the person's disk.

The names are those that the file itself gives (its provenance and its writer), so that a copy is the same whoever makes it.
They are looked for as whole words, in any case of letters; in code and TOML only within comments and strings, in JSON
only within values: keys, units and identifiers are no place for names. Accounts that name nobody (root, lab) stay. Absolute
paths are cut to the name of the file, except in what describes instruments: there ``/Dev1/ao/StartTrigger`` is a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mho.runs.publication.paths import PART, without_folders

NOBODY = frozenset((
    "root", "admin", "administrator", "user", "users", "guest", "nobody", "unknown", "lab", "labor", "test", "public",
    "pi", "ubuntu", "debian", "jovyan", "runner", "vagrant", "ec2-user", "localhost", "localhost.localdomain",
))  # fmt: skip
"""Names of accounts and hosts that are the same everywhere."""

_HOME = re.compile(rf"(?:/home/|/Users/|\b[A-Za-z]:[\\/]+Users[\\/]+)({PART}+)")
_HOME_ALONE = re.compile(rf"(?<=file://){_HOME.pattern}|{_HOME.pattern}(?![^\W_]|[\\/]+{PART})")
"""A home with nothing in it behind, whose last part is a name; and one in an address, of which the rest is left."""
_QUOTED = re.compile(
    r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'|#[^\n]*"
)
"""Comments and strings, of Python and of TOML alike."""


@dataclass(frozen=True)
class PersonalNames:
    """What is withheld of a text."""

    # users, hosts, folders: names, and absolute paths, the longest first
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def withheld(self, text: str) -> str:
        """Return a text in words, with absolute paths cut to the name of the file, and names replaced."""
        for folder in self.folders:
            text = re.sub(rf"{re.escape(folder)}(?:[\\/]+|(?!\w))", "", text) if folder in text else text
        return self.without_names(without_folders(_HOME_ALONE.sub("[home]", text)))

    def without_names(self, text: str) -> str:
        """Return a text about instruments, with homes and names replaced."""
        text = _HOME.sub("[home]", text)
        for names, instead in ((self.users, "[user]"), (self.hosts, "[host]")):
            for name in names:
                text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", instead, text, flags=re.IGNORECASE)
        return text


Change = Callable[[str], str]


def in_code(text: str, change: Change) -> str:
    """Return Python or TOML with its comments and strings changed."""
    return _QUOTED.sub(lambda found: change(found[0]), text)


def in_json(text: str, change: Change, only: Collection[str] = ()) -> str:
    """Return JSON with the texts among its values changed; with `only`, those of these keys."""
    try:
        told = json.loads(text)
    except ValueError:
        return change(text)
    kept = _in_values(told, change, only, "")
    return text if kept == told else json.dumps(kept, ensure_ascii=False)


def personal_names(provenance: Mapping[str, str], hosts: Iterable[str] = ()) -> PersonalNames:
    """Return the names that a run's provenance gives, and further hosts: that of its writer."""
    paths = " ".join((provenance.get("folder", ""), provenance.get("command_line", "")))
    users = {provenance.get("user", ""), provenance.get("operator", ""), *_HOME.findall(paths)}
    whole = {host for host in (provenance.get("host", ""), *hosts) if host}
    folder = provenance.get("folder", "").rstrip("/\\")
    return PersonalNames(
        _telling(users),
        _telling(whole | {host.partition(".")[0] for host in whole}),
        (folder,) if len(re.split(r"[\\/]+", folder)) > 2 else (),
    )


def _telling(names: Iterable[str]) -> tuple[str, ...]:
    told = {name for name in names if len(name) > 1 and name.lower() not in NOBODY and not name.isdecimal()}
    return tuple(sorted(told, key=lambda name: (-len(name), name)))


def _in_values(told: Any, change: Change, only: Collection[str], key: str) -> Any:
    match told:
        case str():
            return change(told) if not only or key in only else told
        case dict():
            return {name: _in_values(value, change, only, name) for name, value in told.items()}
        case list():
            return [_in_values(value, change, only, key) for value in told]
    return told
