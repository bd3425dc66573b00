"""Copies of run files to be published: nothing personal in them, and which file each was made from."""

from mho.runs.publication.copying import (
    PUBLICATION,
    PersonalNames,
    PublicationCopy,
    copy_for_publication,
    personal_names,
    withheld_words,
    without_folders,
)

__all__ = [
    "PUBLICATION", "PersonalNames", "PublicationCopy", "copy_for_publication", "personal_names",
    "withheld_words", "without_folders",
]  # fmt: skip
