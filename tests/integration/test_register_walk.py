"""docs/how-to/register-to-map.md and its English twin: each command runs as it stands, in order."""

import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.database.engine import Database
from gis.intake.tables import read_table
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from tests.conftest import LAYERS
from tests.integration.ogc_app import serving

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
FILES = HOW_TO / "register-to-map"
PAGE = "register-to-map.md"
TWIN = "register-to-map.en.md"
HERE = "http://localhost:8000"
_BLOCKS = re.compile(r"^```(sh|text|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page: their kind, and what is in them."""
    return _BLOCKS.findall((HOW_TO / page).read_text(encoding="utf-8"))


class Officer:
    """Types the commands of the page, in a folder with its files and those of the layers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.opened = ExitStack()
        self.url = ""

    def type(self, line: str) -> str:
        if line.startswith("echo "):
            said, _, line = line.partition(" | ")
            return self.run(line, shlex.split(said)[1] + "\n")
        if line.startswith("cat "):
            return Path(line.split()[1]).read_text(encoding="utf-8-sig")
        return self.ask(line) if line.startswith("curl ") else self.run(line)

    def run(self, line: str, sent: str = "") -> str:
        program, *words = shlex.split(line)
        assert program == "gis", line
        done = CliRunner().invoke(command_line(), words, input=sent, catch_exceptions=False)
        assert done.exit_code == 0, (line, done.output)
        return done.output

    def ask(self, line: str) -> str:
        """`curl URL`, or `curl -o FILE URL`, of the service that is on port 8000 otherwise."""
        *options, url = shlex.split(line)[1:]
        if not self.url:
            app = create_app(
                Settings(_env_file=None), self.database, read_catalogue(Path("layers"))
            )
            self.url = self.opened.enter_context(serving(app))
        answer = httpx.get(url.replace(HERE, self.url), timeout=60)
        assert answer.status_code == 200, (line, answer.text)
        if options:
            Path(options[1]).write_bytes(answer.content)
        return "" if options else answer.text.removeprefix("\ufeff")


@pytest.fixture
def officer(lao_cai: Database, tmp_path: Path, monkeypatch: Any) -> Iterator[Officer]:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LAYERS, "layers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for file in FILES.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.setenv("GIS_DATABASE_URL", lao_cai.url)
    monkeypatch.setenv("GIS_LAYERS", "layers")
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    typing = Officer(lao_cai)
    with typing.opened:
        yield typing


def plain(line: str) -> str:
    """A line without the width of its columns, and without times and names of logins."""
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2025-11-03 09:00", line)
    return re.sub(r"\blocal:[\w.-]+", "local:hoa", " ".join(line.split()))


def shows(answer: str, shown: str) -> bool:
    """True where each shown line is a line of the answer; `…` stands for what is left out."""
    lines = [plain(line) for line in answer.splitlines()]
    for line in map(plain, shown.splitlines()):
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        if line and not any(pattern.fullmatch(each) for each in lines):
            return False
    return True


def test_the_page_and_its_english_twin_have_the_same_commands_and_answers():
    assert blocks(PAGE) == blocks(TWIN)
    assert len([kind for kind, _ in blocks(PAGE) if kind == "sh"]) > 20


def test_the_files_of_the_walk_say_that_they_are_simulated():
    for file in FILES.iterdir():
        table = read_table(file)
        said = " ".join(map(str, table.notes)) + str(
            [table.cells.get(column) for column in ("name", "aliases")]
        )
        assert "mô phỏng" in said, file.name


def test_each_command_of_the_walk_answers_what_the_page_shows(officer: Officer):
    answer = ""
    for kind, content in blocks(PAGE):
        if kind == "yaml":
            Path("layers/diem_sat_lo.yaml").write_text(content, encoding="utf-8")
        elif kind == "sh":
            answer = "".join(officer.type(line) for line in content.splitlines())
        else:
            assert shows(answer, content), f"shown:\n{content}\nanswered:\n{answer}"
    assert Path("diem_sat_lo.qlr").read_text(encoding="utf-8").startswith("<!DOCTYPE qgis")
