"""A load of measurements whose session is killed leaves nothing, or all of its batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from pandas.errors import DatabaseError
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from gis.database.engine import Database, libpq_url
from gis.errors import Unavailable
from layers.ingest.load import LoadOptions, load_file
from tests.intake_layers import publish, write_csv
from tests.series_layers import COLUMNS, gauges, measured, rows

_LOST = (Unavailable, DBAPIError, DatabaseError, psycopg.Error)  # by whom the statement was made
STATE = (
    "SELECT (SELECT array_agg((station, measured_at, value) ORDER BY station, measured_at)::text"
    " FROM layer.mz_measurements), (SELECT array_agg((source_key, name, level)"
    " ORDER BY source_key)::text FROM layer.mz), (SELECT count(*) FROM gis.measurement_history),"
    " (SELECT count(*) FROM gis.load), (SELECT count(*) FROM gis.quarantine),"
    " (SELECT array_agg(inhrelid::regclass::text ORDER BY 1)::text FROM pg_inherits"
    " WHERE inhparent = 'layer.mz_measurements'::regclass), (SELECT version FROM gis.layer"
    " WHERE id = 'mz')"
)


@contextmanager
def killed_at(database: Database, url: str, step: int) -> Iterator[list[int]]:
    """The server ends the session of whoever is about to carry out the n-th statement."""
    counted = [0]

    def kill(connection, cursor, statement, *more):
        if counted[0] or "INTO gis.load" in statement:  # before that the file is read and placed
            counted[0] += 1
        if counted[0] == step:
            with psycopg.connect(libpq_url(url), autocommit=True) as other:
                pid = cursor.connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    event.listen(database.engine, "before_cursor_execute", kill)
    try:
        yield counted
    finally:
        event.remove(database.engine, "before_cursor_execute", kill)


def test_a_load_is_whole_or_nothing_wherever_its_session_ends(series_province, tmp_path):
    database, layer = series_province, gauges()
    options = LoadOptions(who="tests", source="tests", confirmed=True)
    publish(database, layer)
    first = [
        measured("A", "2026-02-28 23:00", 1.0), measured("A", "2026-03-01 00:00", 2.0),
        ("C", "", "", "2026-03-01 00:00", 1.0, "", ""),
    ]  # fmt: skip
    second = [
        measured("A", "2026-03-01 00:00", 2.5, name="Mới"), measured("B", "2026-04-01 00:00", 1.0)
    ]  # fmt: skip
    load_file(database, layer, write_csv(tmp_path / "first.csv", COLUMNS, *first), options)
    path = write_csv(tmp_path / "second.csv", COLUMNS, *second)
    before, steps = rows(database, STATE), 0
    while True:
        steps += 1
        with killed_at(database, database.url, steps) as counted:
            try:
                load_file(database, layer, path, options)
            except _LOST:
                assert rows(database, STATE) == before, steps
                continue
        break
    assert counted[0] < steps  # it was killed at each of its statements
    assert steps > 10
    assert rows(database, STATE) != before
