"""What its author says of a package: title, creators, licence. What is not said is left out, and nothing is made up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mho.errors import InputError

ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])")
_CREATOR = re.compile(r"(?P<name>[^<>()]*)(?:<(?P<orcid>[^<>]*)>)?\s*(?:\((?P<affiliation>.*)\))?\s*")
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}(?:/\S+)?)", re.IGNORECASE)

CC, SPDX = "https://creativecommons.org", "https://spdx.org/licenses"
_LICENCES = {
    "CC0-1.0": ("Creative Commons Zero 1.0 Universal", f"{CC}/publicdomain/zero/1.0/"),
    "CC-BY-4.0": ("Creative Commons Attribution 4.0 International", f"{CC}/licenses/by/4.0/"),
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution Share Alike 4.0 International",
        f"{CC}/licenses/by-sa/4.0/",
    ),
    "CC-BY-NC-4.0": (
        "Creative Commons Attribution Non Commercial 4.0 International",
        f"{CC}/licenses/by-nc/4.0/",
    ),
    "ODbL-1.0": ("Open Data Commons Open Database License v1.0", f"{SPDX}/ODbL-1.0"),
    "ODC-By-1.0": ("Open Data Commons Attribution License v1.0", f"{SPDX}/ODC-By-1.0"),
    "PDDL-1.0": ("Open Data Commons Public Domain Dedication & License 1.0", f"{SPDX}/PDDL-1.0"),
    "MIT": ("MIT License", f"{SPDX}/MIT"),
    "Apache-2.0": ("Apache License 2.0", f"{SPDX}/Apache-2.0"),
    "BSD-3-Clause": ('BSD 3-Clause "New" or "Revised" License', f"{SPDX}/BSD-3-Clause"),
}
"""Name and address by SPDX identifier."""


@dataclass(frozen=True)
class Creator:
    """A person; `orcid` as ``0000-0002-1825-0097``; "" for what is not known."""

    name: str
    orcid: str = ""
    affiliation: str = ""

    @property
    def family_and_given(self) -> tuple[str, str] | None:
        """The parts of a name that is written as ``Family, Given``; of others they are not known."""
        family, comma, given = (part.strip() for part in self.name.partition(","))
        return (family, given) if comma and family and given else None


@dataclass(frozen=True)
class Licence:
    """A licence: its SPDX identifier ("" where it has none), name and address."""

    identifier: str
    name: str
    address: str


@dataclass(frozen=True)
class Description:
    """What is said of a package."""

    day: date  # on which it is published
    title: str = ""  # "" for what the runs themselves say
    text: str = ""  # likewise
    creators: tuple[Creator, ...] = ()
    licence: Licence | None = None
    keywords: tuple[str, ...] = ()
    publisher: str = ""
    doi: str = ""  # a DOI, or the prefix under which a repository is to make one
    paper: str = ""  # DOI of the paper that the data belong to

    @classmethod
    def of(
        cls, *, title: str = "", creators: Sequence[str] = (), licence: str = "", description: str = "",
        keywords: Sequence[str] = (), publisher: str = "", doi: str = "", paper: str = "", day: str = "",
    ) -> Description:  # fmt: skip
        """Read what was typed; the day is today unless it is given.

        Raises `InputError`: an ORCID, a DOI, a licence or a day that is none.
        """
        try:
            on = date.fromisoformat(day) if day else date.today()
        except ValueError:
            raise InputError(f"--date {day!r} is no day; write it as 2026-03-09") from None
        return cls(
            on, " ".join(title.split()), description.strip(), tuple(map(_creator, creators)),
            _licence(licence) if licence else None,
            tuple(word for one in keywords if (word := " ".join(one.split()))), " ".join(publisher.split()),
            _doi(doi, "--doi"), _doi(paper, "--paper", whole=True),
        )  # fmt: skip

    @property
    def missing(self) -> tuple[str, ...]:
        """What DataCite or RO-Crate require and was not said, one sentence each."""
        return tuple(
            f"no {what} is given, which {who} requires, and none is made up: give {option}"
            for given, what, who, option in (
                (self.creators, "creator", "DataCite", "--creator 'Family, Given <ORCID>'"),
                (self.publisher, "publisher", "DataCite", "--publisher, the repository's name"),
                (self.licence, "licence", "RO-Crate", "--license CC-BY-4.0, or another"),
            )
            if not given
        )


def _creator(typed: str) -> Creator:
    """Read ``Name <ORCID> (Affiliation)``, of which the name is needed."""
    match = _CREATOR.fullmatch(typed.strip())
    name = " ".join(match["name"].split()) if match else ""
    if not match or not name:
        raise InputError(
            f"--creator {typed!r} cannot be read; write 'Family, Given', 'Family, Given <ORCID>' or "
            "'Family, Given <ORCID> (Affiliation)'"
        )
    affiliation = " ".join((match["affiliation"] or "").split())
    if match["orcid"] is None:
        return Creator(name, "", affiliation)
    digits = ORCID.fullmatch(match["orcid"].strip())
    if not digits:
        raise InputError(
            f"--creator {typed!r}: an ORCID has 16 digits, as in 'Carberry, Josiah <0000-0002-1825-0097>'"
        )
    orcid = digits[1].upper()
    if orcid[-1] != orcid_check_digit(orcid):
        raise InputError(
            f"--creator {typed!r}: the last digit of this ORCID should be {orcid_check_digit(orcid)}; "
            "look for a slip in it"
        )
    return Creator(name, orcid, affiliation)


def orcid_check_digit(orcid: str) -> str:
    """Return the last digit that the first 15 of an ORCID ask for (ISO 7064, MOD 11-2)."""
    total = 0
    for digit in orcid.replace("-", "")[:15]:
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)


def _licence(typed: str) -> Licence:
    for identifier, facts in _LICENCES.items():
        if typed.lower() == identifier.lower():
            return Licence(identifier, *facts)
    if re.fullmatch(r"https?://\S+", typed):
        return Licence("", typed, typed)
    known = ", ".join(_LICENCES)
    raise InputError(f"--license {typed!r} is not known here; give one of {known}, or the address of another")


def _doi(typed: str, option: str, *, whole: bool = False) -> str:
    if not typed:
        return ""
    result = _DOI.fullmatch(typed.strip())
    if not result or (whole and "/" not in result[1]):
        what = "a DOI, as 10.5281/zenodo.1234567" + ("" if whole else ", or its prefix, as 10.5281")
        raise InputError(f"{option} {typed!r} is not {what}")
    return result[1]
