"""`gis summary` has the parameters of /summary, and its answers."""

import json
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from api.cli import command_line
from gis.database.engine import Database
from layers.summary.parameters import SummaryParameters
from tests.planners import REQUESTS, plant, plant_province


def test_the_command_has_each_parameter_of_the_model() -> None:
    command = typer.main.get_command(command_line()).commands["summary"]
    options = {option.removeprefix("--") for each in command.params for option in each.opts}
    names = {field.alias or name for name, field in SummaryParameters.model_fields.items()}
    assert options == names | {"layer", "output", "json"}


def test_a_summary_is_shown_and_written(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:

    plant_province(database, tmp_path)
    url = database.url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setenv("GIS_DATABASE_URL", url)
    layers = tmp_path / "layers"
    layers.mkdir()

    (layers / "requests.yaml").write_text(
        json.dumps(REQUESTS.model_dump(mode="json", exclude_none=True, exclude_defaults=True)),
        encoding="utf-8",
    )
    monkeypatch.setenv("GIS_LAYERS", str(layers))
    plant(database)

    def gis(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(command_line(), ["summary", "requests", *words])
        assert done.exit_code == code, done.output
        return str(done.exception) if code else done.output

    told = json.loads(gis("--by", "commune", "--sortby=-count,-commune", "--limit", "1", "--json"))
    assert told["groups"] == [{"commune": "00004", "commune_name": "Xã Bãi Cát", "count": 3}]
    assert "Phường Sao Mai" in gis("--by", "commune")
    report = tmp_path / "report.csv"
    assert "3 groups of 7 records" in gis("--by", "commune", "--output", str(report))
    assert report.read_text("utf-8-sig").splitlines()[0] == "commune,commune_name,count"
    filtered = gis("--filter", "agency = 'A'", "--datetime", "2026-03-02", "--json")
    assert json.loads(filtered)["total"] == 2
    assert "no property" in gis("--by", "galaxy", code=1)
