"""Formulas over columns, ``G = I / V``: our own small language, parsed by Python's parser, never run by Python.

    formula     name = expression
    expression  numbers, names, pi, + - * / **, ( ), and the functions sqrt exp log log10 abs min max

Only these nodes of the syntax tree are known; every other one is refused where it stands. All numbers are floats, so
that no power takes longer than another. Units go along and are checked: what is added has one kind of unit, what an
exponent or a logarithm is taken of has none.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np

from mho.errors import InputError, nearest
from mho.runs.units import BASE_UNITS, factor_between

LONGEST, DEEPEST, MOST_NODES = 200, 25, 120
"""Characters of a formula, operations within each other, and parts altogether."""

LARGEST_POWER = 12.0  # exponent of a quantity with a unit
CONSTANTS = {"pi": math.pi}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log10": np.log10, "abs": np.abs, "min": np.fmin, "max": np.fmax,
}  # fmt: skip
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


@dataclass(frozen=True)
class Formula:
    """A new quantity: its name, the text of its expression, and the names that this needs."""

    name: str
    text: str
    needs: tuple[str, ...]

    @property
    def said(self) -> str:
        """The formula as it was written."""
        return self.text if self.name == self.text else f"{self.name} = {self.text}"


@dataclass(frozen=True)
class ValuesWithUnit:
    """Values, (n,) or one number, with their SI unit; "" for none."""

    values: Any
    unit: str = ""


def parse_formula(text: str) -> Formula:
    """Return the formula in ``NAME = EXPRESSION``.

    Raises `InputError`: it is no formula, too long, or holds what formulas do not know.
    """
    name, equals, expression = (part.strip() for part in text.partition("="))
    if not (equals and name.isidentifier() and expression):
        raise InputError(f"--formula {text[:80]!r}: write NAME = EXPRESSION, such as G = I / V")
    if name in CONSTANTS or name in FUNCTIONS:
        raise InputError(f"--formula {text[:80]!r}: {name} has a meaning in formulas; choose another name")
    tree = _tree(expression)
    needs = tuple(dict.fromkeys(_names(tree)))
    if name in needs:
        raise InputError(f"--formula {text[:80]!r}: {name} is defined by itself; choose another name")
    return Formula(name, expression, needs)


def parse_expression(text: str) -> Formula:
    """Return the formula of an expression that has no name but itself; errors as `parse_formula`."""
    expression = text.strip()
    return Formula(expression, expression, tuple(dict.fromkeys(_names(_tree(expression)))))


def evaluate(formula: Formula, known: Mapping[str, ValuesWithUnit]) -> ValuesWithUnit:
    """Return a formula's values and unit.

    Raises `InputError`: a name is unknown (the nearest is told), or units do not go together (which).
    """
    with np.errstate(all="ignore"):
        result = _value(_tree(formula.text), formula, known)
    factor, unit = _handy(result.unit)
    return ValuesWithUnit(np.asarray(result.values, dtype=float) * factor, unit)


@lru_cache(maxsize=64)
def _tree(text: str) -> ast.expr:
    """Return the checked syntax tree of an expression."""
    if len(text) > LONGEST:
        raise InputError(f"a formula has {len(text)} characters; {LONGEST} is the most")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InputError(f"formula {text!r} is no expression; write one such as (I - I0) / V") from None
    _check(tree, text, 0)
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES * 2:  # walk counts operators and contexts too
        raise InputError(f"formula {text!r} has too many parts; {MOST_NODES} is the most")
    return tree


def _check(node: ast.expr, text: str, depth: int) -> None:
    """Refuse all but the known nodes."""
    if depth > DEEPEST:
        raise InputError(f"formula {text!r} is nested deeper than {DEEPEST} times")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            try:
                finite = math.isfinite(float(value))
            except OverflowError:
                finite = False
            if not finite:
                raise InputError(f"formula {text!r}: a number in it is beyond any size")
        case ast.Name():
            pass
        case ast.Attribute():
            if _dotted(node) is None:
                raise _unknown(node, text)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, text, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check(left, text, depth + 1)
            _check(right, text, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            arguments = 1 if name not in ("min", "max") else None
            if (arguments is not None and len(args) != arguments) or len(args) < 1:
                raise InputError(f"formula {text!r}: {name} takes {'one number' if arguments else 'numbers'}")
            for one in args:
                _check(one, text, depth + 1)
        case _:
            raise _unknown(node, text)


def _unknown(node: ast.AST, text: str) -> InputError:
    part = ast.get_source_segment(text, node) or type(node).__name__
    return InputError(
        f"formula {text!r}: {part[:40]!r} means nothing in a formula; there are numbers, names, pi, + - * / ** and "
        f"{', '.join(FUNCTIONS)}"
    )


def _dotted(node: ast.expr) -> str | None:
    """Return a name with dots, such as that of a result in a mapping: it is looked up whole."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = _dotted(value)
            return None if before is None else f"{before}.{attribute}"
    return None


def _names(tree: ast.expr) -> list[str]:
    result, functions = [], set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Call):
            functions.add(id(node.func))
        if isinstance(node, ast.Name | ast.Attribute):
            if id(node) not in functions and (name := _dotted(node)) is not None and name not in CONSTANTS:
                result.append(name)
            continue
        waiting += ast.iter_child_nodes(node)
    return result


def _value(node: ast.expr, formula: Formula, known: Mapping[str, ValuesWithUnit]) -> ValuesWithUnit:
    match node:
        case ast.Constant(value=int() | float() as value):
            return ValuesWithUnit(float(value))
        case ast.Name() | ast.Attribute():
            return _look_up(str(_dotted(node)), formula, known)
        case ast.UnaryOp(op=op, operand=operand):
            one = _value(operand, formula, known)
            return ValuesWithUnit(-one.values if isinstance(op, ast.USub) else one.values, one.unit)
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(node, _value(left, formula, known), _value(right, formula, known), formula)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _called(node, name, [_value(one, formula, known) for one in args], formula)
    raise _unknown(node, formula.text)


def _look_up(name: str, formula: Formula, known: Mapping[str, ValuesWithUnit]) -> ValuesWithUnit:
    if name in known:
        return known[name]
    if name in CONSTANTS:
        return ValuesWithUnit(CONSTANTS[name])
    shown = ", ".join(sorted(known)[:30]) or "nothing"
    meant = nearest(name, known, 3, f"there is {shown}", cutoff=0.5)
    raise InputError(f"formula {formula.said}: there is no {name!r}; {meant}")


def _combined(
    node: ast.BinOp, left: ValuesWithUnit, right: ValuesWithUnit, formula: Formula
) -> ValuesWithUnit:
    operator = type(node.op)
    if operator in (ast.Add, ast.Sub):
        other = _in_unit_of(left, right, node, SIGNS[operator], formula)
        return ValuesWithUnit(OPERATORS[operator](left.values, other), left.unit)
    if operator is ast.Pow:
        return _power(node, left, right, formula)
    unit = ""
    if left.unit or right.unit:
        first, second = _unit(left.unit, formula), _unit(right.unit, formula)
        unit = f"{first * second:~C}" if operator is ast.Mult else f"{first / second:~C}"
    return ValuesWithUnit(OPERATORS[operator](np.asarray(left.values, float), right.values), unit)


def _power(node: ast.BinOp, left: ValuesWithUnit, right: ValuesWithUnit, formula: Formula) -> ValuesWithUnit:
    if right.unit:
        raise _wrong(
            formula, f"the exponent {_said(node.right, formula)} is in {right.unit}, and must have no unit"
        )
    unit = ""
    if left.unit:
        if np.ndim(right.values) or not abs(float(right.values)) <= LARGEST_POWER:
            raise _wrong(
                formula,
                f"{_said(node.left, formula)} is in {left.unit}; its exponent must be one number up to {LARGEST_POWER:g}",
            )
        unit = f"{_unit(left.unit, formula) ** float(right.values):~C}"
    return ValuesWithUnit(np.power(np.asarray(left.values, float), right.values), unit)


def _called(node: ast.Call, name: str, args: list[ValuesWithUnit], formula: Formula) -> ValuesWithUnit:
    first = args[0]
    if name in ("min", "max"):
        others = [_in_unit_of(first, one, node, name, formula) for one in args[1:]]
        return ValuesWithUnit(reduce(FUNCTIONS[name], others, first.values), first.unit)
    unit = first.unit if name == "abs" else ""
    if first.unit and name == "sqrt":
        unit = f"{_unit(first.unit, formula) ** 0.5:~C}"
    elif first.unit and name != "abs":
        raise _wrong(
            formula,
            f"{name} of {_said(node.args[0], formula)}, which is in {first.unit}; divide it by such a quantity",
        )
    return ValuesWithUnit(FUNCTIONS[name](np.asarray(first.values, float)), unit)


def _in_unit_of(
    left: ValuesWithUnit, right: ValuesWithUnit, node: ast.AST, sign: str, formula: Formula
) -> Any:
    """Return the values of the right in the unit of the left."""
    if left.unit == right.unit:
        return right.values
    factor = factor_between(right.unit, left.unit)
    if factor is None:
        units = " and ".join(f"{one.unit}" if one.unit else "a number without unit" for one in (left, right))
        part = ast.get_source_segment(formula.text, node) or sign
        raise _wrong(formula, f"{part!r} puts {units} together, which are of different kinds")
    return right.values * factor


def _wrong(formula: Formula, what: str) -> InputError:
    return InputError(f"formula {formula.said}: {what}")


def _said(node: ast.expr, formula: Formula) -> str:
    return repr(ast.get_source_segment(formula.text, node) or "it")


def _unit(unit: str, formula: Formula) -> Any:
    import pint  # slow to load, and few formulas have units

    try:
        return pint.application_registry.Unit(unit or "dimensionless")
    except (pint.errors.PintError, AttributeError, ValueError, TypeError, AssertionError):
        raise _wrong(formula, f"its unit {unit!r} is unknown") from None


_WHOLE_POWER, _RAISED = re.compile(r"\*\*(\d+)(?![.\d])"), str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@lru_cache(maxsize=256)
def _handy(unit: str) -> tuple[float, str]:
    """Return factor and name of the SI unit of the same kind: S for A / V; as it is where run files have none."""
    if unit in BASE_UNITS:
        return 1.0, unit
    for base in BASE_UNITS if not unit.isalpha() or factor_between(unit, "dimensionless") is None else ():
        factor = factor_between(unit, base or "dimensionless")
        if factor is not None:
            return factor, base
    return 1.0, _WHOLE_POWER.sub(lambda found: found[1].translate(_RAISED), unit).replace("**", "^").replace(
        "*", "·"
    )
