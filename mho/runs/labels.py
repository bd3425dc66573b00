"""Labels of a run: sample, operator and project, as a person gives them; what was not given is absent, never invented.

They come from options, a form, or the user's environment, and lie in a run file where NeXus has them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from mho.errors import InputError

LONGEST = 200  # characters of a label

# Of the environment, by label
VARIABLES = {"sample": "MHO_SAMPLE", "operator": "MHO_OPERATOR", "project": "MHO_PROJECT"}
# Datasets of the entry, by label
PLACES = {"sample": "sample/name", "operator": "user/name", "project": "collection_identifier"}
CLASSES = {"sample": "NXsample", "user": "NXuser"}  # NeXus classes of the groups among them


@dataclass(frozen=True)
class Labels:
    """What a person says of a run; None for what was not said.

    Attributes
    ----------
    sample : str or None
        Of what was measured: wafer, die, chip, as the laboratory names it.
    operator : str or None
        Who measured.
    project : str or None
        What for.

    Raises
    ------
    InputError
        A label that is longer than 200 characters, or holds a line break or another control character.

    Examples
    --------
    >>> mho.Labels(sample="W3 die 7", operator="Ada").given()
    {'sample': 'W3 die 7', 'operator': 'Ada'}
    """

    sample: str | None = None
    operator: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        for name in NAMES:
            object.__setattr__(self, name, _label(name, getattr(self, name)))

    @classmethod
    def from_environment(cls) -> Self:
        """Return the user's own labels, which count where none are given."""
        return cls(**{name: os.environ.get(VARIABLES[name]) for name in NAMES})

    def given(self) -> dict[str, str]:
        """Return those that were given, by name."""
        return {name: label for name in NAMES if (label := getattr(self, name)) is not None}


NAMES = tuple(field.name for field in fields(Labels))


def labels_in(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the labels among the facts of a run's provenance, by name."""
    return {name: texts[name] for name in NAMES if texts.get(name)}


def _label(name: str, text: str | None) -> str | None:
    label = (text or "").strip()
    if len(label) > LONGEST:
        raise InputError(f"the {name} has {len(label)} characters; give a name of at most {LONGEST}")
    if not label.isprintable():
        raise InputError(f"the {name} is {label!r}, with a control character in it; write it on one line")
    return label or None
