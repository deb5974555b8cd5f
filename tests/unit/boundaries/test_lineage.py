"""Counts by old district and by new commune tell of the same records."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.boundaries.lineage import Key, counts_by_commune, counts_by_old_district
from gis.boundaries.package_units import package_history
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory

REFORM, LAST = date(2025, 7, 1), date(2025, 6, 30)


def unit(code: str, level: Level, parent: str | None, *, old: bool) -> Unit:
    since, until = (None, REFORM) if old else (REFORM, None)
    return Unit(code, code, code, "Xã", level, since, until, parent)


# District A holds wards 1 and 2, district B ward 3; commune 1 is made of 1 and 3, commune 2 of 2.
HISTORY = UnitHistory(
    (
        unit("A", Level.DISTRICT, None, old=True),
        unit("B", Level.DISTRICT, None, old=True),
        unit("1", Level.COMMUNE, "A", old=True),
        unit("2", Level.COMMUNE, "A", old=True),
        unit("3", Level.COMMUNE, "B", old=True),
        unit("1", Level.COMMUNE, None, old=False),
        unit("2", Level.COMMUNE, None, old=False),
    ),
    (UnitChange("1", "1", REFORM), UnitChange("3", "1", REFORM), UnitChange("2", "2", REFORM)),
)


def told(found) -> dict[str | None, tuple[float, bool]]:
    return {one.unit.code if one.unit else None: (one.count, one.estimated) for one in found}


def test_a_record_with_its_old_ward_counts_exactly_in_its_district():
    counts = {Key("3", "1", True): 4, Key("1", "1", True): 2}
    assert told(counts_by_old_district(HISTORY, counts, LAST)) == {"A": (2, False), "B": (4, False)}
    assert told(counts_by_commune(HISTORY, counts, REFORM)) == {"1": (6, False)}


def test_a_record_with_its_commune_alone_is_shared_and_says_so():
    found = told(counts_by_old_district(HISTORY, {Key(None, "1", False): 4}, LAST))
    assert found == {"A": (2, True), "B": (2, True)}


def test_the_code_of_a_commune_of_today_is_not_taken_for_the_old_ward_of_that_code():
    found = told(counts_by_old_district(HISTORY, {Key("1", "1", False): 4}, LAST))
    assert found == {"A": (2, True), "B": (2, True)}


def test_a_commune_within_one_district_needs_no_estimate():
    assert told(counts_by_old_district(HISTORY, {Key(None, "2", False): 3}, LAST)) == {
        "A": (3, False)
    }


def test_records_without_a_place_are_counted_as_such():
    counts = {Key(None, None, False): 5}
    assert told(counts_by_old_district(HISTORY, counts, LAST)) == {None: (5, False)}
    assert told(counts_by_commune(HISTORY, counts, REFORM)) == {None: (5, False)}


PROVINCE = package_history()
COMMUNES = sorted(one.code for one in PROVINCE.on(REFORM, Level.COMMUNE))
LINEAGE = [(change.old, change.new) for change in PROVINCE.changes]
keys = st.one_of(
    st.sampled_from(LINEAGE).map(lambda pair: Key(pair[0], pair[1], True)),
    st.sampled_from(COMMUNES).map(lambda code: Key(None, code, False)),
    st.sampled_from(COMMUNES).map(lambda code: Key(code, code, False)),
)


@settings(deadline=None, max_examples=60)
@given(counts=st.dictionaries(keys, st.integers(1, 99), max_size=30))
def test_both_ways_have_the_same_total(counts):
    total = sum(counts.values())
    by_commune = counts_by_commune(PROVINCE, counts, REFORM)
    by_district = counts_by_old_district(PROVINCE, counts, LAST)
    assert sum(one.count for one in by_commune) == total
    assert sum(one.count for one in by_district) == pytest.approx(total)
