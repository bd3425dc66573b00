"""Verbs of the command line as their manifests state them: what each is asked for, and the words that values come to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from mho.errors import InputError
from mho.extension_points import find_offer, manifest_of
from mho.procedures.manifest import ParameterEntry, entry_of

OWN = "mho.cli"
"""Whose manifest states mho's own verbs; it is read, nothing of it is imported."""

ENTRY_POINTS = "mho.verbs"
NOUN = "verb"
NOT_GIVEN = "not given"
"""The first of some choices, for none of them."""

APART = ";"
"""Between values of an option that takes several."""

NUMBERS: dict[str, tuple[type, str]] = {"integer": (int, "a whole number"), "float": (float, "a number")}


@dataclass(frozen=True)
class VerbParameter:
    """An argument or an option of a verb, as `mho.cli.verb_parameters` describes it and a form shows it.

    Without `options` it is an argument. `kind` is text, boolean, integer, float or path. The default of a field that need
    not be filled in is None, or `NOT_GIVEN` where there are choices; of one that must be, "".
    """

    key: str
    kind: str
    help: str = ""
    options: tuple[str, ...] = ()
    opposite: str = ""
    default: Any = None
    required: bool = False
    several: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    units: ClassVar[None] = None
    group_by: ClassVar[None] = None
    noun: ClassVar[str] = "text"  # what is not among the choices can be typed

    @property
    def name(self) -> str:
        """What it is called: its option without dashes."""
        return self.options[0].lstrip("-").replace("-", " ") if self.options else self.key.replace("_", " ")

    def check(self, value: Any) -> None:
        """Raise `InputError` for a text that is no value of it."""
        if value in (None, "") or self.kind not in NUMBERS:
            return
        kind, noun = NUMBERS[self.kind]
        ends = ("from", self.minimum), ("to", self.maximum)
        limits = [f"{word} {limit:g}" for word, limit in ends if limit is not None]
        try:
            number = kind(str(value))
        except ValueError:
            number = None
        low, high = self.minimum, self.maximum
        if number is None or (low is not None and number < low) or (high is not None and number > high):
            wanted = " ".join([noun, *limits])
            raise InputError(f"{self.name} is {value!r}; give {wanted}")

    def words(self, value: Any) -> list[str]:
        """Return the words that give it this value; of several, a list or a text with `APART` between them.

        `InputError` for one that is no value of it.
        """
        if self.kind == "boolean":
            return [self.options[0]] if value else [self.opposite] * bool(self.opposite)
        if isinstance(value, list | tuple):
            texts = [str(one) for one in value]
        else:
            texts = [one.strip() for one in str(value).split(APART)] if self.several else [str(value)]
        words = []
        for text in filter(None, texts):
            self.check(text)
            relative = self.kind == "path" and not os.path.isabs(text)
            given = str(Path(text).expanduser().absolute()) if relative else text
            words.append(f"{self.options[0]}={given}" if self.options else given)
        return words


@dataclass(frozen=True)
class Verb:
    """A verb: its name as it is typed, the sentence that says what it does, and its parameters by their keys.

    `procedure`, unless "", is the one whose parameters it has, too.
    """

    name: str
    help: str
    parameters: Mapping[str, VerbParameter]
    procedure: str = ""

    @cached_property
    def of_procedure(self) -> Mapping[str, ParameterEntry]:
        """The procedure's parameters, but for those whose option means the verb's own."""
        if not self.procedure:
            return {}
        taken = {option for one in self.parameters.values() for option in one.options}
        entries = entry_of(self.procedure).parameters
        return {key: one for key, one in entries.items() if one.required or _option(key) not in taken}

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return the words of a command line, behind ``mho``, that give the verb these values.

        `InputError` for a value that is none, and for what must be given and is not.
        """
        options: list[str] = []
        places: list[str] = []
        for key, one in self.parameters.items():
            if values.get(key) in (None, "", NOT_GIVEN, []):
                if one.required:
                    raise InputError(f"{one.name} must be given: {one.help}")
                continue
            (options if one.options else places).extend(one.words(values[key]))
        for key, entry in self.of_procedure.items():
            value = values.get(key)
            if entry.required and not value:
                raise InputError(f"{entry.name} must be given")
            if value is None:
                continue
            if entry.required:
                places.append(str(value))
            elif isinstance(value, bool):
                options.append(_option(key) if value else _option(key).replace("--", "--no-", 1))
            else:
                options.append(f"{_option(key)}={value}")
        return [*self.name.split(), *options, *places]


def _option(key: str) -> str:
    return "--" + key.replace("_", "-")


def read_verb(name: str) -> Verb:
    """Return a verb by the name under which it is typed: ``report``, or ``chip defects`` of several under one name.

    `InputError` where there is none, or a package's has no manifest that states its parameters.
    """
    first, *rest = name.split()
    facts: Mapping[str, Any] = manifest_of(OWN).get(ENTRY_POINTS, {}).get(first, {})
    if not facts and (offer := find_offer(ENTRY_POINTS, NOUN, first)) is not None:
        facts = offer.facts
    for word in rest:
        facts = facts.get("verbs", {}).get(word, {})
    if "parameters" not in facts:
        raise InputError(f"there is no verb {name!r} whose parameters a manifest states")
    parameters = {key: _parameter(key, stated) for key, stated in facts["parameters"].items()}
    return Verb(name, str(facts.get("help", "")), parameters, str(facts.get("procedure", "")))


def known_verbs() -> Sequence[str]:
    """Return the names of all verbs of mho, as they are typed."""
    from mho.extension_points import usable_offers

    stated = dict(manifest_of(OWN).get(ENTRY_POINTS, {}))
    stated |= {
        name: offer.facts for name, offer in usable_offers(ENTRY_POINTS, NOUN, stated).items() if offer.own
    }
    names: list[str] = []
    for name, facts in stated.items():
        names += [f"{name} {one}" for one in facts["verbs"]] if "verbs" in facts else [name]
    return names


def _parameter(key: str, stated: Mapping[str, Any]) -> VerbParameter:
    facts = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in stated.items()}
    needed, choices, default = facts.get("required", False), facts.get("choices", ()), facts.get("default")
    if isinstance(default, tuple):
        default = f"{APART} ".join(map(str, default))
    if default is None:
        default = False if facts["kind"] == "boolean" else "" if needed else NOT_GIVEN if choices else None
    if choices and default in ("", NOT_GIVEN):
        choices = (default, *choices)
    return VerbParameter(key, **facts | {"default": default, "choices": choices})
