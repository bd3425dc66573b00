"""What installed packages add to mho: entry points by group, known from a manifest where there is one, without an import.

mho's own extensions are found in the same way as a stranger's. A package that needs another version of mho (its
metadata says so: ``Requires-Dist: mho>=2``) is named and not used; so is a name that two packages give.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mho.errors import InputError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
"""Beside the modules of the targets: by group (``procedures``) and name, what is known of each without its code."""


NAMED_BY_TARGET = ("procedure", "strategy", "driver")
"""What a user may name as ``module:Class`` instead."""


def error_text(error: BaseException) -> str:
    """Return what a package's code raised, in words."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # of its own ``__str__``
        return type(error).__name__


@dataclass(frozen=True)
class Extension:
    """One thing that a package offers."""

    group: str  # of the entry point: ``mho.procedures``
    name: str  # of the entry point: ``look``
    target: str  # ``module:attribute``
    package: str  # name and version
    fault: str = ""  # why it cannot be used; "" where it can be

    @property
    def own(self) -> bool:
        """Whether it is of mho's own, which goes before those of other packages."""
        return self.package.partition(" ")[0] == "mho"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the manifest says of it; empty without one, or where it says nothing that can be used."""
        facts: Mapping[str, Any] = manifest_of(self.target.partition(":")[0]).get(self.group, {})
        stated = {name.lower(): one for name, one in facts.items()}.get(self.name, {})
        if isinstance(stated, Mapping):
            return stated
        log.warning("what the manifest of %s says of %r is not used: it is no table", self.package, self.name)
        return {}


def offers(group: str) -> dict[str, tuple[Extension, ...]]:
    """Return what packages offer in a group, by name in lower case; several where packages give one name."""
    named: dict[str, dict[str, Extension]] = {}
    try:
        points = list(entry_points(group=group))
    except Exception as error:  # one package with a broken list must not hide mho
        log.warning("the entry points of packages cannot be read: %s", error_text(error))
        return {}
    read = cache(_package)  # one look at the metadata, which holds a long text, for all that a package offers
    for point in points:
        one = _extension(point, read)
        same = named.setdefault(one.name, {})
        if one.target not in same or same[one.target].fault:
            same[one.target] = one
    return {name: tuple(those[target] for target in sorted(those)) for name, those in sorted(named.items())}


def find_offer(group: str, noun: str, name: str) -> Extension | None:
    """Return what a package offers under a name; None where none does.

    `InputError` where several packages give the name to different things, or the package needs another mho.
    """
    those = offers(group).get(name.lower(), ())
    return _the_only(noun, name, those) if those else None


def usable_offers(group: str, noun: str, own: Iterable[str] = ()) -> dict[str, Extension]:
    """Return what can be used of a group, by name; of the others the log says why they are not offered.

    `own`: names that mho's own have, which go before those of packages.
    """
    usable = {}
    core = set(own)
    for name, those in offers(group).items():
        others = [one.target for one in those if not one.own]
        if others and (name in core or len(others) < len(those)):
            hint = ": name it so" if noun in NAMED_BY_TARGET else ""
            log.warning("mho's own %s %r is offered, not %s%s", noun, name, ", ".join(others), hint)
        if name in core:
            continue
        try:
            usable[name] = _the_only(noun, name, those)
        except InputError as error:
            log.warning("%s %r is not offered: %s", noun, name, error)
    return usable


def _the_only(noun: str, name: str, those: tuple[Extension, ...]) -> Extension:
    those = tuple(one for one in those if one.own) or tuple(one for one in those if not one.fault) or those
    if len(those) > 1 and not those[0].fault:
        targets = " or ".join(one.target for one in those)
        packages = " and ".join(sorted({one.package for one in those}))
        named = f"name one as {targets}" if noun in NAMED_BY_TARGET else f"remove one of {packages}"
        raise InputError(f"several packages have a {noun} {name!r}; {named}")
    if those[0].fault:
        raise InputError(those[0].fault)
    return those[0]


def _extension(point: EntryPoint, read: Callable[[Distribution], tuple[str, str]]) -> Extension:
    package, fault = "", ""
    try:
        if point.dist is not None:
            package, fault = read(point.dist)
    except Exception as error:  # metadata may be anything
        fault = f"the metadata of the package of {point.value} cannot be read: {error_text(error)}"
    return Extension(point.group, point.name.lower(), point.value.replace(" ", ""), package, fault)


def _package(source: Distribution) -> tuple[str, str]:
    """Return name and version of a package, and why nothing of it can be used; "" where it can."""
    metadata = source.metadata  # parsed anew by each access
    name, release = metadata["Name"], metadata["Version"]
    needs = "" if name == "mho" else _other_mho(source)
    package = f"{name} {release}"
    if not needs:
        return package, ""
    here = version("mho")
    return package, f"{package} is made for mho {needs}, and this is mho {here}; install a version that fits"


def _other_mho(source: Distribution) -> str:
    """Return which mho a package asks for, where this one is not it."""
    from packaging.requirements import InvalidRequirement, Requirement  # only with packages of others

    for line in source.requires or ():
        try:
            needs = Requirement(line)
        except InvalidRequirement:
            if re.match(r"mho\b", line.strip(), re.IGNORECASE):
                return f"{line!r}, which cannot be read"
            continue  # of whatever else; its installer has said so
        here = needs.marker is None or needs.marker.evaluate()
        if (
            needs.name.lower() == "mho"
            and here
            and not needs.specifier.contains(version("mho"), prereleases=True)
        ):
            return str(needs.specifier)
    return ""


@cache
def manifest_of(module: str) -> Mapping[str, Any]:
    """Return the manifest in the folder of a module, or in the nearest folder above it; nothing of it is imported.

    By group (``mho.verbs``) and name, what is stated of each; empty where there is none that can be used.
    """
    top, *rooms = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return {}
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place)
        for depth in range(len(rooms), -1, -1):
            path = folder.joinpath(*rooms[:depth], MANIFEST)
            if path.is_file():
                return _read(path)
    return {}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        table = json.loads(path.read_text("utf-8"))
        groups = {f"mho.{group}": dict(facts) for group, facts in table.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        log.warning("manifest %s is not used: %s", path, error_text(error))
        return {}
    return groups
