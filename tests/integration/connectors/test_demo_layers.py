"""Layers of simulated departments: from the protocol through the core to rows in their communes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api.demo_sources.arcgis import LAYER, DemoArcgis, health_facilities
from api.demo_sources.feeds import PLACES
from api.demo_sources.server import json_answer
from api.demo_sources.simulation import LAYER_FILES, PORT, SECRETS, demo_pages
from gis.connectors import CONNECTORS
from gis.database.engine import Database
from layers.definition.catalogue import read_layer
from layers.sources.run import run_source
from tests.databases import Server
from tests.integration.connectors.faulty import FAULTS, FaultyServer, faulty, surroundings
from tests.source_layers import publish, state

NAMES = sorted(path.stem for path in LAYER_FILES.glob("*.yaml"))
NOT_PLACED = {"reservoir_levels"}
HIDDEN = {"construction_permits"}  # the words of the simulation are in a personal field


@pytest.fixture(scope="module")
def province(postgres: Server, lao_cai_template: str) -> Iterator[Database]:
    with postgres.opened(lao_cai_template) as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def server(now: datetime) -> Iterator[FaultyServer]:
    with faulty(demo_pages(lambda: now)) as running:
        yield running


def layer_at(name: str, server: FaultyServer, folder: Path):
    """The layer of a file whose source is at the server of this test."""
    path = folder / f"{name}.yaml"
    words = (LAYER_FILES / path.name).read_text(encoding="utf-8")
    path.write_text(words.replace(f"http://127.0.0.1:{PORT}", server.base), encoding="utf-8")
    return read_layer(path)


def run(database: Database, layer):
    return run_source(database, layer, surroundings(SECRETS))


def rows(database: Database, statement: str):
    with database.writing() as connection:
        return connection.execute(text(statement)).all()


def test_whatever_is_drawn_lies_in_its_commune_or_in_the_province(province):
    for name, commune, lon, lat in PLACES:
        place = f"ST_SetSRID(ST_Point({lon}, {lat}), 4326)"
        ((drawn_within,),) = rows(
            province, f"SELECT bool_or(ST_Covers(geom, {place})) FROM gis.admin_unit"
            f" WHERE level = 'commune' AND full_name = '{commune}'"
        )  # fmt: skip
        assert drawn_within, name
        around = f"ST_Expand({place}, 0.02)"
        ((left,),) = rows(
            province, f"SELECT ST_IsEmpty(ST_Difference({around}, ST_Union(geom)))"
            f" FROM gis.admin_unit WHERE level = 'commune' AND geom && {around}"
        )  # fmt: skip
        assert left, name


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_is_filled_placed_and_labelled_and_then_nothing_is_doubled(
    province, server, tmp_path, name
):
    layer = layer_at(name, server, tmp_path)
    publish(province, layer)
    report = run(province, layer)
    assert (report.state, report.why, report.failed) == ("complete", "", 0)
    assert report.added > 0
    replaced = 8 if layer.source.supersedes else 0
    assert report.added == report.read - replaced
    loads = f"SELECT bool_and(simulated) FROM gis.load WHERE layer_id = '{name}'"
    assert rows(province, loads) == [(True,)]
    ((stored,),) = rows(province, f"SELECT count(*) FROM layer.{name}")
    if layer.series is None:
        assert stored == report.added
    else:  # whose rows are stations
        measured = f"SELECT count(DISTINCT (station, measured_at)) FROM layer.{name}_measurements"
        assert rows(province, measured) == [(report.added,)]
    if name not in NOT_PLACED:
        ((placed,),) = rows(province, f"SELECT count(commune) FROM layer.{name}")
        assert placed == stored
    if name not in HIDDEN:
        ((labelled,),) = rows(
            province, f"SELECT count(*) FROM layer.{name} t WHERE t::text LIKE '%mô phỏng%'"
        )
        assert labelled == stored
    again = run(province, layer)
    assert (again.state, again.added, again.removed) == ("complete", 0, 0)
    assert state(province, name)["failures"] == 0


def test_the_layers_show_most_protocols():
    used = {read_layer(path).source.connector for path in LAYER_FILES.glob("*.yaml")}
    assert used == {"http", "arcgis", "sensorthings"}
    assert used <= set(CONNECTORS)
    assert len(NAMES) >= 8


def test_a_later_permit_replaces_the_earlier_one(province, server, tmp_path):
    layer = layer_at("construction_permits", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    left = {key for (key,) in rows(province, "SELECT source_key FROM layer.construction_permits")}
    assert "0006/GPXD" in left
    assert "0005/GPXD" not in left
    columns = rows(province, "SELECT * FROM layer.construction_permits LIMIT 1")[0]._fields
    assert "owner" not in columns


def test_a_facility_that_changed_is_corrected_and_one_that_is_gone_goes(province, server, tmp_path):
    layer = layer_at("health_facilities", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    changed = health_facilities(120)[1:]
    changed[0]["attributes"]["SO_GIUONG"] = 999
    server.pages[LAYER] = DemoArcgis(changed).answer
    report = run(province, layer)
    assert (report.state, report.updated, report.removed) == ("complete", 1, 1)
    server.pages[LAYER] = DemoArcgis([]).answer  # by a fault, says that it has none
    assert run(province, layer).removed == 0
    ((left,),) = rows(province, "SELECT count(*) FROM layer.health_facilities")
    assert left == 119


def test_a_column_that_is_renamed_while_it_runs_is_a_question_and_the_layer_stays(
    province, server, tmp_path
):
    layer = layer_at("traffic_incidents", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    kinds = "SELECT source_key, kind FROM layer.traffic_incidents ORDER BY 1"
    before = rows(province, kinds)
    right = server.pages["/traffic"]

    def renamed(request):
        answer = right(request)
        return type(answer)(answer.body.replace(b'"loai"', b'"loai_su_co"'), 200, answer.headers)

    server.pages["/traffic"] = renamed
    report = run(province, layer)
    assert report.state == "asks"
    assert "loai" in report.why
    assert (
        rows(province, "SELECT source_key, kind FROM layer.traffic_incidents ORDER BY 1") == before
    )


def test_a_warning_that_the_latest_list_has_not_has_ended(province, server, now, tmp_path):
    layer = layer_at("landslide_warnings", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    server.pages["/warnings"] = lambda request: json_answer([])
    report = run(province, layer)
    assert report.state == "complete"
    ended = "SELECT bool_and(provenance ? 'gone') FROM layer.landslide_warnings"
    assert rows(province, ended) == [(True,)]
    server.pages["/warnings"] = demo_pages(lambda: now)["/warnings"]
    assert run(province, layer).state == "complete"
    assert rows(province, ended) == [(False,)]


@pytest.mark.parametrize("fault", ["cut", "500"])
def test_a_source_that_fails_says_so_and_the_layer_stays(province, server, tmp_path, fault):
    layer = layer_at("border_gates", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    server.fault = next(each for each in FAULTS if fault in each.name).send
    report = run(province, layer)
    assert report.state == "failed"
    assert fault in report.why
    ((left,),) = rows(province, "SELECT count(*) FROM layer.border_gates")
    assert left == 4


def test_the_sources_run_as_a_program_of_their_own():
    words = [sys.executable, "-m", "api.demo_sources", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        rest = program.stdout.read()
    assert first.startswith("simulated sources at http://127.0.0.1:")
    assert "GIS_SOURCE_NETWORKS=127.0.0.0/8" in rest
    assert program.returncode == 0


def test_water_that_rises_from_hour_to_hour_is_a_series_with_its_alarm_levels(
    province, server, now, tmp_path
):
    layer = layer_at("water_levels", server, tmp_path)
    publish(province, layer)
    run(province, layer)
    for later in range(1, 4):
        server.pages |= demo_pages(lambda hours=later: now + timedelta(hours=hours - 4))
        run(province, layer)
    measured = "SELECT count(*), count(DISTINCT station) FROM layer.water_levels_measurements"
    assert rows(province, measured) == [(45, 5)]  # of nine hours, six in each answer
    levels = rows(
        province,
        "SELECT level, (level >= alarm_1)::int + (level >= alarm_2)::int + (level >= alarm_3)::int,"
        " level_alarm, level_trend FROM layer.water_levels",
    )
    assert all(alarm >= reached for _, reached, alarm, _ in levels)
    assert all(trend in ("rising", "steady", "falling") for *_, trend in levels)
    stations = {name for (name,) in rows(province, "SELECT station FROM layer.water_levels")}
    assert stations == {f"Trạm {name}" for name, *_ in PLACES[:5]}  # whatever the level is
    history = "SELECT count(*) FROM gis.row_history WHERE layer_id = 'water_levels'"
    assert rows(province, history) == [(0,)]
