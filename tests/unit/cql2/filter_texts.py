"""Hostile filters of any size: each kind of nesting and of chain, whole, torn and mixed."""

from collections.abc import Iterator
from itertools import combinations, cycle, islice
from typing import NamedTuple

from layers.cql2.parser import LONGEST_TEXT, Language


class Nest(NamedTuple):
    """What is opened n times, what lies innermost, and what is closed n times."""

    opening: str
    core: str
    closing: str


NESTS = {
    "brackets": Nest("(", "closed", ")"),
    "brackets of a comparison": Nest("(", "1 = 1", ")"),
    "lists on the left": Nest("(", "1", ",2)"),
    "lists on the right": Nest("(1,", "1", ")"),
    "NOT": Nest("NOT ", "closed", ""),
    "NOT with brackets": Nest("NOT (", "closed", ")"),
    "minus": Nest("-", "1 = 1", ""),
    "minus with brackets": Nest("-(", "1", ")"),
    "functions": Nest("CASEI(", "name", ")"),
    "functions on functions": Nest("ACCENTI(CASEI(", "name", "))"),
    "functions and brackets": Nest("f((", "1", "))"),
    "comparisons": Nest("1 = (", "1", ")"),
    "AND": Nest("closed AND (", "closed", ")"),
    "OR": Nest("(", "closed", ") OR closed"),
    "arithmetic": Nest("1 + 2 * (", "depth", ")"),
    "power": Nest("(", "depth", ") ^ 2"),
    "BETWEEN": Nest("depth BETWEEN (", "1", ") AND 2"),
    "BETWEEN on the right": Nest("depth BETWEEN 1 AND (", "1", ")"),
    "IN": Nest("depth IN (", "1", ")"),
    "IN of two": Nest("depth IN (", "1", ", 2)"),
    "LIKE": Nest("name LIKE (", "'a'", ")"),
    "IS NULL": Nest("(", "depth", ") IS NULL"),
    "INTERVAL": Nest("INTERVAL(", "'..'", ", '..')"),
    "T_AFTER": Nest("T_AFTER(day, ", "day", ")"),
    "WKT": Nest("MULTIPOLYGON(", "1 1, 2 2, 3 3, 1 1", ")"),
    "brackets of WKT": Nest("((1 1), (", "1 1", "))"),
    "GEOMETRYCOLLECTION": Nest("GEOMETRYCOLLECTION(", "POINT(1 1)", ")"),
    "GEOMETRYCOLLECTION of two": Nest("GEOMETRYCOLLECTION(POINT(1 1), ", "POINT(1 1)", ")"),
    "square brackets": Nest("[", "1", "]"),
}
MIXED = [
    NESTS[name]
    for name in (
        "brackets", "lists on the left", "NOT", "minus with brackets", "functions", "AND",
        "BETWEEN", "IN of two", "INTERVAL", "WKT",
    )
]  # fmt: skip
JSON_NESTS = {
    "lists": Nest("[", "1", "]"),
    "NOT": Nest('{"op":"not","args":[', "true", "]}"),
    "AND": Nest('{"op":"and","args":[true,', "true", "]}"),
    "comparisons": Nest('{"op":"=","args":[1,', "1", "]}"),
    "arithmetic": Nest('{"op":"+","args":[1,', "1", "]}"),
    "functions": Nest('{"op":"casei","args":[', '"a"', "]}"),
    "IN": Nest('{"op":"in","args":[1,[', "1", "]]}"),
    "isNull": Nest('{"op":"isNull","args":', '{"property":"name"}', "}"),
    "interval": Nest('{"interval":["..",', '".."', "]}"),
    "date": Nest('{"date":', '"2024-09-10"', "}"),
    "property": Nest('{"property":', '"name"', "}"),
    "coordinates": Nest('{"type":"Polygon","coordinates":[', "[1,1]", "]}"),
    "GeometryCollection": Nest(
        '{"type":"GeometryCollection","geometries":[', '{"type":"Point","coordinates":[1,1]}', "]}"
    ),
}
# What stands once, what is repeated, and what stands once behind.
CHAINS = {
    "AND": Nest("closed", " AND closed", ""),
    "OR": Nest("depth = 1", " OR depth = 1", ""),
    "AND without an end": Nest("", "closed AND ", ""),
    "sums": Nest("depth = 1", "+1", ""),
    "products": Nest("depth = 1", "*2", ""),
    "powers": Nest("depth = 1", "^2", ""),
    "minus": Nest("depth = 1", "-1", ""),
    "comparisons": Nest("depth", "=depth", ""),
    "BETWEEN": Nest("closed", " AND depth BETWEEN 1 AND 2", ""),
    "BETWEEN without AND": Nest("depth", " BETWEEN 1", ""),
    "LIKE": Nest("closed", " AND name LIKE '%a%'", ""),
    "LIKE of LIKE": Nest("name", " LIKE name", ""),
    "IS NULL": Nest("name", " IS NULL", ""),
    "NOT IN": Nest("depth", " NOT IN (1)", ""),
    "numbers of IN": Nest("depth IN (1", ",1", ")"),
    "texts of IN": Nest("name IN ('a'", ",'a'", ")"),
    "properties of IN": Nest("depth IN (1", ",depth", ")"),
    "lists of IN": Nest("depth IN ((1)", ",(1,2)", ")"),
    "arguments": Nest("f(1", ",1", ")"),
    "BBOX": Nest("S_INTERSECTS(geom, BBOX(1", ",1", "))"),
    "line": Nest("S_INTERSECTS(geom, LINESTRING(0 0", ",1 1,0 1", "))"),
    "points": Nest("S_INTERSECTS(geom, MULTIPOINT((0 0)", ",(1 1)", "))"),
    "collection": Nest("S_INTERSECTS(geom, GEOMETRYCOLLECTION(POINT(0 0)", ",POINT(1 1)", "))"),
    "lines": Nest("S_INTERSECTS(geom, MULTILINESTRING((0 0, 1 1)", ",(0 0,1 1)", "))"),
    "lines that are not closed": Nest("MULTILINESTRING(", "(0 0,1 1),", ""),
    "points that are not closed": Nest("", "POINT(1 1 ", ""),
    "polygons that are not closed": Nest("", "MULTIPOLYGON(((1 1 ", ""),
    "names of geometries": Nest("", "POINT ", ""),
    "names of geometries in one": Nest("", "MULTIPOINT", ""),
    "quotes": Nest("name = ", "'", ""),
    "quotes that are not closed": Nest("name = '", "''", ""),
    "texts": Nest("", "'a' ", ""),
    "quotes of names": Nest("", '"', ""),
    "names that are not closed": Nest('"', '""', ""),
    "digits": Nest("depth = 1", "0", ""),
    "exponents": Nest("depth = ", "1e", ""),
    "points of numbers": Nest("depth = ", ".1", ""),
    "dots": Nest("depth = ", ".", ""),
    "words": Nest("", "a ", ""),
    "a word": Nest("", "a.", ""),
    "blanks": Nest("closed", " ", ""),
    "lines of text": Nest("closed", "\n", "x"),
    "commas": Nest("", ",", ""),
    "signs": Nest("depth ", "<>", ""),
    "words of a search": Nest("CASEI(name) LIKE CASEI('", " bát xát", "')"),
    "backslashes": Nest("name LIKE '", "\\", "'"),
    "wildcards": Nest("name LIKE '", "%_", "'"),
}  # fmt: skip
JSON_CHAINS = {
    "AND": Nest('{"op":"and","args":[true', ",true", "]}"),
    "OR": Nest('{"op":"or","args":[true', ',{"op":"isNull","args":[{"property":"name"}]}', "]}"),
    "IN": Nest('{"op":"in","args":[{"property":"depth"},[1', ",1", "]]}"),
    "IN of properties": Nest('{"op":"in","args":[1,[1', ',{"property":"depth"}', "]]}"),
    "line": Nest(
        '{"op":"s_intersects","args":[{"property":"geom"},'
        '{"type":"LineString","coordinates":[[0,0]', ",[1,1],[0,1]", "]}]}",
    ),
    "members": Nest('{"op":"not"', ',"args":[true]', "}"),
    "digits": Nest('{"op":"=","args":[{"property":"depth"},1', "0", "]}"),
    "text": Nest('{"op":"=","args":[{"property":"name"},"', "\\u00e9", '"]}'),
    "torn": Nest("[", '{"op":"and","args":[', ""),
}  # fmt: skip


def nested(nest: Nest, times: int) -> str:
    return nest.opening * times + nest.core + nest.closing * times


def chained(chain: Nest, times: int) -> str:
    return chain.opening + chain.core * times + chain.closing


def longest_chain(chain: Nest) -> str:
    """With as many repetitions as a filter may have."""
    room = LONGEST_TEXT - len(chain.opening) - len(chain.closing)
    return chained(chain, room // len(chain.core))


def mixed(nests: tuple[Nest, ...], times: int) -> str:
    """One kind in the other, in turn."""
    layers = list(islice(cycle(nests), times))
    opened = "".join(nest.opening for nest in layers)
    return opened + nests[0].core + "".join(nest.closing for nest in reversed(layers))


def torn(nest: Nest, times: int) -> Iterator[str]:
    """Too few are closed, none, and too many; and what lies innermost is no expression."""
    yield nest.opening * times + nest.core + nest.closing * (times // 2)
    yield nest.opening * times
    yield nest.opening * times + nest.core
    yield nested(nest, times) + nest.closing * times
    yield nested(nest._replace(core=f"{nest.core} = "), times)
    yield nested(nest._replace(core=f"{nest.core} {nest.core}"), times)


def hostile(times: int) -> Iterator[tuple[Language, str]]:
    """The language and a text of every kind with `times` repetitions, or as many as may be."""
    for nest in NESTS.values():
        yield "cql2-text", nested(nest, _at_most(times, nest))
        for text in torn(nest, _at_most(times, nest)):
            yield "cql2-text", text
    for nest in JSON_NESTS.values():
        yield "cql2-json", nested(nest, _at_most(times, nest))
        for text in torn(nest, _at_most(times, nest)):
            yield "cql2-json", text
    for pair in combinations(MIXED, 2):
        yield "cql2-text", mixed(pair, _at_most(times, *pair))
    for chain in CHAINS.values():
        yield "cql2-text", min(chained(chain, times), longest_chain(chain), key=len)
    for chain in JSON_CHAINS.values():
        yield "cql2-json", min(chained(chain, times), longest_chain(chain), key=len)


def _at_most(times: int, *nests: Nest) -> int:
    """So that the texts, torn ones too, are not longer than a filter may be."""
    longest = max(len(nest.opening) + 2 * len(nest.closing) for nest in nests)
    return min(times, (LONGEST_TEXT - 200) // longest)
