"""CQL2 text as another parser reads it: cql2-rs, which is quick only where nothing is torn."""

import re
from typing import Any

import cql2
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from gis.errors import BadFilter
from layers.cql2 import condition, parse
from tests.unit.cql2.test_parsing import PROPERTIES

DEEPEST = 6  # cql2-rs doubles its time with each bracket
WORDS = [
    "(", ")", ",", "=", "<>", "<=", ">", "+", "-", "*", "/", "%", "^", "div", "AND", "OR", "NOT",
    "LIKE", "IN (", "NOT IN (", "BETWEEN 1 AND", "NOT BETWEEN depth AND", "IS NULL", "IS NOT NULL",
    "TRUE", "false", "1", "2.5", "-3", "1e3", "'a'", "'it''s'", "''", "name", "depth", "closed",
    "day", '"at"', "CASEI(", "accenti(", "DATE('2024-09-10')", "TIMESTAMP('2024-09-10T00:00:00Z')",
    "INTERVAL('2024-09-10', '..')", "T_AFTER(day,", "S_INTERSECTS(geom,", "POINT(1 2)",
    "POLYGON((0 0,1 0,1 1,0 0))", "MULTIPOINT((1 2), (3 4))", "MULTIPOINT(1 2,3 4)",
    "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4))", "BBOX(1,2,3,4)",
]  # fmt: skip


def _plain(node: Any) -> Any:
    """AND and OR without such in themselves, as either parser may have it."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _plain(value) for name, value in node.items()}
    if made.get("op") in ("and", "or"):
        is_same = [isinstance(arg, dict) and arg.get("op") == made["op"] for arg in made["args"]]
        pairs = zip(made["args"], is_same, strict=True)
        made["args"] = [part for arg, same in pairs for part in (arg["args"] if same else [arg])]
    return made


def theirs(text: str) -> Any:
    """None where it refuses the text."""
    try:
        return _plain(cql2.parse_text(text).to_json())
    except cql2.ParseError:
        return None


numbers = st.one_of(
    st.integers(-(10**15), 10**15).map(str),
    st.floats(-1e9, 1e9, allow_subnormal=False).map(repr),
    st.sampled_from(["depth", '"depth"', "1e3", "2E-2", "5.", "+7"]),
)
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", "-", " * ", "/ ", "%", "^", " DIV "]), inner).map(
            "".join
        ),
        inner.map(lambda each: f"({each})"),
        inner.map(lambda each: f"- {each}"),
    ),
    max_leaves=5,
)
texts = st.one_of(
    st.text("aếĐ %_\\'\"(,)=-\n", max_size=6).map(lambda each: "'" + each.replace("'", "''") + "'"),
    st.sampled_from(["name", "CASEI(name)", "ACCENTI(casei('Bát'))", "accenti ( name )"]),
)
simple = st.one_of(
    st.tuples(sums, st.sampled_from(["=", "<>", " < ", ">", "<=", ">="]), sums).map("".join),
    st.tuples(texts, st.sampled_from([" = ", "<>", " LIKE ", " not like "]), texts).map("".join),
    st.tuples(sums, st.sampled_from([" BETWEEN ", " NOT BETWEEN "]), sums, st.just(" AND "), sums)
    .map("".join),
    st.tuples(st.sampled_from(["depth", "1"]), st.sampled_from([" IN ", " not in"]),
              st.lists(sums, min_size=1, max_size=3).map(lambda each: f"({', '.join(each)})"))
    .map("".join),
    st.sampled_from(
        ["closed", "TRUE", "name IS NULL", "name is not null", "closed = false",
         "T_DURING(at, INTERVAL('2024-09-10T00:00:00Z', '..'))", "day >= DATE('2024-09-10')",
         "S_INTERSECTS(geom, POINT(103.97 22.48))", "S_WITHIN(geom, BBOX(1,2,-3,4))",
         "S_DISJOINT(geom,POLYGON ((0 0,1 0,1 1,0 0),(.1 .1,.2 .1,.2 .2,.1 .1)))"]
    ),
)  # fmt: skip
predicates = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " or "]), inner).map("".join),
        inner.map(lambda each: f"({each})"),
        inner.map(lambda each: f"NOT {each}"),
    ),
    max_leaves=6,
)


@seed(1)
@settings(max_examples=400, database=None)
@given(predicates)
def test_a_right_filter_is_read_as_another_parser_reads_it(text: str) -> None:
    ours, other = _plain(parse(text)), theirs(text)
    assert other in (None, ours)
    if other is None:  # the standard has a number begin with a dot, and a negative one follow NOT
        assert re.search(r"NOT\s+-|(?<![\d.])\.\d", text), text


@seed(1)
@settings(max_examples=1_500, database=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=12).filter(
        lambda words: sum("(" in word for word in words) <= DEEPEST
    )
)
def test_what_another_parser_makes_of_any_words_is_made_of_them_here(words: list[str]) -> None:
    """By the statement: what none can be made of may be read in more than one way."""
    text = " ".join(words)
    other = statement(theirs(text))
    if other is not None:
        assert statement(_plain(parse(text))) == other


def statement(node: Any) -> tuple[str, str] | None:
    try:
        made = condition(node, PROPERTIES).compile(dialect=postgresql.dialect())
    except BadFilter:
        return None
    return str(made), str(made.params)
