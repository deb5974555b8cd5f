"""Answers of which one member is not what it should be: read all the same, or refused by us.

The members are those of right answers, so that a new connector is tested by its line in SOURCES.
"""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from api.demo_sources.server import DemoAnswer, DemoServer
from gis.errors import GisError
from tests.integration.connectors.faulty import connector, faulty, surroundings
from tests.integration.connectors.test_faults import SENTINEL, SOURCES

ODD: tuple[Any, ...] = (None, 5, -1.5e300, "x", [], {}, [None], {"x": [5]}, True)
_DEPTH, _FEW = 6, 2


def paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of the members of a document; of a list its first two items."""
    yield above
    if len(above) >= _DEPTH:
        return
    if isinstance(value, dict):
        for name in value:
            yield from paths(value[name], (*above, name))
    elif isinstance(value, list):
        for index in range(min(_FEW, len(value))):
            yield from paths(value[index], (*above, index))


def replaced(document: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = json.loads(json.dumps(document))
    holder = copy
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = odd
    return copy


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "wfs"])  # that is XML
def test_an_answer_with_one_odd_member_breaks_nothing(name, tmp_path):
    pages, path, options = SOURCES[name]
    with faulty(pages(tmp_path)) as server:

        def read() -> int:
            server.asked.clear()
            around = surroundings({"K": SENTINEL})
            reader = connector(name, around, url=server.base + path, **options)
            try:
                return sum(len(batch.records) for batch in reader.read({}))
            finally:
                reader.close()

        assert read() > 0
        answers = [json.loads(DemoServer.answer(server, each).body) for each in server.asked[:3]]
        tried = 0
        for number, answer in enumerate(answers):
            for place, odd in product(paths(answer), ODD[tried % 2 :: 2]):
                spoilt = json.dumps(replaced(answer, place, odd)).encode()
                tried += 1

                def spoil(server, handler, right, number=number, spoilt=spoilt):
                    is_it = len(server.asked) == number + 1
                    server.plainly(handler, DemoAnswer(spoilt) if is_it else right)

                server.fault = spoil
                try:
                    read()
                except GisError as error:
                    assert SENTINEL not in str(error)
        assert tried > 60
