"""Which tiles a change drops; five boxes that can be checked by hand."""

from typing import Any

import pytest

from gis.values import BBox
from tiles.invalidation import MOST_VERSIONS, TouchedTiles

TILE = BBox(104, 22, 105, 23)
NAMES = ("version", "west", "south", "east", "north")


class Log:
    """Stands for a connection: the rows of gis.changed_area."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self.rows = [type("Row", (), dict(zip(NAMES, row, strict=True))) for row in rows]

    def execute(self, _: Any, asked: dict[str, Any]) -> list[Any]:
        return [row for row in self.rows if asked["since"] < row.version <= asked["until"]]


def untouched(since: int, until: int, *rows: tuple[Any, ...]) -> bool:
    changes = TouchedTiles()
    changes.learn(Log(*rows), "wells", since, until)
    return changes.untouched("wells", since, until, TILE)


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((100, 22, 101, 23), True),
        ((104.5, 20, 104.6, 21.9), True),
        ((104.5, 22.5, 104.5, 22.5), False),
        ((105, 23, 106, 24), False),
        ((100, 20, 110, 30), False),
        ((None, None, None, None), True),
    ],
)
def test_a_change_drops_the_tiles_that_it_meets(box, kept):
    assert untouched(1, 2, (2, *box)) is kept


def test_every_version_since_must_have_reported_its_boxes():
    far = (100, 20, 101, 21)
    assert untouched(1, 3, (2, *far), (3, *far))
    assert not untouched(1, 3, (3, *far))
    assert not untouched(1, 3, (2, *far))
    assert not untouched(1, 3, (2, *far), (2, 104, 22, 104, 22), (3, *far))


def test_what_was_not_learned_counts_as_touched():
    changes = TouchedTiles()
    assert not changes.untouched("wells", 1, 2, TILE)
    assert changes.untouched("wells", 2, 2, TILE)
    assert not changes.untouched("wells", 3, 2, TILE)
    assert not changes.knows("wells", 1, 2)
    changes.learn(Log((2, 100, 20, 101, 21)), "wells", 1, 2)
    assert changes.knows("wells", 1, 2)
    assert not changes.untouched("rivers", 1, 2, TILE)


def test_versions_too_far_apart_count_as_touched():
    assert not untouched(0, MOST_VERSIONS + 1)
