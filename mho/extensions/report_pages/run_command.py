"""The command that starts a run anew, from its file: what was given and differs from the defaults, and nothing else."""

from __future__ import annotations

import shlex

from mho.errors import MhoError
from mho.instruments.bench_file import packaged_benches
from mho.procedures import described_entries
from mho.runs import RunFile
from mho.toml import load_toml

# Options of `mho run` that a parameter of the same name gives way to
OF_THE_VERB = ("seed", "bench", "preset", "output", "after", "resume", "force")


def command_of(run: RunFile) -> str:
    """Return the command by which the procedure of `run` is run with the same parameters; "" where there is none.

    There is none for a user's own procedure, whose code would have to be imported to know its defaults, and for a run
    whose seed is not that of the procedure's parameter of that name: a plan can say both.

    `RunFileError` where the file is damaged.
    """
    provenance = run.provenance
    entry = described_entries().get(run.procedure.lower())
    if entry is None or not provenance.get("procedure", "mho.").startswith("mho.") or not run.bench.strip():
        return ""
    seed = run.seed
    if run.given.get("seed", seed) != seed:
        return ""
    name, form, given = entry.name, entry.parameters, run.given
    words = ["mho", name] if name == "solve" else ["mho", "run", name]
    words += [str(given.get(key) or "-") for key, one in form.items() if one.required]
    for key, value in given.items():
        parameter = form.get(key)
        if parameter is None or parameter.required or key in OF_THE_VERB or value == parameter.default:
            continue
        option = "--" + key.replace("_", "-")
        if parameter.kind == "boolean":
            words.append(option if value else f"--no-{option.removeprefix('--')}")
        else:
            words += [option, str(value)]
    if bench := provenance.get("bench") or _packaged(run.bench):
        words += ["--bench", bench]
    if preset := provenance.get("preset_file") or provenance.get("preset"):
        words += ["--preset", preset]
    if seed is not None:
        words += ["--seed", str(seed)]
    if (after := provenance.get("after")) and name != "solve":
        words += ["--after", after]
    return shlex.join(words)


def _packaged(text: str) -> str:
    """Return the name that a bench file gives itself, of a bench that comes with mho; "" of any other."""
    try:
        name = str(load_toml(text, "the bench file", MhoError).get("name", ""))
    except MhoError:
        return ""
    return name if name in packaged_benches() else ""
