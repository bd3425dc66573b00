"""The manifests of procedures and verbs say what the code says, and spare importing it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from repository import ROOT

from mho.cli.manifests import main, manifests
from mho.errors import InputError
from mho.procedures.catalogue import find_procedure, form_of, parameters_of
from mho.procedures.manifest import core_entries, described_entries, entry_of

PROJECT = ROOT / "pyproject.toml"


@pytest.mark.thorough
def test_the_manifests_are_those_of_the_code() -> None:
    """Else: ``python -m mho.cli.manifests`` writes them anew."""
    texts = manifests(PROJECT)
    assert {path: path.read_text("utf-8") for path in texts} == texts
    named = {name for text in texts.values() for name in json.loads(text).get("procedures", {})}
    assert described_entries().keys() == named
    assert core_entries().keys() <= named


def test_parameters_made_from_a_manifest_are_those_of_the_class() -> None:
    for name, entry in described_entries().items():
        made, declared = parameters_of(entry), form_of(find_procedure(name))
        assert [(key, type(one), vars(one)) for key, one in made.items()] == [
            (key, type(one), vars(one)) for key, one in declared.items()
        ]


def test_a_former_name_is_that_of_the_present_procedure() -> None:
    assert entry_of("Sweep") is entry_of("iv") is core_entries()["iv"]


def test_what_is_known_of_a_procedure_is_known_without_its_code() -> None:
    code = "import sys; from mho.procedures.manifest import entry_of; entry_of('solve'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "mho.procedures.manifest" in loaded
    assert not {"numpy", "pymeasure", "mho.procedures.base", "mho.instruments", "mho.extensions"} & set(
        loaded
    )


def test_a_project_of_a_lab_has_its_manifest_written(tmp_path, monkeypatch, capsys) -> None:
    package = tmp_path / "lab_of_a_manifest"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "verbs.py").write_text(
        'GROUP = "Benches"\n\ndef bake(celsius: float = 85.0) -> None:\n    """Bake the chip.\n\n    For long."""\n'
    )
    (package / "cells.py").write_text(
        "from mho import FloatParameter, Procedure\n\n\nclass Look(Procedure):\n"
        '    """Look at the chip."""\n\n    volts = FloatParameter("Voltage", default=0.1, units="V")\n'
    )
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project.entry-points."mho.procedures"]\nlook = "lab_of_a_manifest.cells:Look"\n'
        '[project.entry-points."mho.verbs"]\nbake = "lab_of_a_manifest.verbs:bake"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    main(project)
    assert capsys.readouterr().out.split() == [str(package / "manifest.json")]
    table = json.loads((package / "manifest.json").read_text("utf-8"))
    celsius = {"kind": "float", "options": ["--celsius"], "default": 85.0}
    assert table["verbs"] == {
        "bake": {"group": "Benches", "help": "Bake the chip.", "parameters": {"celsius": celsius}}
    }
    volts = table["procedures"]["look"]["parameters"]["volts"]
    assert volts.items() >= {"kind": "float", "name": "Voltage", "default": 0.1, "units": "V"}.items()


def test_a_project_that_cannot_be_read_is_said(tmp_path) -> None:
    with pytest.raises(InputError, match=r"pyproject\.toml cannot be read"):
        manifests(tmp_path / "pyproject.toml")
    with pytest.raises(SystemExit, match="cannot be read"):
        main(tmp_path / "pyproject.toml")


def test_a_file_that_is_no_manifest_is_not_replaced(tmp_path, monkeypatch) -> None:
    package = tmp_path / "lab_with_data"
    package.mkdir()
    (package / "__init__.py").write_text('def bake() -> None:\n    """Bake."""\n')
    (package / "manifest.json").write_text('{"my own": "data"}')
    project = tmp_path / "pyproject.toml"
    project.write_text('[project.entry-points."mho.verbs"]\nBake = "lab_with_data:bake"\n')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit, match=r"manifest\.json is no manifest of mho"):
        main(project)
    assert (package / "manifest.json").read_text() == '{"my own": "data"}'
    (package / "manifest.json").write_text("{}")
    main(project)
    assert "bake" in json.loads((package / "manifest.json").read_text())["verbs"]
    (tmp_path / "alone_m.py").write_text('def bake() -> None:\n    """Bake."""\n')
    project.write_text('[project.entry-points."mho.verbs"]\nbake = "alone_m:bake"\n')
    with pytest.raises(SystemExit, match="alone_m:bake is in no package"):
        main(project)
