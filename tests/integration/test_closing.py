"""What was derived from a field or a layer goes with it, from the commit on that closes it.

Something of each kind is made of open data; then the field becomes personal, or the layer closed.
Every route is asked, every table and every file looked at: those of tomorrow too.
"""

import copy
import gzip
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
import yaml
from pmtiles.reader import MmapSource, Reader, all_tiles
from sqlalchemy import text

from api.app import create_app
from gis.access import LOCAL_ADMIN, Role, create_key
from gis.alerts.actions import list_alerts
from gis.database.engine import Database
from gis.errors import BadInput, Conflict
from gis.jobs.queue import enqueue
from gis.notify.cap.approval import approve
from gis.notify.cap.publication import publish_due
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect import repeat_run, run_hotspots, run_method
from layers.detect.snapshot import unpack
from layers.detect.thresholds import evaluate_rules
from layers.ingest import edit, quarantine
from layers.ingest.feature import Feature
from layers.ingest.push import Push, keep_answer, take
from layers.ingest.records import RecordFault
from layers.items import source_of
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.integration.ogc_app import Client, app_client
from tests.integration.route_walk import addresses, asked, routes_of
from tests.integration.test_hotspots import LAYER, NOW, cluster, noise, report
from tests.waiting import wait_until
from tiles.archive import export
from tiles.outdated import delete_outdated

OWNER = "Sentinel-7f3a"
RESULTS = ("alerts", "clusters", "series", "hotspots", "local_moran", "emerging")
RULE = {
    "kind": "count", "id": "many", "title": {"vi": "Nhiều", "en": "Many"}, "at_least": 20,
    "hours": 48, "where": {"owner": OWNER},
}  # fmt: skip
KINDS = {  # by the routes that tell of them while the field is open
    "rows": "/ogc/collections/{layer_id}/items",
    "tiles": "/tiles/{layer_id}/{z}/{x}/{y}.mvt",
    "quarantine": "/quarantine",
    "history": "/layers/{layer_id}/changes",
    "alerts": "/alerts",
    "steps": "/events",
    "documents": "/cap/{identifier}.xml",
}


def layer_of(catalogue: Catalogue, *, read: str = "public", personal: bool = False) -> Catalogue:
    """The layers, with an owner by whom citizen reports are told apart, or one that is personal."""
    told = yaml.safe_load((LAYERS / f"{LAYER}.yaml").read_text(encoding="utf-8"))
    told["access"]["read"] = read
    told["fields"]["owner"] = {
        "type": "text", "label": {"vi": "Chủ", "en": "Owner"}, "personal": personal,
    }  # fmt: skip
    if not personal:
        told["tiles"]["fields"] = {0: ["category", "owner"]}
        told["hexes"]["category"] = told["hotspots"]["category"] = "owner"
        told["alerts"]["rules"] = [RULE]
    changed = Layer.model_validate(told)
    return Catalogue(tuple(changed if one.id == LAYER else one for one in catalogue.layers))


def publish(database: Database, catalogue: Catalogue) -> None:
    with database.writing() as connection:
        sync(connection, catalogue)


def make_all(database: Database, catalogue: Catalogue, settings: Settings) -> None:
    """Something of each kind that is derived from the rows and their owners."""
    report(database, noise(), days=90)
    report(database, cluster())
    report(database, cluster(104.16), at=NOW - timedelta(hours=1))
    layer = catalogue.get(LAYER)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE layer.{LAYER} SET owner = :owner"), {"owner": OWNER})
        row = connection.scalar(text(f"SELECT min(id) FROM layer.{LAYER}"))
        point = Feature(shapely.Point(104.15, 22.05), {"description": "x"}, True)
        edit.modify(connection, source_of(layer), row, point, LOCAL_ADMIN)
        fault = RecordFault("unknown_value", f"owner: giá trị lạ / “{OWNER}” is none of a, b")
        failed = {"k": ({"owner": OWNER, "lon": "x"}, [fault])}
        quarantine.put(connection, LAYER, "file", failed, "tests")
        answer = {"notes": [OWNER], "failed": [{"line": 2, "key": "k", "why": fault.why}]}
        keep_answer(connection, take(connection, Push(LAYER, "tests", None, b"")), answer)
        refused = take(connection, Push(LAYER, "tests", None, b""))
        job = enqueue(connection, "push", {"pushed": refused})
        connection.execute(
            text(
                "UPDATE gis.job SET state = 'failed', error = :why, ended_at = now() WHERE id = :id"
            ),
            {"why": fault.why, "id": job},
        )
        connection.execute(
            text("UPDATE gis.pushed SET job = :job WHERE id = :id"), {"job": job, "id": refused}
        )
    run_hotspots(database, layer, NOW)
    evaluate_rules(database, catalogue, NOW)
    with database.writing() as connection:
        for alert in list_alerts(connection, layers=[LAYER]):
            if alert.rule in ("scan", "many") and alert.status == "open":
                approve(connection, alert.id, "tests", "", confirmed=False)
    publish_due(database, "tests")
    settings.archives.mkdir()
    for layer_id in (LAYER, *RESULTS):
        path = settings.archives / f"{layer_id}.pmtiles"
        export(database, catalogue.get(layer_id), path, lambda *_: None, 5)
    (settings.archives / f".{LAYER}.pmtiles.999999999.part").write_text(OWNER)


def walk(http: Client, headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The path of each route and what is read there, of all that is derived from the layer."""
    database: Database = http.app.state.database
    with database.reading() as connection:
        numbers = {
            name: [str(one) for one in connection.scalars(text(sql))]
            for name, sql in {
                "alert_id": "SELECT id FROM gis.alert ORDER BY id LIMIT 4",
                "record_id": "SELECT id FROM gis.quarantine",
                "push_id": "SELECT id FROM gis.pushed",
                "identifier": "SELECT identifier FROM gis.cap_message ORDER BY seq LIMIT 4",
                "cell": "SELECT DISTINCT gis.h3_text(gis.h3_parent(h3, 7))"
                f" FROM layer.{LAYER} WHERE h3 IS NOT NULL LIMIT 1",
            }.items()
        }
        row = connection.scalar(text(f"SELECT min(id) FROM layer.{LAYER}"))
    known = numbers | {
        "layer_id": [LAYER, *RESULTS], "item_id": [str(row)], "change_id": ["1"],
        "silence_id": ["1"], "z": ["0"], "x": ["0"], "y": ["0"], "zone": numbers["cell"],
        "month": ["2026-03"], "name": ["none"], "correction_id": ["1"],
        "process_id": ["select"], "job_id": ["1"],
    }  # fmt: skip
    more = {
        "/events": ["?after=0"],
        "/hexes/{layer_id}/{z}/{x}/{y}.mvt": [f"?category={OWNER}"],
        "/ogc/collections/{layer_id}/items": ["?f=csv", f"?filter=owner%3D%27{OWNER}%27"],
    }
    for route in routes_of(http.app):
        for address in addresses(route, known) if "GET" in route.methods else ():
            for query in ("", *more.get(route.path, ())):
                yield route.path, asked(http, "GET", f"{address}{query}", headers).body


def told_of(read: bytes) -> bool:
    """Whether something tells the owner that did not ask for him by name."""
    return OWNER.encode() in read and b"problem" not in read[:200] and b'"about:blank"' not in read


def tables_with_owner(database: Database) -> list[str]:
    """Tables outside schema private with a row that holds the value, also within what is packed."""
    found = []
    with database.reading() as connection:
        names = connection.scalars(
            text(
                "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'm')"
                " AND c.relnamespace IN ('gis'::regnamespace, 'layer'::regnamespace)"
            )
        ).all()
        assert len(names) > 40
        for name in names:
            asked_for = f"SELECT count(*) FROM {name} AS one WHERE one::text LIKE :owner"
            if connection.scalar(text(asked_for), {"owner": f"%{OWNER}%"}):
                found.append(name)
        for content in connection.scalars(text("SELECT content FROM gis.run_input")):
            if OWNER in unpack(content).to_csv():
                found.append("gis.run_input")
    return sorted(set(found))


def files_with_owner(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(OWNER.encode() in part for part in parts_of(path))
    )


def parts_of(path: Path) -> Iterator[bytes]:
    """A file, and what is packed in it."""
    content = path.read_bytes()
    yield content
    if path.suffix == ".pmtiles":
        with path.open("rb") as file:
            yield from (gzip.decompress(tile) for _, tile in all_tiles(MmapSource(file)))
    head, _, body = content.partition(b"\n")
    if head.startswith(b"{") and body[:2] == b"\x1f\x8b":
        yield gzip.decompress(body)


@contextmanager
def served(
    database: Database, catalogue: Catalogue, settings: Settings
) -> Iterator[tuple[Client, dict[str, dict[str, str]]]]:
    """A client, and the headers of who asks."""
    with database.writing() as connection:
        people = {
            name: {"X-API-Key": create_key(connection, name, role, of)}
            for name, role, of in (
                ("admin", Role.ADMIN, ()),
                ("other", Role.DEPARTMENT, ("landslides",)),
            )
        }
    app = create_app(settings, database, catalogue)
    with app_client(app) as client:
        client.app = app
        yield client, {"anonymous": {}, **people}


@pytest.fixture
def opened(
    toy_province: Database, catalogue: Catalogue, tmp_path: Path
) -> tuple[Database, Catalogue, Settings]:
    """The field and the layer are open, and all is made of them."""
    open_layers = layer_of(catalogue)
    settings = Settings(_env_file=None, home=tmp_path / "home", tiles_disk_mb=5)
    settings.home.mkdir()
    publish(toy_province, open_layers)
    make_all(toy_province, open_layers, settings)
    return toy_province, open_layers, settings


def test_what_was_derived_from_a_field_that_becomes_personal_is_nowhere(opened, catalogue):
    database, open_layers, settings = opened
    # Another home with the same files, whose service is killed before it can delete any.
    killed = settings.model_copy(update={"home": settings.home.with_name("killed")})
    with served(database, open_layers, settings) as (http, people):
        before = {path for path, read in walk(http, people["admin"]) if told_of(read)}
        assert set(KINDS.values()) <= before
        kept = tables_with_owner(database)
        assert {"gis.run_input", "gis.alert", "gis.notification", "gis.cap_message",
                "gis.row_history", "gis.quarantine", "gis.scan_cluster",
                "gis.hex_count"} <= set(kept)  # fmt: skip
        files = files_with_owner(settings.home)
        assert any(name.startswith("tiles/") for name in files)
        assert f"pmtiles/{LAYER}.pmtiles" in files and "pmtiles/alerts.pmtiles" in files

        shutil.copytree(settings.home, killed.home)
        publish(database, layer_of(catalogue, personal=True))
        for headers in (people["anonymous"], people["admin"]):
            assert {path for path, read in walk(http, headers) if told_of(read)} == set()
        assert tables_with_owner(database) == []
        with database.writing() as connection:
            moved = text("SELECT count(*) FROM private.reporter WHERE details ->> 'owner' = :owner")
            assert connection.scalar(moved, {"owner": OWNER}) > 100
        wait_until(lambda: files_with_owner(settings.home) == [])

    with served(database, open_layers, killed) as (http, people):
        assert files_with_owner(killed.home)
        for layer_id in (LAYER, *RESULTS):
            assert http.get(f"/pmtiles/{layer_id}.pmtiles", headers=people["admin"]).is_error
            tile = http.get(f"/tiles/{layer_id}/0/0/0.mvt", headers=people["admin"])
            assert tile.status_code == 200 and OWNER.encode() not in tile.content
    delete_outdated(database, killed.archives, killed.kept_tiles)  # as each start does
    assert files_with_owner(killed.home) == []


def test_alerts_that_rested_on_such_a_field_end_and_the_public_is_notified(opened, catalogue):
    database, _, _ = opened
    publish(database, layer_of(catalogue, personal=True))
    publish_due(database, "tests")
    with database.reading() as connection:
        ended = [one for one in list_alerts(connection, layers=[LAYER]) if one.rule == "scan"]
        cancelled = connection.scalars(
            text("SELECT document FROM gis.cap_message WHERE type = 'Cancel' AND public")
        ).all()
    assert {one.status for one in ended} == {"expired"}
    assert all(one.headline_vi.startswith("Nội dung đã ẩn") for one in ended)
    assert cancelled and all("Withheld" in one and "<references>" in one for one in cancelled)


def test_a_run_whose_input_is_gone_says_so(opened, catalogue):
    database, _, _ = opened
    publish(database, layer_of(catalogue, personal=True))
    with database.reading() as connection:
        runs = connection.scalars(
            text("SELECT id FROM gis.hotspot_run WHERE method = 'stp_scan'")
        ).all()
    assert runs
    for number in runs:
        with pytest.raises(Conflict, match=r"was deleted on .*field owner .* became personal"):
            repeat_run(database, number)
    again = run_hotspots(database, layer_of(catalogue, personal=True).get(LAYER), NOW)
    assert repeat_run(database, again[0].run_id).equal


def test_of_a_closed_layer_nothing_is_left_for_who_may_not_read_it(opened, catalogue):
    database, open_layers, settings = opened
    with served(database, open_layers, settings) as (http, people):
        others = (people["anonymous"], people["other"])
        assert any(told_of(read) for _, read in walk(http, {}))
        publish(database, layer_of(catalogue, read="private"))
        for headers in others:
            assert {path for path, read in walk(http, headers) if told_of(read)} == set()
        assert any(told_of(read) for _, read in walk(http, people["admin"]))
    delete_outdated(database, settings.archives, settings.kept_tiles)
    left = [name for name in files_with_owner(settings.home) if name.startswith("pmtiles/")]
    assert left == []


def test_tiles_in_memory_are_held_against_what_is_published_now(opened, catalogue):
    """Those that are kept, and those that one question makes."""
    database, open_layers, settings = opened
    without_disk = settings.model_copy(update={"tiles_disk_mb": 0})
    tiles = (f"/tiles/{LAYER}/0/0/0.mvt", f"/tiles/{LAYER}/1/1/0.mvt")
    with (
        served(database, open_layers, without_disk) as (first, _),
        served(database, open_layers, without_disk) as (second, _),
    ):
        assert all(OWNER.encode() in http.get(tiles[0]).content for http in (first, second))
        publish(database, layer_of(catalogue, personal=True))
        for http in (first, second):
            answers = [http.get(tile) for tile in tiles]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert not any(OWNER.encode() in answer.content for answer in answers)
        publish(database, layer_of(catalogue, read="department", personal=True))
        for http in (first, second):
            assert [http.get(tile).status_code for tile in tiles] == [404, 404]
        publish(database, layer_of(catalogue, personal=True))
        assert first.get(tiles[0]).status_code == 200


def test_a_map_of_what_was_exposed_goes_with_the_layer_of_its_exposure(
    toy_province, catalogue, tmp_path
):
    exposed = "power_plants"

    def layers(read: str, exposure: str | None) -> Catalogue:
        told = yaml.safe_load((LAYERS / f"{LAYER}.yaml").read_text(encoding="utf-8"))
        told["hotspots"] |= {"exposure": exposure} if exposure else {}
        plants = copy.deepcopy(catalogue.get(exposed).model_dump(mode="json"))
        plants["access"]["read"] = read
        changed: dict[str, Any] = {LAYER: told, exposed: plants}
        return Catalogue(
            tuple(
                Layer.model_validate(changed[one.id]) if one.id in changed else one
                for one in catalogue.layers
            )
        )

    before = layers("public", exposed)
    publish(toy_province, before)
    report(toy_province, noise(), days=20)
    with toy_province.writing() as connection:
        connection.execute(
            text(
                f"INSERT INTO layer.{exposed} (geom, h3, source, source_key)"
                f" SELECT geom, h3, 'tests', id::text FROM layer.{LAYER}"
            )
        )
    run = run_method(toy_province, before.get(LAYER), "gi_star", NOW)
    publish(toy_province, layers("department", None))
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM layer.hotspots")) == 0
        assert connection.scalar(text("SELECT count(*) FROM gis.run_input")) == 0
    with pytest.raises(Conflict, match=f"layer {exposed}, its exposure, is no longer public"):
        repeat_run(toy_province, run.run_id)
    with pytest.raises(BadInput, match="is not public any more"):  # by a file of before
        run_method(toy_province, before.get(LAYER), "gi_star", NOW)


def test_an_archive_says_when_it_was_made_of_what(opened):
    _, _, settings = opened
    with (settings.archives / f"{LAYER}.pmtiles").open("rb") as file:
        told = Reader(MmapSource(file)).metadata()
    made = datetime.fromisoformat(told["made_at"])
    assert timedelta(0) <= datetime.now(UTC) - made < timedelta(minutes=10)
    assert datetime.fromisoformat(told["changed_at"]) <= made
    assert (told["classification"], told["access"]) == ("open", "public")
