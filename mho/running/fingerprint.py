"""The fingerprint of a planned run: all that its outcome depends on, so that runs of one table are of one kind.

Equal fingerprints give equal runs. What a run reads from files counts by its contents, not by its path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mho.errors import InputError
from mho.instruments.simulated import cell_preset, preset_text
from mho.procedures.base import Procedure
from mho.procedures.catalogue import find_procedure, form_of
from mho.procedures.conditions import load_conditions
from mho.procedures.own_code import name_of, names_file, source_of
from mho.running.plan import PlannedRun
from mho.runs import RunFile
from mho.runs.provenance import file_hash, is_file, mho_version, text_hash

Fingerprint = dict[str, str]
"""Values in words, and hashes behind `HASH`, by what they are of."""

HASH = "sha256:"
PARAMETER = "parameter "

_HOUSE = Path(__file__).resolve().parents[1]
_WITHOUT_BEARING = ("analysis", "cli", "gui", "linalg")
"""Rooms of mho that no run depends on."""

_LAST = ("code of mho",)
"""What is said last: it changes with a version, too."""


class Inputs:
    """What planned runs read, each file and each bench looked at once: as they are when they are first asked for."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}  # by path; "" for a text that names none
        self._conditions: dict[tuple[str, str | None], Fingerprint] = {}
        self._procedures: dict[str, type[Procedure]] = {}
        self._code: dict[type, tuple[str, str]] = {}

    def take_up(self, runs: Iterable[PlannedRun]) -> None:
        """Look now at all that these runs read, so that what changes later differs.

        Raises
        ------
        MhoError
            For what cannot be read or is not valid any more.
        """
        for planned in runs:
            self._conditions_of(planned)
            for value in planned.parameters.values():
                self._value(value)
            for _, kind in self._kinds_of(planned):
                self._code_of(kind)

    def fingerprint(self, planned: PlannedRun, seed: int) -> Fingerprint:
        """Return all that a planned run with this seed depends on.

        Procedure, version and source, with those of its `own_classes`; every parameter, and the contents of each file that
        one names; bench file, chip map, list of defects, cells; the seed; mho. The modules that a procedure of a user's own
        imports are not in it, nor are the packages that are installed.

        Raises
        ------
        MhoError
            For what cannot be read or is not valid any more.
        """
        found = {"seed": str(seed), **_code_of_mho(), **self._conditions_of(planned)}
        named = dict(self._kinds_of(planned))
        for what, kind in named.items():
            name, source = self._code_of(kind)
            found |= {what: name} | ({f"source of the {what}": source} if source else {})
        kind = self._procedures[planned.procedure]
        found["version of the procedure"] = kind.version
        for name, parameter in form_of(kind).items():
            if name not in named:
                found[f"{PARAMETER}{name}"] = self._value(planned.parameters.get(name, parameter.default))
        return found

    def _kinds_of(self, planned: PlannedRun) -> Iterator[tuple[str, Any]]:
        """Yield the classes that a run is made of, by what they are."""
        kind = self._procedures.get(planned.procedure)
        if kind is None:
            kind = self._procedures[planned.procedure] = find_procedure(planned.procedure)
        yield "procedure", kind
        if kind.own_classes is not Procedure.own_classes:
            yield from planned.make().own_classes().items()

    def _code_of(self, kind: type) -> tuple[str, str]:
        if kind not in self._code:
            name, source = name_of(kind), source_of(kind)
            self._code[kind] = (
                kind.__qualname__ if names_file(name) else name,
                HASH + text_hash(source) if source else "",
            )
        return self._code[kind]

    def _value(self, value: object) -> str:
        if not isinstance(value, str):
            return str(value)
        if value not in self._files:
            self._files[value] = HASH + file_hash(Path(value)) if is_file(value) else ""
        return self._files[value] or value

    def _conditions_of(self, planned: PlannedRun) -> Fingerprint:
        key = planned.bench, planned.preset
        if key not in self._conditions:
            source = load_conditions(*key)
            if source.bench.simulation is None:
                raise InputError(
                    f"bench {planned.bench!r} has real instruments; a campaign runs on simulated benches, several at once: "
                    "put its runs into the queue instead"
                )
            preset = cell_preset(planned.preset or source.bench.simulation.preset)
            self._conditions[key] = {
                "bench file": HASH + text_hash(source.text),
                "chip map": HASH + text_hash(source.chip_text),
                "list of defects": HASH + text_hash(source.defects_text),
                "preset": preset.name,
                "content of the preset": HASH + text_hash(preset_text(preset)),
            }
        return self._conditions[key]


@cache
def _code_of_mho() -> Fingerprint:
    """Return the hash of mho's own code and data; of once in a process, which does not see what changes afterwards."""
    digest = hashlib.sha256()
    for path in sorted(_HOUSE.rglob("*")):
        place = path.relative_to(_HOUSE)
        if place.parts[0] in _WITHOUT_BEARING or "__pycache__" in place.parts or not path.is_file():
            continue
        digest.update(f"{place.as_posix()} {file_hash(path)}\n".encode())
    return {"version of mho": mho_version(), "code of mho": HASH + digest.hexdigest()}


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what differs between two fingerprints, each in a few words."""
    found = []
    for name in sorted(then.keys() | now.keys(), key=lambda one: (one in _LAST, one)):
        was, is_now = then.get(name, "nothing"), now.get(name, "nothing")
        if was == is_now:
            continue
        what = f"the {name}"
        match was.startswith(HASH), is_now.startswith(HASH):
            case True, True:
                of_file = name.startswith(PARAMETER)
                found.append(f"{f'the file of {name}' if of_file else what} has changed")
            case True, False:
                found.append(f"{what} was a file and is {is_now}")
            case False, True:
                found.append(f"{what} was {was} and is a file")
            case _:
                found.append(f"{what} was {was} and is {is_now}")
    return found


def fingerprint_text(found: Mapping[str, str]) -> str:
    """Return a fingerprint as a run file keeps it."""
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


def recorded_fingerprint(file: RunFile) -> Fingerprint:
    """Return the fingerprint that a run file keeps, as far as the file itself does not show another one.

    What was read when the run began counts, not what was expected.
    """
    try:
        found = json.loads(file.provenance.get("fingerprint", "{}"))
    except ValueError:
        found = {}
    if not (isinstance(found, dict) and all(isinstance(one, str) for one in found.values())):
        found = {}
    texts = {"bench file": file.bench, "chip map": file.chip, "list of defects": file.defects}
    if file.source:
        texts["source of the procedure"] = file.source
    read = {name: HASH + text_hash(text) for name, text in texts.items()}
    read |= {f"{PARAMETER}{name}": HASH + digest for name, digest in file.input_hashes.items()}
    return found | read | {"seed": str(file.seed), "version of the procedure": file.version}
