"""The NeXus application definition of run files, `NXrram_array`, and whether a file follows it, whoever wrote it."""

from mho.runs.nexus.validation import (
    FILE,
    Conformance,
    Item,
    check_conformance,
    definition_text,
    entry_definition,
)

__all__ = ["FILE", "Conformance", "Item", "check_conformance", "definition_text", "entry_definition"]
