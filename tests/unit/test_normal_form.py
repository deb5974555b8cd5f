"""A text that a client sends decomposed is the same text, at every door of the code."""

import unicodedata
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies import Body
from api.cli import _composed
from api.normal_form import composed_address
from gis.text import composed
from layers.cql2.parser import parse

LETTERS = "aâăeêioôơuưyđ"
MARKS = "\u0300\u0301\u0303\u0309\u0323"
VIETNAMESE = st.lists(
    st.tuples(st.sampled_from(LETTERS + LETTERS.upper() + " "), st.sampled_from(["", *MARKS])),
    min_size=1,
    max_size=12,
).map(lambda pairs: unicodedata.normalize("NFC", "".join(map("".join, pairs))))


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@given(st.recursive(VIETNAMESE, lambda inner: st.dictionaries(VIETNAMESE, inner) | st.lists(inner)))
def test_whatever_is_composed_is_in_nfc_and_stays(value: Any) -> None:
    def decomposed(value: Any) -> Any:
        match value:
            case str():
                return nfd(value)
            case dict():
                return {nfd(name): decomposed(member) for name, member in value.items()}
            case _:
                return [decomposed(member) for member in value]

    assert composed(decomposed(value)) == value == composed(value)


@given(VIETNAMESE, VIETNAMESE)
def test_an_address_is_the_same_in_both_forms(name: str, value: str) -> None:
    def scope(name: str, value: str) -> dict[str, Any]:
        query = f"{quote(name)}={quote(value)}&limit=5&empty="
        return {"type": "http", "path": f"/a/{value}", "query_string": query.encode()}

    plain, other = (
        composed_address(scope(*pair)) for pair in ((name, value), (nfd(name), nfd(value)))
    )
    assert plain["path"] == other["path"] == f"/a/{value}"
    asked = [
        parse_qs(each["query_string"].decode(), keep_blank_values=True) for each in (plain, other)
    ]
    assert asked[0] == asked[1] == {name: [value], "limit": ["5"], "empty": [""]}


@pytest.mark.parametrize(
    "query", [b"", b"a=1&b=%20x+y", b"f=%C3%A9", b"a=%ff", b"a=%", b"&&=", b"a;b"]
)
def test_what_is_composed_is_left_as_it_is(query: bytes) -> None:
    scope = {"type": "http", "path": "/", "query_string": query}
    assert composed_address(scope) is scope


@given(VIETNAMESE.filter(lambda text: text.strip()))
def test_filters_are_the_same_in_both_forms(value: str) -> None:
    for language, text in (
        ("cql2-text", f"note = '{value}'"),
        ("cql2-json", f'{{"op": "=", "args": [{{"property": "note"}}, "{value}"]}}'),
    ):
        assert parse(nfd(text), language) == parse(text, language)


@given(VIETNAMESE)
def test_bodies_and_commands_are_the_same_in_both_forms(value: str) -> None:
    class Example(Body):
        words: dict[str, str]

    assert Example.model_validate({"words": {nfd(value): nfd(value)}}).words == {value: value}
    assert _composed(nfd(value)) == value
