"""`gis tiles seed`: which zooms it takes, and what it says when nobody answers."""

import httpx
import pytest

from api.cli.tiles import _fetch, _parse_zooms
from gis.errors import BadInput, Unavailable
from tests.unit.layers.examples import CATALOGUE

COMMUNES = CATALOGUE.get("communes")


@pytest.mark.parametrize(
    ("text", "zooms"), [("5-10", range(5, 11)), ("7", range(7, 8)), ("0-14", range(15))]
)
def test_zooms_are_one_or_from_the_first_to_the_last(text, zooms):
    assert _parse_zooms(COMMUNES, text) == zooms


@pytest.mark.parametrize("text", ["", "a", "10-5", "5-15", "5-", "-5", "5,6"])
def test_other_zooms_are_refused_with_what_would_be_right(text):
    with pytest.raises(BadInput, match=r"5-10|from zoom 0 to 14"):
        _parse_zooms(COMMUNES, text)


def client(answer: httpx.Response | Exception) -> httpx.Client:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.Client(transport=httpx.MockTransport(handle))


def test_a_service_that_does_not_answer_is_named():
    with (
        client(httpx.ConnectError("refused")) as nobody,
        pytest.raises(Unavailable, match="gis up"),
    ):
        _fetch(nobody, "http://localhost:8000/tiles/a/0/0/0.mvt")


def test_a_layer_that_may_not_be_read_is_reported():
    with client(httpx.Response(404)) as refusing, pytest.raises(BadInput, match="404"):
        _fetch(refusing, "http://localhost:8000/tiles/a/0/0/0.mvt")
    with client(httpx.Response(200, content=b"tile")) as serving:
        assert _fetch(serving, "http://localhost:8000/tiles/a/0/0/0.mvt") == b"tile"
