"""docs/how-to/connect-a-department.md: its files and commands, as they stand, in their order."""

import base64
import json
import re
import shlex
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from api.cli import command_line
from gis.database.engine import Database
from layers.definition.catalogue import read_layer
from layers.definition.model import GeometryKind
from tests.conftest import LAYERS
from tests.source_layers import count

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "connect-a-department.md"
TEXT = PAGE.read_text(encoding="utf-8")
KEY, SECRET, RAIN = "client-of-gis", "s3cret-of-the-bus", "k3y-of-rain"
PERMITS = [
    {
        "soGiayPhep": f"GP-{n:03}",
        "loaiCongTrinh": 1 + n % 2,
        "thayThe": "GP-001" if n == 3 else None,
        "dienTich": 120.125 + n,
        "diaChi": "",
        "ngayCap": f"/Date({1757300400000 + n * 1000})/",
        "viTri": {"kinhDo": 104.11 + n / 10_000, "viDo": 22.05},
    }
    for n in range(130)
]
STATIONS = [
    {
        "station": {"uuid": f"u{n}", "name": f"Trạm {n}", "lon": 104.12 + n / 100, "lat": 22.05},
        "sumDepth": n + 0.5,
        "time": 1757300400000,
    }
    for n in range(3)
]


class Department(BaseHTTPRequestHandler):
    """A bus that wants a token of OAuth 2, and a service of rain that wants a key."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        expected = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.answer({"error": "invalid_client"}, 401)
            return
        self.answer({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 600})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/stations/stats":
            allowed = self.headers.get("x-api-key") == RAIN
            self.answer(STATIONS if allowed else {}, 200 if allowed else 401)
        elif self.headers.get("Authorization") == "Bearer t0ken":
            query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            first = (query["page"] - 1) * query["size"]
            self.answer({"data": {"items": PERMITS[first : first + query["size"]]}})
        else:
            self.answer({}, 401)

    def answer(self, document: object, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def department() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Department) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_page_connects_three_kinds_as_it_stands(
    database: Database, department: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LAYERS, "layers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    inbox = tmp_path / "inbox"
    (inbox / "moc_nuoc").mkdir(parents=True)
    for name, value in {
        "GIS_DATABASE_URL": database.url,
        "GIS_LAYERS": "layers",
        "GIS_HOME": str(tmp_path / "home"),
        "GIS_INBOX": str(inbox),
        "GIS_SOURCE_NETWORKS": "127.0.0.0/8",
        "GIS_SOURCE_SECRET_LGSP_KEY": KEY,
        "GIS_SOURCE_SECRET_LGSP_SECRET": SECRET,
        "GIS_SOURCE_SECRET_RAIN_KEY": RAIN,
    }.items():
        monkeypatch.setenv(name, value)
    output: dict[str, str] = {}
    for kind, block in re.findall(r"```(yaml|csv|sh)\n(.*?)```", TEXT, re.DOTALL):
        if kind == "yaml":
            layer_id = block.splitlines()[0].removeprefix("id: ")
            assert f"`layers/{layer_id}.yaml`" in TEXT
            text = re.sub(r"https://\w+\.example\.vn", department, block)
            Path("layers", f"{layer_id}.yaml").write_text(text, encoding="utf-8")
        elif kind == "csv":
            (inbox / "moc_nuoc" / "1.csv").write_text(block, encoding="utf-8")
        else:
            for command in re.sub(r"https://\w+\.example\.vn", department, block).splitlines():
                done = CliRunner().invoke(
                    command_line(), shlex.split(command)[1:], catch_exceptions=False
                )
                assert done.exit_code == 0, (command, done.output)
                output[command] = done.output
    assert re.search(r"added +129", output["gis sources run giay_phep"])
    assert count(database, "layer.giay_phep") == 129
    assert count(database, "layer.giay_phep WHERE source_key = 'GP-001'") == 0
    assert count(database, "layer.giay_phep WHERE dien_tich = 123.125 AND loai = 'công trình'") == 1
    assert "loaded" in output["gis trace giay_phep GP-003"]
    assert count(database, "layer.moc_nuoc") == 2
    assert (inbox / "moc_nuoc" / "done" / "1.csv").exists()
    assert count(database, "layer.tram_mua") == 3
    assert "late" in output["gis sources list"] or "fresh" in output["gis sources list"]
    for text in output.values():
        assert not {KEY, SECRET, RAIN} & set(re.findall(r"[\w-]+", text))


def test_a_word_in_the_table_of_answers_is_a_command():
    words = {command.split()[2] for command in re.findall(r"`(gis sources [^`]+)`", TEXT)}
    assert {"answer", "pause", "retry", "show"} <= words


def test_a_draft_of_a_real_source_is_a_layer_file_that_reads_it(
    database: Database, department: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LAYERS, "layers", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name, value in {
        "GIS_DATABASE_URL": database.url,
        "GIS_LAYERS": "layers",
        "GIS_HOME": str(tmp_path / "home"),
        "GIS_SOURCE_NETWORKS": "127.0.0.0/8",
        "GIS_SOURCE_SECRET_RAIN_KEY": RAIN,
        "GIS_SOURCE_SECRET_LGSP_KEY": KEY,
        "GIS_SOURCE_SECRET_LGSP_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(name, value)

    def gis(*words: str) -> str:
        done = CliRunner().invoke(command_line(), list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    shown = gis(
        "sources", "draft", f"{department}/stations/stats", "--out", "layers/rain.yaml",
        "--option", "headers={x-api-key: '{secret:RAIN_KEY}'}",
    )  # fmt: skip
    assert shown.count("coordinates") >= 3
    login = (
        f"login={{kind: oauth2, token_url: '{department}/token', client_id: '{{secret:LGSP_KEY}}',"
        " client_secret: '{secret:LGSP_SECRET}'}"
    )
    pages = "pages={style: number, size_parameter: size, size: 100}"
    gis(
        "sources", "draft", f"{department}/xd/giay-phep", "--out", "layers/permits.yaml",
        "--option", login, "--option", pages,
    )  # fmt: skip
    drafted = Path("layers/permits.yaml").read_text(encoding="utf-8")
    assert "records: data.items" in drafted
    assert "dotnet_date" in drafted
    assert not {KEY, SECRET, RAIN} & set(re.findall(r"[\w-]+", drafted + shown))
    gis("layers", "check")
    gis("layers", "sync")
    for layer_id, number in (("rain", 3), ("permits", 130)):
        layer = read_layer(Path(f"layers/{layer_id}.yaml"))
        assert layer.hexes is None or layer.hexes.resolutions[:3] == (5, 6, 7)
        assert (layer.hexes is None) == (layer.geometry is GeometryKind.NONE)
        assert re.search(rf"added +{number}\b", gis("sources", "run", layer_id))
