"""Copies of run files to be published: nothing personal in them, and which file each was made from."""

from mho.runs.publication.copying import PUBLICATION, PublicationCopy, copy_for_publication, withheld_words
from mho.runs.publication.paths import without_folders
from mho.runs.publication.personal import PersonalNames, personal_names

__all__ = [
    "PUBLICATION",
    "PersonalNames",
    "PublicationCopy",
    "copy_for_publication",
    "personal_names",
    "withheld_words",
    "without_folders",
]
