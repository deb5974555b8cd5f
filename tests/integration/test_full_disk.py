"""A database without room says so: who writes is told the truth, and the service is not ready."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.database.roles import as_owner, become
from gis.errors import Unavailable
from gis.settings import Settings
from tests.integration.ogc_app import Client, app_client


@pytest.fixture
def client(toy_province: Database, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as opened:
        yield opened


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53100", "the disk of the database is full"),
        ("53200", "the database has no memory left"),
        ("53300", "the database has no connection left"),
        ("53400", "a limit in the configuration of the database is exceeded"),
        ("57P01", "the database cannot be reached"),
    ],
)
def test_what_the_database_lacks_is_reported_in_its_own_words(database: Database, state, words):
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(Unavailable, match=words), database.writing() as connection:
        connection.execute(text(raised))


def test_a_write_to_a_full_disk_is_503_with_the_reason(client: Client, toy_province: Database):
    full = """
        CREATE FUNCTION layer.full() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON layer.field_incidents
        EXECUTE FUNCTION layer.full()
    """
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN)
        with as_owner(connection):
            connection.exec_driver_sql(full)
    answer = client.post(
        "/ogc/collections/field_incidents/items",
        json={
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},
            "properties": {"kind": "flood", "valid_at": "2026-03-01T08:00:00+07:00"},
        },
        headers={"X-API-Key": key},
    )
    assert answer.status_code == 503, answer.text
    assert answer.json()["detail"].startswith("the disk of the database is full")
    assert answer.headers["retry-after"] == "10"


def test_a_service_whose_database_cannot_write_is_not_ready(client: Client, toy_province: Database):
    """A limit that PostgreSQL heeds as it does the end of its disk."""
    assert client.get("/health").status_code == 200
    name = toy_province.url.split("?")[0].rsplit("/", 1)[1]
    with toy_province.writing() as connection:
        become(connection, "none")
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET temp_file_limit = '64kB'")
    toy_province.close()  # a connection learns of it when it is made
    answer = client.get("/health")
    assert answer.status_code == 503
    assert "limit in the configuration" in answer.json()["detail"]
    assert client.get("/health/live").status_code == 200
    with toy_province.writing() as connection:
        become(connection, "none")
        connection.exec_driver_sql(f"ALTER DATABASE {name} RESET temp_file_limit")
    toy_province.close()
    assert client.get("/health").status_code == 200
