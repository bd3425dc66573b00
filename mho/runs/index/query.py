"""The language of ``mho runs --where``: text in, a tree of comparisons out; `query_sql` turns that into SQL.

    query       either { "or" either }              either   term { "and" term }
    term        "not" term | "(" query ")" | "text" | name | name operator value
    operator    = == != < <= > >= ~ contains !~     ~ and contains: the text is in it somewhere
    value       "quoted" or 'quoted' text, or a word: finished, 24, 200mV, 2026-11-25, a.mtx

"and" binds closer than "or", "not" closest. A quoted text that stands alone is searched everywhere; a name
that stands alone asks whether it is true, or there at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from mho.errors import InputError
from mho.runs.labels import Labels

OPERATORS = {"==": "=", "<>": "!=", "contains": "~"}
"""Other spellings, and what they mean."""

DEEPEST = 50
"""How deep parentheses and "not" may be nested."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<operator><=|>=|!=|<>|==|!~|[=<>~])|(?P<bracket>[()])"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()<>=!~"']+))""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Value:
    """The value that a name is compared with; a quoted one is always text."""

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Comparison:
    """``name operator value``, the name beginning at `position` of the query (from 0)."""

    name: str
    operator: str
    value: Value
    position: int


@dataclass(frozen=True)
class Flag:
    """A name alone: whether it is true, or there at all."""

    name: str
    position: int


@dataclass(frozen=True)
class Anywhere:
    """A quoted text alone: runs that contain it in any of their facts."""

    text: str


@dataclass(frozen=True)
class Not:
    """The opposite of a term."""

    term: Query


@dataclass(frozen=True)
class AllOf:
    """Terms joined by "and"."""

    terms: tuple[Query, ...]


@dataclass(frozen=True)
class AnyOf:
    """Terms joined by "or"."""

    terms: tuple[Query, ...]


Query = Comparison | Flag | Anywhere | Not | AllOf | AnyOf


def parse_query(text: str) -> Query:
    """Return the tree of a query.

    Raises
    ------
    InputError
        The text is no query; the message shows the place with ▲.
    """
    return _Parser(text).whole()


def labelled(where: str, labels: Labels) -> str:
    """Return a query that asks for labels too; "" as `where` asks for nothing else."""
    texts = {name: label.replace("\\", "\\\\").replace('"', '\\"') for name, label in labels.given().items()}
    terms = [f"({where})"] * bool(where.strip()) + [f'{name} = "{text}"' for name, text in texts.items()]
    return " and ".join(terms)


def query_error(text: str, position: int, what: str) -> InputError:
    """Return the error for a query that is wrong at `position`."""
    return InputError(
        f"query {f'{text[:position]}▲{text[position:]}'!r}: {what} (character {position + 1}, at ▲)"
    )


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int

    def says(self, *words: str) -> bool:
        return self.kind != "quoted" and self.text.lower() in words


class _Parser:
    """Recursive descent, one method a rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0
        self._depth = 0

    def whole(self) -> Query:
        query = self._query()
        if self._token.kind != "end":
            self._fail("here an 'and', an 'or' or the end is expected")
        return query

    def _split(self) -> list[_Token]:
        tokens, place = [], 0
        end = len(self._text.rstrip())
        while place < end:
            match = _TOKEN.match(self._text, place)
            if match is None:
                place += len(self._text[place:]) - len(self._text[place:].lstrip())
                what = (
                    "this quote is never closed" if self._text[place] in "\"'" else "this means nothing here"
                )
                raise query_error(self._text, place, what)
            kind = str(match.lastgroup)
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            place = match.end()
        return [*tokens, _Token("end", "", end)]

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _fail(self, what: str) -> NoReturn:
        raise query_error(self._text, self._token.position, what)

    def _query(self) -> Query:
        return self._joined("or", self._either, AnyOf)

    def _either(self) -> Query:
        return self._joined("and", self._term, AllOf)

    def _joined(
        self, word: str, part: Callable[[], Query], made: Callable[[tuple[Query, ...]], Query]
    ) -> Query:
        terms = [part()]
        while self._token.says(word):
            self._take()
            terms.append(part())
        return terms[0] if len(terms) == 1 else made(tuple(terms))

    def _term(self) -> Query:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"this is nested deeper than {DEEPEST} times")
        term = self._plain_term()
        self._depth -= 1
        return term

    def _plain_term(self) -> Query:
        if self._token.says("not"):
            self._take()
            return Not(self._term())
        if self._token.says("("):
            self._take()
            query = self._query()
            if not self._token.says(")"):
                self._fail("here a ')' is missing")
            self._take()
            return query
        if self._token.kind == "quoted":
            return Anywhere(_unquoted(self._take().text))
        if self._token.kind != "word" or self._token.says("and", "or"):
            self._fail("here a name, a quoted text or a '(' is expected")
        name = self._take()
        if self._token.kind != "operator" and not self._token.says("contains"):
            return Flag(name.text, name.position)
        operator = self._take().text.lower()
        if self._token.kind not in ("word", "quoted") or self._token.says("and", "or", "not", "contains"):
            self._fail(f"a value is missing after {operator!r}; put it in quotes if it is one of these words")
        value = self._take()
        quoted = value.kind == "quoted"
        return Comparison(
            name.text,
            OPERATORS.get(operator, operator),
            Value(_unquoted(value.text) if quoted else value.text, quoted),
            name.position,
        )


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
