"""The query language: what is written is what is understood, and whatever is wrong is shown where it stands."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mho.errors import InputError
from mho.runs.index.card import find_name
from mho.runs.index.query import (
    DEEPEST,
    Anywhere,
    Joined,
    Not,
    Query,
    QueryComparison,
    Value,
    _span,
    parse_query,
    resolved,
)

KEYWORDS = {"and", "or", "not", "contains"}

names = st.from_regex(r"[a-z_][a-z0-9_.]{0,8}", fullmatch=True).filter(lambda name: name not in KEYWORDS)
words = st.from_regex(r"[A-Za-z0-9µΩ%_.:/*,+-]{1,12}", fullmatch=True).filter(
    lambda word: word.lower() not in KEYWORDS
)
values = words.map(Value) | st.text(max_size=10).map(lambda text: Value(text, quoted=True))
leaves = (
    st.builds(
        QueryComparison,
        names,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", "!~"]),
        values,
    )
    | names.map(QueryComparison)
    | st.builds(Anywhere, st.text(max_size=10))
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(
            Joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)
        )
    ),
    max_leaves=8,
)
blanks = st.sampled_from([" ", "  ", "\t", "\n"])


def quote(text: str, mark: str) -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, f"\\{mark}") + mark


@st.composite
def written(draw: st.DrawFn, tree: Query) -> str:
    """One of the ways to write `tree`."""
    space = draw(blanks)
    match tree:
        case QueryComparison(name, ""):
            return name
        case QueryComparison(name, operator, value):
            spelling = draw(st.sampled_from([operator, *{"=": ["=="], "!=": ["<>"]}.get(operator, [])]))
            text = quote(value.text, draw(st.sampled_from("\"'"))) if value.quoted else value.text
            gap = draw(st.sampled_from(["", space]))
            return f"{name}{gap}{spelling}{gap}{text}"
        case Anywhere(text):
            return quote(text, draw(st.sampled_from("\"'")))
        case Not(term):
            return f"{draw(st.sampled_from(['not', 'NOT']))}{space}{draw(bracketed(term))}"
        case Joined(word, terms):
            spelling = {"and": "and", "or": "Or"}[word]
            return f"{space}{spelling}{space}".join([draw(bracketed(term)) for term in terms])


@st.composite
def bracketed(draw: st.DrawFn, tree: Query) -> str:
    text = draw(written(tree))
    return f"({text})" if isinstance(tree, Joined) or draw(st.booleans()) else text


@pytest.mark.thorough
@given(st.data(), trees)
def test_what_is_written_is_what_is_understood(data: st.DataObject, tree: Query):
    assert parse_query(data.draw(written(tree))) == tree


@given(st.text(max_size=30) | st.text(alphabet="ab()\"'\\ =<>!~notrd24", max_size=40))
@example("(" * 10_000)
@example("not " * 10_000 + "a")
def test_any_text_is_a_query_or_refused_with_the_place(text: str):
    try:
        parse_query(text)
    except InputError as error:
        assert "▲" in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


def test_and_binds_closer_than_or_and_not_closest():
    a, b, c = map(QueryComparison, "abc")
    assert parse_query("a or not b and c") == Joined("or", (a, Joined("and", (Not(b), c))))


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("bits>=", "bits>=▲"),
        ("bits>=24 status=finished", "bits>=24 ▲status=finished"),
        ("(bits>=24", "(bits>=24▲"),
        ("bits>=24)", "bits>=24▲)"),
        ("a and", "a and▲"),
        ("=3", "▲=3"),
        ('title ~ "abc', 'title ~ ▲"abc'),
        ("a = and b", "a = ▲and b"),
        ("a !! b", "a ▲!! b"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, marked: str):
    with pytest.raises(InputError) as caught:
        parse_query(text)
    assert marked in str(caught.value)


def test_plain_words_stand_side_by_side_and_before_a_comparison():
    mimo, noise = map(QueryComparison, ("mimo-16x16", "noise"))
    status = QueryComparison("status", "=", Value("finished"))
    assert parse_query("mimo-16x16 noise status=finished") == Joined("and", (mimo, noise, status))
    assert parse_query('mimo-16x16 "a text" or noise') == Joined(
        "or", (Joined("and", (mimo, Anywhere("a text"))), noise)
    )


def test_a_name_that_no_run_has_is_marked_at_its_begin():
    with pytest.raises(
        InputError, match=r"'▲bitz': no run has anything called 'bitz'; did you mean 'bits'\?"
    ):
        resolved("bitz", {"result": {"bits": ["bit"]}})


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("2026", (2026, 1, 1), (2027, 1, 1)),
        ("2026-12", (2026, 12, 1), (2027, 1, 1)),
        ("2026-02-28", (2026, 2, 28), (2026, 3, 1)),
        ("2026-02-28 23:59", (2026, 2, 28, 23, 59), (2026, 3, 1)),
        ("2026-02-28 23:58:59", (2026, 2, 28, 23, 58, 59), (2026, 2, 28, 23, 59)),
        ("yesterday", (2026, 2, 28), (2026, 3, 1)),
    ],
)
def test_a_time_spans_the_unit_that_it_names(text: str, begins: tuple[int, ...], ends: tuple[int, ...]):
    assert _span(text, datetime(2026, 3, 1, 12)) == (datetime(*begins), datetime(*ends))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BITS", ("parameter", "bits")),  # a parameter before a result of that name
        ("Result.bits", ("result", "bits")),
        ("result.Bits", ("result", "Bits")),  # as it is given, before another case
        ("result.BITS", ("result", "bits")),
        ("Rounds", ("result", "rounds")),
        ("Seed", ("", "seed")),  # a fact before a parameter of that name
        ("parameter.Seed", ("parameter", "seed")),
        ("parameter.rounds", None),
        ("", None),
    ],
)
def test_a_name_means_a_fact_before_a_parameter_before_a_result(name, meant) -> None:
    known = {"parameter": ["bits", "seed"], "result": ["bits", "Bits", "rounds"]}
    assert find_name(name, {"seed", "status"}, known) == meant


def test_terms_beside_one_another_are_not_nested() -> None:
    many = " and ".join(["(bits)"] * 3 * DEEPEST)
    assert parse_query(many) == Joined("and", (QueryComparison("bits"),) * 3 * DEEPEST)
    with pytest.raises(InputError, match="nested deeper"):
        parse_query("(" * DEEPEST + "bits" + ")" * DEEPEST)
