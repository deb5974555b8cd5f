"""Measurements of a load: stored once, corrected in place, late ones right, none lost."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gis.access import LOCAL_ADMIN
from gis.errors import AmbiguousInput, BadInput, Conflict
from gis.intake.chunks import TableChunks
from gis.intake.tables import RawTable
from layers.ingest import edit, loads
from layers.ingest.feature import Feature
from layers.ingest.load import LoadOptions, load_chunks
from layers.ingest.mode import LoadMode
from layers.ingest.quarantine import list_waiting
from layers.ingest.retry import replay
from layers.ingest.trace import trace
from layers.items import source_of
from layers.series.partitions import drop_months
from tests.intake_layers import publish
from tests.series_layers import (
    BD,
    COLUMNS,
    LEVEL,
    gauges,
    load_measurements,
    measured,
    rows,
    stored,
    version,
)

DAY = "2026-03-01"
LATEST = (
    "SELECT source_key, level, level_quality, level_alarm, level_trend,"
    " to_char(valid_at AT TIME ZONE interval '7 hours', 'MM-DD HH24:MI') FROM layer.mz ORDER BY 1"
)


@pytest.fixture
def load(series_province, tmp_path):
    def put(*records, layer=None, **options):
        return load_measurements(series_province, layer or gauges(), tmp_path, *records, **options)

    put.database = series_province
    return put


def waiting(database):
    with database.reading() as connection:
        return list_waiting(connection, layers=["mz"])


def test_each_record_is_a_measurement_and_each_station_a_row_with_the_newest(load):
    report = load(
        measured("A", f"{DAY} 07:00", 1.0),
        measured("A", f"{DAY} 08:00", 2.5),
        measured("B", f"{DAY} 08:00", 1.5),
    )
    assert (report.read, report.added, report.updated, report.quarantined) == (3, 3, 0, 0)
    assert rows(load.database, LATEST) == [
        ("A", 2.5, "good", 1, "rising", "03-01 08:00"),
        ("B", 1.5, "good", 0, None, "03-01 08:00"),
    ]
    assert stored(load.database) == [
        ("A", "03-01 07:00", 1.0), ("A", "03-01 08:00", 2.5), ("B", "03-01 08:00", 1.5)
    ]  # fmt: skip
    assert rows(load.database, "SELECT commune FROM layer.mz ORDER BY 1") == [
        ("00001",),
        ("00004",),
    ]


def test_the_same_file_again_changes_nothing(load):
    records = [measured("A", f"{DAY} {hour:02}:00", hour / 10) for hour in range(20)]
    load(*records)
    before = version(load.database)
    report = load(*records)
    assert (report.added, report.updated, report.unchanged, report.load_id) == (0, 0, 20, None)
    assert version(load.database) == before


def test_a_correction_takes_the_place_of_the_value_whose_history_is_kept(load):
    load(measured("A", f"{DAY} 07:00", 1.0), measured("A", f"{DAY} 08:00", 9.0))
    report = load(measured("A", f"{DAY} 08:00", 1.1))
    assert (report.added, report.updated) == (0, 1)
    assert stored(load.database)[-1] == ("A", "03-01 08:00", 1.1)
    history = "SELECT value, quality, load_id, who FROM gis.measurement_history"
    assert rows(load.database, history) == [(9.0, "good", report.load_id, "tests")]
    assert rows(load.database, LATEST) == [("A", 1.1, "good", 0, "rising", "03-01 08:00")]


def test_a_late_measurement_changes_the_past_and_not_what_is_newest(load):
    load(measured("A", f"{DAY} 09:00", 1.0, name="Mới"))
    before = version(load.database)
    load(measured("A", f"{DAY} 08:00", 3.3, name="Cũ"))
    assert stored(load.database) == [("A", "03-01 08:00", 3.3), ("A", "03-01 09:00", 1.0)]
    assert rows(load.database, "SELECT level, name, level_trend FROM layer.mz") == [
        (1.0, "Mới", "falling")
    ]
    assert version(load.database) > before


def test_measurements_leave_the_history_of_rows_as_it_is(load):
    for hour in range(5):
        load(measured("A", f"{DAY} {hour:02}:00", hour))
    assert rows(load.database, "SELECT count(*) FROM gis.row_history") == [(0,)]
    load(measured("A", f"{DAY} 06:00", 1, name="Tên mới"))
    assert rows(load.database, "SELECT act, before ->> 'name' FROM gis.row_history") == [
        ("update", "Trạm A")
    ]


def test_an_implausible_value_is_kept_and_flagged_and_nothing_follows_from_it(load):
    load(measured("A", f"{DAY} 07:00", 1.0), measured("A", f"{DAY} 08:00", 999))
    assert stored(load.database, ("value", "quality")) == [
        ("A", "03-01 07:00", 1.0, "good"), ("A", "03-01 08:00", 999.0, "implausible")
    ]  # fmt: skip
    assert rows(load.database, LATEST) == [("A", None, "implausible", None, None, "03-01 08:00")]


def test_the_source_flags_what_it_doubts(load):
    load(
        measured("A", f"{DAY} 07:00", 1, "ok"),
        measured("A", f"{DAY} 08:00", 1, "?"),
        measured("A", f"{DAY} 09:00", 1, ""),
    )
    flags = [quality for _, _, quality in stored(load.database, ("quality",))]
    assert flags == ["good", "suspect", "good"]


def test_a_level_ends_only_below_its_threshold_by_the_hysteresis(load):
    levels = []
    for hour, level in enumerate((1.9, 2.0, 1.85, 1.79, 1.9, 3.1, 2.85, 2.7, 1.81, 1.7)):
        load(measured("A", f"{DAY} {hour:02}:00", level))
        levels.append(rows(load.database, "SELECT level_alarm FROM layer.mz")[0][0])
    assert levels == [0, 1, 1, 0, 0, 2, 2, 1, 1, 0]


def test_measurements_out_of_order_give_the_level_that_they_would_have_given_in_order(load):
    values = [(0, 1.9), (1, 3.05), (2, 2.9), (3, 1.9)]
    load(*(measured("A", f"{DAY} {hour:02}:00", level) for hour, level in values))
    in_order = rows(load.database, LATEST)
    for hour, level in reversed(values):
        load(measured("B", f"{DAY} {hour:02}:00", level))
    assert rows(load.database, LATEST)[1][1:] == in_order[0][1:]


def test_a_measurement_without_a_known_station_waits_and_is_placed_once_it_is_known(load):
    report = load(
        ("A", "", "", f"{DAY} 07:00", 1.0, "", ""), ("A", "", "", f"{DAY} 08:00", 2, "", "")
    )
    assert (report.quarantined, report.reasons) == (2, {"unknown_station": 2})
    assert len(waiting(load.database)) == 2
    load(measured("A", "", ""))
    assert rows(load.database, LATEST) == [("A", None, None, None, None, None)]
    with load.database.writing() as connection:
        (retried,) = replay(connection, gauges(), actor="tests")
    assert (retried.report.added, retried.still_waiting) == (2, 0)
    assert [value for *_, value in stored(load.database)] == [1.0, 2.0]
    assert waiting(load.database) == []
    assert rows(load.database, "SELECT commune, name FROM layer.mz") == [("00001", "Trạm A")]


def test_where_measurements_add_no_stations_only_a_station_alone_does(load):
    layer = gauges(series={"new_stations": False})
    assert load(measured("A", f"{DAY} 07:00", 1.0), layer=layer).reasons == {"unknown_station": 1}
    load(measured("A", "", ""), layer=layer)
    assert load(measured("A", f"{DAY} 07:00", 1.0), layer=layer).added == 1


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        ("", 1.0, "missing"),
        ("the day after tomorrow", 1.0, "bad_date"),
        (f"{DAY} 07:00", "x", "bad_number"),
    ],
)
def test_a_measurement_that_cannot_be_true_waits(load, at, value, reason):
    at = at.replace("the day after tomorrow", f"{date.today() + timedelta(days=2)} 00:00")
    report = load(measured("A", at, value))
    assert report.reasons == {reason: 1}
    assert rows(load.database, "SELECT count(*) FROM layer.mz") == [(0,)]


def test_a_part_holds_a_month_of_the_country_and_is_made_with_its_first_measurement(load):
    load(
        measured("A", "2026-02-28 23:59", 1),
        measured("A", "2026-03-01 00:00", 2),
        measured("A", "2025-12-31 12:00", 3),
    )
    parts = "SELECT tableoid::regclass::text, value FROM layer.mz_measurements ORDER BY measured_at"
    assert rows(load.database, parts) == [
        ("layer.mz_measurements_2025_12", 3),
        ("layer.mz_measurements_2026_02", 1),
        ("layer.mz_measurements_2026_03", 2),
    ]


def test_a_station_with_measurements_is_not_deleted(load):
    load(measured("A", f"{DAY} 07:00", 1.0))
    with pytest.raises(IntegrityError, match="has measurements"), load.database.writing() as one:
        one.execute(text("DELETE FROM layer.mz"))


def test_one_column_may_name_the_quantity(load):
    fields = {"level": {"type": "number", "column": "H"}, "flow": {"type": "number", "column": "Q"}}
    layer = gauges(
        fields=fields,
        source={"measured": {"quantity": "name", "value": "flag"}},
        series={"quantities": {"level": {"every": "1h"}, "flow": {"every": "1h"}}},
    )
    report = load(
        measured("A", f"{DAY} 07:00", "", "1.5", "H"),
        measured("A", f"{DAY} 08:00", "", "60", "Q"),
        measured("A", f"{DAY} 08:00", "", "1.6", "H"),
        measured("A", f"{DAY} 08:00", "", "5", "T"),
        layer=layer,
    )
    assert (report.added, report.reasons) == (3, {"unknown_value": 1})
    assert stored(load.database, ("quantity", "value")) == [
        ("A", "03-01 07:00", "level", 1.5),
        ("A", "03-01 08:00", "flow", 60),
        ("A", "03-01 08:00", "level", 1.6),
    ]
    assert rows(load.database, "SELECT level, flow FROM layer.mz") == [(1.6, 60)]


def revert(database, load_id, layer=None):
    with database.writing() as connection:
        return loads.revert(connection, layer or gauges(), load_id, LOCAL_ADMIN)


def test_a_load_is_taken_back_with_its_measurements_and_corrections(load):
    load(measured("A", f"{DAY} 07:00", 1.0), measured("A", f"{DAY} 08:00", 1.2))
    before = rows(load.database, LATEST)
    second = load(
        measured("A", f"{DAY} 08:00", 3.2, name="Sai"),
        measured("A", f"{DAY} 09:00", 3.3, name="Sai"),
        measured("B", f"{DAY} 09:00", 3.4),
    )
    done = revert(load.database, second.load_id)
    assert (done.deleted, done.restored, done.kept) == (2, 1, 0)
    assert stored(load.database) == [("A", "03-01 07:00", 1.0), ("A", "03-01 08:00", 1.2)]
    assert rows(load.database, LATEST) == before
    assert rows(load.database, "SELECT name FROM layer.mz") == [("Trạm A",)]


def test_what_a_later_load_corrected_stays_when_the_earlier_one_is_taken_back(load):
    first = load(measured("A", f"{DAY} 07:00", 1.0), measured("A", f"{DAY} 08:00", 1.0))
    second = load(measured("A", f"{DAY} 08:00", 2.0))
    assert revert(load.database, first.load_id).deleted == 1
    assert stored(load.database) == [("A", "03-01 08:00", 2.0)]
    assert revert(load.database, second.load_id).restored == 1
    assert stored(load.database) == [("A", "03-01 08:00", 1.0)]


def test_the_life_of_a_station_tells_loads_and_corrections(load):
    first = load(measured("A", f"{DAY} 07:00", 1.0))
    second = load(measured("A", f"{DAY} 07:00", 2.0))
    with load.database.reading() as connection:
        (life,) = trace(connection, gauges(), "A")
    told = [(step.what, step.load) for step in life.steps]
    assert told == [
        ("loaded", first.load_id),
        ("measured", second.load_id),
        ("corrected", second.load_id),
    ]
    assert (life.steps[-1].before["value"], life.steps[-1].after["value"]) == (1.0, 2.0)


def test_old_months_go_only_where_the_layer_file_says_so(load):
    load(measured("A", "2025-01-31 23:00", 1), measured("A", "2026-02-01 00:00", 2))
    today = date(2026, 3, 15)
    with load.database.writing() as connection:
        assert drop_months(connection, gauges(), today) == []
        kept = gauges(series={"keep_months": 1})
        assert drop_months(connection, kept, today) == [date(2025, 1, 1)]
        assert drop_months(connection, kept, today) == []
    assert stored(load.database) == [("A", "02-01 00:00", 2.0)]


def test_modes_that_remove_what_does_not_come_again_are_refused(load):
    with pytest.raises(BadInput, match="upsert or append"):
        load(measured("A", f"{DAY} 07:00", 1.0), mode=LoadMode.REPLACE)


def test_append_adds_and_corrects_nothing(load):
    load(measured("A", f"{DAY} 07:00", 1.0))
    records = measured("A", f"{DAY} 07:00", 9.0), measured("A", f"{DAY} 08:00", 1.1)
    report = load(*records, mode=LoadMode.APPEND)
    assert (report.added, report.updated, report.unchanged) == (1, 0, 1)
    assert [value for *_, value in stored(load.database)] == [1.0, 1.1]


def test_a_file_that_corrects_much_is_asked_about(load):
    load(*(measured("A", f"{DAY} {hour:02}:00", 1) for hour in range(24)))
    with pytest.raises(AmbiguousInput, match="24 of the 24"):
        load(*(measured("A", f"{DAY} {hour:02}:00", 2) for hour in range(24)), confirmed=False)


def test_two_values_of_one_moment_in_different_words_are_one_measurement(load):
    load(measured("A", f"{DAY}T07:00:00+07:00", 1), measured("A", f"{DAY}T00:00:00Z", 2))
    assert [value for *_, value in stored(load.database)] == [2]


def test_a_dry_run_stores_nothing(load):
    report = load(measured("A", f"{DAY} 07:00", 1), dry_run=True)
    assert (report.added, report.load_id) == (1, None)
    assert stored(load.database) == []


def test_a_load_is_compared_with_the_measurements_of_before(load):
    first = load(measured("A", f"{DAY} 07:00", 1.0))
    second = load(measured("A", f"{DAY} 07:00", 1.5), measured("A", f"{DAY} 08:00", 2.0))
    load(measured("A", f"{DAY} 08:00", 2.5))

    def told(load_id):
        with load.database.reading() as connection:
            changes = loads.diff(connection, gauges(), loads.get_load(connection, load_id))
        return [
            tuple(each and each.get("value") for each in (change.before, change.after))
            for change in changes
            if "quantity" in (change.before or change.after)
        ]

    assert told(second.load_id) == [(1.0, 1.5)]  # the other was corrected since
    assert told(first.load_id) == []


@pytest.fixture
def desk(load):
    """Station A at 2.5 m, and its row as an item."""
    load(measured("A", f"{DAY} 07:00", 1.0), measured("A", f"{DAY} 08:00", 2.5))
    ((row_id,),) = rows(load.database, "SELECT id FROM layer.mz")
    layer = gauges(
        LEVEL | {"thresholds": [{"title": BD[0]["title"], "at": "bd1"}]},
        fields={"bd1": {"type": "number"}},
    )
    publish(load.database, layer)
    return load.database, source_of(layer), row_id


def change(database, source, row_id, **properties):
    with database.writing() as connection:
        feature = Feature(None, properties, has_geometry=False)
        edit.modify(connection, source, row_id, feature, LOCAL_ADMIN)


def test_a_threshold_that_is_edited_holds_at_once(desk):
    database, source, row_id = desk
    alarm = "SELECT level_alarm FROM layer.mz"
    assert rows(database, alarm) == [(None,)]  # the layer file has just changed: no bd1 yet
    for bd1, level in ((2.0, 1), (2.6, 0), (None, None)):
        change(database, source, row_id, bd1=bd1)
        assert rows(database, alarm) == [(level,)]


def test_what_is_measured_is_not_written_by_hand(desk):
    _, source, _ = desk
    writable = {each.name for each in source.properties if each.writable}
    assert writable == {"name", "bd1"}


def test_a_station_with_measurements_is_not_deleted_by_hand(desk):
    database, source, row_id = desk
    with pytest.raises(Conflict, match="has measurements"), database.writing() as connection:
        edit.delete(connection, source, row_id, LOCAL_ADMIN)


def test_more_records_than_a_chunk_holds_are_one_load(load):
    layer = gauges()
    publish(load.database, layer)
    times = [f"{DAY} {hour:02}:{minute}0" for hour in range(5) for minute in range(1, 6)]
    records = [measured("A", at, 1) for at in times]
    records += [("A", "", "", f"{DAY} 23:00", 9, "", ""), records[0]]
    cells = {name: [str(record[place]) for record in records] for place, name in enumerate(COLUMNS)}
    table = RawTable("tests", "", COLUMNS, cells, range(1, len(records) + 1))
    options = LoadOptions(who="tests", source="tests")
    with load.database.writing() as connection:
        report = load_chunks(connection, layer, TableChunks(None, table, rows=10), options)
    assert (report.read, report.added, report.quarantined) == (27, 26, 1)  # one came twice
    assert rows(load.database, "SELECT level, level_quality FROM layer.mz") == [(9, "good")]


def test_what_goes_with_a_measurement_changes_without_a_history(load):
    layer = gauges(series={"remarks": ["name"]})
    load(measured("A", f"{DAY} 07:00", 1.0, name="lên"), layer=layer)
    load(measured("A", f"{DAY} 08:00", 1.0, name="xuống"), layer=layer)
    load(measured("A", f"{DAY} 06:00", 1.0, name="cũ"), layer=layer)
    assert rows(load.database, "SELECT name FROM layer.mz") == [("xuống",)]
    assert rows(load.database, "SELECT count(*) FROM gis.row_history") == [(0,)]


def test_a_record_may_join_the_measurements_of_several_hours(load):
    layer = gauges(source={"measured": {"joined_by": ";"}})
    hours = ";".join(f"{DAY} {hour:02}:00" for hour in (6, 7, 8))
    report = load(
        measured("A", hours, "1.0; 1.5;2.5"),
        measured("B", hours, "1.0;1.5"),
        measured("B", f"{DAY} 09:00", "1.25"),
        layer=layer,
    )
    assert (report.read, report.added, report.reasons) == (5, 4, {"bad_date": 1})
    assert stored(load.database) == [
        ("A", "03-01 06:00", 1.0), ("A", "03-01 07:00", 1.5), ("A", "03-01 08:00", 2.5),
        ("B", "03-01 09:00", 1.25),
    ]  # fmt: skip
    assert rows(load.database, LATEST)[0] == ("A", 2.5, "good", 1, "rising", "03-01 08:00")
    (record,) = waiting(load.database)
    assert record.raw["at"] == hours


def test_contacts_in_remarks_are_hidden_and_kept_once_a_station(load):
    layer = gauges(
        fields={"name": {"type": "text", "free_text": True}}, series={"remarks": ["name"]}
    )
    load(
        measured("A", f"{DAY} 07:00", 1, name="gọi 0912345678"),
        measured("A", f"{DAY} 08:00", 1, name="gọi 0987654321"),
        layer=layer,
    )
    ((name,),) = rows(load.database, "SELECT name FROM layer.mz")
    assert "0987654321" not in name
    with load.database.writing() as connection:
        kept = "SELECT source_key, details ->> 'name' FROM private.reporter WHERE layer_id = 'mz'"
        assert connection.execute(text(kept)).all() == [("A", "gọi 0987654321")]
