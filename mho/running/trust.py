"""Code that a run file may cause to run: mho's own, and other code only with a user's agreement.

A run file names its procedure and its bench's drivers as ``module:Class``, a procedure also as ``path/file.py:Class``, and
the author of the file chose the names. Modules are searched on the import path and in the current folder, files in the
current folder only: never in a folder that the run file names.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mho.errors import InputError, RunFileError
from mho.former_names import current_name
from mho.instruments.bench_file import AGREED, modules_beside
from mho.procedures.own_code import names_file
from mho.runs import RunFile, Verdict, verify
from mho.toml import load_toml

OWN = "mho"
"""The package in which mho's own procedures and drivers are."""


@dataclass(frozen=True)
class Code:
    """Code that a run file names and that is none of mho's own.

    Attributes
    ----------
    run : Path
        The run file.
    name : str
        ``module:Class``.
    place : str
        The file or folder that contains it; "" where the module is not found.
    """

    run: Path
    name: str
    place: str


Trust = Callable[[Code], bool]
"""Answers whether `Code` may be run."""


def nobody(code: Code) -> bool:
    """Trust no code; the default everywhere."""
    return False


def anybody(code: Code) -> bool:
    """Trust all code: ``--trust``."""
    return True


def check_unchanged(path: Path) -> None:
    """Refuse a run file that was changed after its run.

    A file that legitimately has no seal (its writer was killed, or it is of the first schema) cannot be distinguished
    from a changed one and is accepted: the seal finds accidents, and trust does not depend on it.

    Raises
    ------
    RunFileError
        When it is changed, damaged or no run file, with the first finding.
    """
    found = verify(path)
    if found.verdict in (Verdict.CHANGED, Verdict.DAMAGED, Verdict.UNREADABLE):
        raise RunFileError(
            f"run file {path} is {found.verdict}, so it is not repeated: {found.findings[0]}; restore it from a copy, "
            "`mho verify` says more"
        )


def foreign(procedure: str, bench: str, source: str, strategy: str = "") -> tuple[str, ...]:
    """Return, as ``module:Class``, the classes outside mho among a procedure, a strategy and a bench's drivers.

    Parameters
    ----------
    procedure : str
        As a run file's provenance names it; "" for none.
    bench : str
        The text of a bench file, which is not checked further.
    source : str
        Name for errors.
    strategy : str
        As a run's parameters name it; one without a colon is mho's own or an installed package's.

    Raises
    ------
    InputError
        When the text is not TOML.
    """
    drivers = _classes(load_toml(bench, source, InputError))
    named = [
        one for one in (procedure, strategy, *drivers) if ":" in one and _package(current_name(one)) != OWN
    ]
    own_files = [one for one in (procedure, strategy) if names_file(one)]  # whatever their names begin with
    return tuple(dict.fromkeys(own_files + named))


def check_trusted(run: Path, names: tuple[str, ...], trust: Trust, *, elsewhere: bool = False) -> None:
    """Call `trust` for each class that would be imported; nothing is imported here.

    Parameters
    ----------
    elsewhere : bool
        Another process will import them. Here, what this process runs already was agreed to; that its module is imported,
        as that of ``os:system`` is everywhere, says nothing.

    Raises
    ------
    InputError
        When there is no such module, or it is not trusted.
    """
    for name in names:
        if not elsewhere and _runs_already(name):
            continue
        code = Code(run, name, place_of(name))
        if not code.place:
            lacking = (
                f"no file {file_here(name).name} in this folder"
                if names_file(name)
                else f"no module {_package(name)!r} on the import path or in this folder"
            )
            raise InputError(
                f"{run} names {name}, which is none of mho's own, and there is {lacking} (a folder that the file names is "
                "not searched); go to the folder where it is"
            )
        check_agreed(code, trust)


def check_agreed(code: Code, trust: Trust) -> None:
    """Raise `InputError` when `code` is not trusted."""
    if not trust(code):
        raise InputError(
            f"{code.run} would run {code.name} from {code.place}, which is none of mho's own, and nobody has agreed to "
            "that; look at that code, and say --trust (in a script: trust=) if it may run"
        )


def check_chain(path: Path, trust: Trust) -> None:
    """Call `trust` for the code of a run and of those that it continued, which another process will import.

    Raises
    ------
    RunFileError
        When a file cannot be read.
    InputError
        As `check_trusted`.
    """
    seen: set[Path] = set()
    while path.is_file() and path not in seen:
        seen.add(path)
        with RunFile(path) as file:
            origin, bench, strategy = file.provenance, file.bench, strategy_of(file.given)
        code = foreign(origin.get("procedure", ""), bench, f"bench file in {path}", strategy)
        check_trusted(path, code, trust, elsewhere=True)
        path = Path(origin.get("after", ""))


def strategy_of(given: Mapping[str, Any]) -> str:
    """Return the programming strategy that parameters name; "" for none."""
    return str(given.get("strategy", ""))


def name_here(name: str) -> str:
    """Return the name for loading a run file's procedure or strategy: for a file, the one in the current folder."""
    if not names_file(name) or _runs_already(name):
        return name
    return f"{file_here(name)}:{name.rpartition(':')[2]}"


def file_here(name: str) -> Path:
    """Return where in the current folder the file of ``path/file.py:Class`` would be."""
    return Path.cwd() / re.split(r"[/\\]", name.rpartition(":")[0])[-1]


def _runs_already(name: str) -> bool:
    """Return whether this process already runs a class, which its user has named or agreed to."""
    return name in AGREED and name.rpartition(":")[0] in sys.modules


def place_of(name: str) -> str:
    """Return where a class would be loaded from, without loading anything; "" for nowhere."""
    if names_file(name):
        return str(file_here(name)) if file_here(name).is_file() else ""
    try:
        with modules_beside(Path()):
            found = find_spec(_package(name))
    except ValueError:  # __main__ of this process, or no name of a module
        return ""
    if found is None:
        return ""
    return found.origin or next(iter(found.submodule_search_locations or ()), "")


def _package(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]


def _classes(value: Any) -> Iterator[str]:
    """Yield the text of every key ``driver`` and ``twin``, however deep."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as table:
                yield from (text for key in ("driver", "twin") if isinstance(text := table.get(key), str))
                waiting += table.values()
            case list() as rows:
                waiting += rows
