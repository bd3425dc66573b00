"""The public names of mho, and the signatures of what a user imports; as a program it writes them into their lists.

The names are what `mho`, every room, `mho.torch` and `mho.jax` export by ``__all__``; the signatures those of
what scripts import: functions, constructors, and what is public of a class.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ForwardRef

from repository import ROOT

LIST = ROOT / "tests" / "public_names.txt"
SIGNATURES = ROOT / "tests" / "public_signatures.txt"
# Which are not imported here
TENSORS = {
    f"mho.{name}": ROOT / "mho" / "extensions" / "linalg" / f"{module}.py"
    for name, module in (("torch", "layers"), ("jax", "jax_functions"))
}
ROOMS = sorted((ROOT / "mho").rglob("__init__.py"))
OF_SCRIPTS = ("mho", "mho.cells", "mho.circuits", "mho.linalg")
PLAIN = bool | int | float | str | None | tuple


def name_of(room: Path) -> str:
    """Return the dotted name of a room."""
    return ".".join(room.parent.relative_to(ROOT).parts)


def exported(room: Path) -> list[str]:
    """Return what a room says that it exports."""
    for node in ast.parse(room.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def public_names() -> Iterator[str]:
    """Yield all public names, in order."""
    rooms = {name_of(room): room for room in ROOMS} | TENSORS
    yield from sorted(f"{name}.{one}" for name, room in rooms.items() for one in exported(room))


def public_signatures() -> Iterator[str]:
    """Yield the signatures of what a user imports, a line each, in order."""
    yield from sorted({line for module in OF_SCRIPTS for line in _of_module(module)})


def _of_module(module: str) -> Iterator[str]:
    there, procedure = import_module(module), import_module("mho").Procedure
    for name in there.__all__:
        thing, path = getattr(there, name), f"{module}.{name}"
        if not getattr(thing, "__module__", "").startswith("mho"):
            continue
        if inspect.isclass(thing) and issubclass(thing, procedure) and thing is not procedure:
            # Of procedures the parameters: nobody but `run` calls what they do.
            form = [f"{one} = {parameter.default!r}" for one, parameter in thing().form().items()]
            yield f"{path}({', '.join(['*', *form])})"
        elif inspect.isclass(thing):
            yield from _of_class(thing, path)
        elif inspect.isfunction(thing):
            yield path + _signature(thing)


def _of_class(kind: type, path: str) -> Iterator[str]:
    if not issubclass(kind, BaseException) or "__init__" in vars(kind):
        yield path + _signature(kind)
    else:
        yield f"{path}({kind.__mro__[1].__name__})"
    own = [one for one in kind.__mro__ if one.__module__.startswith("mho")]
    for name in sorted({name for one in own for name in vars(one)}):
        if name.startswith("_"):
            continue
        member = next(vars(one)[name] for one in own if name in vars(one))
        if isinstance(member, cached_property):
            member = property(member.func)
        if isinstance(member, property):
            yield f"{path}.{name}: {_annotation(inspect.signature(member.fget).return_annotation)}"  # type: ignore[arg-type]
        elif inspect.isfunction(member):
            yield f"{path}.{name}{_signature(member)}"
        elif isinstance(member, classmethod | staticmethod):
            yield f"{path}.{name}{_signature(member.__func__)}"


def _signature(thing: Any) -> str:
    signature = inspect.signature(thing)
    parts, named = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not named:
            parts.append("*")
        named = named or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        text = f"{stars}{one.name}"
        if one.annotation is not one.empty:
            text += f": {_annotation(one.annotation)}"
        if one.default is not one.empty:
            text += f" = {one.default!r}" if isinstance(one.default, PLAIN) else " = ..."
        parts.append(text)
    result = signature.return_annotation
    arrow = "" if result is signature.empty or inspect.isclass(thing) else f" -> {_annotation(result)}"
    return f"({', '.join(parts)}){arrow}"


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return text.replace("typing.", "")  # which Python writes since 3.13 no more


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for path, lines in ((LIST, public_names()), (SIGNATURES, public_signatures())):
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
