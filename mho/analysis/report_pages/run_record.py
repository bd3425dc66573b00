"""How a run was made: parameters, bench, instruments, chip, program and machine; and how it is made again."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

from mho.analysis.documents import (
    DIM,
    DOUBTFUL,
    PERSONAL,
    Block,
    Facts,
    Folded,
    Heading,
    Listing,
    Paragraph,
    Words,
    grid,
    listing,
    without_folders,
)
from mho.analysis.reports import Summary, parameter_text
from mho.runs import GOING_ON, RunFile
from mho.runs.provenance import text_hash

MOST_INSTRUMENTS, MOST_SETTINGS = 40, 60
TEXTS = ("packages", "git_diff", "git_status")
"""Facts of the provenance that are long texts."""

MEANT = {
    "mho_version": "mho", "git_commit": "commit", "python": "Python", "platform": "platform",
    "processor": "processor", "blas": "BLAS", "time_zone": "time zone", "chip_seed": "seed of the chip",
    "command_line": "command line", "git_status": "changed files", "git_diff": "changes to the code",
}  # fmt: skip


def parameters(run: RunFile) -> Iterator[Block]:
    """Return every parameter: its value with the unit, and whence it comes where it was not given."""
    found = run.parameters
    if not found:
        return
    yield Heading("Parameters", 2, "parameters")
    rows = [(one.label or name, name, parameter_text(one)) for name, one in found.items()]
    yield grid(("parameter", "name", "value"), rows, caption="Parameters", of="parameters")


def record(run: RunFile, personal: bool) -> Iterator[Block]:
    """Return bench, instruments, chip and provenance."""
    yield Heading("Bench and chip", 2, "bench")
    yield from _instruments(run)
    for what, text in (
        ("Bench file", run.bench),
        ("Chip map", run.chip),
        ("Defects of the chip", run.defects),
        ("Source of the procedure", run.source),
    ):
        if text.strip():
            summary = f"{what}: {len(text.splitlines())} lines, SHA-256 {text_hash(text)[:16]}…"
            yield Folded(summary, (listing(text, what),))
    yield Heading("Provenance", 2, "provenance")
    yield from _provenance(run.provenance, personal)


def _instruments(run: RunFile) -> Iterator[Block]:
    before, after = run.instruments, run.settings_after
    if not before:
        yield Paragraph("No instruments are recorded.", DIM)
        return
    rows = [(name, settings.get("identity", "")) for name, settings in before.items()]
    yield grid(("role", "identity"), rows, caption="Instruments", most=MOST_INSTRUMENTS, of="instruments")
    blocks: list[Block] = []
    for name in list(before)[:MOST_INSTRUMENTS]:
        settings, later = before[name], after.get(name, {})
        names = [one for one in dict.fromkeys((*settings, *later)) if one != "identity"]
        told = [(one, _setting(settings, one), _later(settings, later, one)) for one in names]
        if told:
            blocks.append(Heading(name, 4))
            blocks.append(
                grid(
                    ("setting", "before the run", "after it, where it differs"),
                    told,
                    caption=f"Settings of {name}",
                    most=MOST_SETTINGS,
                    of="settings",
                )
            )
    if blocks:
        yield Folded("Settings of the instruments", tuple(blocks))


def _setting(settings: Mapping[str, str], name: str) -> str:
    return str(settings.get(name, ""))


def _later(before: Mapping[str, str], after: Mapping[str, str], name: str) -> str:
    return "" if name not in after or after[name] == before.get(name) else str(after[name])


def _provenance(kept: Mapping[str, str], personal: bool) -> Iterator[Block]:
    shown = {name: text for name, text in kept.items() if text and (personal or name not in PERSONAL)}
    rows: list[tuple[str, Words]] = [
        (MEANT.get(name, name.replace("_", " ")), text) for name, text in shown.items() if name not in TEXTS
    ]
    if kept.get("git_status") or kept.get("git_diff"):
        rows.append(("code", "changed since the commit" + ("" if personal else "; --personal shows how")))
    yield Facts(tuple(rows[:100]))
    for name in TEXTS:
        if name in shown:
            count = len(shown[name].splitlines())
            title = f"{MEANT.get(name, name.capitalize())}: {count} {'packages' if name == 'packages' else 'lines'}"
            text = shown[name]
            if name == "packages":  # many to a line
                text = textwrap.fill(", ".join(text.split()), 100, break_on_hyphens=False)
            yield Folded(title[:1].upper() + title[1:], (listing(text, MEANT.get(name, name)),))


# --- made again ---


def repeating(run: RunFile, summary: Summary, command: str, personal: bool) -> Iterator[Block]:
    """Say how the run is repeated: from the file, and from the start."""

    def exact(text: str) -> str:
        return text if personal else without_folders(text).replace("…/", "")

    yield Heading("How to repeat it", 2, "repeat")
    simulated, over = summary.bench.preset is not None, summary.status not in GOING_ON
    if not run.bench.strip():
        yield Paragraph("The run was not made on a bench: there is nothing to repeat.", DIM)
        return
    if simulated and over:
        yield Paragraph(
            "From its file alone, compared with it bit for bit; seed, bench, chip and parameters are the file's:"
        )
        yield Listing(f"mho rerun {run.path.name}", "Command that repeats the run")
    elif not simulated:
        yield Paragraph(
            "It was made on real instruments: what is run again is another measurement. With the same parameters:",
            DOUBTFUL,
        )
    if command:
        yield Paragraph("From the start, as a command:")
        yield Listing(exact(command), "Command that runs the procedure with the same parameters")
    yield Paragraph("As a plan, to be kept and changed:")
    plan = plan_text(run, summary)
    yield Listing(exact(plan), "Plan with the same parameters")
    if exact(command + plan) != command + plan:
        yield Paragraph("Files are named without their folders: give them where they lie.", DIM)
    if after := run.provenance.get("after", ""):
        yield Paragraph(f"It went on with the chip as another run had left it: {after}.", DIM)


def plan_text(run: RunFile, summary: Summary) -> str:
    """Return the plan (TOML) of the same run."""
    kept = run.provenance
    named = kept.get("procedure", "")
    name = run.procedure.lower() if named.startswith("mho.") or not named else named
    lines = [f"name = {_toml(summary.title)}", f"bench = {_toml(kept.get('bench') or summary.bench.name)}"]
    preset = kept.get("preset_file") or summary.bench.preset
    if preset:
        lines.append(f"preset = {_toml(preset)}")
    if summary.seed is not None:
        lines.append(f"seed = {summary.seed}")
    lines += ["", "[[steps]]", f"procedure = {_toml(name)}", "", "[steps.parameters]"]
    lines += [f"{key} = {_toml(value)}" for key, value in run.given.items()]
    return "\n".join(lines)


def _toml(value: object) -> str:
    """Return a value as TOML has it; its texts are JSON's but for what no file should hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
