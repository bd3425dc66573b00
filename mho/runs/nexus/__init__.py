"""The NeXus application definition of run files, `NXrram_array`, and whether a file follows it, whoever wrote it."""

from mho.runs.nexus.definition import FILE, Item, definition_text, entry_definition
from mho.runs.nexus.validation import Conformance, check_conformance

__all__ = ["FILE", "Conformance", "Item", "check_conformance", "definition_text", "entry_definition"]
