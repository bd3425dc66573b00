"""The classes of errors: what a caller catches, what other processes get, and that mho swallows none of its own."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from mho import errors
from mho.errors import (
    ConnectionRestored,
    InputError,
    InstrumentError,
    InstrumentTimeoutError,
    KeywordError,
    LimitError,
    MhoError,
    recorded_class,
    recorded_name,
)

CLASSES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, MhoError)]
ROOT = Path(errors.__file__).parent
OWN = {"InputError", "MhoError"}  # a handler of these before it lets them pass


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_goes_through_pickle_with_its_class_and_words(kind: type[MhoError]) -> None:
    error = kind("what happened to which")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "what happened to which"
    assert recorded_class(recorded_name(error)) is kind
    assert repr(error) == f"{kind.__name__}('what happened to which')"


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(KeywordError, TypeError)
    assert issubclass(InstrumentTimeoutError, TimeoutError)
    assert not issubclass(InstrumentError, OSError)
    for kind in (LimitError, ConnectionRestored, errors.UnsafeError, errors.Aborted):
        assert not issubclass(kind, ValueError | TypeError | OSError)


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Return the names of what a handler catches."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {getattr(one, "id", getattr(one, "attr", "")) for one in kinds if one is not None}


def swallowers() -> Iterator[str]:
    """Yield where `InputError` is raised in a block whose handler of `ValueError` would turn it into another."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Try):
                continue
            raised = {
                getattr(one.exc.func, "id", "")
                for part in node.body
                for one in ast.walk(part)
                if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call)
            }
            for handler in node.handlers:
                if caught(handler) & OWN:
                    break
                if caught(handler) & {"ValueError", "TypeError"} and raised & {
                    "InputError",
                    "KeywordError",
                    "ArrayError",
                }:
                    yield f"{path.relative_to(ROOT)}:{handler.lineno}"


def test_no_block_that_raises_an_input_error_takes_it_for_a_value_error_of_python() -> None:
    assert list(swallowers()) == []
