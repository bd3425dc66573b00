"""Write-verify settings from a TOML file, where a text of settings is understood: read, checked, kept in full."""

from __future__ import annotations

import pytest

from mho import Program, run
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures import read_settings, settings_in_use
from mho.runs import RunFile


def test_the_section_of_a_file_is_used_and_kept_in_full(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        '[write_verify]\nstrategy = "ispp"\nreset_fine = [1.0, 2.0]\n[prediction]\nx = 1\n', "utf-8"
    )
    assert read_settings(str(path)) == {"strategy": "ispp", "reset_fine": (1.0, 2.0)}
    result = run(Program(digits=[[1]], write_verify=str(path)), "arrays", seed=1, output=tmp_path / "r.h5")
    path.unlink()  # the run does not need it again
    with RunFile(result.path) as file:
        kept = settings_in_use(WriteVerifySettings(), str(file.parameters["write_verify"].value))
    assert kept == WriteVerifySettings(strategy="ispp", reset_fine=(1.0, 2.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[write_verify]\ninnr = 0.5\n", "did you mean 'inner'"),
        ("[write_verify]\ninner = 1.5\n", "inner is 1.5"),
        ("[write_verify\n", "not valid TOML"),
        ("inner = 0.5\n", r"no section \[write_verify\]"),
        (None, "cannot read"),
    ],
)
def test_a_flaw_is_named(tmp_path, text, words):
    path = tmp_path / "s.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=words):
        read_settings(str(path))
