"""Files of departments at every door that takes them: the same records, or the same question."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.advice import as_parameters
from api.cli import command_line
from api.cli.file_options import file_answers
from gis.database.engine import Database
from gis.errors import AmbiguousInput, BadFile
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.push import answer_of
from tests.databases import Server
from tests.intake_layers import FILES, MZ
from tests.integration.sensors import sensor_client, sensor_database
from tests.unit.intake.test_questions import advice

ALONE = (".csv", ".xlsx", ".geojson", ".kml", ".gpx", ".fgb", ".parquet", ".zip", ".kmz")
NAMES = sorted(path.name for path in FILES.iterdir() if path.suffix in ALONE)
SAID = ("read", "added", "outside", "quarantined", "states", "notes", "failed")


@pytest.fixture(scope="module")
def database(postgres: Server, toy_template: str) -> Iterator[Database]:
    with sensor_database(postgres, toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with sensor_client(database) as opened:
        yield opened


def empty(database: Database) -> None:
    with database.writing() as connection:
        for table in ("layer.mz", "gis.quarantine", "gis.load"):
            connection.execute(text(f"DELETE FROM {table}"))


def loaded(database: Database, path: Path, options: dict[str, str]) -> dict[str, Any] | str:
    """What the command line says of a file, in the words of requests."""
    given = {"assume_crs": None, "date_format": None, "number_format": None, **options}
    try:
        answers = file_answers(**given)
        report = load_file(
            database, MZ, path, LoadOptions("tests", "sensors", answers, most_failed=100_000)
        )
    except (AmbiguousInput, BadFile) as error:
        return str(error)
    answer = answer_of(report)
    return {name: answer[name] for name in SAID}


def pushed(client: httpx.Client, path: Path, options: dict[str, str]) -> dict[str, Any] | str:
    file = {"file": (path.name, path.read_bytes(), "application/octet-stream")}
    answer = client.post("/ingest/mz", files=file, params=options)
    if answer.status_code == 400:
        return str(answer.json()["detail"])
    assert answer.status_code == 200, answer.text
    return {name: answer.json()[name] for name in SAID}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_the_same_to_the_command_and_to_a_request(
    client: httpx.Client, database: Database, name: str
) -> None:
    path, options = FILES / name, dict[str, str]()
    for _ in range(4):
        empty(database)
        here = loaded(database, path, options)
        empty(database)
        there = pushed(client, path, options)
        if isinstance(here, str) or isinstance(there, str):
            assert there == as_parameters(str(here))
            answers = advice(str(here))
            if not answers:
                return  # refused, with its reason
            option, value = answers[0]
            options[option[2:].replace("-", "_")] = value
            continue
        here["notes"] = list(map(as_parameters, here["notes"]))
        assert there == here
        assert here["read"] == sum(here["states"].values())
        return
    raise AssertionError(f"asks on and on: {here}")


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith(("csv", "xlsx"))])
def test_place_takes_what_a_load_takes_or_asks_the_same(
    database: Database, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIS_DATABASE_URL", database.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path))
    options: list[str] = []
    for _ in range(4):
        done = CliRunner().invoke(
            command_line(), ["place", str(FILES / name), "--day", "when", *options]
        )
        if done.exit_code == 0:
            placed = list(csv.DictReader(io.StringIO(done.stdout)))
            assert all("method" in record for record in placed)
            return
        assert isinstance(done.exception, AmbiguousInput | BadFile), (done.exception, done.output)
        answers = advice(str(done.exception))
        if not answers:
            assert isinstance(done.exception, BadFile)
            return
        options += answers[0]
    raise AssertionError(f"asks on and on: {options}")
