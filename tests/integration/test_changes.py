"""Edits listed and put back, over HTTP and from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.ingest.load import LoadOptions, load_file
from tests.integration.ogc_app import app_client

ITEMS = "/ogc/collections/field_incidents/items"
CHANGES = "/layers/field_incidents/changes"
FEATURE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},
    "properties": {"kind": "other", "note": "a"},
}


@pytest.fixture
def http(toy_province: Database, catalogue) -> Iterator[httpx.Client]:
    with toy_province.writing() as connection:
        key = create_key(connection, "Sở A", Role.DEPARTMENT, ["field_incidents"])
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        client.headers["X-API-Key"] = key
        yield client


@pytest.fixture
def gis(toy_province: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on the same database; gives what it prints."""
    url = toy_province.url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setenv("GIS_DATABASE_URL", url)
    runner = CliRunner()

    def run(*words: str, code: int = 0) -> str:
        done = runner.invoke(command_line(), words)
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    return run


def edited(http: httpx.Client) -> str:
    """The path of an item whose note was a and is b."""
    path = http.post(ITEMS, json=FEATURE).headers["location"]
    assert http.patch(path, json={"properties": {"note": "b"}}).status_code == 204
    return path


def note(http: httpx.Client, path: str) -> Any:
    return http.get(path).json()["properties"]["note"]


def test_a_writer_lists_edits_newest_first_and_puts_one_back(http: httpx.Client) -> None:
    path = edited(http)
    item = int(path.rsplit("/", 1)[1])
    changed, added = http.get(CHANGES, params={"item": item}).json()["changes"]
    assert (changed["act"], added["act"]) == ("update", "add")
    assert changed["who"] == "Sở A" and changed["before"]["note"] == "a" and not added["before"]
    done = http.post(f"{CHANGES}/{changed['change']}/revert")
    assert done.json() == {"item": item} and note(http, path) == "a"
    again = http.get(CHANGES).json()["changes"][0]
    assert again["act"] == "revert"
    http.post(f"{CHANGES}/{again['change']}/revert")
    assert note(http, path) == "b", "putting back can be put back"


def test_edits_are_for_those_who_may_write(http: httpx.Client, toy_province: Database) -> None:
    edited(http)
    change = http.get(CHANGES).json()["changes"][0]["change"]
    with toy_province.writing() as connection:
        other = create_key(connection, "Sở B", Role.DEPARTMENT, ["landslides"])
    headers = {"X-API-Key": other}
    assert http.get(CHANGES, headers=headers).status_code == 404
    assert http.post(f"{CHANGES}/{change}/revert", headers=headers).status_code == 404
    assert httpx.get(f"{http.base_url}{CHANGES}").status_code == 404
    assert http.post(f"{CHANGES}/999999999999/revert").status_code == 404
    assert http.get("/layers/communes/changes").status_code == 403


def test_the_command_line_lists_and_puts_back(http: httpx.Client, gis: Any) -> None:
    path = edited(http)
    item = path.rsplit("/", 1)[1]
    changed, _ = json.loads(gis("layers", "history", "field_incidents", item, "--json"))
    assert changed["before"]["note"] == "a" and str(changed["item"]) == item
    assert "update" in gis("layers", "history", "field_incidents")
    told = gis("layers", "revert", "field_incidents", str(changed["change"]))
    assert f"item {item}" in told and note(http, path) == "a"
    assert gis("layers", "history", "landslides").strip() == "nothing was edited"


def test_a_row_that_was_loaded_again_is_not_doubled(
    http: httpx.Client, toy_province: Database, catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "one.csv"
    file.write_text(
        "incident_id,kind,lon,lat,happened_at\na,flood,104.05,22.05,2026-03-01T08:00:00+07:00\n"
    )

    def load() -> str:
        options = LoadOptions(who="tests", source="tests")
        load_file(toy_province, catalogue.get("field_incidents"), file, options)
        return f"{ITEMS}/{http.get(ITEMS).json()['features'][0]['id']}"

    http.delete(load())
    assert load()
    change = http.get(CHANGES).json()["changes"][0]["change"]
    answer = http.post(f"{CHANGES}/{change}/revert")
    assert answer.status_code == 400 and "loaded again" in answer.json()["detail"]
    assert http.get(ITEMS).json()["numberMatched"] == 1
