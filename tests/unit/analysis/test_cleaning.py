"""The quality filter: each rule on a few records, and laws."""

import h3
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.analysis.cleaning import CleaningRules, clean
from gis.errors import BadInput

NOON = pd.Timestamp("2026-03-02T12:00+07:00")


def record(key, **changes):
    plain = {
        "category": "road", "lon": 104.0, "lat": 22.3, "happened_at": NOON, "received_at": NOON,
        "source": "hotline", "source_key": key, "default_point": False, "place_precision_m": 10.0,
        "cell": 1,
    }  # fmt: skip
    return plain | changes


def judged(*records):
    return clean(pd.DataFrame(records))


def test_the_same_key_is_one_incident():
    found = judged(record("a"), record("a", lon=104.5, cell=2))
    assert found.records["incident"].tolist() == [True, False]
    assert found.reasons == {"same_key": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lon": 104.001, "cell": 2}, "same_place"),  # 103 m
        ({"lon": 104.002, "cell": 2}, ""),  # 206 m
        ({"lon": 104.001, "cell": 2, "category": "fire"}, ""),
        ({"happened_at": NOON + pd.Timedelta(hours=25), "cell": 2,
          "received_at": NOON + pd.Timedelta(hours=25)}, ""),
        ({"lon": 104.1, "default_point": True}, "default_point"),
        ({"lon": 104.1, "place_precision_m": 2000.0}, "coarse"),
        ({"lon": np.nan, "lat": np.nan}, "coarse"),
        ({"lon": 104.1, "cell": 2, "happened_at": NOON - pd.Timedelta(days=8)}, "late"),
        ({"lon": 104.1, "cell": 2, "happened_at": NOON - pd.Timedelta(hours=6)}, "late"),  # 6:01
        ({"lon": 104.1, "cell": 2, "happened_at": NOON - pd.Timedelta(hours=5)}, ""),
        ({"lon": 104.1, "cell": 2, "happened_at": NOON + pd.Timedelta(hours=9)}, ""),
        ({"lon": 104.1, "cell": 2, "happened_at": NOON.normalize()}, ""),  # today, at no hour
        ({"lon": 104.1, "cell": 2, "happened_at": NOON.normalize() - pd.Timedelta(days=1)}, "late"),
        ({"lon": 104.1, "cell": 2, "happened_at": pd.NaT}, "undated"),
        ({"lon": 104.1, "cell": 2, "received_at": pd.NaT}, "undated"),
        ({"lon": 104.1, "cell": 2, "default_point": None}, ""),
        ({"lon": 104.001, "cell": 2, "happened_at": NOON + pd.Timedelta(hours=24)}, "same_place"),
        ({"lon": 104.001, "cell": 2,
          "happened_at": NOON + pd.Timedelta(hours=24, milliseconds=1)}, ""),
        ({"lon": 104.002}, "same_hex_day"),
    ],
)  # fmt: skip
def test_a_second_record_has_its_reason(changes, reason):
    later = {"received_at": NOON + pd.Timedelta(minutes=1)}
    found = judged(record("a"), record("b", **(later | changes)))
    assert found.records["reason"].tolist() == ["", reason]


def test_a_chain_of_reports_is_not_one_incident():
    chain = [record(str(i), lon=104.0 + i * 0.001, cell=i) for i in range(4)]
    for i, one in enumerate(chain):
        one["received_at"] = NOON + pd.Timedelta(minutes=i)
    assert judged(*chain).records["incident"].tolist() == [True, False, True, False]


def test_a_filter_without_tolerance_leaves_what_is_not_the_very_same():
    strict = CleaningRules(duplicate_m=0.0, duplicate_hours=0.0)
    records = [record("a"), record("b"), record("c", lon=104.00001, cell=2)]
    assert clean(pd.DataFrame(records), strict).reasons == {"same_place": 1}


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_who_repeats_whom_is_what_comparing_each_with_each_gives(seed):
    random = np.random.default_rng(seed)
    records = [
        record(str(i), cell=i, category="ab"[random.integers(2)],
               lon=104 + random.uniform(0, 0.006), lat=22.3 + random.uniform(0, 0.006),
               happened_at=NOON + pd.Timedelta(hours=random.uniform(-90, 0)))
        for i in range(25)
    ]  # fmt: skip
    kept = []
    for one in sorted(records, key=lambda r: r["source_key"]):
        repeats = any(
            h3.great_circle_distance((one["lat"], one["lon"]), (k["lat"], k["lon"]), "m") <= 150
            and abs(one["happened_at"] - k["happened_at"]) <= pd.Timedelta(hours=24)
            and one["category"] == k["category"]
            for k in kept
        )
        kept += [] if repeats else [one]
    found = judged(*records).records
    assert set(found["source_key"][found["incident"]]) == {k["source_key"] for k in kept}


def test_a_flood_of_repeats_is_one_incident():
    flood = pd.DataFrame([record("a")]).loc[[0] * 30_000].reset_index(drop=True)
    keyed = flood.assign(source_key=[str(i) for i in flood.index])
    assert clean(keyed).reasons == {"same_place": 29_999}


@pytest.mark.parametrize("key", [None, np.nan, ""])
def test_records_without_a_key_are_not_repeats_of_each_other(key):
    apart = [record(key, lon=104.0 + i, cell=i) for i in range(3)]
    assert judged(*apart).reasons == {}
    assert judged(*apart, record(key, lon=104.0, cell=0)).reasons == {"same_place": 1}


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 99))
def test_the_order_of_records_without_keys_changes_nothing(seed):
    random = np.random.default_rng(seed)
    records = [record("", lon=104.0 + random.uniform(0, 0.005), cell=i) for i in range(9)]
    usual, mixed = judged(*records).records, judged(*random.permutation(records)).records
    kept = set(usual["cell"][usual["incident"]])
    assert set(mixed["cell"][mixed["incident"]]) == kept


def test_what_was_judged_before_is_judged_anew():
    once = judged(record("a"), record("a"))
    assert clean(once.records).records.equals(once.records)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lat": 95.0}, "lat goes beyond ±90"),
        ({"lon": np.inf}, "lon goes beyond ±180"),
        ({"lat": "22.3"}, "lat holds .* and no numbers: give degrees"),
    ],
)
def test_degrees_that_are_none_are_refused(changes, words):
    with pytest.raises(BadInput, match=words):
        judged(record("a", **changes))


def test_a_date_without_an_hour_counts_from_its_end_here_and_not_in_greenwich():
    yesterday = NOON.normalize() - pd.Timedelta(days=1)
    for received, reason in (("05:59", ""), ("06:00", ""), ("06:01", "late")):
        at = pd.Timestamp(f"2026-03-02T{received}+07:00")
        for zone in ("UTC", "Asia/Ho_Chi_Minh"):
            told = {"happened_at": yesterday.tz_convert(zone), "received_at": at.tz_convert(zone)}
            assert judged(record("a", **told)).records["reason"].tolist() == [reason]


def test_a_layer_says_what_is_late():
    weekly = CleaningRules(late_hours=24 * 8)
    old = pd.DataFrame([record("a", happened_at=NOON - pd.Timedelta(days=7))])
    assert clean(old).reasons == {"late": 1}
    assert clean(old, weekly).reasons == {}


def sent(n, source="hotline", days_ago=0, **changes):
    """Records of one day, each in a hex of its own."""
    at = NOON - pd.Timedelta(days=days_ago)
    return [
        record(f"{source} {days_ago} {i}", source=source, lon=104 + i * 0.003,
               lat=22 + days_ago * 0.003, cell=1000 * days_ago + i, happened_at=at,
               received_at=at) | changes
        for i in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["hotline", "new"])
@pytest.mark.parametrize("usual", [0, 1, 42])
def test_however_many_come_in_a_day_from_one_source_all_count(source, usual):
    before = [one for day in range(1, 29) for one in sent(usual, days_ago=day)]
    found = judged(*before, *sent(300, source)).records
    assert found["in_alarm"].all()
    assert found["in_commune"].all()
    assert not found["held_back"].any()


def test_a_backlog_with_its_true_dates_is_held_back_record_by_record_and_the_fresh_count():
    """Ten of tonight among sixty of last week, by one sender at one time."""
    old = sent(60, received_at=NOON, happened_at=NOON - pd.Timedelta(days=7))
    fresh = sent(10, "hotline too", lat=22.5)
    for one in fresh:
        one |= {"source": "hotline", "cell": one["cell"] + 500}
    found = judged(*old, *fresh)
    assert found.reasons == {"late": 60}
    assert found.records["held_back"].tolist() == [True] * 60 + [False] * 10
    assert found.records["in_alarm"].tolist() == [False] * 60 + [True] * 10


def test_an_office_that_sends_each_monday_what_happened_that_day_is_never_late():
    mondays = [one for week in range(20) for one in sent(12, days_ago=7 * week)]
    assert judged(*mondays).reasons == {}


def test_what_is_late_hides_no_report_of_the_same_incident_that_is_in_time():
    early = NOON - pd.Timedelta(hours=10)
    late = record("a", happened_at=early, received_at=NOON)
    again = record("b", happened_at=NOON, received_at=NOON + pd.Timedelta(minutes=5))
    found = judged(late, again).records
    assert found["reason"].tolist() == ["late", ""]
    assert found["in_alarm"].tolist() == [False, True]
    assert found["incident"].tolist() == [True, False]  # one incident on maps


def test_the_coarse_that_are_late_count_nowhere_and_are_held_back():
    coarse = record("a", place_precision_m=5000.0, happened_at=NOON - pd.Timedelta(days=8))
    found = judged(coarse).records
    assert found["reason"].tolist() == ["coarse"]
    assert found["held_back"].tolist() == [True]
    assert not found["in_commune"].any()


def test_what_does_not_say_when_it_happened_is_counted_and_keeps_no_other_out():
    undated = [record(f"u{i}", happened_at=pd.NaT, lon=105 + i * 0.01, cell=i) for i in range(30)]
    found = judged(*sent(33), *undated)
    assert found.reasons == {"undated": 30}
    assert found.records["incident"].sum() == found.records["in_commune"].sum() == 33


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 9999))
def test_no_alarm_rests_on_what_is_received_later(seed):
    """So that a look at the past, which has all records at hand, sees what the service saw."""
    random = np.random.default_rng(seed)
    records = pd.DataFrame([
        record(
            str(i), cell=int(random.integers(4)), lon=104 + random.uniform(0, 0.01),
            category="ab"[random.integers(2)], source="xy"[random.integers(2)],
            received_at=NOON + pd.Timedelta(hours=random.uniform(0, 60)),
            place_precision_m=random.choice([10.0, 5000.0], p=[0.8, 0.2]),
        )
        for i in range(60)
    ])  # fmt: skip
    delays = pd.to_timedelta(random.choice([0.1, 5.0, 7.0, 30.0], 60), unit="h")
    records["happened_at"] = records["received_at"] - delays
    told = ["in_alarm", "in_commune", "held_back"]
    whole = clean(records).records
    for hours in (12, 24, 48):
        until = NOON + pd.Timedelta(hours=hours)
        known = clean(records[records["received_at"] <= until]).records
        assert known[told].equals(whole.loc[known.index, told])


def test_the_order_of_records_changes_nothing_and_none_is_lost():
    frame = pd.DataFrame([*sent(37), record("x"), record("x"), record("y", lon=104.001)])
    usual = clean(frame)
    other = clean(frame.sample(frac=1, random_state=3))
    assert len(usual.records) == len(frame)
    assert other.reasons == usual.reasons
    assert (usual.records["reason"] != "").sum() == sum(usual.reasons.values())


def test_times_without_zone_and_missing_columns_are_refused():
    with pytest.raises(BadInput, match="time zone"):
        judged(record("a", happened_at=pd.Timestamp("2026-03-02")))
    with pytest.raises(BadInput, match="lack cell"):
        clean(pd.DataFrame([record("a")]).drop(columns="cell"))


@settings(max_examples=100)
@given(st.data())
def test_one_reporter_is_one_voice_in_a_category_for_days_wherever_the_reports_are(data):
    """A prankster: whatever one phone sends, one record of it may alarm."""
    n = data.draw(st.integers(2, 12))
    away = data.draw(st.lists(st.floats(-0.05, 0.05), min_size=2 * n, max_size=2 * n))
    hours = data.draw(st.lists(st.floats(0, 13 * 24), min_size=n, max_size=n))
    coarse = data.draw(st.lists(st.sampled_from([10.0, 5000.0]), min_size=n, max_size=n))
    rows = []
    for k in range(n):
        at = pd.Timestamp("2026-03-02 08:00", tz="Asia/Ho_Chi_Minh") + pd.Timedelta(hours=hours[k])
        rows.append(
            record(f"p{k}", lon=104 + away[2 * k], lat=22 + away[2 * k + 1], cell=1000 + k,
                   happened_at=at, received_at=at, place_precision_m=coarse[k]) | {"voice": 1}
        )  # fmt: skip
    one = clean(pd.DataFrame(rows)).records
    assert one["in_alarm"].sum() <= one["in_commune"].sum() == 1
    assert one["held_back"].sum() == 0
    many = clean(pd.DataFrame([row | {"voice": k + 1} for k, row in enumerate(rows)])).records
    unnamed = clean(pd.DataFrame([row | {"voice": 0} for row in rows])).records
    unasked = clean(pd.DataFrame(rows).drop(columns="voice")).records
    for judged_alike in (many, unnamed):
        assert judged_alike["reason"].equals(unasked["reason"])
        assert judged_alike["in_commune"].equals(unasked["in_commune"])
