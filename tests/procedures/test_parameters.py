"""Parameters of procedures: PyMeasure's, typed, and checked whenever they are set."""

from __future__ import annotations

import inspect
import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter
from pymeasure.experiment import parameters as theirs

from mho.errors import InputError
from mho.procedures import Procedure, Solve
from mho.procedures.manifest import describe
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter


@pytest.mark.thorough
def test_parameters_load_no_pandas_and_are_pymeasures_own() -> None:
    code = (
        "import sys, mho; mho.Procedure\n"
        "assert not {'pandas', 'pint'} & set(sys.modules)\n"
        "import pymeasure.experiment as theirs\n"
        "assert issubclass(mho.IntegerParameter, theirs.IntegerParameter)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.thorough
def test_parameters_are_found_after_pymeasure_itself() -> None:
    code = "import pymeasure.experiment as theirs, mho\nassert issubclass(mho.IntegerParameter, theirs.IntegerParameter)\n"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parameters_are_in_the_order_of_their_declaration_and_each_object_has_its_own() -> None:
    class Base(Procedure):
        zeta = IntegerParameter("Z", default=1)
        gone = IntegerParameter("G", default=1)

    class Further(Base):
        alpha = FloatParameter("A")
        gone = None  # type: ignore[assignment]

    one, other = Further(), Further()
    assert list(one._parameters) == ["zeta", "alpha"]
    assert (one.zeta, one.alpha, one.gone) == (1, None, None)
    assert one._parameters["zeta"] is not other._parameters["zeta"]


def test_pymeasures_own_parameters_declare_a_procedure_too() -> None:
    class Theirs(Procedure):
        turns = theirs.IntegerParameter("Turns", default=3, maximum=5)

    one = Theirs(turns=4)
    assert (one.turns, describe("theirs", Theirs).parameters["turns"].kind) == (4, "integer")
    with pytest.raises(InputError, match="turns is 6; it must be a whole number from -1e"):
        one.turns = 6


def test_mho_s_parameters_are_pymeasures_and_say_what_they_are_of_a_class_and_of_an_object() -> None:
    assert isinstance(Solve.bits, theirs.IntegerParameter)
    assert (Solve.bits.units, Solve().bits, Solve(bits=12).bits) == ("bit", 24, 12)

    class Elsewhere:
        bits = IntegerParameter("Bits", default=3)
        volts = FloatParameter("V")

    assert (Elsewhere().bits, Elsewhere().volts) == (3, None)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("bits", 1000, "bits is 1000; it must be a whole number from 3 to 50"),
        ("bits", 12.5, "bits is 12.5; it must be a whole number"),
        ("bits", None, "bits is None; it must be a whole number"),
        ("method", "guess", "method is 'guess'; it must be one of auto, "),
        ("tolerance", math.nan, "tolerance is nan; it must be a number from 0 to 1"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_when_it_is_set(name, value, message) -> None:
    solve = Solve()
    before = getattr(solve, name)
    with pytest.raises(InputError, match=message):
        setattr(solve, name, value)
    assert getattr(solve, name) == before


def test_what_is_set_is_converted_and_none_takes_an_optional_value_back() -> None:
    solve = Solve(tolerance=1e-3)
    solve.bits, solve.tolerance = 12.0, None
    assert (solve.bits, type(solve.bits), solve.tolerance) == (12, int, None)


def test_a_misspelt_attribute_is_refused_with_the_parameter_that_may_be_meant() -> None:
    with pytest.raises(AttributeError, match="Solve has no parameter 'bitz'; did you mean 'bits'") as refused:
        Solve().bitz = 40
    assert isinstance(refused.value, InputError)
    with pytest.raises(InputError, match="Solve has no parameter 'bitz'; did you mean 'bits'"):
        Solve(bitz=40)
    with pytest.raises(AttributeError, match="Procedure has no parameter 'bits'; it has none"):
        Procedure().bits = 1


def test_a_procedure_has_attributes_of_its_own_where_its_class_has_them() -> None:
    class Own(Procedure):
        note: str
        count = 0

        def __init__(self, **parameters: Any) -> None:
            super().__init__(**parameters)
            self.reads: list[float] = []

        def check(self) -> None:
            self.moment = 1.0

    own = Own()
    own.note, own.count, own.reads, own.moment, own._hidden = "warm", 2, [1.0], 2.0, None
    with pytest.raises(AttributeError, match="Own has no parameter 'counts'"):
        own.counts = 3


def test_one_declaration_may_have_two_names() -> None:
    class Both(Procedure):
        low = high = FloatParameter("Bound", default=1.0)

    both = Both(low=0.5)
    assert (both.low, both.high) == (0.5, 1.0)


def test_a_procedure_is_pickled_with_its_parameters() -> None:
    solve = pickle.loads(pickle.dumps(Solve(bits=12)))
    solve.bits = 13
    assert (solve.bits, list(solve.form())) == (13, list(Solve().form()))


def test_the_signature_of_a_procedure_is_made_of_its_parameters() -> None:
    signature = inspect.signature(Solve)
    assert str(signature.parameters["bits"]) == "bits: int = 24"
    assert str(signature.parameters["tolerance"]) == "tolerance: float | None = None"
    assert str(signature.parameters["method"]) == "method: str = 'auto'"
    assert {one.kind for one in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}

    class Own(Solve):
        turns = IntegerParameter("Turns", default=2)

    class Otherwise(Own):
        def __init__(self, given): ...

    assert "turns: int = 2" in str(inspect.signature(Own))
    assert str(inspect.signature(Otherwise)) == "(given)"


def test_the_docstring_of_a_procedure_has_its_parameters_and_the_manifest_its_own_words() -> None:
    class Own(Procedure):
        """Turn it.

        Slowly."""

        turns = IntegerParameter("Turns", default=2, minimum=1, maximum=5)
        gate = FloatParameter("Gate", units="V", minimum=0.0)
        first = ListParameter("First", choices=["set", "reset"], default="set")

    assert inspect.getdoc(Own) == (
        "Turn it.\n\nSlowly.\n\nParameters\n----------\n"
        "turns : int, default 2\n    Turns; at least 1, at most 5.\n"
        "gate : float, optional\n    Gate, V; at least 0.\n"
        "first : {'set', 'reset'}, default 'set'\n    First."
    )
    assert describe("own", Own).description == "Turn it.\n\nSlowly."

    class Bare(Procedure): ...

    assert Bare.__doc__ is None
    assert describe("bare", Bare).description == ""


@pytest.mark.parametrize("use_jedi", [True, False])
def test_a_notebook_completes_the_parameters_of_a_procedure(use_jedi: bool) -> None:
    completer = IPCompleter(namespace={"Solve": Solve}, use_jedi=use_jedi)
    completer.disable_matchers = [f"IPCompleter.magic{one}_matcher" for one in ("", "_config", "_color")]
    with provisionalcompleter():
        offered = [one.text for one in completer.completions("Solve(b", 7)]
    assert {"bits=", "blocks="} <= set(offered)


def test_a_list_that_is_a_default_is_each_objects_own() -> None:
    class Steps(Procedure):
        volts: Parameter[Any] = Parameter("Voltages", default=[0.1])

    one, other = Steps(), Steps()
    one.volts.append(0.2)
    assert (other.volts, Steps().volts) == ([0.1], [0.1])
    other.volts = [0.4]
    assert one.volts == [0.1, 0.2]
