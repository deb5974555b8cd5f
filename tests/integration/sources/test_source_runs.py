"""Runs of a source: batch by batch, with drift, deletions, failures and questions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import NotFound, SourceRefused, SourceUnavailable
from layers.sources import state as sources
from tests.intake_layers import rows
from tests.source_layers import (
    Script,
    count,
    feed_layer,
    levels,
    publish,
    run,
    state,
    station,
)


def test_each_batch_is_stored_with_its_cursor_and_the_next_run_goes_on(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1), station(2))
    script.add(station(3, level=12.345))
    report = run(database, layer, inbox)
    assert (report.state, report.batches, report.added, report.failed) == ("complete", 2, 3, 0)
    assert levels(database) == {"S001": 1.5, "S002": 1.5, "S003": 12.345}
    assert script.acknowledged == [1, 2]
    script.add(station(2, level=9))
    report = run(database, layer, inbox)
    assert (report.batches, report.updated, report.added) == (1, 1, 0)
    after = state(database)
    assert after["cursor"] == {"next": 3}
    assert after["started_at"] is None
    assert after["last_success"] >= after["last_change"]
    assert run(database, layer, inbox).batches == 0


def test_what_was_stored_before_an_error_stays_and_the_rest_comes_after_a_pause(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1))
    script.fail(SourceUnavailable("the server answered 500"))
    report = run(database, layer, inbox)
    assert (report.state, report.why) == ("failed", "the server answered 500")
    failed = state(database)
    assert (failed["failures"], failed["error"]) == (1, "the server answered 500")
    assert failed["next_due"] > datetime.now(UTC) + timedelta(seconds=15)
    assert failed["open_until"] is None
    assert levels(database) == {"S001": 1.5}
    script.add(station(2))
    assert run(database, layer, inbox).state == "complete"
    assert (state(database)["failures"], state(database)["error"]) == (0, "")
    assert len(levels(database)) == 2


def test_a_source_that_refuses_is_left_alone_at_once_and_one_that_fails_after_some_attempts(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.fail(SourceRefused("the secret has expired"))
    run(database, layer, inbox)
    assert state(database)["open_until"] > datetime.now(UTC) + timedelta(minutes=30)
    with database.writing() as connection:
        sources.retry_now(connection, layer.id)
    assert state(database)["open_until"] is None
    for _ in range(5):
        assert state(database)["open_until"] is None
        script.fail(SourceUnavailable("no answer"))
        run(database, layer, inbox)
    assert state(database)["open_until"] is not None


def test_a_source_that_asks_for_a_pause_has_it(database: Database, script: Script, inbox: Path):
    layer = feed_layer()
    publish(database, layer)
    script.fail(SourceUnavailable("429", retry_after_s=1800))
    run(database, layer, inbox)
    assert state(database)["next_due"] > datetime.now(UTC) + timedelta(seconds=1790)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([{k: v for k, v in station(n).items() if k != "level"} for n in range(30)], "level"),
        ([station(n, level=f"{n} m") for n in range(30)], "level"),
        ([station(n) | {"lon": 130} if n % 2 else station(n) for n in range(30)], "outside"),
        ([{k: v for k, v in station(n).items() if k != "code"} for n in range(30)], "code"),
    ],
    ids=["a lost column", "a retyped column", "records that suddenly fail", "a lost key"],
)
def test_drift_stops_the_source_with_a_question_and_keeps_what_is_served(
    database: Database, script: Script, inbox: Path, records, words
):
    layer = feed_layer()
    publish(database, layer)
    script.add(*(station(n) for n in range(30)))
    run(database, layer, inbox)
    before = levels(database)
    script.add(*records)
    report = run(database, layer, inbox)
    assert report.state == "asks"
    assert words in report.why
    assert "gis sources answer mz --yes" in report.why
    assert levels(database) == before
    asking = state(database)
    assert asking["question"]["kind"] == "drift"
    assert asking["cursor"] == {"next": 1}
    with database.reading() as connection:
        assert sources.due_sources(connection) == []
    assert count(database, "gis.quarantine") == 0


def test_a_yes_takes_the_change_as_it_is_from_now_on(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(*(station(n) for n in range(30)))
    run(database, layer, inbox)
    without = [{k: v for k, v in station(n).items() if k != "level"} for n in range(30)]
    script.add(*without)
    assert run(database, layer, inbox).state == "asks"
    with database.writing() as connection:
        sources.answer(connection, layer.id, {}, confirmed=True)
        assert sources.due_sources(connection) == [layer.id]
    assert run(database, layer, inbox).state == "complete"
    assert set(levels(database).values()) == {None}
    script.add(*without)
    assert run(database, layer, inbox).state == "complete"
    with database.writing() as connection, pytest.raises(NotFound, match="asks nothing"):
        sources.answer(connection, layer.id, {}, confirmed=True)


def test_a_file_that_can_be_read_in_two_ways_is_a_question_whose_answer_is_kept(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(fields={"level": "number", "name": "text", "day": "date"})
    publish(database, layer)
    script.add(station(1, day="05/09/2024"))
    report = run(database, layer, inbox)
    assert (report.state, state(database)["question"]["kind"]) == ("asks", "reading")
    with database.writing() as connection:
        sources.answer(connection, layer.id, {"date_format": "%d/%m/%Y"}, confirmed=False)
    assert run(database, layer, inbox).state == "complete"
    script.add(station(2, day="06/09/2024"))
    assert run(database, layer, inbox).state == "complete"
    assert [str(day) for (day,) in rows(database, "day")] == ["2024-09-05", "2024-09-06"]


@pytest.mark.parametrize(
    ("contract", "word", "outcome"),
    [({}, "extra", "complete"), ({"*": "freeze"}, "extra", "asks"),
     ({"extra": "freeze"}, "extra", "asks"), ({"extra": "discard"}, "extra", "complete")],
)  # fmt: skip
def test_a_new_column_is_as_the_contract_has_it(
    database: Database, script: Script, inbox: Path, contract, word, outcome
):
    layer = feed_layer(contract=contract)
    publish(database, layer)
    script.add(station(1))
    run(database, layer, inbox)
    script.add(station(2, extra="x"), station(3, level="?", extra="y"))
    assert run(database, layer, inbox).state == outcome
    kept = {} if contract or outcome == "asks" else {"extra": "y"}
    with database.writing() as connection:
        cells = connection.scalars(text("SELECT cells FROM private.undeclared")).all()
    assert cells == ([kept] if kept else [])


@pytest.mark.parametrize("deletions", ["keep", "mark", "mirror"])
def test_what_a_whole_reading_has_not_seen_is_kept_marked_or_removed(
    database: Database, script: Script, inbox: Path, deletions
):
    layer = feed_layer(deletions=deletions)
    publish(database, layer)
    script.add(*(station(n) for n in range(6)))
    script.add(*(station(n) for n in range(6, 10)), ends_whole=True)
    assert run(database, layer, inbox).removed == 0
    # A reading in two parts, the second of which is made by a later run.
    script.add(*(station(n) for n in range(5)))
    script.fail(SourceUnavailable("cut in the middle"))
    run(database, layer, inbox)
    assert len(levels(database)) == 10
    script.add(*(station(n) for n in range(6, 10)), station(20), ends_whole=True)
    report = run(database, layer, inbox)
    gone = 0 if deletions == "keep" else 1
    assert report.removed == gone
    assert ("S005" in levels(database)) == (deletions != "mirror")
    marked = count(database, "layer.mz WHERE provenance ? 'gone'")
    assert marked == (deletions == "mark")
    assert count(database, "gis.row_history WHERE before ->> 'source_key' = 'S005'") == gone
    assert count(database, "gis.source_seen") == 0
    script.add(station(5))
    run(database, layer, inbox)
    assert "S005" in levels(database)
    assert count(database, "layer.mz WHERE provenance ? 'gone'") == 0


@pytest.mark.parametrize("more", [{}, {"supersedes": "name"}])
@pytest.mark.parametrize("deletions", ["keep", "mark", "mirror"])
def test_what_came_before_raises_no_version_and_leaves_no_load(
    database: Database, script: Script, inbox: Path, deletions, more
):
    layer = feed_layer(deletions=deletions, **more)
    publish(database, layer)
    versions = []
    for _ in range(3):
        script.add(*(station(n) for n in range(6)), ends_whole=True)
        run(database, layer, inbox)
        with database.reading() as connection:
            versions.append(
                connection.scalar(text("SELECT version FROM gis.layer WHERE id = 'mz'"))
            )
    assert versions[0] == versions[1] == versions[2]
    assert count(database, "gis.load") == 1


@pytest.mark.parametrize("way", ["not seen", "said to be gone"])
def test_more_than_a_third_goes_only_after_a_yes(
    database: Database, script: Script, inbox: Path, way
):
    layer = feed_layer(deletions="mirror")
    publish(database, layer)
    script.add(*(station(n) for n in range(20)), ends_whole=True)
    run(database, layer, inbox)
    if way == "not seen":
        script.add(*(station(n) for n in range(10)), ends_whole=True)
    else:
        script.add(deleted=[{"code": station(n)["code"]} for n in range(10, 20)])
    report = run(database, layer, inbox)
    assert report.state == "asks"
    assert "10 of the 20" in report.why
    assert len(levels(database)) == 20
    with database.writing() as connection:
        sources.answer(connection, layer.id, {}, confirmed=True)
    assert run(database, layer, inbox).removed == 10
    assert len(levels(database)) == 10


def test_an_empty_answer_is_not_all_gone(database: Database, script: Script, inbox: Path):
    layer = feed_layer(deletions="mirror")
    publish(database, layer)
    script.add(*(station(n) for n in range(20)), ends_whole=True)
    run(database, layer, inbox)
    script.add(ends_whole=True)
    assert run(database, layer, inbox).state == "asks"
    assert len(levels(database)) == 20


def test_a_record_that_replaces_another_takes_its_place_for_good(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(
        fields={"level": "number", "name": "text", "replaces": "text"}, supersedes="replaces"
    )
    publish(database, layer)
    script.add(station(1), station(2))
    run(database, layer, inbox)
    script.add(station(3, replaces="S001"), station(4, replaces="S003"))
    run(database, layer, inbox)
    assert set(levels(database)) == {"S002", "S004"}
    script.add(station(1, level=7), station(2), station(3, replaces="S001"))
    assert run(database, layer, inbox).loads == []
    assert set(levels(database)) == {"S002", "S004"}
    assert count(database, "gis.row_history WHERE act = 'delete'") == 1
    script.add(station(5, replaces="S006"), station(6, replaces="S005"))
    run(database, layer, inbox)
    assert {"S005", "S006"} <= set(levels(database))


POINT = {"type": "Point", "coordinates": [104.15, 22.05]}
SQUARE = [[104.12, 22.02], [104.16, 22.02], [104.16, 22.06], [104.12, 22.06], [104.12, 22.02]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}


@pytest.mark.parametrize(
    ("kind", "geometry", "bad"), [("point", POINT, POLYGON), ("polygon", POLYGON, POINT)]
)
def test_geometries_of_a_protocol_are_those_of_the_layer(
    database: Database, script: Script, inbox: Path, kind, geometry, bad
):
    layer = feed_layer(geometry=kind, coordinates=None)
    publish(database, layer)
    script.add(
        {"code": "A", "level": 1, "name": "a", "geometry": geometry},
        {"code": "B", "level": 1, "name": "b", "geometry": bad},
        {"code": "C", "level": 1, "name": "c", "geometry": None},
    )
    report = run(database, layer, inbox)
    assert (report.state, report.added, report.failed) == ("complete", 1, 2), report.why
    with database.reading() as connection:
        row = connection.execute(
            text("SELECT source_key, ST_AsText(ST_PointOnSurface(geom), 2) FROM layer.mz")
        ).one()
    key, point = row
    assert key == "A"
    assert point.startswith("POINT(104.1")
    waiting = count(database, "gis.quarantine WHERE raw ? 'geometry'")
    assert waiting == 2


def test_of_records_with_one_key_the_last_counts_over_batches_that_are_stored_together(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    for number in range(3):
        script.add(*(station(n, level=number) for n in range(1000)))
    script.add(station(0, level=7), station(0, level=8), deleted=[station(1)])
    script.add(station(1, level=9))
    report = run(database, layer, inbox)
    assert (report.batches, report.failed, len(report.loads)) == (3, 0, 3)
    assert script.acknowledged == [1, 2, 3, 4, 5]
    found = levels(database)
    assert (len(found), found["S000"], found["S001"], found["S002"]) == (1000, 8, 9, 2)
    assert count(database, "gis.quarantine") == 0


def test_nested_records_are_mapped_by_paths_and_named_functions(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(
        key="station.id",
        coordinates={"x": "place.0", "y": "place.1"},
        time={"column": "at"},
        map={
            "at": {"from": "thoigian", "transform": ["dotnet_date"]},
            "level": {
                "from": "popup",
                "transform": ["strip_html", "number_in_text"],
                "factor": 0.01,
            },
            "name": {"from": "values", "transform": [{"item": 1}], "values": {"Cao": "high"}},
        },
    )
    publish(database, layer)
    script.add(
        {
            "station": {"id": 7, "more": {"deep": 1}},
            "place": [104.12, 22.05],
            "thoigian": "/Date(1757300400000)/",
            "popup": "<b>Mực nước</b>: 8235 cm",
            "values": "a, Cao ,c",
        }
    )
    report = run(database, layer, inbox)
    assert (report.added, report.failed) == (1, 0), report
    (row,) = rows(database, "source_key, level, name, valid_at")
    assert row == ("7", 82.35, "high", datetime(2025, 9, 8, 3, tzinfo=UTC))
    assert state(database)["newest"] == row[3]


def test_a_paused_source_and_one_that_reads_something_else_store_nothing_of_an_older_run(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1))
    with database.writing() as connection:
        older = sources.begin_run(connection, layer.id)
        sources.pause(connection, layer.id, "tests")
    with database.writing() as connection, pytest.raises(sources.Superseded):
        sources.fence_run(connection, older)
    with database.writing() as connection:
        assert sources.due_sources(connection) == []
        sources.resume(connection, layer.id)
        assert sources.due_sources(connection) == [layer.id]
    run(database, layer, inbox)
    assert state(database)["cursor"] == {"next": 1}
    publish(database, feed_layer(read={"path": "elsewhere"}))
    assert state(database)["cursor"] == {}
    publish(database)
    assert state(database)["active"] is False


def test_a_source_that_is_mapped_otherwise_is_read_again_and_asks_no_more(
    database: Database, script: Script, inbox: Path
):
    publish(database, feed_layer())
    script.add(*(station(n, more=f"{n} m") for n in range(30)))
    run(database, feed_layer(), inbox)
    script.add(*(station(n, level=f"{n} m") for n in range(30)))
    assert run(database, feed_layer(), inbox).state == "asks"
    publish(database, feed_layer(schedule="0 * * * *", promise={"fresh_within": "1d"}))
    assert state(database)["question"] is not None
    mended = feed_layer(map={"level": {"from": "level", "transform": ["number_in_text"]}})
    publish(database, mended)
    after = state(database)
    assert (after["question"], after["cursor"], bool(after["columns"])) == (None, {}, True)
    assert run(database, mended, inbox).state == "complete"
    assert levels(database)["S007"] == 7


def test_a_source_whose_process_dies_each_time_is_left_alone(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1))
    for _ in range(3):
        with database.writing() as connection:
            sources.begin_run(connection, layer.id)  # and its process is killed
    report = run(database, layer, inbox)
    assert (report.state, report.batches) == ("failed", 0)
    assert "its process ended" in report.why
    assert run(database, layer, inbox).state == "complete"


def test_a_run_that_takes_long_stops_after_a_batch_and_goes_on_in_its_turn(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1))
    script.add(station(2))
    assert run(database, layer, inbox, longest_s=-1).state == "stopped"
    with database.reading() as connection:
        assert sources.due_sources(connection) == [layer.id]
    assert state(database)["last_success"] is None
    assert run(database, layer, inbox).state == "complete"
    assert len(levels(database)) == 2


def test_quality_and_the_version_of_the_mapping_are_kept_by_load(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    script.add(station(1), station(2, level=None), station(4, level="?"), station(3), station(3))
    report = run(database, layer, inbox)
    with database.writing() as connection:
        row = connection.execute(text("SELECT * FROM gis.load_quality")).one()
        mapping = connection.execute(
            text("SELECT m.content FROM gis.load l JOIN gis.layer_mapping m"
                 " ON (m.layer_id, m.digest) = (l.layer_id, l.mapping)")
        ).scalar_one()  # fmt: skip
    assert [row.load_id] == report.loads
    # Of records with one key the last counts, and is no fault.
    assert (row.records, row.completeness, row.validity, row.duplicates) == (4, 5 / 6, 0.75, 0)
    assert (row.in_hex, row.in_commune, row.placed) == (1, 1, {"coordinates": 3})
    assert mapping["source"]["key"] == "code"
