"""What runs read: sums by hex and step, on a few hexes and days that a person can check."""

from datetime import UTC, datetime, timedelta

import h3
import numpy as np
import pandas as pd
import pytest

from layers.definition.model import EmergingOptions, HotspotOptions
from layers.detect.methods.emerging import LEAST_STEPS, emerging_hexes, emerging_input
from layers.detect.methods.gi_star import hot_hexes, map_input
from layers.detect.observations import Observations, day_number, midnight, parents_of
from layers.detect.snapshot import digest_of, pack, unpack

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
CENTRE = h3.latlng_to_cell(22.0, 104.0, 8)
DOMAIN = np.array(sorted(h3.str_to_int(cell) for cell in h3.grid_disk(CENTRE, 12)), np.uint64)


def records(rows: list[tuple[str, float]], **columns: object) -> Observations:
    """Records (hex, days ago), each an incident whose place is known."""
    frame = pd.DataFrame(
        {
            "h3": [h3.str_to_int(h3.cell_to_center_child(cell, 11)) for cell, _ in rows],
            "happened_at": pd.to_datetime([NOW - timedelta(days=ago) for _, ago in rows], utc=True),
            "amount": 1,
            "incident": True,
            "reason": "",
        }
    )
    return Observations(frame.assign(**columns), {}, simulated=frozenset())


def counts(frame: pd.DataFrame) -> dict[int, int]:
    return dict(zip(frame["cell"].tolist(), frame["count"].tolist(), strict=True))


def test_the_ancestor_of_a_cell_is_that_of_h3():
    cells = [h3.latlng_to_cell(21 + n / 10, 103 + n / 7, 11) for n in range(20)]
    frame = pd.DataFrame({"h3": [h3.str_to_int(cell) for cell in cells]})
    for resolution in (5, 8, 10):
        told = [h3.int_to_str(int(cell)) for cell in parents_of(frame, resolution)]
        assert told == [h3.cell_to_parent(cell, resolution) for cell in cells]


def test_a_map_counts_the_window_and_holds_the_zeros_of_the_domain():
    read = records([(CENTRE, 1), (CENTRE, 29.9), (CENTRE, 30.1)])
    frame = map_input(read, DOMAIN, HotspotOptions(), NOW)
    assert len(frame) == len(DOMAIN)
    assert counts(frame)[h3.str_to_int(CENTRE)] == 2
    assert frame["count"].sum() == 2


def test_a_measure_is_added_up():
    read = records([(CENTRE, 1), (CENTRE, 2)], amount=[3, 4])
    frame = map_input(read, DOMAIN, HotspotOptions(measure="injured"), NOW)
    assert counts(frame)[h3.str_to_int(CENTRE)] == 7


@pytest.mark.parametrize("reason", ["default_point", "coarse"])
def test_records_without_a_sharp_place_and_repeats_are_in_no_map(reason):
    flawed = records([(CENTRE, 1)], reason=reason)
    repeated = records([(CENTRE, 1)], incident=False, reason="same_place")
    for read in (flawed, repeated):
        assert map_input(read, DOMAIN, HotspotOptions(), NOW)["count"].sum() == 0


def test_where_many_are_exposed_many_are_expected():
    """Twelve events in one hex are hot; not where nearly all that it happens to is."""
    read = records([(CENTRE, 1 + n / 100) for n in range(12)])
    options = HotspotOptions(exposure="households")
    centre = h3.str_to_int(CENTRE)
    even = pd.DataFrame({"cell": DOMAIN.astype(np.int64), "count": 1})
    town = even.assign(count=np.where(even["cell"] == centre, 100_000, 1))
    hot_where_even = hot_hexes(map_input(read, DOMAIN, options, NOW, even), options)
    assert centre in {row["cell"] for row in hot_where_even}
    assert hot_hexes(map_input(read, DOMAIN, options, NOW, town), options) == []


def test_where_nobody_lives_near_there_is_no_rate():
    """Twelve events are no hot spot where people live two hexes away, but where some live near."""
    read = records([(CENTRE, 1 + n / 100) for n in range(12)])
    options = HotspotOptions(exposure="population")
    centre = h3.str_to_int(CENTRE)
    away = h3.str_to_int(sorted(h3.grid_ring(CENTRE, 2))[0])
    far = pd.DataFrame({"cell": [away], "count": [10.5]})
    near = pd.DataFrame({"cell": [away, centre], "count": [10.5, 0.5]})
    assert hot_hexes(map_input(read, DOMAIN, options, NOW, far), options) == []
    hot = {row["cell"] for row in hot_hexes(map_input(read, DOMAIN, options, NOW, near), options)}
    assert centre in hot


def test_steps_begin_with_the_first_record_and_hold_whole_days():
    today = day_number(NOW)
    read = records([(CENTRE, 0.1), (CENTRE, 1), (CENTRE, 7), (CENTRE, 8), (CENTRE, 30)])
    frame = emerging_input(read, DOMAIN, EmergingOptions(), today)
    told = {
        (row.cell, row.step): row.n for row in frame.rename(columns={"count": "n"}).itertuples()
    }
    centre = h3.str_to_int(CENTRE)
    # The newest step holds the seven days before today; of the fifth week only two days are known.
    assert (told[centre, 0], told[centre, 1]) == (2, 1)
    assert frame["step"].max() == 3
    assert frame["count"].sum() == 3
    assert set(frame["cell"]) == {int(cell) for cell in DOMAIN}


def test_a_hex_that_grows_hot_at_the_end_has_a_class_and_too_short_a_history_has_none():
    quiet = [(h3.int_to_str(int(cell)), 90.0 - n % 84) for n, cell in enumerate(DOMAIN[::3])]
    last = [(cell, 1.0 + n / 10) for n, cell in enumerate(h3.grid_disk(CENTRE, 1) * 3)]
    options = EmergingOptions()
    frame = emerging_input(records([*quiet, *last]), DOMAIN, options, day_number(NOW))
    found = {row["cell"]: row for row in emerging_hexes(frame, options)}
    assert found[h3.str_to_int(CENTRE)]["category"] == "hot_new"
    assert found[h3.str_to_int(CENTRE)]["steps"] == 12
    short = emerging_input(records(last), DOMAIN, options, day_number(NOW))
    assert short["step"].max() < LEAST_STEPS
    assert emerging_hexes(short, options) == []
    empty = emerging_input(records([]), DOMAIN, options, day_number(NOW))
    assert emerging_hexes(empty, options) == []


def test_a_day_begins_at_midnight_in_vietnam():
    assert day_number(datetime(2026, 3, 31, 16, 59, tzinfo=UTC)) == day_number(NOW)
    assert day_number(datetime(2026, 3, 31, 17, tzinfo=UTC)) == day_number(NOW) + 1
    assert midnight(day_number(NOW)) == datetime(2026, 3, 30, 17, tzinfo=UTC)


def test_what_is_packed_is_read_again_and_has_one_digest():
    frame = pd.DataFrame(
        {"id": np.array([1, 2**60], np.int64), "stream": ["á", ""], "in": [True, False]}
    )
    assert unpack(pack(frame)).equals(frame)
    assert digest_of(pack(frame)) == digest_of(pack(frame.copy()))
    assert digest_of(pack(frame)) != digest_of(pack(frame.assign(id=3)))
