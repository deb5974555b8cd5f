"""Databases: PostgreSQL and MariaDB by real servers, the values of others in the mapping alone."""

import datetime as dt
import logging
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from gis.connectors.sql import SqlConnector, cursor_value, from_cursor, json_value
from gis.database.cluster import THROW_AWAY
from gis.egress import EgressPolicy
from gis.errors import SetupError, SourceRefused, SourceUnavailable
from tests.databases import own_cluster
from tests.integration.connectors.faulty import connector, first_batch, read, surroundings
from tests.integration.connectors.maria import execute, mariadb
from tests.integration.connectors.relay import relay, unix_socket

SENTINEL = "s3ntinel-of-a-secret"
ROWS = 12


class PostgresSource:
    """A department's PostgreSQL, whose reader has the sentinel for a password."""

    system = "postgresql"

    def __init__(self, cluster):
        self.cluster = cluster
        (path,) = cluster.socket_folder.glob(".s.PGSQL.*[0-9]")
        self.connect = lambda: unix_socket(str(path))

    def run(self, *statements):
        with psycopg.connect(self.cluster.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


class MariaSource:
    """The same with MariaDB."""

    system = "mariadb"

    def __init__(self, path):
        self.connect = lambda: unix_socket(path)
        self.run = lambda *statements: execute(path, *statements)


@pytest.fixture(scope="module")
def postgres_source():
    with own_cluster(THROW_AWAY) as cluster:
        source = PostgresSource(cluster)
        source.run(
            f"CREATE ROLE so_tnmt LOGIN PASSWORD '{SENTINEL}'", "CREATE SCHEMA d",
            "GRANT USAGE ON SCHEMA d TO so_tnmt",
        )  # fmt: skip
        user = psycopg.conninfo.conninfo_to_dict(cluster.url).get("user", "postgres")
        rules = f"local all so_tnmt scram-sha-256\nlocal all {user} trust\n"
        (cluster.data / "pg_hba.conf").write_text(rules)
        source.run("SELECT pg_reload_conf()")
        yield source


@pytest.fixture(scope="module")
def maria_source():
    with mariadb() as path:
        source = MariaSource(path)
        source.run(
            "CREATE DATABASE gis", "CREATE DATABASE d CHARACTER SET utf8mb4",
            f"CREATE USER so_tnmt@localhost IDENTIFIED BY '{SENTINEL}'",
            "GRANT SELECT, INSERT ON d.* TO so_tnmt@localhost",
            "GRANT SELECT ON gis.* TO so_tnmt@localhost",
        )  # fmt: skip
        yield source


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def source(request):
    kind = {"postgresql": "postgres_source", "mariadb": "maria_source"}[request.param]
    return request.getfixturevalue(kind)


@pytest.fixture
def table(source):
    """A table of permits: number, text with all letters, moment of change."""
    source.run(
        "DROP TABLE IF EXISTS d.permits",
        "CREATE TABLE d.permits (id integer PRIMARY KEY, ten varchar(99), gia numeric(12, 2), "
        "sua timestamp NULL, ngay date)",
        *(
            f"INSERT INTO d.permits VALUES ({n}, 'Giấy phép số {n} 100%% :x', {n}.5, "
            f"'2025-07-01 08:{n:02d}:00', '2025-07-01')".replace("%%", "%")
            for n in range(1, ROWS + 1)
        ),
    )
    if source.system == "postgresql":
        source.run("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA d TO so_tnmt")
    return source


@pytest.fixture
def at(source):
    with relay(source.connect) as made:
        yield made


def permits(source, at, secret=SENTINEL, around=None, **options):
    usual = {
        "system": source.system, "host": "127.0.0.1", "port": at.port, "database": "gis",
        "user": "so_tnmt", "password": "{secret:DB}", "key": "id", "page": 5,
    }  # fmt: skip
    if "query" not in options:
        usual["table"] = "d.permits"
    around = around or surroundings({"DB": secret})
    return connector("sql", around, **(usual | options))


def test_all_rows_come_once_by_pages_of_the_key(table, at):
    reading = read(permits(table, at))
    assert [len(batch.records) for batch in reading.batches] == [5, 5, 2]
    assert [record["id"] for record in reading.records] == list(range(1, ROWS + 1))
    assert reading.is_whole
    assert reading.records[2] == {
        "id": 3, "ten": "Giấy phép số 3 100% :x", "gia": 3.5, "sua": "2025-07-01T08:03:00",
        "ngay": "2025-07-01",
    }  # fmt: skip


def test_a_reading_goes_on_after_the_key_that_was_stored(table, at):
    first = first_batch(permits(table, at))
    rest = read(permits(table, at), first.cursor)
    numbers = [record["id"] for record in [*first.records, *rest.records]]
    assert numbers == list(range(1, ROWS + 1))
    assert rest.is_whole


def test_a_query_may_have_colons_and_percents(table, at):
    query = "SELECT id, ten FROM d.permits WHERE ten LIKE '%:x' AND sua >= '2025-07-01 08:06:00';"
    assert [r["id"] for r in read(permits(table, at, query=query)).records] == list(range(6, 13))


def test_changes_are_read_with_an_overlap_and_those_under_way_next_time(table, at):
    options = {"changed": "sua", "overlap": "2m"}
    first = first_batch(permits(table, at, **options))
    table.run("UPDATE d.permits SET sua = '2025-07-01 09:00:00', ten = 'mới' WHERE id = 2")
    rest = read(permits(table, at, **options), first.cursor)
    assert rest.is_whole
    second = read(permits(table, at, **options), rest.cursor)
    assert [record["id"] for record in second.records] == [2, 10, 11, 12]
    assert second.records[0]["ten"] == "mới"
    assert not second.is_whole
    third = read(permits(table, at, **options), second.cursor)
    assert [record["id"] for record in third.records] == [2]


@pytest.mark.parametrize("may_be_empty", [False, True])
def test_an_empty_table_is_whole_only_where_that_is_declared(table, at, may_be_empty):
    table.run("DELETE FROM d.permits")
    reading = read(permits(table, at, may_be_empty=may_be_empty))
    assert reading.records == []
    assert reading.is_whole == may_be_empty


def test_a_column_that_goes_or_comes_while_rows_are_read_is_seen(table, at):
    source = permits(table, at)
    batches = source.read({})
    assert "gia" in next(batches).records[0]
    table.run("ALTER TABLE d.permits DROP COLUMN gia", "ALTER TABLE d.permits ADD moi integer")
    later = next(batches).records[0]
    assert "gia" not in later
    assert later["moi"] is None
    batches.close()
    source.close()
    with pytest.raises(SourceRefused, match="no column gia: there are id, ten"):
        read(permits(table, at, changed="gia"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": "ma"}, "no column ma: there are id, ten"),
        ({"key": "ngay"}, "ngay is not unique"),
        ({"table": "d.nothing"}, "correct"),
        ({"query": "SELECT nonsense FROM d.permits"}, "correct"),
        ({"database": "nothing"}, "correct"),
        ({"user": "nobody"}, "correct"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_words_of_the_server(table, at, options, words):
    with pytest.raises(SourceRefused, match=words) as caught:
        read(permits(table, at, **options))
    assert SENTINEL not in str(caught.value)


def test_a_key_that_is_null_is_refused(table, at):
    table.run("INSERT INTO d.permits (id) VALUES (99)")
    with pytest.raises(SourceRefused, match="ten is null in a row"):
        read(permits(table, at, key="ten"))


def test_an_expired_secret_is_refused_and_shown_nowhere(table, at, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceRefused, match="correct the login") as caught:
        read(permits(table, at, secret=SENTINEL + "-old"))
    source = permits(table, at)
    read(source)
    shown = (
        f"{caught.getrepr(style='long')} {caplog.text} {vars(source.options)} {source.options!r}"
    )
    assert SENTINEL not in shown.replace("secret=SENTINEL", "")


def test_nothing_can_be_written(table, at):
    queries = {
        "postgresql": "WITH w AS (INSERT INTO d.permits (id) VALUES (77) RETURNING id) TABLE w",
        "mariadb": "SELECT id FROM d.permits; INSERT INTO d.permits (id) VALUES (77)",
    }
    with pytest.raises(SourceRefused):
        read(permits(table, at, query=queries[table.system]))
    source = permits(table, at)
    with pytest.raises(SourceRefused, match=r"(?i)read.only"), source._reading() as connection:
        connection.exec_driver_sql("INSERT INTO d.permits (id) VALUES (77)")
    source.close()
    assert 77 not in [record["id"] for record in read(permits(table, at)).records]


def test_a_slow_query_ends(table, at):
    slow = {"postgresql": "pg_sleep(20)", "mariadb": "sleep(20)"}[table.system]
    query = f"SELECT id, {slow} AS s FROM d.permits"
    around = surroundings({"DB": SENTINEL}, timeout_s=0.5)
    with pytest.raises(SourceUnavailable) as caught:
        read(permits(table, at, query=query, around=around))
    assert type(caught.value) is SourceUnavailable


def test_a_connection_that_is_cut_or_stands_still_may_work_later(table, at):
    around = surroundings({"DB": SENTINEL}, timeout_s=1)
    for spoil in (lambda: setattr(at, "cut_after", 700), at.passes.clear):
        spoil()
        with pytest.raises(SourceUnavailable) as caught:
            read(permits(table, at, around=around))
        assert type(caught.value) is SourceUnavailable
        at.cut_after = None
    at.passes.set()


def test_an_inner_address_that_is_not_allowed_is_not_reached(table, at):
    usual = surroundings({"DB": SENTINEL})
    strict = type(usual)(usual.secrets, EgressPolicy((), "GIS_SOURCE_NETWORKS"))
    with pytest.raises(SourceRefused, match="GIS_SOURCE_NETWORKS"):
        read(permits(table, at, around=strict))


def test_a_server_that_is_not_there_may_come_back(source):
    class Nowhere:
        port = 1

    with pytest.raises(SourceUnavailable) as caught:
        read(permits(source, Nowhere()))
    assert type(caught.value) is SourceUnavailable


def test_moments_that_python_has_not_are_texts(postgres_source):
    postgres_source.run(
        "DROP TABLE IF EXISTS d.moments",
        "CREATE TABLE d.moments (id integer, at timestamptz, day date)",
        "INSERT INTO d.moments VALUES (1, 'infinity', '0044-03-15 BC'), (2, '2025-07-01Z', NULL)",
        "GRANT SELECT ON d.moments TO so_tnmt",
    )
    with relay(postgres_source.connect) as at:
        records = read(permits(postgres_source, at, table="d.moments")).records
    assert records[0] == {"id": 1, "at": "infinity", "day": "0044-03-15 BC"}
    assert records[1]["at"] == "2025-07-01T00:00:00+00:00"


def test_a_shape_of_postgis_is_geojson_in_wgs_84(postgres_source):
    postgres_source.run(
        "CREATE EXTENSION IF NOT EXISTS postgis",
        "CREATE TABLE IF NOT EXISTS d.shapes AS SELECT 1 AS id, "
        "ST_Transform(ST_SetSRID(ST_MakePoint(104, 22), 4326), 3405) AS hinh",
        "GRANT SELECT ON d.shapes TO so_tnmt",
    )
    with relay(postgres_source.connect) as at:
        (record,) = read(permits(postgres_source, at, table="d.shapes", geometry="hinh")).records
    assert record["geometry"]["type"] == "Point"
    assert record["geometry"]["coordinates"] == pytest.approx([104, 22])
    assert "hinh" not in record


def test_quirks_of_mariadb(maria_source):
    maria_source.run(
        "DROP TABLE IF EXISTS d.quirks",
        "CREATE TABLE d.quirks (id int, ngay date, luc datetime, gio time, co bit(1), hinh point)",
        "INSERT INTO d.quirks VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '26:05:00', b'1', "
        "ST_GeomFromText('POINT(104 22)')), (2, '2025-07-01', '2025-07-01 08:00:00', '-01:00:00', "
        "b'0', NULL)",
    )
    with relay(maria_source.connect) as at:
        records = read(permits(maria_source, at, table="d.quirks", geometry="hinh")).records
    assert records[0] == {
        "id": 1, "ngay": None, "luc": None, "gio": "26:05:00", "co": True,
        "geometry": {"type": "Point", "coordinates": [104.0, 22.0]},
    }  # fmt: skip
    assert records[1]["luc"] == "2025-07-01T08:00:00"  # no zone is made up
    assert records[1]["gio"] == "-01:00:00"
    assert records[1]["co"] is False


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (dt.datetime(2025, 7, 1, 8, 0, 0, 123000), "2025-07-01T08:00:00.123000"),  # SQL Server
        (Decimal("12"), 12),  # NUMBER of Oracle
        (Decimal("12.50"), 12.5),
        (Decimal("NaN"), None),
        (Decimal("123456789012345678901234567890"), "123456789012345678901234567890"),
        (2**63, str(2**63)),
        (float("inf"), None),
        ("", ""),
        ("0000-00-00 00:00:00", None),
        (b"\x00", False),
        (b"\x01\x02", "AQI="),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [Decimal("1"), None]}, {"a": [1, None]}),
        (dt.timedelta(hours=26, minutes=5), "26:05:00"),
        (dt.timedelta(hours=-1), "-01:00:00"),
        (dt.time(8, 30), "08:30:00"),
    ],
)
def test_values_of_drivers_become_json(value, wanted):
    made = json_value(value)
    assert made == wanted
    assert type(made) is type(wanted)


@pytest.mark.parametrize(
    "value",
    [
        7, "đ", 1.5, dt.datetime(2025, 7, 1, tzinfo=dt.UTC), dt.datetime(2025, 7, 1),
        dt.date(2025, 7, 1), Decimal("12.50"), UUID(int=1), b"\x01\x02",
    ],
)  # fmt: skip
def test_a_key_goes_through_a_cursor_unchanged(value):
    made = from_cursor(cursor_value(value))
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize("system", ["mssql", "oracle"])
def test_a_driver_that_is_not_installed_is_named(system):
    options = {
        "system": system, "host": "127.0.0.1", "database": "d", "user": "a", "password": "b",
        "table": "t", "key": "id",
    }  # fmt: skip
    with pytest.raises(SetupError, match=f"driver of {system}"):
        read(connector("sql", **options))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"table": "t", "query": "SELECT 1"}, {"query": "DELETE FROM t"},
        {"table": "t", "overlap": "10 years"},
    ],
)  # fmt: skip
def test_options_that_can_never_work_are_refused(options):
    usual = {
        "system": "mariadb", "host": "h", "database": "d", "user": "a", "password": "b",
        "key": "id",
    }  # fmt: skip
    with pytest.raises(ValueError):
        SqlConnector.Options.model_validate(usual | options)
