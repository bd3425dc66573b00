"""The manifests of procedures say what the classes say, and spare importing them."""

from __future__ import annotations

import json
import subprocess
import sys

from mho.procedures.catalogue import find_procedure, form_of, manifests, parameters_of
from mho.procedures.manifest import entry_of, packaged_entries


def test_the_manifests_are_those_of_the_classes() -> None:
    """Else: ``python -m mho.procedures.catalogue`` writes them anew."""
    texts = manifests()
    assert {path: path.read_text("utf-8") for path in texts} == texts
    assert packaged_entries().keys() == {name for text in texts.values() for name in json.loads(text)}


def test_parameters_made_from_a_manifest_are_those_of_the_class() -> None:
    for name, entry in packaged_entries().items():
        made, declared = parameters_of(entry), form_of(find_procedure(name))
        assert [(key, type(one), vars(one)) for key, one in made.items()] == [
            (key, type(one), vars(one)) for key, one in declared.items()
        ]


def test_a_former_name_is_that_of_the_present_procedure() -> None:
    assert entry_of("Sweep") is entry_of("iv") is packaged_entries()["iv"]


def test_what_is_known_of_a_procedure_is_known_without_its_code() -> None:
    code = "import sys; from mho.procedures.manifest import entry_of; entry_of('solve'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "mho.procedures.manifest" in loaded
    assert not {"numpy", "pymeasure", "mho.procedures.base", "mho.instruments"} & set(loaded)
