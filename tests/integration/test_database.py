from pathlib import Path

import h3
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gis.database import engine
from gis.database.engine import Database
from gis.database.migrate import migrate, newest_revision, revision_of
from gis.errors import Unavailable
from gis.text import search_key

LETTERS = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵđ"


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert migrate(database) == newest_revision()
    with database.reading() as connection:
        assert revision_of(connection) == newest_revision()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute(
            text("INSERT INTO gis.layer (id, digest, definition) VALUES ('a', '', '{}')")
        )
        raise RuntimeError
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.layer")) == 0


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only"), database.reading() as connection:
        connection.execute(text("DELETE FROM gis.layer"))


def test_a_reader_is_stopped_after_its_time(url: str) -> None:
    impatient = Database(url, reader_timeout_ms=100)
    with pytest.raises(DBAPIError, match="statement timeout"), impatient.reading() as connection:
        connection.execute(text("SELECT pg_sleep(5)"))
    impatient.close()


def test_a_database_that_is_down_is_named_with_what_to_do(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql:///gis?host={tmp_path}")
    with pytest.raises(Unavailable, match="GIS_DATABASE_URL"), nowhere.reading():
        pass
    nowhere.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(alphabet=LETTERS + LETTERS.upper() + " -'09", min_size=1))
def test_the_search_key_is_the_same_in_python_and_sql(database: Database, words: str) -> None:
    with database.reading() as connection:
        key = connection.scalar(text("SELECT gis.search_key(:words)"), {"words": words})
    assert key == search_key(words)


def test_the_search_key_of_usual_letters_is_made_as_that_of_any_other(database: Database) -> None:
    blocks = (range(0x20, 0x250), range(0x300, 0x370), range(0x1E00, 0x1F00), range(0x2000, 0x2070))
    letters = [chr(code) for block in blocks for code in block]
    words = [form for each in letters for form in (each, f" a{each}B  ", f"{each} {each}")]
    with database.reading() as connection:
        different = connection.execute(
            text("""
            SELECT word FROM unnest(CAST(:words AS text[])) AS word
            WHERE gis.search_key(word) IS DISTINCT FROM
              lower(btrim(regexp_replace(gis.without_accents(word), '\\s+', ' ', 'g'))
                COLLATE "vi-x-icu")
            """),
            {"words": words},
        )
        assert different.scalars().all() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.floats(-180, 180), st.floats(-89, 89), st.integers(0, 15), st.integers(0, 15))
def test_the_parent_in_sql_is_the_parent_of_h3(
    database: Database, lon: float, lat: float, fine: int, coarse: int
) -> None:
    fine, coarse = max(fine, coarse), min(fine, coarse)
    cell = h3.latlng_to_cell(lat, lon, fine)
    with database.reading() as connection:
        parent, resolution = connection.execute(
            text("SELECT gis.h3_text(gis.h3_parent(:cell, :to)), gis.h3_resolution(:cell)"),
            {"cell": h3.str_to_int(cell), "to": coarse},
        ).one()
    assert (parent, resolution) == (h3.cell_to_parent(cell, coarse), fine)


def test_a_connection_that_the_server_has_ended_is_replaced(
    database: Database, monkeypatch
) -> None:
    monkeypatch.setattr(engine, "_IDLE_S", 0.0)
    for reading in (database.reading, database.reading_singly, database.writing):
        with reading() as connection:
            ended = connection.scalar(text("SELECT pg_backend_pid()"))
        with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (ended,))
        with reading() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != ended


def test_a_single_reader_holds_no_transaction_and_cannot_write(database: Database) -> None:
    with database.reading_singly() as connection:
        started = [connection.scalar(text("SELECT now()")) for _ in range(2)]
        assert started[0] < started[1]
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(text("CREATE TABLE x ()"))
    with database.reading() as connection:
        assert connection.scalar(text("SELECT now()")) == connection.scalar(text("SELECT now()"))


def test_a_statement_that_comes_again_is_planned_once_where_its_reader_says_so(database: Database):
    plans = text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE :mark = 0")
    for reading, kept in ((database.reading_by_kept_plans, True), (database.reading, False)):
        with reading() as connection:
            for number in range(9):
                connection.execute(
                    text("SELECT id FROM gis.alert WHERE rule = :n"), {"n": str(number)}
                )
            (found,) = connection.execute(plans, {"mark": 0}).all()
        assert (found.generic_plans > 0, found.custom_plans > 0) == (kept, not kept)
