"""Formulas: what they compute, whose units they check, and that nothing else is ever evaluated."""

from __future__ import annotations

import ast
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from mho.analysis.figures.values.expressions import FUNCTIONS, ValuesWithUnit, evaluate, parse_formula
from mho.errors import InputError

V, CURRENT = np.array([0.1, 0.2, 0.4]), np.array([1e-6, 2e-6, 8e-6])
KNOWN = {
    "V": ValuesWithUnit(V, "V"), "I": ValuesWithUnit(CURRENT, "A"), "t": ValuesWithUnit(np.array([1.0, 2.0, 3.0]), "s"),
    "n": ValuesWithUnit(V * 10),
    "mV": ValuesWithUnit(1e3 * V, "mV"), "certificate.bits": ValuesWithUnit(24.0, "bit"),
}  # fmt: skip


def value(text: str) -> ValuesWithUnit:
    return evaluate(parse_formula(f"q = {text}"), KNOWN)


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("I / V", CURRENT / V, "S"),
        ("V / I", V / CURRENT, "Ω"),
        ("-I * V", -CURRENT * V, "W"),
        ("I * V * t", CURRENT * V * np.array([1.0, 2.0, 3.0]), "J"),
        ("V + mV", 2 * V, "V"),
        ("mV - V", 0 * V, "V"),
        ("V / mV", V / V, ""),
        ("sqrt(V ** 2)", V, "V"),
        ("1 / t", 1.0 / np.array([1.0, 2.0, 3.0]), "Hz"),
        ("log10(I / I * 100) + pi", 2.0 + np.pi + 0 * V, ""),
        ("exp(-n) ** n", np.exp(-V * 10) ** (V * 10), ""),
        ("max(V, mV / 2)", V, "V"),
        ("abs(-n) + 2 ** 3", V * 10 + 8.0, ""),
        ("certificate.bits / 2", 12.0, "bit"),
    ],
)
def test_values_and_units(text: str, values: object, unit: str) -> None:
    found = value(text)
    assert_allclose(found.values, values, atol=1e-12)
    assert found.unit == unit


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("V + I", "'V + I' puts V and A together, which are of different kinds"),
        ("V - 1", "puts V and a number without unit together"),
        ("max(V, t)", "puts V and s together"),
        ("log(V)", "log of 'V', which is in V"),
        ("2 ** V", "the exponent 'V' is in V, and must have no unit"),
        ("V ** n", "'V' is in V; its exponent must be one number"),
        ("V ** 99", "its exponent must be one number up to 12"),
        ("volt", "there is no 'volt'"),
        ("i / V", "there is no 'i'"),
    ],
)
def test_units_and_names_that_do_not_fit_are_said(text: str, told: str) -> None:
    with pytest.raises(InputError) as refused:
        value(text)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "().__class__", "V.real.imag()", "[V]", "{V: 1}", "lambda: 1", "V if V else I",
        "V == I",
        "V[0]", "f'{V}'", "(q := 1)", "True", "1j", "'text'", "sqrt", "sqrt(V, I)", "abs(x=V)", "open('a')",
        "V @ I",
        "V // I", "V % I", "~n", "not V", "V and I", "*V", "...", "await V", "eval(V)", "max()", "1e999", "9" * 400, "",
        "((((((((((((((((((((((((((((((n))))))))))))))))))))))))))))))" + "+n" * 60, "-" * 60 + "n",
        "n\x00", "n;n", "n\nimport os",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        value(text)


@pytest.mark.parametrize(
    "text", ["G", "G =", "= V", "1G = V", "pi = V", "sqrt = V", "G = G + 1", "G == V", "G.a = V"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        evaluate(parse_formula(text), KNOWN)


@pytest.mark.parametrize(
    "text", ["9**9**9**9**9", "2.0**-9**9**9", "exp(exp(exp(exp(9))))", "9**9**9**n", "(-8)**(1/3)"]
)
def test_no_power_takes_longer_than_another(text: str) -> None:
    begun = time.process_time()
    value(text)
    assert time.process_time() - begun < 1.0


ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Load, ast.BinOp, ast.UnaryOp, ast.Call, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.Pow, ast.USub, ast.UAdd,
)  # fmt: skip
PARTS = st.sampled_from(
    ["V", "I", "n", "pi", "2", "1e-6", "9", "**", "*", "/", "+", "-", "(", ")", ",", "sqrt(", "exp(", "max(", "log(", ".",
     "[", "]", "__", "lambda", ":", "=", "'", "if", "@", " ", "import", "%"]
)  # fmt: skip


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PARTS, max_size=24).map("".join), st.text(max_size=40)))
def test_whatever_is_typed_is_evaluated_within_the_whitelist_or_refused(text: str) -> None:
    begun = time.process_time()
    try:
        found = value(text)
    except InputError:
        pass
    else:
        assert np.asarray(found.values).dtype == float
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval").body))
        assert all(isinstance(node, ALLOWED) for node in nodes)
        assert all(
            isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
            for node in nodes
            if isinstance(node, ast.Call)
        )
    assert time.process_time() - begun < 2.0


def test_a_root_of_a_quantity_can_be_gone_on_with():
    known = {"V": ValuesWithUnit(4.0, "V"), "I": ValuesWithUnit(2.0, "A")}
    found = evaluate(parse_formula("x = sqrt(V) * 3"), known)
    assert (float(found.values), found.unit) == (6.0, "V^0.5")
    again = evaluate(parse_formula("x = sqrt(V) * sqrt(V) / I"), known)
    assert (float(again.values), again.unit) == (2.0, "Ω")
    assert evaluate(parse_formula("x = V ** 2 * I"), known).unit == "A·V²"
