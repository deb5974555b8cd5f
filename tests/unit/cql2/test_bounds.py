"""No filter is long in the reading: time grows with its length, and what is too much is refused."""

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from gis.errors import BadFilter
from layers.cql2 import parse
from layers.cql2.parser import LONGEST_TEXT
from layers.cql2.tokens import DEEPEST_BRACKETS
from tests.unit.cql2.filter_texts import (
    CHAINS,
    JSON_CHAINS,
    JSON_NESTS,
    NESTS,
    hostile,
    longest_chain,
    nested,
    torn,
)
from tests.unit.cql2.test_parsing import compiled

SIZES = [8 * 2**i for i in range(12)]  # the last makes each text as long as may be
FLOOR_S = 0.01  # below, it is the clock that is measured
SHORT_S = 0.5  # of processor time, on a machine ten times slower than ours
VALUES_MOST = LONGEST_TEXT // 2  # a value and its comma


def answered(text: str, language: str) -> str:
    try:
        return compiled(text, language)[0]
    except BadFilter as refused:
        return str(refused)


def cpu_s(text: str, language: str) -> float:
    before = time.thread_time()
    answered(text, language)
    return time.thread_time() - before


def least(measure: Callable[[], float], first: float, limit: float) -> float:
    """The least of some measurements, which stop once one is below the limit."""
    found = first
    for _ in range(6):
        if found <= limit:
            break
        found = min(found, measure())
    return found


@pytest.fixture
def no_collections() -> Iterator[None]:
    """What the collector of garbage takes depends on all that other tests have left."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
def test_twice_the_nesting_takes_at_most_three_times_as_long() -> None:
    before: list[float] = []
    for size in SIZES:
        now: list[float] = []
        for i, (language, text) in enumerate(hostile(size)):
            limit = 3 * max(before[i], FLOOR_S) if before else SHORT_S
            taken = least(lambda a=text, b=language: cpu_s(a, b), cpu_s(text, language), limit)
            assert taken <= limit, f"{taken:.3f} s of {limit:.3f} s for {text[:80]!r} of {size}"
            now.append(taken)
        before = now


TOKENS = [
    "(", ")", ",", "=", "<>", "<=", "+", "-", "*", "/", "%", "^", "div", "AND", "OR", "NOT",
    "LIKE", "IN", "BETWEEN", "IS", "NULL", "TRUE", "1", "2.5", "1e400", ".5", "'a'", "''", "'",
    '"', "'%\\'", "name", "depth", "closed", "day", "at", "geom", '"name"', "CASEI", "ACCENTI",
    "DATE", "INTERVAL", "TIMESTAMP", "'2024-09-10'", "'..'", "T_AFTER", "S_INTERSECTS", "POINT",
    "POINT(1 2)", "POLYGON((0 0,1 0,1 1,0 0))", "GEOMETRYCOLLECTION", "EMPTY", "BBOX", "Z", "[",
    "{", ";", "\0", "ế", "  ",
]  # fmt: skip


@seed(1)
@settings(max_examples=300, database=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=60), st.sampled_from(["", " "]))
def test_any_row_of_tokens_is_answered_or_refused_at_once(tokens: list[str], between: str) -> None:
    text = between.join(tokens)
    taken = cpu_s(text, "cql2-text")
    assert least(lambda: cpu_s(text, "cql2-text"), taken, SHORT_S) <= SHORT_S


def _deeper(inner: st.SearchStrategy) -> st.SearchStrategy:
    listed = st.lists(inner, max_size=3)
    ops = st.sampled_from(
        ["and", "or", "not", "=", "<", "like", "between", "in", "isNull", "casei", "+", "^", "div",
         "s_intersects", "s_within", "t_after", "t_during", "x"]
    )  # fmt: skip
    kinds = st.sampled_from(["Point", "Polygon", "MultiPolygon", "GeometryCollection", "Sphere"])
    return st.one_of(
        listed,
        st.fixed_dictionaries({"op": ops, "args": listed | inner}),
        st.fixed_dictionaries({"op": ops, "args": st.tuples(st.just({"property": "geom"}), inner)}),
        st.fixed_dictionaries({"type": kinds, "coordinates": inner}),
        st.fixed_dictionaries({"type": kinds, "geometries": inner}),
        st.fixed_dictionaries({"interval": inner}),
        st.fixed_dictionaries({"bbox": inner}),
        st.fixed_dictionaries({"date": inner}),
        st.fixed_dictionaries({"property": inner}),
    )


@seed(1)
@settings(max_examples=400, database=None)
@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(),
            st.sampled_from(["name", "depth", "geom", "..", "2024-09-10", "2024-09-10T00:00:00Z"]),
            st.sampled_from(["name", "depth", "geom", "day"]).map(lambda name: {"property": name}),
        ),
        _deeper,
        max_leaves=12,
    )
)  # fmt: skip
def test_any_json_is_answered_or_refused(node: object) -> None:
    answered(orjson.dumps(node).decode(), "cql2-json")


@pytest.mark.parametrize("kind", NESTS)
def test_what_is_torn_is_refused_in_words_with_its_place(kind: str) -> None:
    broken = [text for text in torn(NESTS[kind], 9) if text != nested(NESTS[kind], 9)]
    for text in broken[:2] if "(" in NESTS[kind].opening else broken[1:2]:
        with pytest.raises(BadFilter, match=r"not CQL2 text from character \d+ on.*: .*(write|no)"):
            parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("((((((((((((((((((( id=1", r"from character 19 on, '\( id=1': this \( is never closed"),
        ("(" * 30 + " id=1", r"from character 30 on, .*never closed: write \)"),
        ("id=1)) AND", r"from character 5 on, .*closes nothing: leave it out"),
        ("name = 'it's'", r"from character 13 on, \"'\": a text begins that is never closed"),
        ('"name = 1', r"from character 1 on, .*a name begins that is never closed"),
        ("depth = 1 AND", r"from character 14 on, its end: write a value"),
        ("depth BETWEEN 1, 2", r"from character 16 on, ', 2': write AND here"),
        ("depth IN 1", r"from character 10 on, '1': write \( here"),
        ("name IS TRUE", r"from character 9 on, 'TRUE': write NOT or NULL here"),
        ("name NOT 'a'", r"from character 10 on, .*write LIKE or IN or BETWEEN here"),
        ("or = 1", r'from character 1 on, .*a property \("…" where its name is a word of CQL2\)'),
        ("name ~ 'a'", r"from character 6 on, .*'~' is no part of CQL2"),
        ("S_INTERSECTS(geom, POLYGON((0 0, 1 1)))", r"from character 20 on, .*wrong coordinates"),
        ("S_INTERSECTS(geom, POINT(1e400 1))", r"from character 20 on, .*wrong coordinates"),
        ("day = DATE()", r"from character 7 on, .*DATE takes one text"),
        ("(" * 101 + "closed" + ")" * 101, r"from character 101 on, .*at most 100 brackets"),
        ("NOT " * 300 + "closed", r"from character \d+ on, .*nested too deep"),
        ("closed" + " AND closed" * 1_500, r"longer than 16000 characters, it has 16506"),
    ],
)
def test_an_error_says_where_and_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(BadFilter, match=words):
        compiled(text)


def test_brackets_may_be_as_deep_as_is_said_and_no_deeper() -> None:
    for nest in (NESTS["brackets"], NESTS["OR"], NESTS["AND"]):
        assert "closed" in compiled(nested(nest, DEEPEST_BRACKETS))[0]
        with pytest.raises(BadFilter, match="nested too deep"):
            compiled(nested(nest, DEEPEST_BRACKETS + 1))


def test_operations_may_be_forty_deep() -> None:
    for nest in (
        "functions",
        "functions on functions",
        "arithmetic",
        "power",
        "minus with brackets",
    ):
        core = "name = 'a'" if "functions" in nest else "depth = 1"
        left, right = core.split(" = ")
        text = nested(NESTS[nest]._replace(core=left), 18) + f" = {right}"
        assert "=" in compiled(text)[0]
    with pytest.raises(BadFilter, match="nested more than 40 deep"):
        compiled(nested(NESTS["functions"], 40) + " = 'a'")


def test_a_thousand_values_and_a_thousand_conditions_are_answered() -> None:
    codes = ",".join(f"'{code:05}'" for code in range(1_000))
    values = compiled(f"name IN ({codes})")[1]
    assert list(values.values()) == [[f"{code:05}" for code in range(1_000)]]
    assert compiled(" OR ".join(["depth = 1"] * 1_000))[0].count(" OR ") == 999
    pairs = "(" * 99 + "depth = 0" + "".join(f") OR (depth = {i})" for i in range(1, 100))
    assert len(compiled(pairs)[1]) == 100


@pytest.mark.parametrize("kind", JSON_NESTS)
def test_json_that_is_nested_a_thousand_deep_is_refused(kind: str) -> None:
    for times in (45, 300, 1_100):
        with pytest.raises(BadFilter, match=r"nested more than 40 deep|not JSON|longer than"):
            compiled(nested(JSON_NESTS[kind], times), "cql2-json")


def test_the_values_of_a_statement_are_bounded_by_the_length_of_the_text() -> None:
    counts = []
    for language, chains in (("cql2-text", CHAINS), ("cql2-json", JSON_CHAINS)):
        for name, chain in chains.items():
            try:
                sql, values = compiled(longest_chain(chain), language)
            except BadFilter:
                continue
            counts.append(name)
            sizes = [len(value) if isinstance(value, list) else 1 for value in values.values()]
            assert sum(sizes) <= VALUES_MOST, name
            assert len(sql) < 30 * LONGEST_TEXT, name
    assert {"AND", "OR", "IN", "numbers of IN", "line", "words of a search"} <= set(counts)


def test_the_guide_gives_the_limits() -> None:
    guide = (Path(__file__).parents[3] / "docs/how-to/query.md").read_text(encoding="utf-8")
    length = f"{LONGEST_TEXT:,}".replace(",", " ")
    assert f"| {length} ký tự / characters |" in guide
    assert f"/ brackets in one another | {DEEPEST_BRACKETS} |" in guide
