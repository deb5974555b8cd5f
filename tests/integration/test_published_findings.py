"""What alerts rest on follows their publication: each state, role and door."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text

from api.app import create_app
from gis.access import Role
from gis.database.engine import Database
from gis.notify.cap.approval import approve, withdraw
from gis.settings import Settings
from tests.integration.notify.made import SQUARE, make_alert
from tests.integration.ogc_app import Client, serving
from tests.integration.test_publication import LAYER, STATES, keys_of
from tests.integration.tile_reader import decode
from tiles.grid import Tile

ROLES = {
    "anonymous": (None, ()),
    "its department": (Role.DEPARTMENT, (LAYER,)),
    "whose key names the desk's layers": (Role.DEPARTMENT, ("clusters_desk", "series_desk")),
    "operator": (Role.OPERATOR, ()),
}
DESK = ("whose key names the desk's layers", "operator")
METHODS = {"clusters": ("stp_scan", "scan"), "series": ("series", "series")}
SHOWN = {state for state, (_, is_published) in STATES.items() if is_published}
# Of these no alert is there at all.
UNKNOWN = ("of no alert", "of another stream", "of other records")


@pytest.fixture(scope="module")
def stood(postgres, toy_template) -> Iterator[Database]:
    with postgres.opened(toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def http(stood, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), stood, catalogue)
    with serving(app) as url, Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def keys(stood) -> dict[str, dict[str, str]]:
    with stood.writing() as connection:
        return keys_of(connection, ROLES)


@pytest.fixture(scope="module")
def found(stood) -> dict[str, dict[str, int]]:
    """Of each method the row of a finding by state of its alert; and a series that is as usual."""
    return {layer: rows(stood, method, rule) for layer, (method, rule) in METHODS.items()}


def rows(database: Database, method: str, rule: str) -> dict[str, int]:
    with database.writing() as connection:
        run = connection.scalar(
            text(
                "INSERT INTO gis.hotspot_run (layer_id, method, parameters, input_version,"
                " input_until, code_version) VALUES (:layer, :method, '{}', 1, :at, 't')"
                " RETURNING id"
            ),
            {"layer": LAYER, "method": method, "at": datetime(2026, 3, 31, tzinfo=UTC)},
        )
    made = {}
    for n, state in enumerate([*STATES, *UNKNOWN], 1):
        with database.writing() as connection:
            made[state] = finding(connection, method, run, n, "alert")
        if state == "of no alert":
            continue
        stream, records = f"stream {n}", [100 * n, 100 * n + 7]
        with database.writing() as connection:
            number = make_alert(connection, key="00004" if rule == "series" else None)
            connection.execute(
                text("UPDATE gis.alert SET rule = :rule, stream = :stream, records = :records"
                     " WHERE id = :id"),
                {"id": number, "rule": "duty_gap" if state == "internal" else rule,
                 "stream": "other" if state == "of another stream" else stream,
                 "records": [1, 2] if state == "of other records" else records},
            )  # fmt: skip
        for act in STATES.get(state, ((approve_it,), True))[0]:
            with database.writing() as connection:
                act(connection, number)
    if method == "series":
        with database.writing() as connection:
            made["as usual"] = finding(connection, method, run, 99, None)
    return made


def approve_it(connection, number: int) -> None:
    approve(connection, number, "officer")


def finding(connection, method: str, run: int, n: int, tier: str | None) -> int:
    values = {"run": run, "stream": f"stream {n}", "tier": tier, "wkt": SQUARE,
              "records": [100 * n, 100 * n + 1]}  # fmt: skip
    cluster = (
        "INSERT INTO gis.scan_cluster (run_id, stream, rank, tier, geom, centre, radius_m, days,"
        " since, until, observed, expected, llr, p, recurrence_days, cells, communes, records,"
        " explanation_vi, explanation_en) VALUES (:run, :stream, 1, :tier,"
        " ST_GeomFromText(:wkt, 4326), 1, 0, 1, now(), now(), 9, 1, 9, .001, 999, '{}', '{}',"
        " :records, '', '') RETURNING id"
    )
    series = (
        "INSERT INTO gis.series_result (run_id, stream, commune, tier, days, since, until,"
        " observed, expected, bound, p, recurrence_days, records, explanation_vi, explanation_en)"
        " VALUES (:run, :stream, '00004', :tier, 1, now(), now(), 9, 1, 6, .001, 999, :records,"
        " '', '') RETURNING id"
    )
    return connection.scalar(text(cluster if method == "stp_scan" else series), values)


def items(http: httpx.Client, headers, layer: str) -> set[int] | None:
    answer = http.get(f"/ogc/collections/{layer}/items?f=json&limit=1000", headers=headers)
    return None if answer.status_code == 404 else {one["id"] for one in answer.json()["features"]}


def exported(http: httpx.Client, headers, layer: str) -> set[int] | None:
    answer = http.get(f"/ogc/collections/{layer}/items?f=csv", headers=headers)
    if answer.status_code == 404:
        return None
    return {int(row["id"]) for row in csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")))}


def in_tiles(http: httpx.Client, headers, layer: str) -> set[int] | None:
    answer = http.get(f"/tiles/{layer}/0/0/0.mvt", headers=headers)
    if answer.status_code == 404:
        return None
    return {int(one.id or 0) for one in decode(answer.content, Tile(0, 0, 0), layer)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("door", [items, exported, in_tiles])
@pytest.mark.parametrize("layer", METHODS)
def test_findings_are_seen_where_their_alerts_are(http, keys, found, layer, door, role):
    made = found[layer]
    wanted = {made[state] for state in {*SHOWN, "as usual"} & set(made)}
    assert door(http, keys[role], layer) == wanted
    desk = door(http, keys[role], f"{layer}_desk")
    assert desk == (set(made.values()) if role in DESK else None)


@pytest.mark.parametrize("layer", METHODS)
def test_versions_rise_for_everybody_with_what_is_published_alone(stood, found, layer):
    def version() -> int:
        with stood.reading() as connection:
            stated = text("SELECT version FROM gis.layer WHERE id = :layer")
            return int(connection.scalar(stated, {"layer": layer}))

    before = version()
    with stood.writing() as connection:
        number = make_alert(connection)
    assert version() == before
    with stood.writing() as connection:
        approve(connection, number, "officer")
    approved = version()
    assert approved > before
    with stood.writing() as connection:
        withdraw(connection, number, "officer", "nhầm")
    assert version() > approved
