"""Writes the pages that follow from the code: commands, parameters and needs of procedures, extras, gallery, public names.

``python docs/make_pages.py`` writes them anew; tests/test_generated_pages.py holds them to the code.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]

from make_pictures import maker_of  # noqa: E402

PUBLIC_MODULES = {
    "mho": "What a script imports.",
    "mho.errors": "What mho raises on purpose, each with one sentence for the user.",
    "mho.instruments": "Benches, and what is addressed on them.",
    "mho.procedures": "What one does with a chip, and the pieces that a procedure of your own may use.",
    "mho.runs": "Run files: written, read, checked, found.",
    "mho.running": "How procedures are carried out.",
    "mho.analysis": "Run files in; tables, figures and summaries out.",
    "mho.cells": "Cells of one's own: laws, and presets in a script.",
    "mho.circuits": "Elements of the circuits of one's own: amplifiers, converters, wires.",
    "mho.extensions.linalg": "A bench for other libraries.",
    "mho.gui": "The window.",
}
EXTRAS = {
    "campaigns": "`mho campaign` on workers of dask, its dashboard, tables as Parquet",
    "exchange": "runs as pandas and xarray, NetCDF, Excel, Parquet",
    "notify": "messages of the queue by e-mail, chat or telephone",
    "certify": "enclosures by `arb` where float64 proves too little",
    "optimise": "`mho optimise`",
    "estimators": "ridge regression for scikit-learn's pipelines",
    "report": "`mho report` as PDF, in its own fonts; tables read from PDF",
    "benchmarks": "one peer of `python -m benchmarks`",
    "gpu": "`mho projection --measure` on a GPU",
    "jax": "products and solutions of a bench in programs of JAX",
    "hardware": "serial and USB instruments without a vendor's VISA library",
    "docs": "the documentation as a site",
    "dev": "everything that the tests need",
}
"""What each extra of pyproject.toml is for."""

PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*pictures/([\w-]+)\.png\)")


def pages() -> dict[Path, str]:
    """Return the text of every generated page by its path."""
    made = {
        DOCS / "commands.md": commands(),
        DOCS / "parameters.md": parameters(),
        DOCS / "what-can-i-do.md": what_can_i_do(),
        DOCS / "extras.md": extras(),
        DOCS / "gallery.md": gallery(),
    }
    seen: dict[int, tuple[str, str]] = {}
    for module, purpose in PUBLIC_MODULES.items():
        made[DOCS / "python" / f"{module.removeprefix('mho.').removeprefix('extensions.')}.md"] = names_page(
            module, purpose, seen
        )
    return made


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown; a bar within a cell is escaped."""
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return (
        "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)
        + "\n"
    )


def code(text: object) -> str:
    """Return a text as code, and nothing for none."""
    return "" if text is None or text == "" else f"`{text}`"


# --- commands ---


def commands() -> str:
    """Return the page of every verb with its arguments and options, as its help has them."""
    from typer.main import get_command

    from mho.cli.main import app

    text = """# Commands

Every verb, as `mho VERB --help` prints it. The parameters of a procedure are options of `mho run`, `rehearse`, `queue add`
and others beside those listed here: [Parameters](parameters.md). Times and voltages take units: `100ms`, `3.3V`.

"""
    verbs = [(words, verb) for words, verb in walk(get_command(app)) if verb.params or not subcommands(verb)]
    text += table(
        ("command", "what it does"),
        (
            (f"[`mho {words}`](#{anchor(f'mho {words}')})", sentence(verb.help))
            for words, verb in verbs
            if words
        ),
    )
    for words, verb in verbs:
        if words:
            text += f"\n## mho {words}\n\n{plain(verb.help)}\n\n{options(verb)}"
    return text


def walk(verb: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every verb with its words."""
    verb = getattr(verb, "verb", verb)  # which is imported when it is typed
    yield words, verb
    for name, one in subcommands(verb).items():
        yield from walk(one, f"{words} {name}".strip())


def subcommands(verb: Any) -> Mapping[str, Any]:
    """Return the verbs of a group; none for a verb."""
    return (
        {name: verb.get_command(None, name) for name in verb.list_commands(None)}
        if hasattr(verb, "commands")
        else {}
    )


def options(verb: Any) -> str:
    """Return the table of a verb's arguments and options."""
    from mho.cli.completion import presets

    rows = []
    for one in verb.params:
        if one.param_type_name == "argument":
            name = code(one.name.upper() + (" …" if one.nargs == -1 else ""))
        else:
            kind, *inner = one.type_descriptor.annotation, *get_args(one.type_descriptor.annotation)
            kind = inner[0] if inner else kind
            value = "" if kind is bool else f" {kind.__name__.upper().replace('STR', 'TEXT')}"
            name = ", ".join(f"`{option}{value}`" for option in one.opts)
        text = plain(getattr(one, "help", None) or "").replace("{presets}", ", ".join(presets()))
        default = one.default if isinstance(one.default, str | int | float) else None
        rows.append((name, "" if default is False else code(default), text))
    return table(("", "default", ""), rows) if rows else "No options.\n"


def sentence(text: str | None) -> str:
    """Return the first sentence of a text."""
    return re.split(r"(?<=[.:;]) ", plain(text))[0].rstrip(".:;")


def plain(text: str | None) -> str:
    """Return a text of Typer in one line, without Rich's escapes."""
    return " ".join((text or "").replace("\\[", "[").split())


def anchor(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# --- parameters ---


def parameters() -> str:
    """Return the page of every procedure with its parameters."""
    from mho.procedures.manifest import described_entries

    text = """# Parameters of procedures

`mho run NAME` takes these beside [its own options](commands.md#mho-run); `mho run NAME --help` prints them. In a plan and
in a script the same names have underscores: `--read-voltage` is `read_voltage`. What has no default is the bench's or the
chip map's, or follows from the rest.
"""
    for name, procedure in described_entries().items():
        rows = []
        for key, one in procedure.parameters.items():
            option = f"`{key}`" if one.required else f"`--{key.replace('_', '-')}`"
            values = ", ".join(map(code, one.choices)) or one.units or ""
            rows.append((option, values, "" if one.required else code(one.default), one.name))
        text += f"\n## {name}\n\n{procedure.line}\n\n"
        text += table(("", "unit or choices", "default", ""), rows) if rows else "No parameters.\n"
    return text


# --- what each procedure needs of a bench ---


def what_can_i_do() -> str:
    """Return the page of what each procedure needs of a bench, and what serves that."""
    from mho.instruments.bench_file.operations import OPERATIONS, SERVED_BY
    from mho.procedures.manifest import described_entries

    entries = described_entries()
    text = """# What can I do with which instruments

A bench is what it can do: its **operations**. A [bench file](bench.md) says which instrument serves which, and a procedure
says which ones it needs. `mho bench show BENCH` prints both tables for a bench of yours, with what is missing;
`mho bench show ONE OTHER` compares benches. What a bench misses is said before anything is opened or sent: by `mho run`, a
plan, the queue, a rehearsal, the form in the window and a script.

"""
    text += table(
        ("operation", "what it does", "served by"),
        ((code(one), does, SERVED_BY[one]) for one, does in OPERATIONS.items()),
    )
    text += """
A simulated chip is at any temperature at once; on instruments a temperature takes a controller. Where nothing serves
`program`, write-verify does the same with `gate` and `pulse`: what needs `program` needs these two then.

## What each procedure needs

*yes*: the procedure needs it. *some*: it does where its parameters ask for it. The next table says which, and where one
operation takes the place of another.

"""
    text += table(
        ("procedure", *map(code, OPERATIONS)),
        (
            (f"[{name}](parameters.md#{name})", *(_need(one, operation) for operation in OPERATIONS))
            for name, one in entries.items()
        ),
    )
    text += "\n## Which parameters ask for more\n\n"
    text += table(
        ("procedure", "operation", "asked for"),
        (
            (name, code(operation), one.may_need[operation])
            for name, one in entries.items()
            for operation in OPERATIONS
            if operation in one.may_need
        ),
    )
    return f"""{text}
A procedure of your own says it with [`needs`, `may_need` and `needed`](writing-a-procedure.md#what-it-needs-of-a-bench).
"""


def _need(entry: Any, operation: str) -> str:
    return "yes" if operation in entry.needs else "some" if operation in entry.may_need else ""


# --- extras ---


def extras() -> str:
    """Return the page of the optional packages, with the line that installs each."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    rows = []
    for name, packages in project["optional-dependencies"].items():
        named = [re.match(r"[\w.-]+(\[[\w,-]+\])?", one)[0] for one in packages]  # type: ignore[index]
        rows.append((f"`{name}`", EXTRAS[name], ", ".join(named)))
    return f"""# Extras

`pip install .` brings all that a bench, a run and the window need. What fewer people use comes with an extra: its name
stands in brackets behind that which mho is [installed](install.md) from; several have commas between them.

```sh
pip install ".[exchange,report]"                            # in the checkout
pip install "mho-{project["version"]}-py3-none-any.whl[exchange]"      # beside a wheel
pipx install --force ".[exchange]"                          # where pipx installed mho; a wheel likewise
uv tool install --force ".[exchange]"                       # where uv did
pip install --no-index --find-links wheels "mho[exchange]"  # of an archive for a lab without internet
```

By its name alone, without a folder, mho is not installed before an index of packages has it. The quotation marks are
those that Windows knows, too. Whatever misses a package says so, with the command that brings it to the Python that runs.

`benchmarks` alone has no wheels for Linux and macOS: its pycairo is compiled there. The others have them for Python 3.11
to 3.14, `jax` and `gpu` included.

{table(("extra", "for", "packages"), rows)}"""


# --- gallery ---


def gallery() -> str:
    """Return the page of all pictures, each with the page that shows it and the command that made it."""
    shown: dict[str, tuple[Path, str]] = {}
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if page.name != "gallery.md":
            for title, picture in PICTURE.findall(page.read_text("utf-8")):
                shown.setdefault(picture, (page, title))
    rows = []
    for picture, (page, title) in sorted(shown.items()):
        target = page.relative_to(DOCS) if page.is_relative_to(DOCS) else Path("..", page.name)
        heading = page.read_text("utf-8").partition("\n")[0].lstrip("# ")
        made = f"[![{title}](pictures/{picture}.png)](pictures/{picture}.png)"
        rows.append((made, f"[{heading}]({target.as_posix()})", f"`{maker_of(picture)}`"))
    return f"""# Gallery

Every picture of these pages, with the page that explains it and the command that makes it again from runs
with fixed seeds.

{table(("picture", "page", "command"), rows)}"""


# --- public names ---


def names_page(module: str, purpose: str, seen: dict[int, tuple[str, str]]) -> str:
    """Return the page of a module's public names, each with the first sentence of its docstring.

    Parameters
    ----------
    seen : dict of int to tuple of str
        Module and name under which objects were described before, by identity; they are only named here.
    """
    rows, before = [], []
    for name in public_names(module):
        thing = getattr(importlib.import_module(module), name)
        where, first = seen.setdefault(id(thing), (module, name))
        if where != module:
            before.append(f"`{name}`")
        elif first != name:
            rows.append((f"`{name}`", f"Another name of `{first}`."))
        else:
            is_described = callable(thing) or inspect.ismodule(thing)
            described = inspect.getdoc(thing) if is_described else "A value."
            rows.append((f"`{name}`", first_sentence(described)))
    text = f"# {module}\n\n{purpose}\n\n"
    text += table(("name", "what it is"), rows) if rows else ""
    return text + (f"\nThe same as in [mho](mho.md): {', '.join(before)}.\n" if before else "")


def public_names(module: str) -> list[str]:
    """Return the public names of a module: those it exports, or of a module of errors its classes."""
    there = importlib.import_module(module)
    exported: list[str] | None = getattr(there, "__all__", None)
    if exported is None:
        exported = [
            name for name, one in vars(there).items() if inspect.isclass(one) and one.__module__ == module
        ]
    return exported


def first_sentence(docstring: str | None) -> str:
    """Return the first sentence of a docstring, in one line."""
    first = " ".join((docstring or "").split("\n\n")[0].split())
    return re.sub(r":\w+:`\.?(\w+)`", r"`\1`", first).replace("``", "`")


def main() -> None:
    """Write the pages that are not as they should be."""
    (DOCS / "python").mkdir(exist_ok=True)
    for path, text in pages().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
