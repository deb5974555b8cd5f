"""Whole numbers from every format and request into a layer, and out again, with every digit."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import httpx
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from gis.access import Role, create_key
from gis.database.engine import Database
from tests.intake_layers import FILES, MZ, POINT, layer_of, load, publish, rows, waiting, write_csv
from tests.integration.ogc_app import client_of

COUNTS = layer_of({"key": "id", "coordinates": POINT}, {"n": "integer", "val": "number"})
EDGES = [
    sign * (edge + step)
    for edge, step, sign in itertools.product((2**31, 2**53, 2**63), (-1, 0, 1), (1, -1))
]
FIT = [number for number in EDGES if -(2**63) <= number < 2**63]
LIMIT = "9223372036854775807"


def as_csv(folder: Path, numbers: Sequence[int | None]) -> Path:
    records = ((i, 104.05, 22.05, number) for i, number in enumerate(numbers))
    return write_csv(folder / "n.csv", ("id", "lon", "lat", "n"), *records)


def as_geojson(folder: Path, numbers: Sequence[int | None]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"id": str(i), "n": number},
            "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},
        }
        for i, number in enumerate(numbers)
    ]
    path = folder / "n.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def frame(numbers: Sequence[int | None]) -> gpd.GeoDataFrame:
    columns = {"id": [str(i) for i in range(len(numbers))], "n": pd.array(numbers, dtype="Int64")}
    return gpd.GeoDataFrame(
        columns, geometry=[shapely.Point(104.05, 22.05)] * len(numbers), crs=4326
    )


def as_geopackage(folder: Path, numbers: Sequence[int | None]) -> Path:
    frame(numbers).to_file(folder / "n.gpkg")
    return folder / "n.gpkg"


def as_shapefile(folder: Path, numbers: Sequence[int | None]) -> Path:
    frame(numbers).to_file(folder / "n.shp")
    return folder / "n.shp"


def as_xlsx(folder: Path, numbers: Sequence[int | None]) -> Path:
    table = pd.DataFrame(frame(numbers).drop(columns="geometry"))
    table["lon"], table["lat"] = 104.05, 22.05
    pyogrio.write_dataframe(table, folder / "n.xlsx")
    return folder / "n.xlsx"


WRITERS = [as_csv, as_geojson, as_geopackage, as_shapefile, as_xlsx]


@pytest.mark.parametrize("write", WRITERS)
def test_whole_numbers_come_from_every_format_as_they_are(
    toy_province: Database, tmp_path: Path, write: Callable[[Path, Sequence[int | None]], Path]
) -> None:
    numbers = [None, *FIT, None]
    report = load(toy_province, COUNTS, write(tmp_path, numbers))
    assert (report.added, report.quarantined) == (len(numbers), 0)
    assert [n for (n,) in rows(toy_province, "n", "source_key::int")] == numbers


@pytest.mark.parametrize("write", [as_csv, as_geojson])
def test_what_is_beyond_a_bigint_waits_and_stops_no_other(
    toy_province: Database, tmp_path: Path, write: Callable[[Path, Sequence[int | None]], Path]
) -> None:
    load(toy_province, COUNTS, write(tmp_path, EDGES))
    assert [n for (n,) in rows(toy_province, "n", "source_key::int")] == FIT
    kept = waiting(toy_province)
    assert [one.raw["n"] for one in kept] == [str(n) for n in EDGES if n not in FIT]
    assert all(one.why.startswith("n: ") and LIMIT in one.why for one in kept)


def test_a_number_beyond_all_doubles_in_json_is_the_fault_of_its_row(
    toy_province: Database, tmp_path: Path
) -> None:
    path = as_geojson(tmp_path, [5, 6])
    path.write_text(path.read_text().replace('"n": 6', '"n": 6, "val": 1e400'))
    report = load(toy_province, COUNTS, path)
    assert (report.added, report.reasons) == (1, {"bad_number": 1})
    assert waiting(toy_province)[0].raw["val"] == "1e400"


def test_the_files_of_an_office_keep_their_numbers(lao_cai: Database) -> None:
    assert load(lao_cai, MZ, FILES / "ints.csv").added == 2
    assert rows(lao_cai, "n") == [(1765,), (2,)]
    columns = {
        "big": {"type": "integer", "column": "SỐ LỚN"},
        "real": {"type": "number", "column": "số thực"},
    }
    types = layer_of({"key": "Mã số (ID)", "coordinates": POINT}, columns)
    load(lao_cai, types.model_copy(update={"id": "types"}), FILES / "types.csv")
    with lao_cai.reading() as connection:
        found = connection.exec_driver_sql("SELECT big, real FROM layer.types").all()
        kept = connection.exec_driver_sql(
            "SELECT source_key FROM gis.quarantine WHERE layer_id = 'types'"
        ).scalars()
        assert set(kept) == {"5", "7", "8"}, "NaN, inf and 1e400"
    assert {9007199254740993, 9223372036854775807, -9007199254740993} <= {row.big for row in found}


@pytest.fixture
def desk(toy_province: Database):
    publish(toy_province, COUNTS)
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN, [])
    with client_of(toy_province, [COUNTS]) as client:
        client.headers["X-API-Key"] = key
        yield client


ITEMS = "/ogc/collections/mz/items"


def post(desk: httpx.Client, properties: str) -> httpx.Response:
    body = (
        '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},'
        f' "properties": {properties}}}'
    )
    return desk.post(ITEMS, content=body, headers={"Content-Type": "application/geo+json"})


def test_requests_store_and_answers_give_every_digit(
    toy_province: Database, desk: httpx.Client, tmp_path: Path
) -> None:
    for number in FIT:
        assert post(desk, f'{{"n": {number}}}').status_code == 201
    assert [n for (n,) in rows(toy_province, "n", "id")] == FIT
    told = json.loads(desk.get(ITEMS, params={"f": "json"}).content)["features"]
    assert [one["properties"]["n"] for one in told] == FIT
    table = csv.DictReader(io.StringIO(desk.get(ITEMS, params={"f": "csv"}).text))
    assert [int(row["n"]) for row in table] == FIT
    parquet = pq.read_table(io.BytesIO(desk.get(ITEMS, params={"f": "parquet"}).content))
    assert parquet["n"].to_pylist() == FIT
    (tmp_path / "n.fgb").write_bytes(desk.get(ITEMS, params={"f": "fgb"}).content)
    assert pyogrio.raw.read(tmp_path / "n.fgb")[3][1].tolist() == FIT


@pytest.mark.parametrize(
    "properties",
    [
        '{"n": 9223372036854775808}',
        '{"n": -9223372036854775809}',
        '{"n": 9007199254740994.0}',
        '{"n": 1e400}',
        '{"n": 1.5}',
        '{"val": 9007199254740993}',
        '{"val": 1e400}',
        '{"val": 1e999999}',
    ],
)
def test_a_request_with_a_number_that_does_not_fit_is_refused(
    toy_province: Database, desk: httpx.Client, properties: str
) -> None:
    assert post(desk, properties).status_code == 400
    assert rows(toy_province, "id") == []
