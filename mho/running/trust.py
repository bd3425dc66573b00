"""Code that a run file may cause to run: mho's own, and other code only with a user's agreement.

The author of a run file chose the names of its procedure and drivers. What is loaded is what was judged: a name is resolved
once (`code_of`), judged (`foreign`), and loaded by the same text. Modules are searched on the import path and in the
current folder, files in the current folder only: never in a folder that the run file names.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mho.errors import InputError, RunFileError
from mho.former_names import current_name
from mho.instruments.bench_file import offered_class, read_bench_texts
from mho.instruments.simulated import own_code_of
from mho.own_code import AGREED, import_named, is_mhos_own, modules_beside, names_file
from mho.procedures.manifest import class_name
from mho.procedures.named_code import CODE, code_named
from mho.runs import RunFile, Verdict, verify
from mho.toml import load_toml

# Choices of a VISA library that load no file: PyVISA's own backends, and the virtual bench's without a bench
# file
BACKENDS = ("", "@py", "@ivi", "@mho")


@dataclass(frozen=True)
class CodeNames:
    """The names by which the procedure of a run and what its parameters name are loaded; see `code_of`."""

    procedure: str  # ``module:Class`` or ``path/file.py:Class``
    named: Mapping[str, str]  # the same of a strategy, a refinement, ..., by parameter


@dataclass(frozen=True)
class Code:
    """Code that a run file names and that is none of mho's own."""

    run: Path  # the run file
    name: str  # ``module:Class``
    place: str  # the file or folder that contains it; "" where the module is not found


Trust = Callable[[Code], bool]  # answers whether `Code` may be run


def deny_all(code: Code) -> bool:
    """Trust no code; the default everywhere."""
    return False


def allow_all(code: Code) -> bool:
    """Trust all code: ``--trust``."""
    return True


def check_unchanged(path: Path) -> None:
    """Refuse a run file that was changed after its run.

    A file that legitimately has no seal (its writer was killed, or it is of the first schema) cannot be distinguished
    from a changed one and is accepted: the seal finds accidents, and trust does not depend on it.

    `RunFileError` when it is changed, damaged or no run file, with the first finding.
    """
    seal = verify(path)
    if seal.verdict in (Verdict.CHANGED, Verdict.DAMAGED, Verdict.UNREADABLE):
        raise RunFileError(
            f"run file {path} is {seal.verdict}, so it is not repeated: {seal.findings[0]}; restore it from a copy, "
            "`mho verify` says more"
        )


def code_of(file: RunFile) -> CodeNames:
    """Return the names by which the code of a run is loaded, those of installed packages (entry points) resolved.

    A file of an older schema names its procedure by its class only.

    `RunFileError` when the class of the procedure has a colon in its name, which no class has; `InputError`
    for a procedure, or code that a parameter names, that nothing is known of.
    """
    if ":" in file.procedure:
        raise RunFileError(
            f"run file {file.path} is damaged: the class of its procedure is called {file.procedure!r}, and the name of a "
            "class has no colon; restore it from a copy"
        )
    named = file.provenance.get("procedure", "")
    try:
        procedure = class_name(named or file.procedure)
    except InputError:
        if named:
            raise
        # Not every run is one of a procedure: `mho published` writes its own.
        raise InputError(
            f"{file.path} is a run of {file.procedure}, and there is no procedure {file.procedure!r}, so it is neither "
            "repeated nor gone on with; give the command that made it again"
        ) from None
    return CodeNames(procedure, code_named(file.given))


def foreign(procedure: str, bench: str, source: str, named: Iterable[str] = ()) -> tuple[str, ...]:
    """Return, as ``module:Class``, the classes outside mho among a procedure, what it names and a bench's drivers.

    `procedure`, `named`: by the names that they are loaded by, as of `code_of`; "" for no procedure.
    `bench`: the text of a bench file, which is not checked further.
    `source`: name for errors.
    `InputError` when the text is not TOML.
    """
    # A driver's name without a colon is one of mho's models, or of an installed package, or refused when the file is
    # read; a former name is translated when it is loaded, too.
    drivers = [
        current_name(one) if ":" in one else offered_class(one)
        for one in _classes(load_toml(bench, source, InputError))
    ]
    return tuple(dict.fromkeys(one for one in (procedure, *named, *drivers) if one and not is_mhos_own(one)))


def runs_foreign_code(procedure: str, values: Mapping[str, object], bench: str) -> bool:
    """Return whether a run's procedure, what its parameters name, or a driver is none of mho's own; nothing is loaded.

    `procedure`: as `find_procedure` takes it; `values`: its parameters, those that name code at least.
    `MhoError` for a name that nothing is known of, and a bench file that cannot be read.
    """
    text = read_bench_texts(bench)[0]
    return bool(foreign(class_name(procedure), text, f"bench file {bench}", code_named(values).values()))


def foreign_library(visa: str) -> str:
    """Return the library that PyVISA would load for a bench file's ``visa``; "" where it loads only its own.

    Its text is a shared library, a package of a backend (``@name``), or a bench file of the virtual bench (``file@mho``).
    """
    return "" if visa in BACKENDS else visa


def check_trusted(run: Path, names: tuple[str, ...], trust: Trust, *, elsewhere: bool = False) -> None:
    """Call `trust` for each class that would be imported; nothing is imported here.

    `elsewhere`: another process will import them. Here, what this process runs already was agreed to; that
    its module is imported, as that of ``os:system`` is everywhere, says nothing.
    `InputError` when there is no such module, or it is not trusted.
    """
    for name in names:
        if not elsewhere and _runs_already(name):
            continue
        if _module(name) == "__main__":
            raise InputError(
                f"{run} names {name.rpartition(':')[2]}, which was in a script or notebook itself, where no other process "
                "finds it; put the class into a file of its own, import it from there, and make the run again (the run "
                "file has its source)"
            )
        code = Code(run, name, place_of(name))
        if not code.place:
            lacking = (
                f"no file {file_here(name).name} in this folder"
                if names_file(name)
                else f"no module {_module(name)!r} on the import path or in this folder"
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


def check_code(file: RunFile, trust: Trust, *, elsewhere: bool = False) -> CodeNames:
    """Call `trust` for the code that repeating a run as its file says would load; return the names by which it is loaded.

    Errors as of `code_of` and `check_trusted`.
    """
    names = code_of(file)
    code = foreign(names.procedure, file.bench, f"bench file in {file.path}", names.named.values())
    own = (*own_code_of(preset_of(file)), *circuit_code(file.provenance.get("circuit_file", "")))
    physics = [one for one in own if not is_mhos_own(one)]
    check_trusted(file.path, tuple(dict.fromkeys((*code, *physics))), trust, elsewhere=elsewhere)
    return names


def preset_of(file: RunFile) -> str:
    """Return the simulated cells of a run, as its file has them: a name, or the text of a preset; "" for none."""
    return file.provenance.get("preset_file") or file.provenance.get("preset", "")


def preset_here(preset: str) -> str:
    """Return a run file's preset with the names by which its own laws are loaded here, as `strategy_here`."""
    return _loaded_here(preset, own_code_of(preset), "law of a cell")


def circuit_code(circuit: str) -> tuple[str, ...]:
    """Return the classes of a user's own that a run file's text of its circuit would load; nothing is loaded."""
    if not circuit:
        return ()
    from mho.instruments.simulated import circuit_code_of  # and with it NumPy, which lists do not need

    return circuit_code_of(circuit)


def circuit_here(circuit: str) -> str:
    """Return a run file's text of its circuit with the names by which its own elements are loaded here."""
    return _loaded_here(circuit, circuit_code(circuit), "element of a circuit")


def _loaded_here(text: str, names: tuple[str, ...], noun: str) -> str:
    for name in names:
        here = name_here(name)
        import_named(here, noun)
        AGREED.add(here)
        text = text.replace(json.dumps(name), json.dumps(here)) if "\n" in text else here
    return text


def check_code_on(bench: str, run: Path, names: CodeNames, trust: Trust) -> None:
    """Call `trust` for the code that repeating a run in another process, on a bench as it is now, would load.

    `InputError` when it is not trusted, or exists only in the folder of the bench file, which the run file
    names; errors as of `check_unchanged`.
    """
    check_unchanged(run)
    code = foreign(names.procedure, "", str(run), names.named.values())
    text, _ = read_bench_texts(bench)
    drivers = foreign("", text, f"bench file {bench}")
    if drivers and Path(bench).parent.resolve() != Path.cwd():
        raise InputError(
            f"{run} names bench {bench}, which brings drivers of its own ({', '.join(drivers)}); go to that file's "
            "folder to take them from there"
        )
    check_trusted(run, (*code, *drivers), trust, elsewhere=True)
    if library := foreign_library(str(load_toml(text, f"bench file {bench}", InputError).get("visa", ""))):
        check_agreed(Code(run, "a VISA library", library), trust)


def check_chain(path: Path, trust: Trust) -> None:
    """Call `trust` for the code of a run and of those that it continued, which another process will import.

    `RunFileError` when a file cannot be read; `InputError` as `check_trusted`.
    """
    for file in runs_behind(path):
        check_code(file, trust, elsewhere=True)


def runs_behind(path: Path) -> Iterator[RunFile]:
    """Yield the file of a run, open, and those of the runs whose chip it went on with, each once, the latest first.

    `RunFileError` when a file cannot be read; `InputError` when one is gone.
    """
    seen: set[Path] = set()
    while path not in seen:
        seen.add(path)
        with RunFile(path) as file:
            yield file
            after = file.provenance.get("after", "")
        if not after:
            return
        if not Path(after).is_file():
            raise InputError(
                f"{path} went on with the chip that {after} left, and that file is gone; put it back"
            )
        path = Path(after)


def name_here(name: str) -> str:
    """Return the name for loading code that a run file names: for a file, the one in the current folder."""
    if not names_file(name) or _runs_already(name):
        return name
    return f"{file_here(name)}:{name.rpartition(':')[2]}"


def code_here(parameter: str, name: str) -> str:
    """Return the name for loading what a parameter in a run file names, as `name_here`, after loading it.

    It is loaded now, for later the current folder may be that of the run.
    """
    here = name_here(name)
    CODE[parameter].find(here)
    return here


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
            # Of its package: to find a module within one would import that.
            result = find_spec(_module(name).partition(".")[0])
    except (ImportError, ValueError):  # __main__ of this process, or no name of a module
        return ""
    if result is None:
        return ""
    return result.origin or next(iter(result.submodule_search_locations or ()), "")


def _module(name: str) -> str:
    return name.rpartition(":")[0]


def _classes(value: Any) -> Iterator[str]:
    """Yield the texts of ``driver`` and ``twin``, and the code that ``preset`` and ``circuit`` name."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as table:
                yield from (text for key in ("driver", "twin") if isinstance(text := table.get(key), str))
                physics = (one for key in ("preset", "circuit") if isinstance(one := table.get(key), str))
                for named in physics:
                    yield from own_code_of(named)
                waiting += table.values()
            case list() as rows:
                waiting += rows
