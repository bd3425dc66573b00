"""Turns a query of ``mho runs --where`` into an SQL condition: every value is a parameter, every name is checked.

    query       either { "or" either }              either   term { "and" term | word term }
    term        "not" term | "(" query ")" | "text" | word | name | name operator value
    operator    = == != < <= > >= ~ contains !~     ~ and contains: the text is in it somewhere
    value       "quoted" or 'quoted' text, or a word: finished, 24, 200mV, 2026-11-25, a.mtx

A quoted text that stands alone is searched everywhere, and so is a word that is no name; a name that stands alone asks
whether it is true, or there at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from mho.errors import InputError, nearest
from mho.runs.conclusion import Status
from mho.runs.index.card import SOURCES, UNREADABLE, CardName, find_name
from mho.runs.labels import Labels
from mho.runs.units import converted

OPERATORS = {"==": "=", "<>": "!=", "contains": "~"}  # other spellings, and what they mean
DEEPEST = 50  # how deep parentheses and "not" may be nested

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
class QueryComparison:
    """``name operator value``, the name beginning at `position` of the query (from 0).

    A name alone, without operator and value, asks whether it is true, or there at all.
    """

    name: str
    operator: str = ""
    value: Value = Value("")
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Anywhere:
    """A quoted text alone: runs that contain it in any of their facts."""

    text: str


@dataclass(frozen=True)
class Not:
    """The opposite of a term."""

    term: Query


@dataclass(frozen=True)
class Joined:
    """Terms joined by a word: "and", or "or"."""

    word: str
    terms: tuple[Query, ...]


Query = QueryComparison | Anywhere | Not | Joined


def parse_query(text: str) -> Query:
    """Return the tree of a query.

    `InputError` where the text is no query; the message shows the place with ▲.
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
        return self._joined("or", lambda: self._joined("and", self._term))

    def _joined(self, word: str, part: Callable[[], Query]) -> Query:
        terms = [part()]
        while self._token.says(word) or (word == "and" and self._follows_word(terms[-1])):
            if self._token.says(word):
                self._take()
            terms.append(part())
        return terms[0] if len(terms) == 1 else Joined(word, tuple(terms))

    def _follows_word(self, before: Query) -> bool:
        """Whether a term follows a plain word, which needs no "and"; a comparison does, as its value may have blanks."""
        plain = isinstance(before, Anywhere) or (isinstance(before, QueryComparison) and not before.operator)
        return (
            plain and self._token.kind in ("word", "quoted") and not self._token.says("and", "or", "contains")
        )

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
            return QueryComparison(name.text, position=name.position)
        operator = self._take().text.lower()
        if self._token.kind not in ("word", "quoted") or self._token.says("and", "or", "not", "contains"):
            self._fail(f"a value is missing after {operator!r}; put it in quotes if it is one of these words")
        value = self._take()
        quoted = value.kind == "quoted"
        meant = Value(_unquoted(value.text) if quoted else value.text, quoted)
        return QueryComparison(name.text, OPERATORS.get(operator, operator), meant, name.position)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


TEXTS = {
    "title", "procedure", "version", "status", "reason", "path", "chip", "bench", "preset", "seed", "host",
    "user", "mho", "commit", "id", "resume_of", "rerun_of", "sample", "operator", "project", "conclusion",
    "warnings", "measured", "unsafe",
}  # fmt: skip
TIMES = {"date": "start", "start": "start", "end": "end"}
DURATION = (
    "coalesce(runs.\"end\" - runs.start, CASE status WHEN 'running' THEN strftime('%s') - runs.start END)"
)
WORDS = "text"  # the name under which everything known of a run is searched
NAMES = {*TEXTS, *TIMES, "duration", "tag", "note", WORDS}

Condition = tuple[str, list[object]]

_ORDER = {"<", "<=", ">", ">="}
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\W\d]*|%)")
_TIME = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?)?)?)?")
STATUSES = [*map(str, Status), UNREADABLE]
_YES_NO = {"yes": "true", "no": "false"}


# The names of all parameters and results in an index: for each of `SOURCES`, units by name
Vocabulary = Mapping[str, Mapping[str, Sequence[str]]]


def condition(text: str, vocabulary: Vocabulary, now: datetime) -> Condition:
    """Return the condition and its values for the query `text`; `now` is what "today" goes by.

    `InputError` where the text is no query, a name in it is unknown (the nearest is named), a unit is of
    another kind.
    """
    if not text.strip():
        return "1", []
    return _Compiler(text, vocabulary, now).compile(parse_query(text))


def resolved(name: str, vocabulary: Vocabulary) -> CardName:
    """Return what a name means; errors as `condition`."""
    return _Compiler(name, vocabulary, datetime.now()).resolve(name, 0)


def sort_key(text: str, vocabulary: Vocabulary) -> Condition:
    """Return what to order by: a name, with "-" before it for the largest first; errors as `condition`."""
    name = text.removeprefix("-")
    place = len(text) - len(name)
    source, known = _Compiler(text, vocabulary, datetime.now()).resolve(name, place)
    if not source and known in ("tag", "note", WORDS):
        raise query_error(text, place, f"runs cannot be sorted by {known}")
    if source:
        value = (
            "(SELECT coalesce(number, text) FROM quantities WHERE run = runs.id AND source = ? AND name = ?)"
        )
        values: list[object] = [source, known] * 3
    else:
        value, values = f"nullif({_column(known)}, '')", []
        value = f"CAST({value} AS REAL)" if known in ("seed", "version") else value
    direction = "DESC" if text.startswith("-") else "ASC"
    return f"{value} IS NULL, typeof({value}) = 'text', {value} {direction}", values  # words after numbers


def _column(name: str) -> str:
    if name == "duration":
        return DURATION
    return "runs.run_id" if name == "id" else f'runs."{TIMES.get(name, name)}"'


class _Compiler:
    def __init__(self, text: str, vocabulary: Vocabulary, now: datetime) -> None:
        self._text = text
        self._vocabulary = vocabulary
        self._now = now

    def compile(self, query: Query) -> Condition:
        match query:
            case Joined(word, terms):
                parts = [self.compile(term) for term in terms]
                sql = f" {word.upper()} ".join(one for one, _ in parts)
                return f"({sql})", [value for _, values in parts for value in values]
            case Not(term):
                sql, values = self.compile(term)
                return f"NOT coalesce({sql}, 0)", values
            case Anywhere(text):
                return _anywhere(text)
            case QueryComparison(operator=""):
                return self._flag(query.name, query.position)
            case QueryComparison():
                return self._comparison(query)

    def resolve(self, name: str, position: int) -> CardName:
        """Return what a name means."""
        if found := find_name(name, NAMES, self._vocabulary):
            return found
        prefix, _, rest = name.partition(".")
        known = NAMES.union(*(self._vocabulary.get(source, {}) for source in SOURCES))
        meant = nearest(rest if prefix in SOURCES else name, known, cutoff=0.5)
        raise query_error(self._text, position, f"no run has anything called {name!r}; {meant}")

    def _flag(self, name: str, position: int) -> Condition:
        found = find_name(name, NAMES, self._vocabulary)
        if found is None:
            return _anywhere(name)
        source, name = found
        if name == "measured" and not source:
            return f"{_column(name)} = 'yes'", []
        if source:
            return _has(source, name, "coalesce(number <> 0, text NOT IN ('', 'none', 'false'))", [])
        if name in ("tag", "note"):
            return f"EXISTS (SELECT 1 FROM {name}s WHERE run_id = runs.run_id)", []
        if name == WORDS:
            raise query_error(self._text, position, f"say what to look for: {WORDS} ~ word")
        return f"coalesce({_column(name)}, '') <> ''", []

    def _comparison(self, asked: QueryComparison) -> Condition:
        source, name = self.resolve(asked.name, asked.position)
        operator, value = asked.operator, asked.value
        if source:
            return self._quantity(source, name, asked)
        if name in TIMES:
            return self._time(_column(name), asked)
        if name == "duration":
            number = self._number(value, ["s"], asked)
            if number is None or operator in ("~", "!~"):
                raise self._wrong(asked, "it is compared with a time span, such as 90s or 5min")
            return f"{DURATION} {operator} ?", [next(iter(number.values()))]
        if name == WORDS and operator not in ("~", "!~"):
            raise self._wrong(asked, f"it is searched: {WORDS} ~ {value.text}")
        if name == WORDS:
            return _negated(operator, _anywhere(value.text))
        if name in ("tag", "note"):
            column = "tag" if name == "tag" else "text"
            sql, values = _text_test(column, operator.removeprefix("!"), value)
            result = f"EXISTS (SELECT 1 FROM {name}s WHERE run_id = runs.run_id AND {sql})", values
            return _negated(operator, result)
        if name == "status" and operator in ("=", "!=") and value.text.lower() not in STATUSES:
            raise self._wrong(asked, f"a status is one of {', '.join(STATUSES)}")
        if name == "measured" and (operator not in ("=", "!=") or value.text.lower() not in ("yes", "no")):
            raise self._wrong(asked, "it is yes or no, of a run that finished")
        if operator in _ORDER and not value.quoted and (numeric := _NUMBER.fullmatch(value.text)):
            column = _column(name)
            test = f"({column} <> '' AND CAST({column} AS REAL) {operator} ?)"  # "" is cast to 0
            return test, [float(numeric[1])]
        return _text_test(_column(name), operator, value)

    def _quantity(self, source: str, name: str, asked: QueryComparison) -> Condition:
        operator, value = asked.operator, asked.value
        if operator in ("~", "!~"):
            return _has(source, name, *_text_test("text", operator, value))
        units = self._vocabulary[source][name]
        numbers = self._number(value, units, asked)
        if numbers is None:
            plain = value if value.quoted else Value(_YES_NO.get(value.text.lower(), value.text))
            return _has(source, name, *_text_test("text", operator, plain))
        tests: list[str] = []
        values: list[object] = []
        for unit, number in numbers.items():
            several = unit and len(units) > 1
            tests.append(f"(number {operator} ? AND unit = ?)" if several else f"number {operator} ?")
            values += [number, unit] if several else [number]
        if operator == "=":
            tests.append("(number IS NULL AND text = ? COLLATE FOLDED)")
            values.append(value.text)
        return _has(source, name, f"({' OR '.join(tests)})", values)

    def _number(self, value: Value, units: Sequence[str], asked: QueryComparison) -> dict[str, float] | None:
        """Return the value in each of the `units` that it fits, "" for any; None when it is no number."""
        match = None if value.quoted else _NUMBER.fullmatch(value.text)
        if match is None:
            return None
        number, unit = float(match[1]), match[2]
        if not unit:
            return {"": number}
        fits = {one: converted(number, unit, one) for one in units}
        if all(one is None for one in fits.values()):
            if asked.operator == "=":
                return None  # a text that begins with digits, such as 4x4
            known = " or ".join(filter(None, units))
            raise self._wrong(
                asked, f"{unit!r} is no unit of it; {f'give it in {known}' if known else 'it has none'}"
            )
        return {one: fit for one, fit in fits.items() if fit is not None}

    def _time(self, column: str, asked: QueryComparison) -> Condition:
        span = _span(asked.value.text, self._now)
        if span is None or asked.operator in ("~", "!~"):
            raise self._wrong(
                asked, "it is compared with a date: 2026-11-25, 2026-11, 2026-11-25T14:30, today"
            )
        first, end = (moment.timestamp() for moment in span)
        tests: dict[str, Condition] = {
            "=": (f"({column} >= ? AND {column} < ?)", [first, end]),
            "!=": (f"({column} < ? OR {column} >= ?)", [first, end]),
            "<": (f"{column} < ?", [first]),
            "<=": (f"{column} < ?", [end]),
            ">": (f"{column} >= ?", [end]),
            ">=": (f"{column} >= ?", [first]),
        }
        return tests[asked.operator]

    def _wrong(self, asked: QueryComparison, what: str) -> Exception:
        comparison = f"{asked.name} {asked.operator} {asked.value.text}"
        return query_error(self._text, asked.position, f"{comparison!r}: {what}")


def _has(source: str, name: str, sql: str, values: list[object]) -> Condition:
    return (
        f"runs.id IN (SELECT run FROM quantities WHERE source = ? AND name = ? AND {sql})",
        [source, name, *values],
    )


def _text_test(column: str, operator: str, value: Value) -> Condition:
    if operator in ("~", "!~"):
        return _negated(operator, (f"instr(fold({column}), ?) > 0", [value.text.casefold()]))
    return f"{column} {operator} ? COLLATE FOLDED", [value.text]


def _anywhere(text: str) -> Condition:
    """Return the condition that `text` is among everything known of a run, notes and tags included."""
    sought = text.casefold()
    return (
        "(instr(runs.words, ?) > 0"
        " OR EXISTS (SELECT 1 FROM notes WHERE run_id = runs.run_id AND instr(fold(text), ?) > 0)"
        " OR EXISTS (SELECT 1 FROM tags WHERE run_id = runs.run_id AND instr(fold(tag), ?) > 0))",
        [sought] * 3,
    )


def _negated(operator: str, condition: Condition) -> Condition:
    return (f"NOT {condition[0]}", condition[1]) if operator.startswith("!") else condition


def _span(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    """Return the local time at which a year, month, day, minute or second begins, and at which it ends."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    match text.lower():
        case "today":
            return day, day + timedelta(days=1)
        case "yesterday":
            return day - timedelta(days=1), day
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, date, hour, minute, second = (None if part is None else int(part) for part in match.groups())
    try:
        first = datetime(year or 0, month or 1, date or 1, hour or 0, minute or 0, second or 0)
        if month is None:
            return first, first.replace(year=first.year + 1)
        if date is None:
            return first, (first + timedelta(days=31)).replace(day=1)
        if hour is None:
            return first, first + timedelta(days=1)
        return first, first + timedelta(seconds=60 if second is None else 1)
    except (ValueError, OverflowError):
        return None
