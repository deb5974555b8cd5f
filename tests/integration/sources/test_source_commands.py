"""gis sources and gis trace: what a steward sees and does, on the real command line."""

import os
import re
import shutil
import sys
import threading
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner, Result

from api.app import create_app
from api.cli import command_line
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.errors import AmbiguousInput, BadInput, GisError, NotFound, SourceUnavailable
from gis.jobs.process import JobProcess
from gis.jobs.session import WorkerSession
from gis.jobs.worker import Worker
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import job_kinds
from layers.jobs.sources import SOURCES, SourceScheduler
from tests.acceptance.screenshot import CHROMIUM, browser, open_map
from tests.conftest import LAYERS
from tests.intake_layers import write_csv
from tests.integration.ogc_app import app_client, serving
from tests.source_layers import count

LAYER = """\
id: mz
title: {vi: Mốc, en: Gauges}
description: {vi: Một, en: One}
department: {vi: Sở, en: Department}
licence: MIT
geometry: point
source:
  connector: folder
  read: {path: mz, settle_s: 0}
  key: code
  coordinates: {x: lon, y: lat}
  promise: {fresh_within: 1h}
fields:
  level: {type: number, label: {vi: Mực nước, en: Level}}
tiles: {min_zoom: 0}
"""


@pytest.fixture
def folder(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the commands run, with the layer published; gives that of the source."""
    layers = tmp_path / "layers"
    shutil.copytree(LAYERS, layers, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (layers / "mz.yaml").write_text(LAYER, encoding="utf-8")
    inbox = tmp_path / "home" / "inbox" / "mz"
    inbox.mkdir(parents=True)
    monkeypatch.setenv("GIS_DATABASE_URL", database.url)
    monkeypatch.setenv("GIS_LAYERS", str(layers))
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    gis("layers", "sync")
    return inbox


def gis(*words: str) -> Result:
    return CliRunner().invoke(command_line(), list(words), catch_exceptions=False)


def put(folder: Path, name: str, *records: tuple[object, ...]) -> None:
    path = write_csv(folder / name, ("code", "lon", "lat", "level"), *records)
    os.utime(path, (1, 1))


def fails(error: type[GisError], *words: str) -> str:
    with pytest.raises(error) as told:
        gis(*words)
    return str(told.value)


def test_a_source_is_run_listed_paused_answered_and_its_records_traced(
    database: Database, folder: Path
):
    put(folder, "1.csv", *((f"A{n}", 104.15, 22.05, n) for n in range(30)))
    assert re.search(r"added +30", gis("sources", "run", "mz").output)
    listed = orjson.loads(gis("sources", "list", "--json").output)
    assert [(row["layer_id"], row["state"]) for row in listed] == [("mz", "fresh")]
    assert "all sources are as they should be" in gis("sources", "status").output

    put(folder, "2.csv", *((f"A{n}", 104.15, 22.05, f"{n} m") for n in range(30)))
    why = fails(AmbiguousInput, "sources", "run", "mz")
    assert "held numbers and now holds texts" in why
    status = gis("sources", "status").output
    assert "1 asking" in status
    shown = orjson.loads(gis("sources", "show", "mz", "--json").output)
    assert shown["question"]["why"] == why
    assert "token" not in shown
    gis("sources", "answer", "mz", "--yes")
    assert re.search(r"failed +30", gis("sources", "run", "mz").output)
    assert count(database, "gis.quarantine WHERE status = 'waiting'") == 30

    gis("sources", "pause", "mz", "--who", "Lan")
    (row,) = orjson.loads(gis("sources", "list", "--json").output)
    assert (row["state"], row["paused_by"][-5:]) == ("paused", "(Lan)")
    gis("sources", "resume", "mz")
    gis("sources", "retry", "mz")
    quality = orjson.loads(gis("sources", "quality", "mz", "--json").output)
    assert [row["validity"] for row in quality] == [0.0, 1.0]

    put(folder, "3.csv", ("A1", 104.16, 22.05, 7))
    gis("sources", "run", "mz")
    (record,) = orjson.loads(gis("trace", "mz", "A1", "--json").output)
    steps = [(step["what"], step["file"], sorted(step["after"])) for step in record["steps"]]
    assert steps[0] == ("loaded", "1.csv", [])
    assert ("changed", None, ["geom", "h3", "level"]) in steps
    assert ("loaded", "3.csv", []) in steps
    assert any(what == "quarantined" for what, _, _ in steps)
    assert record["place"]["place_method"] == "coordinates"
    assert {step["mapping"] for step in record["steps"] if step["what"] == "loaded"} != {None}
    assert "item" in gis("trace", "mz", "A1").output
    assert "knows no record" in fails(NotFound, "trace", "mz", "none")


def test_what_a_source_has_no_more_is_served_with_its_day_and_files_share_its_name(
    database: Database, folder: Path
):
    path = Path(os.environ["GIS_LAYERS"]) / "mz.yaml"
    marked = LAYER.replace("settle_s: 0}", "settle_s: 0, whole: true}\n  deletions: mark")
    path.write_text(marked, encoding="utf-8")
    gis("layers", "sync")
    put(folder, "1.csv", *((f"A{n}", 104.15, 22.05, n) for n in range(4)))
    gis("sources", "run", "mz")
    put(folder, "2.csv", *((f"A{n}", 104.15, 22.05, n) for n in range(3)))
    gis("sources", "run", "mz")
    put(folder.parent, "by-hand.csv", ("A0", 104.15, 22.05, 8))
    gis("layers", "load", "mz", str(folder.parent / "by-hand.csv"))
    assert count(database, "layer.mz") == 4
    app = create_app(
        Settings(_env_file=None), database, read_catalogue(Path(os.environ["GIS_LAYERS"]))
    )
    with app_client(app) as client:
        rows = client.get("/ogc/collections/mz/items?f=json").json()["features"]
        found = client.get("/ogc/collections/mz/items?f=json&filter=gone_at IS NOT NULL").json()
    gone = {row["properties"]["level"]: row["properties"]["gone_at"] for row in rows}
    assert {level for level, at in gone.items() if at} == {3}
    assert {level for level, at in gone.items() if not at} == {8, 1, 2}
    assert [row["properties"]["level"] for row in found["features"]] == [3]


def test_a_source_that_fails_and_a_layer_without_one_say_so(folder: Path):
    shutil.rmtree(folder)
    draft = Path(os.environ["GIS_LAYERS"]) / "mz2.yaml"
    draft.write_text(LAYER.replace("id: mz", "id: mz2"), encoding="utf-8")
    assert "run `gis layers sync`" in fails(BadInput, "sources", "run", "mz2")
    draft.unlink()
    assert "there is no folder mz" in fails(SourceUnavailable, "sources", "run", "mz")
    assert "1 failing" in gis("sources", "status").output
    assert "has no source that the service reads" in fails(NotFound, "sources", "run", "roads")
    assert "has no source that the service reads" in fails(NotFound, "sources", "show", "roads")


def test_who_may_write_a_layer_may_trace_its_records_over_http_and_nobody_else(
    database: Database, folder: Path
):
    put(folder, "1.csv", ("A1", 104.15, 22.05, 1))
    gis("sources", "run", "mz")
    catalogue = read_catalogue(Path(os.environ["GIS_LAYERS"]))
    app = create_app(Settings(_env_file=None), database, catalogue)
    with app_client(app) as client:
        with database.writing() as connection:
            own = create_key(connection, "own", Role.DEPARTMENT, ("mz",))
            other = create_key(connection, "other", Role.DEPARTMENT, ("roads",))
        path = "/layers/mz/trace?key=A1"
        assert client.get(path).status_code in (401, 403)
        assert client.get(path, headers={"X-API-Key": other}).status_code in (403, 404)
        answer = client.get(path, headers={"X-API-Key": own})
        assert answer.status_code == 200
        (record,) = answer.json()["records"]
        assert [step["what"] for step in record["steps"]] == ["loaded"]
        assert client.get("/layers/mz/trace?key=x", headers={"X-API-Key": own}).status_code == 404
        rows = client.get("/ogc/collections/sources/items?f=json").json()["features"]
        assert [row["properties"]["state"] for row in rows] == ["fresh"]
        assert rows[0]["properties"]["title_vi"] == "Mốc"


def test_the_process_of_jobs_reads_sources_by_the_settings(database: Database, folder: Path):
    put(folder, "1.csv", ("A1", 104.15, 22.05, 1))
    catalogue = read_catalogue(Path(os.environ["GIS_LAYERS"]))
    assert SourceScheduler(database).queue_round(catalogue)
    stopped = threading.Event()
    session = WorkerSession(database, leads=False)
    files = LayerFiles(database, Path(os.environ["GIS_LAYERS"]), catalogue)
    worker = Worker(database, session, job_kinds(database, files), stopped)
    process = JobProcess(
        [sys.executable, "-m", "api.job_process", "feeds"], database.url, stopped, 60.0
    )
    try:
        assert worker.work_off((SOURCES,), process) == 1
    finally:
        process.close()
        session.close()
    assert count(database, "layer.mz") == 1
    assert count(database, "gis.job WHERE state = 'succeeded'") == 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_the_map_says_how_fresh_a_layer_is_and_follows(database: Database, folder: Path):
    put(folder, "1.csv", ("A1", 104.15, 22.05, 1))
    gis("sources", "run", "mz")
    catalogue = read_catalogue(Path(os.environ["GIS_LAYERS"]))
    app = create_app(Settings(_env_file=None), database, catalogue)
    with serving(app) as url, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1200, "height": 800}, locale="vi-VN")
        open_map(page, url)
        badge = page.locator("#layer-list [data-layer=mz] .freshness")
        expect(badge).to_contain_text("Cập nhật")
        gis("sources", "pause", "mz")
        expect(badge).to_contain_text("Tạm dừng")
        page.click("#language")
        expect(badge).to_contain_text("Paused")
