"""docs/how-to/measurements.md: its files, commands and requests are as they stand."""

import json
import re
import shlex
from pathlib import Path

import httpx
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from tests.integration.ogc_app import serving

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "measurements.md").read_text("utf-8")


def part(kind: str) -> str:
    (text,) = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_the_page_runs_from_the_first_to_the_last(toy_province, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("layers").mkdir()
    Path("layers/muc_nuoc.yaml").write_text(part("yaml"), encoding="utf-8")
    Path("muc_nuoc.csv").write_text(part("csv"), encoding="utf-8")
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_LAYERS", "layers")
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    output = {}
    for command in part("sh").splitlines():
        if command.startswith("gis loads revert"):
            ask(toy_province)
        done = CliRunner().invoke(command_line(), shlex.split(command)[1:], catch_exceptions=False)
        assert done.exit_code == 0, (command, done.output)
        output[command] = done.output
    assert re.search(r"added +3", output["gis layers load muc_nuoc muc_nuoc.csv"])
    assert "unknown_station" in output["gis records list muc_nuoc --reason unknown_station"]
    assert "measured" in output["gis trace muc_nuoc A"]
    assert re.search(r"deleted +6", output["gis loads revert 1"])


def ask(database):
    catalogue = read_catalogue(Path("layers"))
    requests = re.findall(r"\| `(\S[^`]*)` \|", PAGE)
    assert len(requests) == 5
    with serving(create_app(Settings(_env_file=None), database, catalogue)) as url:
        for request in requests:
            path = request.replace("…", "/ogc/collections/muc_nuoc")
            answer = httpx.get(url + path, timeout=60, verify=False)
            assert answer.status_code == 200, answer.text
            if request == requests[0]:
                (day,) = answer.json()["measurements"]
                assert {**day, **json.loads(part("json"))} == day
            elif request == requests[-1]:
                (item,) = answer.json()["features"]
                assert item["properties"]["muc_nuoc_alarm"] == 1
