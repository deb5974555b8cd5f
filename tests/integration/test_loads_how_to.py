"""docs/how-to/loads.md: its commands run as they stand, in their order."""

import re
import shlex
import shutil
from pathlib import Path

from typer.testing import CliRunner

from api.cli import command_line
from tests.conftest import LAYERS

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "loads.md").read_text(encoding="utf-8")


def test_the_commands_run_from_the_first_to_the_last(toy_province, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LAYERS, "layers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (name,) = re.findall(r"`([^`]+\.csv)`: /", PAGE)
    (records,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    Path(name).write_text(records, encoding="utf-8")
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_LAYERS", "layers")
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    commands = re.findall(r"^gis .*$", PAGE, re.MULTILINE)
    output = {}
    for command in commands:
        _, *words = shlex.split(command)
        done = CliRunner().invoke(command_line(), words, catch_exceptions=False)
        assert done.exit_code == 0, (command, done.output)
        output[command] = done.output
    assert len(commands) == 9
    assert "decimal_point" in output[commands[3]]
    assert re.search(r"added +2", output[commands[4]])
    assert "register" in output["gis loads show 1"]
    assert "GK-001" in output["gis loads diff 1"]
    assert re.search(r"deleted +2", output["gis loads revert 1"])
    assert Path("failed.csv").read_text(encoding="utf-8-sig").startswith("Số đăng ký,")
