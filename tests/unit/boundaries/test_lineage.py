"""Counts by old district and by new commune tell of the same records."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.boundaries.lineage import Key, old_shares, wards_of
from gis.boundaries.package_units import package_history
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory

REFORM = date(2025, 7, 1)


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


def by_district(history: UnitHistory, counts: Mapping[Key, int]) -> dict[str | None, tuple]:
    """Counts by old district, and whether some were shared."""
    totals: dict[str | None, float] = defaultdict(float)
    estimated = set()
    for key, count in counts.items():
        shares = old_shares(history, key, Level.DISTRICT)
        estimated |= shares.keys() if len(shares) > 1 else set()
        for district, share in shares.items():
            totals[district] += count * share
    return {district: (count, district in estimated) for district, count in totals.items()}


def test_a_record_with_its_old_ward_counts_exactly_in_its_district():
    counts = {Key("3", "1", True): 4, Key("1", "1", True): 2}
    assert by_district(HISTORY, counts) == {"A": (2, False), "B": (4, False)}


def test_a_record_with_its_commune_alone_is_shared_and_says_so():
    found = by_district(HISTORY, {Key(None, "1", False): 4})
    assert found == {"A": (2, True), "B": (2, True)}


def test_the_code_of_a_commune_of_today_is_not_taken_for_the_old_ward_of_that_code():
    found = by_district(HISTORY, {Key("1", "1", False): 4})
    assert found == {"A": (2, True), "B": (2, True)}


def test_a_commune_within_one_district_needs_no_estimate():
    assert by_district(HISTORY, {Key(None, "2", False): 3}) == {"A": (3, False)}


def test_records_without_a_place_are_counted_as_such():
    counts = {Key(None, None, False): 5}
    assert by_district(HISTORY, counts) == {None: (5, False)}


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
def test_the_total_by_old_district_is_that_of_the_records(counts):
    total = sum(counts.values())
    assert sum(count for count, _ in by_district(PROVINCE, counts).values()) == pytest.approx(total)


def test_wards_are_found_back_through_a_later_decree_whose_units_use_their_codes_again():
    later = date(2026, 5, 1)
    units = (
        *(each for each in HISTORY.units if each.valid_to is not None),
        unit("1", Level.COMMUNE, None, old=False),
    )
    merged = UnitHistory(
        units, (*HISTORY.changes, UnitChange("1", "1", later), UnitChange("2", "1", later))
    )
    assert wards_of(merged, "1") == ["1", "2", "3"]
    assert old_shares(merged, Key("2", "1", False), Level.DISTRICT) == {
        "A": pytest.approx(2 / 3), "B": pytest.approx(1 / 3),
    }  # fmt: skip
