"""Nobody learns from what is shown of hexes how many records a set of fewer than k holds.

The attack is the strongest that adds and subtracts: an indicator vector for every shown number over
all smallest hexes × categories × months, and the question whether any combination of them is the
indicator of a set with 1 to k - 1 records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.hexes import parent_of
from tiles.hexes.public import PartKind, Parts, everything, parts_table, shown_parts
from tiles.hexes.queries import DaySpan, HexQuery
from tiles.hexes.suppression import (
    Counts,
    CountsByResolution,
    gathered,
    may_be_shown,
    shown_tree,
    summed,
)

K = 3
FILTERED = 8
_TOP = h3.latlng_to_cell(22.4, 104.0, 7)
_OTHER = h3.latlng_to_cell(22.1, 104.4, 7)
# Eight hexes of resolution 10 in four of 9, in three of 8, in two of 7.
CELLS = sorted(
    int(cell, 16)
    for eight in (*sorted(h3.cell_to_children(_TOP, 8))[:2], h3.cell_to_center_child(_OTHER, 8))
    for nine in sorted(h3.cell_to_children(eight, 9))[:2]
    for cell in sorted(h3.cell_to_children(nine, 10))[:2]
)[:8]
CATEGORIES = ("a", "b", "c")
MONTHS = (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
BASE = list(product(CELLS, CATEGORIES, MONTHS))

Record = tuple[int, str, date]
records = st.lists(
    st.tuples(st.sampled_from(CELLS), st.sampled_from(CATEGORIES), st.sampled_from(MONTHS)),
    max_size=60,
)


@dataclass(frozen=True)
class Shown:
    tree: CountsByResolution
    parts: dict[PartKind, Parts]


def count(told: list[Record]) -> Counts:
    return summed(np.array([one[0] for one in told], np.int64), np.ones(len(told), np.int64))


def parts_of(told: list[Record], place: int) -> Parts:
    """Records by cell of the filter resolution and category (place 1) or month (place 2)."""
    keys = sorted({(parent_of(one[0], FILTERED), one[place]) for one in told})
    numbers = [
        sum((parent_of(one[0], FILTERED), one[place]) == key for one in told) for key in keys
    ]
    return Parts(
        np.array([key[0] for key in keys], np.int64),
        tuple(key[1] for key in keys),
        np.array(numbers, np.int64),
    )


def show(told: list[Record], k: int = K) -> Shown:
    tree = shown_tree(gathered(count(told), 10), k)
    places = {PartKind.CATEGORIES: 1, PartKind.MONTHS: 2}
    return Shown(
        tree,
        {kind: shown_parts(parts_of(told, n), tree[FILTERED], k) for kind, n in places.items()},
    )


def show_by_threshold(told: list[Record]) -> Shown:
    """What a careless service shows: every number of at least k."""
    all_of = gathered(count(told), 10)
    tree = {r: counts.where(counts.records >= K) for r, counts in all_of.items()}
    return Shown(tree, {kind: parts_of([], 1) for kind in PartKind})


def is_within(base: Record, cell: int, resolution: int) -> bool:
    return parent_of(base[0], resolution) == cell


def indicators(shown: Shown) -> Iterator[list[bool]]:
    """Of each shown number, which smallest parts it counts."""
    for resolution, counts in shown.tree.items():
        for cell in counts.cells.tolist():
            yield [is_within(base, cell, resolution) for base in BASE]
    for place, kind in ((1, PartKind.CATEGORIES), (2, PartKind.MONTHS)):
        parts = shown.parts[kind]
        for cell, label in zip(parts.cells.tolist(), parts.labels, strict=True):
            yield [is_within(base, cell, FILTERED) and base[place] == label for base in BASE]


def targets(told: list[Record]) -> Iterator[list[bool]]:
    """Sets of fewer than k records, at least one: hex of any resolution or place at all, and a
    category or all, and months one after the other."""
    places = {(r, parent_of(cell, r)) for r in range(5, 11) for cell in CELLS} | {(0, 0)}
    windows = [MONTHS[a:b] for a in range(3) for b in range(a + 1, 4)]
    for (r, cell), category, window in product(places, (None, *CATEGORIES), windows):

        def holds(base: Record) -> bool:
            return (
                (r == 0 or is_within(base, cell, r))  # noqa: B023
                and category in (None, base[1])  # noqa: B023
                and base[2] in window  # noqa: B023
            )

        if 0 < sum(map(holds, told)) < K:
            yield [holds(base) for base in BASE]


def found_by_attack(shown: Shown, told: list[Record]) -> int:
    """How many of the targets are a combination of what is shown."""
    wanted = np.array(list(targets(told)), float).reshape(-1, len(BASE)).T
    known = np.array(list(indicators(shown)), float).reshape(-1, len(BASE)).T
    if known.size == 0 or wanted.size == 0:
        return 0
    space, strength, _ = np.linalg.svd(known, full_matrices=False)
    space = space[:, strength > 1e-9]
    rest = wanted - space @ (space.T @ wanted)
    return int((np.abs(rest).max(axis=0) < 1e-9).sum())


@settings(max_examples=150, deadline=None)
@given(told=records)
def test_no_sum_or_difference_of_all_that_is_shown_discloses_fewer_than_k(told: list[Record]):
    assert found_by_attack(show(told), told) == 0


def test_the_attack_finds_what_a_plain_threshold_leaves():
    """Five records in a hex, three and two in its halves: the two are a difference."""
    at = [CELLS[0]] * 3 + [CELLS[1]] * 2
    told: list[Record] = [(cell, "a", MONTHS[0]) for cell in at]
    assert parent_of(CELLS[0], 9) == parent_of(CELLS[1], 9)
    assert found_by_attack(show_by_threshold(told), told) > 0
    assert found_by_attack(show(told), told) == 0


@settings(max_examples=150, deadline=None)
@given(told=records)
def test_children_against_their_parent_leave_none_or_at_least_k(told: list[Record]):
    tree = show(told).tree
    for resolution in range(6, 11):
        parents, children = tree[resolution - 1], tree[resolution]
        of_children = [parent_of(cell, resolution - 1) for cell in children.cells.tolist()]
        for cell, number in zip(parents.cells, parents.records, strict=True):
            rest = number - children.records[np.array(of_children) == cell].sum()
            assert rest == 0 or rest >= K
        assert set(of_children) <= set(parents.cells.tolist())


@settings(max_examples=100, deadline=None)
@given(told=records)
def test_windows_against_windows_and_filters_against_all_leave_none_or_at_least_k(
    told: list[Record],
):
    shown = show(told)
    windows = [MONTHS[a:b] for a in range(3) for b in range(a + 1, 4)]
    asked = {(one,): HexQuery(category=one) for one in CATEGORIES}
    asked |= {window: HexQuery(days=DaySpan(window[0], last_day(window[-1]))) for window in windows}
    answers = {parts: answer(shown, question) for parts, question in asked.items()}
    for cell, number in answer(shown, HexQuery()).items():
        of_cell = {parts: found.get(cell, 0) for parts, found in answers.items()}
        differences = [number, *of_cell.values(), *(number - one for one in of_cell.values())]
        differences += [
            of_cell[more] - of_cell[less]
            for more, less in product(of_cell, of_cell)
            if set(less) < set(more)
        ]
        assert all(one == 0 or one >= K for one in differences)


def answer(shown: Shown, question: HexQuery) -> dict[int, int]:
    if question.is_everything:
        table = everything(shown.tree, FILTERED)
    else:
        parts = shown.parts[PartKind.of(question)]
        table = parts_table(shown.tree, parts, question, FILTERED, FILTERED)
    return dict(zip(table.cells.tolist(), table.records.tolist(), strict=True))


def last_day(month: date) -> date:
    return date(month.year, month.month + 1, 1) - timedelta(days=1)


@settings(max_examples=100, deadline=None)
@given(told=records)
def test_of_two_margins_only_bounds_are_known_and_these_are_far_apart(told: list[Record]):
    """Records of a category and a month: between max(0, a + b - n) and min(a, b)."""
    shown = show(told)
    whole = dict(
        zip(shown.tree[FILTERED].cells.tolist(), shown.tree[FILTERED].records.tolist(), strict=True)
    )
    sides = [
        list(zip(shown.parts[kind].cells.tolist(), shown.parts[kind].records.tolist(), strict=True))
        for kind in PartKind
    ]
    for (cell, a), (other, b) in product(*sides):
        if cell == other:
            low, high = max(0, a + b - whole[cell]), min(a, b)
            assert low == high or high - low >= K
            assert low != high or high >= K


@settings(max_examples=100, deadline=None)
@given(told=records)
def test_with_k_1_everything_is_shown_as_it_is(told: list[Record]):
    tree = show(told, k=1).tree
    for resolution, counts in tree.items():
        cells = [parent_of(one[0], resolution) for one in told]
        assert dict(zip(counts.cells.tolist(), counts.records.tolist(), strict=True)) == {
            cell: cells.count(cell) for cell in set(cells)
        }


@pytest.mark.parametrize(
    ("records_of_parts", "shown"),
    [
        ([7, 9], [True, True]),
        ([2, 9], [False, False]),  # the 2 would be the difference
        ([2, 5, 9], [False, False, True]),
        ([1, 2, 9], [False, False, True]),  # the two hidden ones are 3 together
        ([2], [False]),
        ([3, 3, 2], [False, True, False]),  # of equal ones, the first
    ],
)
def test_the_smallest_part_goes_where_the_hidden_ones_would_be_found(records_of_parts, shown):
    family = np.zeros(len(records_of_parts), np.int64)
    assert may_be_shown(family, np.array(records_of_parts), K).tolist() == shown
