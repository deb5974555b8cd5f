"""The cleaning gate: each rule on a few records, and laws."""

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


def test_a_gate_without_tolerance_keeps_what_is_not_the_very_same():
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


def month(burst):
    days = [NOON + pd.Timedelta(days=d) for d in range(28)] + [NOON + pd.Timedelta(days=28)] * burst
    return [
        record(str(i), happened_at=at, received_at=at, lon=104 + i * 0.01, cell=i)
        for i, at in enumerate(days)
    ]


def test_a_backlog_of_thirty_is_held_back_and_an_ordinary_day_is_not():
    assert judged(*month(30)).reasons == {"burst": 30}
    assert judged(*month(5)).reasons == {}


def test_a_backlog_under_a_new_name_is_held_back_by_what_all_sources_send():
    def sent(name: str, of: list[dict]) -> list[dict]:
        return [one | {"source": name} for one in of]

    usual, backlog = month(30)[:28], month(30)[28:]
    assert judged(*sent("hotline", usual), *sent("march.csv", backlog)).reasons == {"burst": 30}
    assert judged(*sent("hotline", usual), *sent("march.csv", backlog[:5])).reasons == {}
    assert judged(*sent("hotline", usual[-5:]), *sent("march.csv", backlog)).reasons == {}


def test_what_only_a_burst_keeps_from_alarms_is_marked_the_coarse_too_and_the_late_not():
    *usual, coarse, late = month(8)
    coarse |= {"place_precision_m": 5000.0}
    late |= {"happened_at": NOON - pd.Timedelta(days=8)}
    found = judged(*usual, coarse, late)
    assert found.reasons == {"burst": 6, "coarse": 1, "late": 1}
    held = found.records["held_back"]
    assert held.sum() == 7
    assert held.tolist()[-2:] == [True, False]
    assert not found.records["in_commune"][held].any()


def test_what_does_not_say_when_it_happened_is_counted_and_makes_no_burst_of_the_others():
    undated = [record(f"u{i}", happened_at=pd.NaT, lon=105 + i * 0.01, cell=i) for i in range(30)]
    for one in undated:
        one["received_at"] = NOON + pd.Timedelta(days=28)
    found = judged(*month(5), *undated)
    assert found.reasons == {"undated": 30}
    assert found.records["incident"].sum() == found.records["in_commune"].sum() == 28 + 5


def test_the_order_of_records_changes_nothing_and_none_is_lost():
    frame = pd.DataFrame([*month(9), record("x"), record("x"), record("y", lon=104.001)])
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
