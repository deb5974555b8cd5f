"""Hexes over HTTP: the same numbers as the rows have, for whom they are, and nothing below k."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations, product

import h3
import httpx
import numpy as np
import pytest
from sqlalchemy import text

from gis.access import Role
from gis.database.engine import Database
from gis.hexes import areas_km2, cells_over
from layers.definition.catalogue import Catalogue
from layers.definition.model import HexOptions
from tests.databases import Server
from tests.integration.hex_layers import (
    BESIDE,
    OPEN,
    SEVEN,
    TENS,
    Desk,
    K,
    add,
    fill,
    filled_desk,
    hex_service,
    hexes,
    key,
    publish,
    tile_of,
)
from tiles.grid import Tile
from tiles.hexes import resolution_at

KINDS = ("flood", "road")


@pytest.fixture
def http(database: Database) -> Iterator[httpx.Client]:
    publish(database)
    with hex_service(database) as client:
        yield client


@pytest.fixture(scope="module")
def desk(postgres: Server, migrated: str) -> Iterator[Desk]:
    with filled_desk(postgres, migrated) as opened:
        yield opened


def test_whoever_works_with_a_layer_sees_every_hex_with_its_measures(desk):
    http, operator = desk.client, desk.operator
    tile = tile_of(SEVEN, 12)
    assert resolution_at(OPEN.hexes, 12) == 9
    found = hexes(http, "incidents", tile, operator)
    counts = Counter()
    for cell, number in ((TENS[0], 13), (TENS[40], 2), (TENS[80], 9), (BESIDE, 5)):
        counts[h3.cell_to_parent(cell, 9)] += number
    assert {cell: one.properties["count"] for cell, one in found.items()} == counts
    first = found[h3.cell_to_parent(TENS[0], 9)]
    area = h3.cell_area(first.properties["cell"], unit="km^2")
    assert first.properties["per_km2"] == pytest.approx(13 / area, rel=1e-3)
    assert first.properties["mean"] == pytest.approx((7 * 0.5 + 6 * 1.5) / 13, rel=1e-3)
    assert first.id == int(first.properties["cell"], 16)


def test_a_hex_without_a_value_has_no_mean(desk):
    http, operator = desk.client, desk.operator
    without = hexes(http, "incidents", tile_of(TENS[40], 14), operator)[TENS[40]]
    assert "mean" not in without.properties
    with_one = hexes(http, "incidents", tile_of(TENS[80], 14), operator)[TENS[80]]
    assert with_one.properties["mean"] == 2


def test_a_category_has_its_share_and_days_have_their_records(desk):
    http, operator = desk.client, desk.operator
    tile = tile_of(SEVEN, 12)
    nine = h3.cell_to_parent(TENS[0], 9)
    flood = hexes(http, "incidents", tile, operator, category="flood")[nine].properties
    assert (flood["count"], flood["mean"]) == (7, 0.5)
    assert flood["share"] == pytest.approx(7 / 13, rel=1e-3)
    april = {"datetime": "2026-04-01/.."}
    assert hexes(http, "incidents", tile, operator, **april)[nine].properties["count"] == 6
    both = {"category": "flood", **april}
    assert hexes(http, "incidents", tile, operator, **both) == {}
    a_day = {"category": "road", "datetime": "2026-04-01"}
    found = hexes(http, "incidents", tile, operator, **a_day)[nine].properties
    assert (found["count"], found["share"]) == (6, 1)


def test_a_record_without_a_time_is_in_no_window(desk):
    http, operator = desk.client, desk.operator
    tile = tile_of(BESIDE, 12)
    nine = h3.cell_to_parent(BESIDE, 9)
    assert hexes(http, "incidents", tile, operator)[nine].properties["count"] == 5
    assert nine not in hexes(http, "incidents", tile, operator, datetime="../..")


def test_tiles_of_all_zooms_hold_every_record_once_by_cell(desk):
    http, operator = desk.client, desk.operator
    for z in range(15):
        seen: dict[str, int] = {}
        for tile in {tile_of(cell, z) for cell in (*TENS, BESIDE)}:
            found = hexes(http, "incidents", tile, operator)
            seen |= {cell: one.properties["count"] for cell, one in found.items()}
        assert sum(seen.values()) == 29
        assert {h3.get_resolution(cell) for cell in seen} == {resolution_at(OPEN.hexes, z)}


def test_the_public_sees_no_hex_below_k_and_none_that_would_disclose_one(desk):
    http = desk.client
    ten = hexes(http, "incidents", tile_of(TENS[40], 14))
    assert all(one.properties["count"] >= K for one in ten.values())
    assert TENS[40] not in ten
    seven = hexes(http, "incidents", tile_of(SEVEN, 9))[SEVEN].properties
    assert seven["count"] == 24 and "mean" not in seven


def test_a_month_or_a_category_is_answered_to_the_public_as_whole_parts(desk):
    http = desk.client
    tile = tile_of(SEVEN, 14)
    flood = hexes(http, "incidents", tile, category="flood")
    assert {cell: one.properties["count"] for cell, one in flood.items()} == {SEVEN: 9}
    assert flood[SEVEN].properties["share"] == pytest.approx(9 / 24, rel=1e-3)
    april = hexes(http, "incidents", tile, datetime="2026-04-01/2026-04-30")
    assert {cell: one.properties["count"] for cell, one in april.items()} == {SEVEN: 6}
    assert "partial" not in april[SEVEN].properties
    five = h3.cell_to_parent(SEVEN, 5)
    coarse = hexes(http, "incidents", tile_of(SEVEN, 6), category="flood")[five].properties
    assert (coarse["count"], coarse["partial"]) == (9, True)


def test_an_answer_says_when_hidden_months_are_not_in_it(http, database):
    fill(database)
    add(database, "incidents", TENS[0], 1, day="2026-05-05")
    found = hexes(http, "incidents", tile_of(SEVEN, 9), datetime="2026-03-01/..")
    # May is hidden, and the smallest other month with it.
    assert found[SEVEN].properties["count"] == 18
    assert found[SEVEN].properties["partial"] is True


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"category": "flood", "datetime": "2026-03-01/2026-03-31"}, "not for both"),
        ({"datetime": "2026-03-01/2026-03-30"}, "whole months"),
        ({"datetime": "2026-03-01"}, "whole months"),
        ({"category": "fire"}, "flood, road"),
        ({"datetime": "2026-03-01T08:00:00Z/.."}, "by day in Vietnam"),
        ({"datetime": "yesterday"}, "an instant"),
        ({"kind": "flood"}, "there is no parameter 'kind'"),
    ],
)
def test_what_cannot_be_answered_is_400_and_says_what_can(http, asked, words):
    answer = http.get("/hexes/incidents/9/404/223.mvt", params=asked)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_layer_may_open_its_counts_and_keep_its_records(http, database):
    fill(database, "counted")
    fill(database, "closed")
    assert http.get("/ogc/collections/counted/items").status_code == 404
    assert set(hexes(http, "counted", tile_of(SEVEN, 9))) == {SEVEN, h3.cell_to_parent(BESIDE, 7)}
    assert http.get("/hexes/closed/9/404/223.mvt").status_code == 404
    department = key(database, Role.DEPARTMENT, "counted")
    assert TENS[40] in hexes(http, "counted", tile_of(TENS[40], 14), department)
    assert http.get("/hexes/closed/9/404/223.mvt", headers=department).status_code == 404
    other = key(database, Role.DEPARTMENT, "closed")
    assert TENS[40] not in hexes(http, "counted", tile_of(TENS[40], 14), other)


def test_the_public_cannot_subtract_its_way_below_k(http, database):
    """Random records; then every answer that the public gets, against every other of its hex."""
    random = np.random.default_rng(11)
    cells = [*TENS[:60:7], BESIDE]
    for _ in range(60):
        day = date(2026, 1, 1) + timedelta(days=int(random.integers(0, 90)))
        kind = KINDS[random.integers(0, 2)]
        add(database, "incidents", cells[random.integers(0, len(cells))], kind=kind, day=str(day))
    months = ("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01")
    ends = [str(date.fromisoformat(month) - timedelta(days=1)) for month in months]
    windows = [f"{a}/{b}" for a, b in product(months[:3], ends[1:]) if a < b]
    asked = [{}, *({"category": kind} for kind in KINDS), *({"datetime": w} for w in windows)]
    tiles = {tile_of(cell, 9) for cell in (SEVEN, BESIDE)}
    answers = [
        {
            cell: one.properties["count"]
            for tile in tiles
            for cell, one in hexes(http, "incidents", tile, **question).items()
        }
        for question in asked
    ]
    assert any(len(answer) for answer in answers[1:])
    for cell, (one, other) in product(answers[0], combinations(answers, 2)):
        difference = abs(one.get(cell, 0) - other.get(cell, 0))
        nested = one is answers[0] or other is answers[0]
        assert not nested or difference == 0 or difference >= K


def test_a_new_record_is_in_the_next_answer_for_everybody(http, database):
    operator = key(database, Role.OPERATOR)
    tile = tile_of(SEVEN, 9)
    for number in range(1, 8):
        add(database, "incidents", TENS[0], kind="flood", day="2026-03-01")
        for asked in ({}, {"category": "flood"}, {"datetime": "2026-03-01/2026-03-31"}):
            exact = hexes(http, "incidents", tile, operator, **asked)
            assert exact[SEVEN].properties["count"] == number
            public = hexes(http, "incidents", tile, **asked)
            assert (SEVEN in public) == (number >= K)


def test_readers_and_a_writer_at_once_see_whole_states(http, database):
    """Each write moves ten records from one hex to another: the sum is always the same."""
    add(database, "incidents", TENS[0], 10)
    operator = key(database, Role.OPERATOR)
    done = threading.Event()
    tile = tile_of(SEVEN, 9)
    moves = text("UPDATE layer.incidents SET h3 = :cell")

    def write() -> None:
        try:
            for n in range(20):
                to = (TENS[0], BESIDE)[n % 2]
                with database.writing() as connection:
                    connection.execute(moves, {"cell": int(h3.cell_to_center_child(to, 11), 16)})
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        for who in (operator, None):
            counts = [
                one.properties["count"] for one in hexes(http, "incidents", tile, who).values()
            ]
            assert counts == [10]
    writer.join()


def test_an_unchanged_tile_is_304_and_audiences_never_share_one(desk):
    http = desk.client
    path = "/hexes/incidents/{0.z}/{0.x}/{0.y}.mvt".format(tile_of(TENS[40], 14))
    operator = desk.operator
    private, public = http.get(path, headers=operator), http.get(path)
    assert private.content != public.content
    again = http.get(path, headers={"If-None-Match": public.headers["ETag"]})
    assert again.status_code == 304
    assert http.get(path, headers=operator).content == private.content


MOST_BYTES = 500_000
NINE = HexOptions.model_validate(
    {"category": "kind", "measure": "depth_m", "resolutions": [9], "filter_resolution": 9}
)


def crowd(database: Database, tile: Tile) -> int:
    """A count in every hex of resolution 9, and of 8, that touches a tile; gives their number."""
    insert = text(
        "INSERT INTO gis.hex_count SELECT 'incidents', :resolution, cell, 'flood',"
        " 5 + cell / 4194304 % 990, 5, 7.5 FROM unnest(CAST(:cells AS bigint[])) AS cell"
    )
    cells = {resolution: cells_over(tile.bbox(), resolution).tolist() for resolution in (8, 9)}
    with database.writing() as connection:
        for resolution, found in cells.items():
            connection.execute(insert, {"resolution": resolution, "cells": found})
    return len(cells[9])


def test_a_province_full_at_resolution_9_weighs_under_500_kb_a_tile(database):
    """Tiles differ in place alone: where every hex has a count, each weighs what its like weigh."""
    only_nine = OPEN.model_copy(update={"hexes": NINE})
    publish(database, Catalogue((only_nine,)))
    assert crowd(database, tile_of(SEVEN, 10)) > 10_000
    operator = key(database, Role.OPERATOR)
    with hex_service(database, Catalogue((only_nine,))) as http:
        for z, resolution in ((10, 8), (11, 9), (12, 9)):
            tile = tile_of(SEVEN, z)
            found = hexes(http, "incidents", tile, operator, category="flood")
            assert {h3.get_resolution(cell) for cell in found} == {resolution}
            assert len(found) > 500
            path = f"/hexes/incidents/{z}/{tile.x}/{tile.y}.mvt"
            body = http.get(path, headers=operator, params={"category": "flood"}).content
            assert len(body) < MOST_BYTES


def test_areas_are_those_of_the_h3_library():
    cells = [SEVEN, *TENS[:5], BESIDE]
    found = areas_km2(np.array([int(cell, 16) for cell in cells]))
    assert found == pytest.approx([h3.cell_area(cell, unit="km^2") for cell in cells], rel=1e-9)


def test_what_is_open_of_a_layer_is_listed_drawn_and_explained_and_nothing_else(http, database):
    listed = {one["id"]: one for one in http.get("/layers").json()["layers"]}
    assert set(listed) == {"incidents", "counted"}
    counted = listed["counted"]
    assert (counted["has_hexes"], counted["has_tiles"], counted["fields"]) == (True, False, {})
    sources = set(http.get("/styles/map.json").json()["sources"])
    assert sources == {"incidents", "incidents_hexes", "counted_hexes"}
    assert http.get("/styles/counted/hexes.json").status_code == 200
    assert http.get("/styles/closed/hexes.json").status_code == 404
    legend = http.get("/legends/counted.json").json()
    assert legend["features"] == [] and legend["hexes"]
    assert http.get("/legends/closed.json").status_code == 404


def test_the_legend_begins_with_the_fewest_records_that_somebody_is_shown(http, database):
    public = http.get("/legends/incidents.json?lang=en").json()["hexes"]
    assert public[0]["label"] == "5–9 records"
    headers = key(database, Role.OPERATOR)
    operator = http.get("/legends/incidents.json?lang=en", headers=headers).json()["hexes"]
    assert operator[0]["label"] == "1–4 records"
