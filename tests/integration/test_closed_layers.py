"""A layer that not all may read raises alerts for its readers, and is in no layer of results."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.alerts.self_monitoring import raise_failing_alert
from gis.database.engine import Database
from gis.errors import BadInput
from gis.notify.cap.publication import publish_due
from gis.settings import Settings
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.detect import run_hotspots
from layers.detect.thresholds import evaluate_rules
from layers.items.formats import FORMATS
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.integration.notify.made import make_alert, open_to_all, subscribe
from tests.integration.notify.test_events import alerts_of, heard
from tests.integration.ogc_app import Client, app_client
from tests.integration.test_hotspots import LAYER, NOW, cluster, noise, report
from tiles.archive import export

RESULTS = ("alerts", "clusters", "series", "hotspots", "local_moran", "emerging")
DESK = ("alerts_desk", "clusters_desk", "series_desk")
ALARMS = "alerts: {false_alerts_a_year: 4,"
RULE = "{kind: count, id: many, title: {vi: Nhiều, en: Many}, at_least: 20, hours: 48}"


def files(folder: Path, read: str) -> Catalogue:
    """The layer files of the project, with citizen reports for those readers, and a rule."""
    if not folder.is_dir():
        shutil.copytree(LAYERS, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    words = (LAYERS / f"{LAYER}.yaml").read_text(encoding="utf-8")
    for old, new in (("read: public", f"read: {read}"), (ALARMS, f"{ALARMS} rules: [{RULE}],")):
        assert old in words
        words = words.replace(old, new)
    (folder / f"{LAYER}.yaml").write_text(words, encoding="utf-8")
    return read_catalogue(folder)


def publish(database: Database, catalogue: Catalogue) -> None:
    with database.writing() as connection:
        sync(connection, catalogue)


@pytest.fixture
def public(toy_province: Database, tmp_path: Path) -> Catalogue:
    """The layer is public, and has an outbreak of two days within a kilometre or so."""
    found = files(tmp_path / "layers", "public")
    open_to_all(toy_province)
    publish(toy_province, found)
    report(toy_province, noise(), days=90)
    report(toy_province, cluster())
    report(toy_province, cluster(104.16), at=NOW - timedelta(hours=1))
    return found


@pytest.fixture
def closed(public: Catalogue, toy_province: Database, tmp_path: Path) -> Catalogue:
    """The same for its department alone, before anything was found."""
    found = files(tmp_path / "layers", "department")
    publish(toy_province, found)
    return found


def find_all(database: Database, catalogue: Catalogue) -> None:
    """All methods, the rule, and an alarm that fails."""
    run_hotspots(database, catalogue.get(LAYER), NOW)
    evaluate_rules(database, catalogue, NOW)
    policy = catalogue.get(LAYER).alerts.policy()
    with database.writing() as connection:
        raise_failing_alert(
            connection, LAYER, ("a", "b"), "nulls", policy, NOW, datetime.now(UTC), official=True
        )


@pytest.fixture
def http(toy_province: Database, tmp_path: Path) -> Iterator[Client]:
    settings = Settings(_env_file=None, home=tmp_path)
    settings.archives.mkdir()
    catalogue = read_catalogue(tmp_path / "layers")
    app = create_app(settings, toy_province, catalogue)
    with app_client(app) as client:
        client.app = app
        yield client


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, f"{role} {layers}", role, layers)}


def version(database: Database, layer_id: str) -> int:
    asked = text("SELECT version FROM gis.layer WHERE id = :id")
    with database.reading() as connection:
        return int(connection.scalar(asked, {"id": layer_id}))


def stored(database: Database) -> dict[str, list[int]]:
    """Ids of all that was found, whoever may see it."""
    tables = dict(zip(RESULTS, RESULTS, strict=True))
    tables |= {"clusters": "scan_cluster", "series": "series_result", "hotspots": "hotspot"}
    tables["alerts"] = "alert"
    with database.reading() as connection:
        return {
            one: list(connection.scalars(text(f"SELECT id FROM gis.{table}")))
            for one, table in tables.items()
        }


def shown(http: Client, layer_id: str, headers: dict[str, str], **asked: str) -> Any:
    path = f"/ogc/collections/{layer_id}/items"
    return http.get(path, params={"f": "json"} | asked, headers=headers).json()


def test_the_alerts_of_a_departments_layer_are_seen_by_its_readers_alone(
    closed, toy_province, http
):
    find_all(toy_province, closed)
    readers = [
        key(toy_province, Role.DEPARTMENT, LAYER),
        key(toy_province, Role.OPERATOR),
        key(toy_province, Role.ADMIN),
    ]
    others = [{}, key(toy_province, Role.DEPARTMENT, "landslides")]
    ids = stored(toy_province)["alerts"]
    for headers in readers:
        told = http.get("/alerts", headers=headers).json()["alerts"]
        assert sorted(one["id"] for one in told) == sorted(ids)
        assert {"scan", "many", "alarm_failing"} <= {one["rule"] for one in told}
        scan = next(one["id"] for one in told if one["rule"] == "scan")
        assert http.get(f"/alerts/{scan}", headers=headers).json()["records"]
        beneath = http.get(f"/alerts/{scan}/records", headers=headers).json()["features"]
        assert len(beneath) > 10
    for headers in others:
        assert http.get("/alerts", headers=headers).json() == {"alerts": []}
        for number in ids:
            for path in ("", "/records"):
                assert http.get(f"/alerts/{number}{path}", headers=headers).status_code == 404
        assert http.get("/alerts/precision", headers=headers).json() == {"precision": []}


def test_its_steps_are_streamed_to_its_readers_alone(closed, toy_province, http):
    find_all(toy_province, closed)
    ids = set(stored(toy_province)["alerts"])
    with toy_province.writing() as connection:
        other = make_alert(connection, layer_id="landslides")
    for headers in ({}, key(toy_province, Role.DEPARTMENT, "landslides")):
        assert alerts_of(heard(http, 1, params={"after": "0"}, headers=headers)) == [other]
    for headers in (key(toy_province, Role.DEPARTMENT, LAYER), key(toy_province, Role.OPERATOR)):
        assert set(alerts_of(heard(http, 2, params={"after": "0"}, headers=headers))) <= ids


ASKED: tuple[dict[str, str], ...] = (
    {"filter": f"of_layer = '{LAYER}'"},
    {"filter": "S_INTERSECTS(geom, BBOX(90, 0, 120, 40))"},
    {"bbox": "90,0,120,40"},
    {"datetime": "../.."},
    {"of_layer": LAYER},
)


def test_it_is_in_no_collection_of_results_for_anybody(closed, toy_province, http, tmp_path):
    before = {one: version(toy_province, one) for one in RESULTS}
    find_all(toy_province, closed)
    found = stored(toy_province)
    assert all(found.values())
    assert {one: version(toy_province, one) for one in RESULTS} == before
    for headers in ({}, key(toy_province, Role.DEPARTMENT, LAYER), key(toy_province, Role.ADMIN)):
        for layer_id in RESULTS:
            path = f"/ogc/collections/{layer_id}"
            page = shown(http, layer_id, headers)
            assert (page["features"], page["numberMatched"]) == ([], 0), layer_id
            for asked in ASKED:
                assert shown(http, layer_id, headers, **asked)["features"] == [], asked
            for number in found[layer_id]:
                assert http.get(f"{path}/items/{number}", headers=headers).status_code == 404
            described = http.get(f"{path}?f=json", headers=headers).json()
            assert "spatial" not in described["extent"]
            for tile in (f"/tiles/{layer_id}/0/0/0.mvt", f"/tiles/{layer_id}/5/25/14.mvt"):
                assert http.get(tile, headers=headers).content == b"", tile
            assert http.get(f"/hexes/{layer_id}/0/0/0.mvt", headers=headers).status_code == 404
            assert http.get(f"/ogc/collections/{layer_id}/dggs", headers=headers).status_code == 404
    for layer_id in RESULTS:
        for name in FORMATS:
            answer = http.get(f"/ogc/collections/{layer_id}/items", params={"f": name})
            assert LAYER.encode() not in answer.content, (layer_id, name)
    for layer_id in set(RESULTS):
        with pytest.raises(BadInput, match="no row on the map"):
            export(toy_province, closed.get(layer_id), tmp_path / "a", lambda *_: None)


@pytest.mark.parametrize(
    ("layer_id", "filtered"),
    [
        ("alerts", "(observed - 100000) ^ 0.5 > 1"),  # a root of a negative number
        ("clusters", "(observed + 10) ^ 10000 > 1"),  # too large a number
        ("series", "(observed - 100000) ^ 0.5 > 1"),
        ("hotspots", "(count - 100000) ^ 0.5 > 1"),
        ("local_moran", "(count - 100000) ^ 0.5 > 1"),
        ("emerging", "(count - 100000) ^ 0.5 > 1"),
    ],
)
def test_a_filter_that_fails_on_a_row_discloses_none_that_is_hidden(
    public, toy_province, http, tmp_path, layer_id, filtered
):
    find_all(toy_province, public)
    path = f"/ogc/collections/{layer_id}/items"
    assert http.get(path, params={"filter": filtered, "f": "json"}).status_code >= 400
    publish(toy_province, files(tmp_path / "layers", "department"))
    assert shown(http, layer_id, {}, filter=filtered)["features"] == []


def test_half_an_escape_is_refused_whatever_rows_there_are(public, toy_province, http, tmp_path):
    find_all(toy_province, public)
    filtered = {"filter": "headline_en LIKE 'The alarm of\\'", "f": "json"}
    before = http.get("/ogc/collections/alerts/items", params=filtered)
    publish(toy_province, files(tmp_path / "layers", "department"))
    after = http.get("/ogc/collections/alerts/items", params=filtered)
    assert before.status_code == after.status_code == 400
    assert before.json()["detail"] == after.json()["detail"]


def test_every_view_of_results_keeps_filters_from_hidden_rows(toy_province):
    kept = text(
        "SELECT relname FROM pg_class WHERE relnamespace = 'layer'::regnamespace"
        " AND 'security_barrier=true' = ANY(reloptions)"
    )
    with toy_province.reading() as connection:
        assert set(connection.scalars(kept)) == {*RESULTS, *DESK, "sources"}


def test_a_hex_discloses_it_to_its_readers_alone(closed, toy_province, http):
    find_all(toy_province, closed)
    with toy_province.reading() as connection:
        cell = connection.scalar(text("SELECT gis.h3_text(cell) FROM gis.hotspot LIMIT 1"))
    told = http.get(f"/hexes/{cell}", headers=key(toy_province, Role.DEPARTMENT, LAYER)).json()
    assert told["hotspots"] and told["alerts"]
    for headers in ({}, key(toy_province, Role.DEPARTMENT, "landslides")):
        told = http.get(f"/hexes/{cell}", headers=headers).json()
        assert (told["hotspots"], told["alerts"]) == ([], [])


def test_closing_a_layer_hides_what_was_found_in_it(public, toy_province, http, tmp_path):
    find_all(toy_province, public)
    archives = tmp_path / "pmtiles"
    for layer_id in RESULTS:
        path = archives / f"{layer_id}.pmtiles"
        export(toy_province, public.get(layer_id), path, lambda *_: None, 2)
        assert shown(http, layer_id, {})["numberMatched"] > 0
        assert http.get(f"/tiles/{layer_id}/0/0/0.mvt").content
        assert http.get(f"/pmtiles/{layer_id}.pmtiles").status_code == 200
    assert http.get("/alerts").json()["alerts"]
    publish(toy_province, files(tmp_path / "layers", "department"))
    for layer_id in RESULTS:
        page = shown(http, layer_id, {})
        assert (page["features"], page["numberMatched"]) == ([], 0), layer_id
        assert http.get(f"/tiles/{layer_id}/0/0/0.mvt").content == b""
        assert http.get(f"/pmtiles/{layer_id}.pmtiles").status_code == 404
    assert http.get("/alerts").json() == {"alerts": []}
    assert http.get("/alerts", headers=key(toy_province, Role.DEPARTMENT, LAYER)).json()["alerts"]
    publish(toy_province, files(tmp_path / "layers", "public"))
    assert shown(http, "clusters", {})["numberMatched"] > 0
    assert http.get("/pmtiles/clusters.pmtiles").status_code == 404  # made before it was closed
    export(toy_province, public.get("clusters"), archives / "clusters.pmtiles", lambda *_: None, 2)
    assert http.get("/pmtiles/clusters.pmtiles").status_code == 200


def documents(http: Client, headers: dict[str, str] | None = None) -> int:
    return http.get("/cap/atom.xml", headers=headers).text.count("<entry>")


def test_nobody_makes_an_alert_of_a_closed_layer_public(closed, toy_province, http):
    with toy_province.writing() as connection:
        number = make_alert(connection, layer_id=LAYER)
    desk = key(toy_province, Role.ADMIN)
    refused = http.post(f"/alerts/{number}/approve", json={}, headers=desk)
    assert refused.status_code == 409
    assert "citizen_reports, which not everybody may read" in refused.json()["detail"]
    publish_due(toy_province, "tests")
    assert (documents(http), documents(http, desk)) == (0, 1)


def test_what_was_approved_is_public_no_more_once_its_layer_is_closed(
    public, toy_province, http, tmp_path
):
    with toy_province.writing() as connection:
        number = make_alert(connection, layer_id=LAYER)
    desk = key(toy_province, Role.OPERATOR)
    assert http.get(f"/alerts/{number}").json()["approved"] is True
    publish_due(toy_province, "tests")
    index = http.get("/cap/atom.xml").text
    address = next(part for part in index.split('"') if part.endswith(".xml") and "/cap/" in part
                   and "atom" not in part)  # fmt: skip
    assert (documents(http), http.get(address).status_code) == (1, 200)
    publish(toy_province, files(tmp_path / "layers", "department"))
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.cap_message SET expires = now(), sent = sent"
                                " - interval '20 days'"))  # fmt: skip
        connection.execute(text("UPDATE gis.alert SET headline_vi = 'khác'"))
    assert publish_due(toy_province, "tests") <= 1
    assert publish_due(toy_province, "tests") == 0
    assert (documents(http), http.get(address).status_code) == (0, 404)
    kept = http.get(address, headers=desk)
    assert (kept.status_code, kept.headers["cache-control"]) == (200, "private, no-cache")
    assert http.get(f"/alerts/{number}", headers=desk).json()["approved"] is False
    assert http.post(f"/alerts/{number}/approve", json={}, headers=desk).status_code == 409


def test_subscriptions_are_notified_of_it_unless_it_is_private(closed, toy_province, tmp_path):
    with toy_province.writing() as connection:
        for name, wish in {"all": {}, "others": {"layers": ["landslides"]}}.items():
            subscribe(connection, name, **wish)
        make_alert(connection, layer_id=LAYER)
    publish(toy_province, files(tmp_path / "layers", "private"))
    with toy_province.writing() as connection:
        make_alert(connection, layer_id=LAYER)
        sent = connection.scalars(
            text("SELECT s.name FROM gis.delivery d JOIN gis.subscription s ON"
                 " s.id = d.subscription_id")
        ).all()  # fmt: skip
    assert sent == ["all"]


def test_an_operator_silences_and_is_notified_of_no_layer_that_he_may_not_read(
    public, toy_province, http, tmp_path
):
    publish(toy_province, files(tmp_path / "layers", "private"))
    officer, admin = key(toy_province, Role.OPERATOR), key(toy_province, Role.ADMIN)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    def silenced(headers: dict[str, str], **of: str) -> Any:
        body = {"until": until, "why": "drill"} | of
        return http.post("/alerts/silences", json=body, headers=headers)

    assert silenced(officer, layer_id=LAYER).status_code == 404
    assert silenced(officer, rule="many").status_code == 404
    number = silenced(admin, layer_id=LAYER).json()["id"]
    assert http.get("/alerts/silences", headers=officer).json() == {"silences": []}
    assert len(http.get("/alerts/silences", headers=admin).json()["silences"]) == 1
    assert http.delete(f"/alerts/silences/{number}", headers=officer).status_code == 404
    assert http.delete(f"/alerts/silences/{number}", headers=admin).status_code == 204
