"""Summaries: each answer is counted by hand, or a second way."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod
from python_calamine import load_workbook
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.boundaries.loader import load_former
from gis.boundaries.units import Level
from gis.clock import HERE
from gis.database.engine import Database
from gis.hexes import areas_km2, parents_of
from gis.placing.cells import h3_cells
from gis.settings import Settings
from layers.summary.dimensions import OLD, PlaceGrouping
from layers.summary.parameters import STATISTICS, SummaryParameters
from tests.databases import Server
from tests.integration.ogc_app import app_client
from tests.planners import (
    LAYERS,
    plant,
    plant_points,
    plant_province,
    plant_shapes,
    write_districts,
)
from tests.provinces import SINCE, toy_communes

WAYS = {
    "three": "LINESTRING(104.05 22.05, 104.25 22.05)",
    "one": "LINESTRING(104.12 22.05, 104.18 22.05)",
}
ZONES = {"half": "POLYGON((104.05 22.02, 104.15 22.02, 104.15 22.04, 104.05 22.04, 104.05 22.02))"}


@pytest.fixture(scope="module")
def province(
    postgres: Server, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    with postgres.opened(migrated) as database:
        plant_province(database, tmp_path_factory.mktemp("planners"))
        plant(database)
        plant(database, layer="counted")
        plant_points(database, "secrets", (104.05, 22.05, 1))
        plant_shapes(
            database, "ways", *((name, wkt, n) for n, (name, wkt) in enumerate(WAYS.items(), 2))
        )
        plant_shapes(database, "zones", *((name, wkt, 4) for name, wkt in ZONES.items()))
        yield database


@pytest.fixture(scope="module")
def http(province: Database) -> Iterator[httpx.Client]:
    app = create_app(Settings(_env_file=None), province, LAYERS)
    with app_client(app) as client:
        yield client


def ask(http: httpx.Client, layer: str = "requests", **given: Any) -> dict[str, Any]:
    answer = http.get(f"/summary/{layer}", params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by(http: httpx.Client, *names: str, layer: str = "requests", **given: Any) -> dict[Any, Any]:
    """The count of each group, by its key or keys."""
    groups = ask(http, layer, by=",".join(names), **given)["groups"]
    return {
        (group[names[0]] if len(names) == 1 else tuple(group[name] for name in names)): group[
            "count"
        ]
        for group in groups
    }


def test_without_groups_there_is_one_row(http: httpx.Client) -> None:
    answer = ask(http)
    assert (answer["total"], answer["groups"]) == (7, [{"count": 7}])
    assert ask(http, filter="category = 'disaster'")["groups"] == [{"count": 0}]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["commune"], {"00001": 3, "00004": 3, "00007": 1}),
        (["category"], {"traffic": 4, "security": 2, None: 1}),
        (["agency"], {"A": 3, "B": 3, None: 1}),
        (["overdue"], {True: 3, False: 2, None: 2}),
        (["year"], {"2025": 1, "2026": 5, None: 1}),
        (["quarter"], {"2025-Q1": 1, "2026-Q1": 5, None: 1}),
        (["month"], {"2025-03": 1, "2026-02": 1, "2026-03": 4, None: 1}),
        (["week"], {"2025-W11": 1, "2026-W07": 1, "2026-W10": 3, "2026-W14": 1, None: 1}),
        (["weekday"], {1: 3, 2: 3, None: 1}),
        (["hour"], {0: 1, 8: 1, 10: 2, 23: 2, None: 1}),
        (["weekday", "hour"], {(1, 8): 1, (1, 10): 1, (1, 23): 1, (2, 0): 1, (2, 10): 1, (2, 23): 1,
                               (None, None): 1}),
        (["commune", "category", "overdue"], {
            ("00001", "traffic", True): 2, ("00001", "traffic", False): 1,
            ("00004", "security", True): 1, ("00004", "security", False): 1,
            ("00004", "traffic", None): 1, ("00007", None, None): 1}),
        (["commune", "category"], {("00001", "traffic"): 3, ("00004", "security"): 2,
                                   ("00004", "traffic"): 1, ("00007", None): 1}),
    ],
)  # fmt: skip
def test_counts_by_each_grouping(
    http: httpx.Client, names: list[str], expected: dict[Any, int]
) -> None:
    assert by(http, *names) == expected


def test_days_begin_at_midnight_in_vietnam(http: httpx.Client) -> None:
    assert by(http, "day", datetime="2026-03-02") == {"2026-03-02": 2}
    assert by(http, "day", datetime="2026-03-02/2026-03-03") == {"2026-03-02": 2, "2026-03-03": 1}


def test_months_of_another_time_than_that_of_the_record(http: httpx.Client) -> None:
    assert by(http, "month", time="answered_at") == {
        "2025-03": 1, "2026-02": 1, "2026-03": 3, None: 2,
    }  # fmt: skip


def test_units_of_the_day_are_distinguished_although_their_codes_are_used_again(
    http: httpx.Client,
) -> None:
    groups = ask(http, by="unit_then")["groups"]
    told = [(g["unit_then"], g["unit_then_name"], g["unit_then_since"], g["count"]) for g in groups]
    assert told == [
        ("00001", "Phường Sao Mai", "2025-07-01", 2),
        ("00002", "Xã Hai", None, 1),
        ("00004", "Xã Bãi Cát", "2025-07-01", 3),
        (None, None, None, 1),
    ]


def test_old_units_share_what_is_known_by_its_commune_alone(http: httpx.Client) -> None:
    """a and b are of commune 00001, made of a ward of each district; e is of ward 00002."""
    districts = ask(http, by="old_district")
    assert districts["groups"] == [
        {"old_district": "080", "old_district_name": "Thành phố Cũ", "count": 2, "estimated": True},
        {"old_district": "082", "old_district_name": "Huyện Xưa", "count": 5, "estimated": True},
    ]
    assert by(http, "old_ward") == {"00001": 1, "00002": 2, "00004": 1.5, "00005": 1.5, "00008": 1}
    assert districts["total"] == 7


def test_old_districts_beside_communes_in_one_answer(http: httpx.Client) -> None:
    answer = ask(http, by="old_district,commune", statistics="count,per_1000", totals="true")
    found = {
        (g["old_district"], g["commune"]): (g["count"], g["people"], g["per_1000"])
        for g in answer["groups"]
    }
    assert found == {
        ("080", "00001"): (1, 1000, 1),
        ("080", "00007"): (1, 30, None),
        ("082", "00001"): (2, 1000, 2),
        ("082", "00004"): (3, 1000, 3),
    }
    communes = {g["commune"]: (g["people"], g["per_1000"]) for g in answer["totals"]["commune"]}
    assert communes == {"00001": (2000, 1.5), "00004": (1000, 3), "00007": (30, None)}
    districts = {
        g["old_district"]: (g["people"], g["per_1000"]) for g in answer["totals"]["old_district"]
    }
    assert districts["080"] == (1030, pytest.approx(2000 / 1030))
    assert districts["082"] == (2000, 2.5)
    assert answer["population"]["source"] == "toy"


def test_a_measure_has_its_sum_mean_median_and_ends(http: httpx.Client) -> None:
    groups = ask(http, by="agency", measure="hours")["groups"]
    names = ["agency", "count", "values", "sum", "mean", "median", "min", "max"]
    assert [[group.pop(name) for name in names] for group in groups] == [
        ["A", 3, 3, 15, 5, 4, 2, 9],
        ["B", 3, 2, 30, 15, 15, 10, 20],
        [None, 1, 0, None, None, None, None, None],
    ]
    assert groups == [{}, {}, {}]


def test_the_hours_between_two_times_are_a_measure(http: httpx.Client) -> None:
    one = ask(http, by="agency", measure="hours")["groups"]
    other = ask(http, by="agency", measure="received_at/answered_at")["groups"]
    assert other == one


def test_means_by_old_units_go_by_shares(http: httpx.Client) -> None:
    """Of 080: half of a (2) and of b (4); of 082 those halves, c, d and e: 9, 10 and 20."""
    groups = ask(http, by="old_district", measure="hours")["groups"]
    found = {g["old_district"]: (g["sum"], g["mean"], g["median"], g["values"]) for g in groups}
    assert found == {"080": (3, 3, 3, 2), "082": (42, 10.5, 9, 5)}


def test_rates_are_by_the_official_area_and_the_inhabitants_of_the_hexes_within(
    http: httpx.Client,
) -> None:
    areas = {
        code: Geod(ellps="WGS84").geometry_area_perimeter(shape)[0] / 1e6
        for code, shape in toy_communes().set_index("code").geometry.items()
    }
    groups = ask(http, by="commune", statistics="count,per_1000,per_km2")["groups"]
    assert {g["commune"]: (g["people"], g["per_1000"]) for g in groups} == {
        "00001": (2000, 1.5), "00004": (1000, 3), "00007": (30, None),
    }  # fmt: skip
    for group in groups:
        assert group["area_km2"] == pytest.approx(abs(areas[group["commune"]]), rel=1e-6)
        assert group["per_km2"] == pytest.approx(group["count"] / group["area_km2"])


def test_hexes_have_their_area_and_inhabitants(http: httpx.Client) -> None:
    groups = ask(http, by="hex", resolution=8, statistics="count,per_1000,per_km2")["groups"]
    finest = h3_cells(np.array([104.02]), np.array([22.05])).astype(np.int64)
    cell = int(parents_of(finest, 8)[0])
    group = next(g for g in groups if g["hex"] == f"{cell:x}")
    (area,) = areas_km2(np.array([cell]))
    assert (group["count"], group["people"], group["per_1000"]) == (1, 500, 2)
    assert group["per_km2"] == pytest.approx(1 / area)
    assert next(g["count"] for g in groups if g["hex"] is None) == 1


def test_groups_without_a_record_are_shown_when_asked_for(http: httpx.Client) -> None:
    march = "2026-03-02/2026-03-03"
    assert by(http, "commune", datetime=march, empty="yes") == {"00001": 2, "00004": 1, "00007": 0}
    assert by(http, "commune", datetime=march, empty="only") == {"00007": 0}
    assert by(http, "month", datetime="2026-01-05/2026-03-31", empty="yes") == {
        "2026-01": 0, "2026-02": 1, "2026-03": 4,
    }  # fmt: skip
    assert by(http, "category", empty="only") == {"disaster": 0}
    assert len(by(http, "weekday", "hour", datetime=march, empty="yes")) == 7 * 24
    assert by(http, "agency", "category", datetime=march, empty="only") == {("A", "disaster"): 0}
    assert by(http, "old_ward", filter="commune = '00007'", empty="yes") == {
        "00001": 0, "00002": 0, "00004": 0, "00005": 0, "00008": 1,
    }  # fmt: skip


def test_groups_are_sorted_limited_and_chosen_by_their_numbers(http: httpx.Client) -> None:
    assert list(by(http, "category", sortby="-count")) == ["traffic", "security", None]
    first = ask(http, by="category", sortby="-count", limit=1)
    assert (first["numberMatched"], first["numberReturned"], first["total"]) == (3, 1, 7)
    assert by(http, "category", having="count > 1 AND category <> 'security'") == {"traffic": 4}
    assert by(http, "commune", statistics="count,per_1000", having="per_1000 >= 2") == {"00004": 3}
    none = ask(http, by="category", having="count > 100")
    assert (none["groups"], none["numberMatched"], none["total"]) == ([], 0, 7)


def test_filters_are_those_of_items(http: httpx.Client) -> None:
    for given in (
        {"filter": "ACCENTI(CASEI(note)) LIKE ACCENTI(CASEI('%mat dien%'))"},
        {"bbox": "104.1,22,104.2,22.1"},
        {"category": "traffic"},
        {"datetime": "2026-02-01/2026-02-28"},
        {"filter": '{"op":"=","args":[{"property":"agency"},"B"]}', "filter-lang": "cql2-json"},
    ):
        items = http.get("/ogc/collections/requests/items", params=given).json()
        assert ask(http, **given)["total"] == items["numberMatched"] > 0


def test_lines_and_areas_count_in_each_unit_that_holds_a_part(http: httpx.Client) -> None:
    geod, communes = Geod(ellps="WGS84"), toy_communes().set_index("code").geometry
    answer = ask(http, "ways", by="commune", measure="lanes")
    assert (answer["counted"], answer["total"]) == ("parts", 2)
    for group in answer["groups"]:
        parts = [shapely.from_wkt(wkt) & communes[group["commune"]] for wkt in WAYS.values()]
        length = sum(geod.geometry_length(part) for part in parts) / 1000
        assert group["length_km"] == pytest.approx(length, rel=1e-5)
    assert [
        (g["commune"], g["count"], round(g["share"], 6), round(g["sum"], 6))
        for g in answer["groups"]
    ] == [("00001", 1, 0.25, 0.5), ("00004", 2, 1.5, 4), ("00007", 1, 0.25, 0.5)]
    areas = ask(http, "zones", by="commune")["groups"]
    assert [(g["commune"], g["count"], round(g["share"], 6)) for g in areas] == [
        ("00001", 1, 0.5), ("00004", 1, 0.5),
    ]  # fmt: skip


def test_a_line_through_two_communes_of_one_old_district_is_one_there(http: httpx.Client) -> None:
    """`three` has ¼ in 00001, of half of which 082 is, ½ in 00004 (082), ¼ in 00007 (080)."""
    groups = ask(http, "ways", by="old_district")["groups"]
    told = {g["old_district"]: (g["count"], round(g["share"], 6), g["estimated"]) for g in groups}
    assert told == {"080": (1, 0.375, True), "082": (2, 1.625, True)}
    assert sum(g["share"] for g in groups) == pytest.approx(2)


def test_lines_by_hex_are_by_their_cover(http: httpx.Client, province: Database) -> None:
    with province.reading() as connection:
        rows = connection.execute(
            text("SELECT gis.h3_text(cell), count(*), sum(size) / 1000 FROM layer.ways_hexes"
                 " WHERE gis.h3_resolution(cell) = 7 GROUP BY 1")
        ).all()  # fmt: skip
    groups = ask(http, "ways", by="hex", resolution=7)["groups"]
    assert {g["hex"]: (g["count"], g["length_km"]) for g in groups} == {
        cell: (count, pytest.approx(km)) for cell, count, km in rows
    }


def test_lengths_by_a_field(http: httpx.Client) -> None:
    geod = Geod(ellps="WGS84")
    groups = ask(http, "ways", by="name", statistics="length_km")["groups"]
    assert {g["name"]: g["length_km"] for g in groups} == {
        name: pytest.approx(geod.geometry_length(shapely.from_wkt(wkt)) / 1000, rel=1e-5)
        for name, wkt in WAYS.items()
    }


WRONG = [
    ("requests", {"by": "galaxy"}, "has no property 'galaxy'"),
    ("requests", {"by": "commune,month,hour,agency"}, "one to three groupings"),
    ("requests", {"by": "commune,old_ward,hex"}, "one or two kinds of places"),
    ("requests", {"by": "month,month"}, "each once"),
    ("requests", {"by": "hours"}, "is a number"),
    ("requests", {"by": "month", "time": "note"}, "is no time"),
    ("requests", {"statistics": "mode"}, "there is no statistic"),
    ("requests", {"statistics": "mean"}, "needs a measure"),
    ("requests", {"measure": "note"}, "is a text"),
    ("requests", {"measure": "received_at/note"}, "is no time"),
    ("requests", {"measure": "reporter_phone"}, "has no property"),
    ("requests", {"statistics": "length_km"}, "neither lines nor areas"),
    ("ways", {"statistics": "covered_km2"}, "lines have share"),
    ("requests", {"by": "category", "statistics": "per_1000"}, "needs a place"),
    ("requests", {"by": "unit_then", "statistics": "per_km2"}, "units of several days"),
    ("requests", {"by": "hex,commune", "statistics": "per_km2"}, "group by one of them"),
    ("requests", {"by": "old_ward,old_district"}, "group by one of them"),
    ("requests", {"by": "hex", "empty": "yes"}, "hexes without a record"),
    ("requests", {"by": "category", "sortby": "key_0"}, "no column"),
    ("requests", {"by": "category", "having": "key_0 = 'x'"}, "no property 'key_0'"),
    ("requests", {"by": "category", "having": "count = 'x'"}, "having:"),
    ("requests", {"by": "hex", "resolution": "4"}, "resolution"),
    ("requests", {"limit": "0"}, "limit"),
    ("requests", {"empty": "maybe"}, "empty"),
    ("requests", {"f": "shp"}, "not offered"),
    ("requests", {"f": "csv", "totals": "true"}, "holds one table"),
    ("requests", {"filter": "place_confidence ^ 4000 = 1 OR 10 ^ 4000 = 1"}, "out of range"),
    ("ways", {"by": "hex,commune"}, "by hexes or by units"),
    ("ways", {"by": "unit_then"}, "communes of today alone"),
    ("ways", {"by": "hex", "resolution": "9"}, "up to resolution 7"),
    ("slides", {"by": "hour"}, "have no time"),
    ("requests", {"by": "road_km"}, "needs a road"),
    ("requests", {"by": "road_km", "road": "slides/QL4D"}, "has no kilometres"),
    ("ways", {"by": "road_km", "road": "slides/QL4D"}, "has no points"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "given", "words"), WRONG)
def test_a_wrong_query_says_what_would_be_right(http, layer, given, words) -> None:
    answer = http.get(f"/summary/{layer}", params=given)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]


def test_a_closed_layer_answers_as_one_that_does_not_exist(
    http: httpx.Client, province: Database
) -> None:
    for suffix in ("", "?by=commune", "?by=hex", "?f=csv"):
        closed, missing = (http.get(f"/summary/{name}{suffix}") for name in ("secrets", "nothing"))
        assert closed.status_code == missing.status_code == 404
        assert closed.json()["detail"] == missing.json()["detail"].replace("nothing", "secrets")
    with province.writing() as connection:
        key = create_key(connection, "tests", Role.DEPARTMENT, ("secrets",))
    assert http.get("/summary/secrets", headers={"X-API-Key": key}).json()["total"] == 1


def test_who_may_see_hexes_alone_has_those_that_the_hex_tiles_show(http: httpx.Client) -> None:
    """k is 3: of the seven records two are in one hex of resolution 5 and the others in more."""
    shown = ask(http, "counted", by="hex", resolution=5)
    for group in shown["groups"]:
        facts = http.get(f"/hexes/{group['hex']}").json()
        assert group["count"] == facts["layers"]["counted"]["count"] >= 3
    assert sum(g["count"] for g in shown["groups"]) == shown["total"]
    for given in ({}, {"by": "commune"}, {"by": "hex,month"}, {"by": "hex", "measure": "hours"},
                  {"by": "hex", "filter": "agency = 'A'"}, {"by": "hex", "having": "count < 3"},
                  {"by": "hex", "bbox": "104,22,104.01,22.1"}, {"by": "hex", "agency": "A"},
                  {"by": "hex", "statistics": "count,per_1000"}, {"by": "hex", "empty": "yes"},
                  {"by": "hex", "totals": "true"}):  # fmt: skip
        assert http.get("/summary/counted", params=given).status_code == 400, given


def test_files_hold_the_same_rows(http: httpx.Client, tmp_path: Path) -> None:
    given = {"by": "commune,category", "measure": "hours"}
    rows = ask(http, **given)["groups"]
    content = http.get("/summary/requests", params={**given, "f": "csv"}).content.decode(
        "utf-8-sig"
    )
    read = list(csv.DictReader(io.StringIO(content)))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == read
    workbook = http.get("/summary/requests", params={**given, "f": "xlsx", "totals": "true"})
    book = load_workbook(io.BytesIO(workbook.content))
    header, *values = book.get_sheet_by_name("requests").to_python()
    assert [dict(zip(header, line, strict=True)) for line in values] == [
        {name: "" if value is None else value for name, value in row.items()} for row in rows
    ]
    assert book.sheet_names == ["requests", "commune", "category"]
    page = http.get("/summary/requests", params={**given, "f": "html", "lang": "vi"})
    assert page.headers["content-type"].startswith("text/html")
    for row in rows:
        assert row["commune_name"] in page.text


def test_a_text_that_looks_like_a_formula_stays_a_text(
    http: httpx.Client, province: Database
) -> None:
    with province.writing() as connection:
        connection.execute(text("UPDATE layer.requests SET agency = '=1+1' WHERE source_key = 'g'"))
    try:
        content = http.get("/summary/requests?by=agency&f=xlsx").content
        sheet = load_workbook(io.BytesIO(content)).get_sheet_by_name("requests")
        assert "=1+1" in [line[0] for line in sheet.to_python()]
    finally:
        with province.writing() as connection:
            connection.execute(
                text("UPDATE layer.requests SET agency = NULL WHERE source_key = 'g'")
            )


def test_with_polygons_of_old_districts_points_and_people_are_of_where_they_lie(
    postgres: Server, migrated: str, tmp_path: Path
) -> None:
    with postgres.opened(migrated) as database:
        plant_province(database, tmp_path)
        plant(database)
        before = SINCE.replace(year=2024)
        report = load_former(database, write_districts(tmp_path), before, level=Level.DISTRICT)
        assert (report.stored, report.without_polygon) == (2, ())
        app = create_app(Settings(_env_file=None), database, LAYERS)
        with app_client(app) as http:
            groups = ask(http, by="old_district", statistics="count,per_1000", measure="hours")[
                "groups"
            ]
            told = {g["old_district"]: (g["count"], g["people"], g["estimated"]) for g in groups}
            assert told == {"080": (2, 530, False), "082": (5, 2500, False)}
            # What is known by its commune alone is still shared.
            plant(
                database,
                [("h", None, None, "00001", None, "2026-03-03", "traffic", "A", 1, None, None)],
            )
            told = {g["old_district"]: (g["count"], g["estimated"])
                    for g in ask(http, by="old_district")["groups"]}  # fmt: skip
            assert told == {"080": (2.5, True), "082": (5.5, True)}


def test_every_pair_of_groupings_adds_up_to_the_total(
    http: httpx.Client, province: Database
) -> None:
    """Against pandas on the very rows, for groupings that count each record once."""
    times = ("year", "month", "weekday", "hour")
    names = ("commune", "category", "overdue", *times)
    with province.reading() as connection:
        frame = pd.DataFrame(
            connection.execute(
                text("SELECT commune, category, overdue, valid_at FROM layer.requests")
            ).mappings()
        )
    local = pd.to_datetime(frame["valid_at"], utc=True).dt.tz_convert(HERE)
    frame["year"], frame["month"] = local.dt.strftime("%Y"), local.dt.strftime("%Y-%m")
    frame["weekday"], frame["hour"] = local.dt.isocalendar().day, local.dt.hour
    frame = frame.astype(object).where(frame.notna(), None)
    for one, other in product(names, names):
        if one < other:
            expected = frame.groupby([one, other], dropna=False).size()
            found = by(http, one, other)
            assert sum(found.values()) == len(frame)
            known = {k: n for k, n in expected.items() if not any(pd.isna(part) for part in k)}
            assert {k: n for k, n in found.items() if None not in k} == known, (one, other)
    for place in (*OLD, PlaceGrouping.UNIT_THEN, PlaceGrouping.HEX):
        assert sum(by(http, place.value, "category").values()) == pytest.approx(len(frame))


def test_many_records_are_counted_as_a_second_way_counts_them(
    postgres: Server, migrated: str, tmp_path: Path
) -> None:
    draw = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=HERE)
    records = [
        (
            str(n), 104 + draw.random() * 0.3, 22 + draw.random() * 0.1, None, None, start,
            draw.choice(["traffic", "security"]), draw.choice("AB"),
            draw.choice([1.5, 2.0, None]), None, None,
        )
        for n in range(300)
    ]  # fmt: skip
    columns = ["key", "lon", "lat", "commune", "then", "at", "category", "agency", "hours"]
    frame = pd.DataFrame([record[:9] for record in records], columns=columns)
    with postgres.opened(migrated) as database:
        plant_province(database, tmp_path)
        plant(database, records)
        app = create_app(Settings(_env_file=None), database, LAYERS)
        with app_client(app) as http:
            groups = ask(http, by="agency,category", measure="hours")["groups"]
            by_hex = by(http, "hex", resolution=7)
    names = ("count", "values", "sum", "mean", "median", "min", "max")
    expected = frame.groupby(["agency", "category"])["hours"].agg(["size", "count", *names[2:]])
    for group in groups:
        row = expected.loc[group["agency"], group["category"]]
        assert [group[name] for name in names] == pytest.approx(row.tolist())
    finest = h3_cells(frame["lon"].to_numpy(float), frame["lat"].to_numpy(float))
    cells = parents_of(finest.astype(np.int64), 7)
    counted = zip(*np.unique(cells, return_counts=True), strict=True)
    assert by_hex == {f"{int(cell):x}": number for cell, number in counted}


def test_the_api_definition_names_each_parameter(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()["paths"]["/summary/{layer_id}"]["get"]
    names = {each["name"] for each in described["parameters"]}
    expected = {f.alias or n for n, f in SummaryParameters.model_fields.items()}
    assert names == expected | {"layer_id"}
    assert all(
        each.get("description") for each in described["parameters"] if each["name"] != "layer_id"
    )


def test_each_statistic_has_an_answer(http: httpx.Client) -> None:
    for name in STATISTICS:
        layer = {"length_km": "ways", "covered_km2": "zones", "share": "ways"}.get(name, "requests")
        measure = {"requests": "hours"}.get(layer, "lanes")
        groups = ask(http, layer, by="commune", statistics=name, measure=measure)["groups"]
        assert all(name in group for group in groups)
