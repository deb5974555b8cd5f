"""What is in a layer that somebody may not read answers him as if there were no such layer.

Two worlds are asked the same: one has layers that not all may read, whose rows, quarantine,
history, results, alerts and documents hold a sentinel; the other never had them. Every route of the
application is asked with every method; who may not read the layers cannot tell the worlds apart.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
import shapely
from sqlalchemy import text

from api.app import create_app
from gis.access import LOCAL_ADMIN, Principal, Role, create_key, may_read, may_write
from gis.alerts.silences import silence
from gis.database.engine import Database
from gis.notify.cap.publication import publish_due
from gis.settings import Settings
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.detect import run_method
from layers.ingest import edit
from layers.ingest.corrections import correct
from layers.ingest.feature import Feature
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.push import Push, keep_answer, take
from layers.ingest.quarantine import State, list_waiting
from layers.items import source_of
from layers.items.results import result_id
from layers.processes.execution import execute_now, process_of, read_parameters
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.databases import Server, template
from tests.integration.notify.made import make_alert, subscribe
from tests.integration.ogc_app import Client, app_client
from tests.integration.route_walk import METHODS, Answer, addresses, asked, routes_of
from tiles.archive import export

SENTINEL = "lính canh"
PRIVATE, DEPARTMENT = "zz_private", "zz_department"
UNTIL = datetime(2026, 3, 31, 12, tzinfo=UTC)
HEADER = "report_id,happened_at,received_at,category,description,status,lon,lat,address,commune\n"
ROWS = HEADER + "".join(
    f"{n},2026-03-{n + 1:02}T08:00:00+07:00,,traffic,{SENTINEL} row {n},received,"
    f"104.15{n},22.05,,\n"
    for n in range(5)
)
WAITING = f"w,2026-03-03T08:00:00+07:00,,security,{SENTINEL} quarantine,received,,,,\n"


@dataclass
class World:
    """A service, who asks it, and by which numbers the things of its closed layers are known."""

    http: Client
    keys: Mapping[str, Mapping[str, str]]
    known: dict[str, set[str]] = field(default_factory=dict)


def layer_files(folder: Path, layers: Mapping[str, str]) -> Catalogue:
    """The layer files of the project and some like that of citizen reports, as id: read."""
    shutil.copytree(LAYERS, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    words = (LAYERS / "citizen_reports.yaml").read_text(encoding="utf-8")
    for layer_id, read in layers.items():
        own = words.replace("id: citizen_reports", f"id: {layer_id}", 1)
        own = own.replace("read: public, write: department", f"read: {read}, write: department")
        own = own.replace("en: Citizen reports", f"en: {SENTINEL} {layer_id}")
        (folder / f"{layer_id}.yaml").write_text(own, encoding="utf-8")
    return read_catalogue(folder)


def fill(database: Database, catalogue: Catalogue, layer_id: str, folder: Path) -> dict[str, str]:
    """Something of each kind that may be told of a layer; its numbers by the names of routes."""
    layer = catalogue.get(layer_id)
    path = folder / "rows.csv"
    path.write_text(ROWS + WAITING, encoding="utf-8")
    load_file(
        database, layer, path, LoadOptions(who="tests", source=f"{SENTINEL} file", simulated=True)
    )
    run_method(database, layer, "gi_star", UNTIL)
    with database.writing() as connection:
        words = {"headline_vi": f"{SENTINEL} alert", "headline_en": f"{SENTINEL} alert"}
        alert = make_alert(connection, layer_id=layer_id, **words)
        make_alert(connection, layer_id=layer_id, key="x", status="pending", **words)
        connection.execute(
            text(
                "INSERT INTO gis.alert (layer_id, rule, status, severity, headline_vi, headline_en,"
                " cells, communes, geom, official, simulated, evidence) SELECT layer_id,"
                " 'alarm_failing', status, severity, headline_vi, headline_en, cells, communes,"
                " geom, official, simulated, evidence FROM gis.alert WHERE id = :id"
            ),
            {"id": alert},
        )
        subscribe(connection, f"desk of {layer_id}", layers=[layer_id], by_admin=True)
        later = datetime.now(UTC) + timedelta(hours=1)
        muted = silence(
            connection, who="tests", until=later, why=SENTINEL, layer_id=layer_id, rule="scan",
            communes=[],
        )  # fmt: skip
        row = connection.scalar(text(f"SELECT min(id) FROM layer.{layer_id}"))
        point = Feature(shapely.Point(104.15, 22.05), {"description": f"{SENTINEL} new"}, True)
        edit.modify(connection, source_of(layer), row, point, LOCAL_ADMIN)
        number = take(connection, Push(layer_id, layer_id, None, b""))
        keep_answer(connection, number, {"notes": [f"{SENTINEL} pushed"], "failed": []})
        waits = list_waiting(connection, layers=[layer_id])
        correct(connection, waits, {"address": f"{SENTINEL} corrected"}, "tests")
        numbers = {
            "correction_id": "SELECT min(id) FROM gis.correction WHERE layer_id = :id",
            "record_id": "SELECT min(id) FROM gis.quarantine WHERE layer_id = :id",
            "push_id": "SELECT min(id) FROM gis.pushed WHERE layer_id = :id",
            "change_id": "SELECT min(id) FROM gis.row_history WHERE layer_id = :id",
            "cell": f"SELECT gis.h3_text(gis.h3_parent(h3, 8)) FROM layer.{layer_id} LIMIT 1",
        }
        found = {
            name: str(connection.scalar(text(asked_for), {"id": layer_id} if ":id" in asked_for
                                        else {}))
            for name, asked_for in numbers.items()
        }  # fmt: skip
    publish_due(database, "tests")
    with database.reading() as connection:
        documents = connection.scalars(
            text("SELECT identifier FROM gis.cap_message WHERE layer_id = :id"), {"id": layer_id}
        ).all()
    assert documents
    made = execution_of(database, catalogue, layer_id)
    return found | {
        "job_id": str(made),
        "result": result_id(made),
        "layer_id": layer_id,
        "alert_id": str(alert),
        "silence_id": str(muted.id),
        "item_id": str(row),
        "identifier": documents[0],
    }


def execution_of(database: Database, catalogue: Catalogue, layer_id: str) -> UUID:
    """The result of a process that rests on a layer, made by a key of its department."""
    process = process_of("buffer")
    parameters = read_parameters(process, {"layer": layer_id, "distance_m": 100})
    who = Principal(layer_id, Role.DEPARTMENT, frozenset({layer_id}))
    return execute_now(database, catalogue, process, parameters, who, 60_000)


@contextmanager
def world(postgres: Server, begin: str, folder: Path, layers: Mapping[str, str]) -> Iterator[World]:
    folder.mkdir()
    catalogue = layer_files(folder / "layers", layers)
    settings = Settings(
        _env_file=None, home=folder, layers=folder / "layers", tiles_disk_mb=1,
        public_url="http://gis.test",
    )  # fmt: skip
    settings.archives.mkdir()
    with postgres.opened(begin) as database:
        with database.writing() as connection:
            sync(connection, catalogue)
            keys = {
                name: {"X-API-Key": create_key(connection, name, role, of)}
                for name, role, of in (
                    ("other", Role.DEPARTMENT, ("landslides",)),
                    ("operator", Role.OPERATOR, ()),
                    ("admin", Role.ADMIN, ()),
                    (PRIVATE, Role.DEPARTMENT, (PRIVATE,)),
                    (DEPARTMENT, Role.DEPARTMENT, (DEPARTMENT,)),
                )
            }
        known: dict[str, set[str]] = {}
        for layer_id in layers:
            for name, value in fill(database, catalogue, layer_id, folder).items():
                known.setdefault(name, set()).add(value)
            layer = catalogue.get(layer_id)
            export(database, layer, settings.archives / f"{layer_id}.pmtiles", lambda *_: None, 5)
        app = create_app(settings, database, catalogue)
        with app_client(app) as client:
            client.app = app
            yield World(client, {"anonymous": {}, **keys}, known)


@pytest.fixture(scope="module")
def worlds(
    postgres: Server, toy_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, World]]:
    """Without any closed layer; with a private one; with one of a department as well."""
    folder = tmp_path_factory.mktemp("worlds")
    both = {PRIVATE: "private", DEPARTMENT: "department"}
    with template(postgres, toy_template) as (begin, database):
        with database.writing() as connection:
            make_alert(connection)  # that all may see
        publish_due(database, "tests")
        database.close()
        with (
            world(postgres, begin, folder / "none", {}) as none,
            world(postgres, begin, folder / "private", {PRIVATE: "private"}) as private,
            world(postgres, begin, folder / "both", both) as all_of_them,
        ):
            yield {"none": none, "private": private, "both": all_of_them}


def filled(of: World) -> dict[str, Sequence[str]]:
    """The values of all parameters of routes."""
    subscriptions = [f"desk of {layer_id}" for layer_id in sorted(of.known["layer_id"])]
    known = {name: sorted(values) for name, values in of.known.items()}
    known["layer_id"] = known["layer_id"] + known.pop("result")
    return known | {
        "z": ["0"],
        "x": ["0"],
        "y": ["0"],
        "zone": sorted(of.known["cell"]),
        "month": ["2026-03"],
        "process_id": ["buffer"],
        "/subscriptions/{name} name": subscriptions,
        "/subscriptions/{name}/retry name": subscriptions,
        "/web/{name} name": ["map.js"],
        "/web/maplibre/{name} name": ["maplibre-gl.css"],
        "/ogc/static/{name} name": ["page.css"],
    }


def questions(of: World) -> Iterator[tuple[str, str, object]]:
    """Method, address and body of every route, known or not by that method."""
    layer_ids = sorted(of.known["layer_id"])
    named = [f"?layer={one}" for one in layer_ids]
    more = {
        "/alerts": named,
        "/quarantine": [*named, *(f"?state={state}" for state in State), "?status=replayed"],
        "/quarantine/corrections": [*named, "?rules=true"],
        "/events": ["?after=0", "?after=99999999", *(f"{one}&after=0" for one in named)],
        "/ogc/tiles/WebMercatorQuad": [f"?collections={one}" for one in layer_ids],
        "/layers/{layer_id}/changes": [f"?item={one}" for one in sorted(of.known["item_id"])],
    }
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    bodies: dict[tuple[str, str], list[object]] = {
        ("POST", "/alerts/silences"): [
            {"until": until, "why": "test", "layer_id": one} for one in layer_ids
        ],
        ("POST", "/subscriptions"): [
            {"name": "new", "channel": "mail", "target": "a@example.vn", "layers": [one]}
            for one in layer_ids
        ],
        ("POST", "/alerts/{alert_id}/resolve"): [{"outcome": "true"}],
        ("PATCH", "/quarantine/{record_id}"): [{"changes": {"commune": "00004"}}],
        ("POST", "/quarantine/{layer_id}/corrections"): [
            {"matched": {"commune": "00004"}, "changes": {"commune": "00001"}}
        ],
        ("POST", "/places"): [{"records": [{"lon": 104.15, "lat": 22.05}]}],
    }
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [104.15, 22.05]},
        "properties": {"category": "traffic"},
    }
    bodies["POST", "/ogc/processes/{process_id}/execution"] = [
        {"inputs": {"layer": one, "distance_m": 1}, "response": response}
        for one in [*layer_ids, *sorted(of.known["result"])]
        for response in ("raw", "document")
    ]
    bodies["PATCH", "/ogc/jobs/{job_id}"] = [{"keep": True}]
    for method in ("POST", "PUT", "PATCH"):
        items = "/ogc/collections/{layer_id}/items"
        bodies[method, items] = bodies[method, f"{items}/{{item_id}}"] = [feature]
    for route in routes_of(of.http.app):
        for address in addresses(route, filled(of)):
            for method in METHODS:
                for body in bodies.get((method, route.path), [{} if method == "POST" else None]):
                    yield method, address, body
            for query in more.get(route.path, ()):
                yield "GET", f"{address}{query}", None


@pytest.mark.parametrize(
    ("with_layers", "who"),
    [("both", "anonymous"), ("both", "other"), ("private", "operator")],
)
def test_who_may_not_read_a_layer_cannot_find_out_that_there_is_one(worlds, with_layers, who):
    without, having = worlds["none"], worlds[with_layers]
    differing = []
    for method, address, body in questions(having):
        told = asked(having.http, method, address, having.keys[who], body)
        blank = asked(without.http, method, address, without.keys[who], body)
        if told != blank and method in ("GET", "HEAD"):  # a minute may have passed in between
            told = asked(having.http, method, address, having.keys[who])
            blank = asked(without.http, method, address, without.keys[who])
        if SENTINEL.encode() in told.body or told != blank:
            differing.append((method, address, told, blank))
    assert not differing, shown(differing)


def shown(differing: Sequence[tuple[str, str, Answer, Answer]]) -> str:
    return "\n".join(
        f"{method} {address}: {first_difference(told, blank)}"
        for method, address, told, blank in differing
    )


def first_difference(told: Answer, blank: Answer) -> str:
    if (told.status, told.body) == (blank.status, blank.body):
        return f"{set(told.headers) ^ set(blank.headers)}"
    pairs = enumerate(zip(told.body, blank.body, strict=False))
    at = max(0, next((n for n, (one, other) in pairs if one != other), 0) - 60)
    parts = (f"{one.status} {one.body[at : at + 160]!r}" for one in (told, blank))
    return " but of no layer ".join(parts)


@pytest.mark.parametrize("who", ["admin", PRIVATE])
def test_who_may_read_it_sees_all_that_the_others_do_not(worlds, who):
    """So that the test above compares something."""
    having = worlds["private"]
    seen = b"".join(
        asked(having.http, method, address, having.keys[who]).body
        for method, address, _ in questions(having)
        if method == "GET"
    )
    kinds = ("row", "quarantine", "pushed", "corrected", "alert", PRIVATE)
    for kind in kinds:
        words = f"{SENTINEL} {kind}"
        assert words.encode() in seen or orjson.dumps(words)[1:-1] in seen, kind


@pytest.mark.parametrize("read", ["public", "department", "private"])
@pytest.mark.parametrize("write", ["department", "operator", "admin", "nobody"])
def test_writing_implies_reading(read, write):
    people = [
        Principal("p", role, layers)
        for role in Role
        for layers in (frozenset(), frozenset({"wells"}), frozenset({"other"}))
    ]
    for who in people:
        if may_write(who, read, write, "wells"):
            assert may_read(who, read, "wells")
    operator = Principal("o", Role.OPERATOR)
    wanted = read != "private" and write in ("department", "operator")
    assert may_write(operator, read, write, "wells") is wanted
