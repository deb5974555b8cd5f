"""Text and JSON into the JSON form of CQL2; what is wrong or unsupported is named."""

import pytest
from sqlalchemy import Boolean, Date, DateTime, Double, Text, column
from sqlalchemy.dialects import postgresql

from gis.errors import BadFilter
from layers.cql2 import OperandKind, Property, condition, parse

PROPERTIES = {
    "name": Property(OperandKind.TEXT, column("name", Text()), has_search_index=True),
    "depth": Property(OperandKind.NUMBER, column("depth", Double())),
    "closed": Property(OperandKind.BOOLEAN, column("closed", Boolean())),
    "day": Property(OperandKind.DATE, column("day", Date())),
    "at": Property(OperandKind.TIMESTAMP, column("at", DateTime(timezone=True))),
    "geom": Property(OperandKind.GEOMETRY, column("geom")),
}


def compiled(text: str, language: str = "cql2-text") -> tuple[str, dict[str, object]]:
    made = condition(parse(text, language), PROPERTIES)  # type: ignore[arg-type]
    done = made.compile(dialect=postgresql.dialect())
    return str(done), dict(done.params)


@pytest.mark.parametrize(
    "evil",
    [
        "'; DROP TABLE layer.incidents; --",
        "x'' OR ''1''=''1",
        "%s %(name)s :name $1",
        "\\'; SELECT pg_sleep(10)",
    ],
)
def test_what_a_client_writes_is_bound_and_never_in_the_statement(evil: str) -> None:
    quoted = evil.replace("''", "'").replace("'", "''")
    sql, values = compiled(f"name = '{quoted}' AND CASEI(name) LIKE casei('{quoted}')")
    assert "DROP" not in sql and "pg_sleep" not in sql and "1=1" not in sql
    assert evil.replace("''", "'") in values.values()


def test_a_name_of_a_property_is_looked_up_and_never_written() -> None:
    with pytest.raises(BadFilter, match="there is no property"):
        compiled("\"name; DROP TABLE x\" = 'a'")


def test_json_and_text_say_the_same() -> None:
    text = compiled("name = 'a' AND depth > 2")
    json = compiled(
        '{"op":"and","args":[{"op":"=","args":[{"property":"name"},"a"]},'
        '{"op":">","args":[{"property":"depth"},2]}]}',
        "cql2-json",
    )
    assert text == json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not CQL2 text from character"),
        ("name LIKE 'x' ESCAPE '!'", "not CQL2 text"),
        ("wind = 3", "no property 'wind'"),
        ("name = 3", "number with text"),
        ("at > DATE('2024-09-10')", "TIMESTAMP"),
        ("at > '2024-09-10'", "DATE"),
        ("at > TIMESTAMP('2024-09-10')", "is not an instant"),
        ("day = DATE('10/09/2024')", "is not a day"),
        ("day = DATE('2024-13-01')", "is not a day"),
        ("name = NULL", "IS NULL"),
        ("name", "not true or false"),
        ("3", "not a predicate"),
        ("'x'", "not a predicate"),
        ("depth + 1", "is not supported"),
        ("closed > true", "use = or <>"),
        ("geom = POINT(1 2)", "spatial function"),
        ("geom = geom", "S_EQUALS"),
        ("depth LIKE 'a'", "text"),
        ("CASEI(depth) = 'a'", "takes a text, not a number"),
        ("name + 1 = 2", "compares number with text"),
        ("name + name = 2", "takes numbers"),
        ("A_CONTAINS(name, ('a', 'b'))", "A_CONTAINS is not supported"),
        ("A_EQUALS(name, ('a', 'b'))", "A_EQUALS is not supported"),
        ("S_DWITHIN(geom, POINT(1 2), 3, meters)", "two geometries and a number of metres"),
        ("upper(name) = 'X'", "'upper' is not supported"),
        ("S_INTERSECTS(name, POINT(1 2))", "is a text, not a geometry"),
        ("S_INTERSECTS(geom, 3)", "takes a geometry property"),
        ("S_INTERSECTS(geom)", "takes two geometries"),
        ("S_INTERSECTS(geom, POLYGON((0 0, 1 1)))", "wrong coordinates"),
        ("S_INTERSECTS(geom, POLYGON((0 0, 2 2, 0 2, 2 0, 0 0)))", "not valid"),
        ("S_INTERSECTS(geom, POLYGON EMPTY)", "empty"),
        ("S_WITHIN(geom, GEOMETRYCOLLECTION(POINT(1 2)))", "GEOMETRYCOLLECTION"),
        ("S_INTERSECTS(geom, BBOX(1, 9, 2, 3))", "BBOX is empty"),
        ("T_AFTER(name, DATE('2024-09-10'))", "not a text"),
        ("T_AFTER(at, INTERVAL('2024-09-10', '2024-09-11T00:00:00Z'))", "both dates"),
        ("T_AFTER(at, INTERVAL('x', '..'))", "is not a day"),
        ("at = INTERVAL('2024-09-10', '..')", "temporal function"),
        ("depth = 1" + "0" * 400, "too large"),
    ],
)
def test_what_is_wrong_or_unsupported_is_named(text: str, words: str) -> None:
    with pytest.raises(BadFilter, match=words):
        compiled(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000 + "closed" + ")" * 5_000,
        "NOT " * 3_000 + "closed",
        "depth = " + "-" * 5_000 + "1",
        "depth = " + "1+" * 6_000 + "1",
        "depth = " + "1-" * 6_000 + "1",
        "=".join(["depth"] * 2_000),
        "name = " + "casei(" * 2_000 + "'a'" + ")" * 2_000,
        "closed" + " AND closed" * 5_000,
    ],
)
def test_a_filter_that_would_exhaust_the_parser_is_refused(text: str) -> None:
    with pytest.raises(BadFilter, match=r"too deep|longer than|nested"):
        compiled(text)


def test_json_that_is_nested_too_deep_is_refused() -> None:
    deep = '{"op":"not","args":[' * 500 + "true" + "]}" * 500
    with pytest.raises(BadFilter, match="nested"):
        compiled(deep, "cql2-json")


@pytest.mark.parametrize(
    "node",
    [
        "[]", "null", '"x"', '{"op":3}', '{"op":"and"}', '{"op":"and","args":[]}',
        '{"op":"not","args":[true,true]}', '{"op":"=","args":[1]}', '{"op":"in","args":[1,2]}',
        '{"op":"in","args":[{"property":"depth"},[]]}', '{"op":"isNull","args":[1]}',
        '{"op":"=","args":[{"property":["name"]},1]}', '{"op":"=","args":[{"date":3},1]}',
        '{"op":"s_within","args":[{"property":"geom"},{"type":"Point"}]}',
        '{"op":"s_within","args":[{"property":"geom"},{"type":"Point","coordinates":"ab"}]}',
        '{"op":"s_within","args":[{"property":"geom"},{"bbox":[1,2,3,"4"]}]}',
        '{"op":"t_after","args":[{"interval":3},{"interval":[1,2]}]}', "{", "[" * 2000,
        '{"op":"=","args":[{"property":"name"},"a\\u0000"]}',
    ],
)  # fmt: skip
def test_any_other_json_is_refused_in_words(node: str) -> None:
    with pytest.raises(BadFilter):
        compiled(node, "cql2-json")


def test_a_search_without_accents_also_asks_the_index() -> None:
    sql, values = compiled("ACCENTI(CASEI(name)) LIKE accenti(casei('%Bát Xát%'))")
    assert "gis.search_key(name)" in sql and {"%bat%", "%xat%"} <= set(values.values())
    assert "gis.search_key" not in compiled("name LIKE 'Bát%'")[0]
    assert "gis.search_key" not in compiled("CASEI(name) = 'straße'")[0], "case is not plain"
