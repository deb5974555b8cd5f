"""Every layer of the project in every format, opened by who reads that format, beside its items."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import orjson
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
import structlog
from sqlalchemy import Connection, text

from api.logs import configure_logs
from docs.generate import export_format_page
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from layers.definition.model import GeometryKind, Layer
from layers.items.formats import FORMATS, ExportFormat
from tests.conftest import LAYERS
from tests.databases import Server
from tests.integration.ndjson_format import NDJSON
from tests.integration.ogc_app import Client, client_of

CATALOGUE = read_catalogue(LAYERS)
SQUARE, OTHER = (
    "((104 22,104.1 22,104.1 22.1,104 22.1,104 22))",
    "((105 22,105.1 22,105 22.1,105 22))",
)
SHAPES = {
    "none": [],
    "one type": {
        GeometryKind.POINT: ["POINT(104 22)", "POINT(104.5 22.5)"],
        GeometryKind.LINE: ["LINESTRING(104 22,105 23)", "LINESTRING(104 22,104 23)"],
        GeometryKind.POLYGON: [f"POLYGON{SQUARE}", f"POLYGON{OTHER}"],
    },
    "many parts": {
        GeometryKind.POLYGON: [f"MULTIPOLYGON({SQUARE},{OTHER})", f"MULTIPOLYGON({OTHER})"],
        GeometryKind.LINE: ["MULTILINESTRING((104 22,105 23),(106 22,106 23))"],
    },
    "both": {
        GeometryKind.POLYGON: [f"POLYGON{SQUARE}", f"MULTIPOLYGON({SQUARE},{OTHER})"],
        GeometryKind.LINE: ["LINESTRING(104 22,105 23)", "MULTILINESTRING((104 22,105 23))"],
    },
    "one without": {
        GeometryKind.POINT: ["POINT(104 22)", None],
        GeometryKind.LINE: ["LINESTRING(104 22,105 23)", None],
        GeometryKind.POLYGON: [f"POLYGON{SQUARE}", None],
    },
}
VALUES = {
    "text": "'Bản \"Làng\", 1;\n2'", "text[]": "ARRAY['a']", "jsonb": "'{}'", "boolean": "true",
    "date": "'2026-03-01'", "timestamp with time zone": "'2026-03-01T08:00:00+07'",
    "double precision": "1.5", "integer": "7", "smallint": "7", "bigint": "7",
    "bigint[]": "ARRAY[7]",
}  # fmt: skip


@pytest.fixture(scope="module")
def tables(postgres: Server, toy_template: str) -> Iterator[Database]:
    """Tables with the columns of each layer, also where a view is what a layer reads."""
    with postgres.opened(toy_template) as database:
        with database.writing() as connection, as_owner(connection):
            views = connection.scalars(
                text("SELECT viewname FROM pg_views WHERE schemaname = 'layer'")
            ).all()
            for name in views:
                connection.execute(text(f"ALTER VIEW layer.{name} RENAME TO {name}_view"))
                connection.execute(
                    text(f"CREATE TABLE layer.{name} AS TABLE layer.{name}_view WITH NO DATA")
                )
            for layer in CATALOGUE.layers:
                if layer.geometry is not GeometryKind.NONE:  # a view may hold any geometry
                    connection.execute(
                        text(
                            f"ALTER TABLE layer.{layer.id} ALTER geom TYPE geometry(Geometry, 4326)"
                        )
                    )
        yield database


@pytest.fixture(scope="module")
def client(tables: Database) -> Iterator[Client]:
    with tables.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN)
    configured = structlog.get_config()
    configure_logs(Settings(_env_file=None, log_format="json"))  # errors drawn for people take long
    with client_of(tables, CATALOGUE.layers) as opened:
        opened.headers["X-API-Key"] = key
        yield opened
    structlog.configure(**configured)


def columns_of(connection: Connection, layer_id: str) -> dict[str, str]:
    """The types of the columns of a layer's table, by name."""
    rows = connection.execute(
        text(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attnum > 0"
            " AND attrelid = to_regclass(:name) AND NOT attisdropped"
        ),
        {"name": f"layer.{layer_id}"},
    )
    return {row[0]: row[1] for row in rows}


def fill(database: Database, layer_id: str, shapes: list[str | None]) -> None:
    """A row a shape, with a value in every other column."""
    with database.writing() as connection:
        connection.execute(text(f"DELETE FROM layer.{layer_id}"))
        own = ("id", "geom", "valid_to", "source_key")
        columns = {
            name: VALUES[kind]
            for name, kind in columns_of(connection, layer_id).items()
            if name not in own
        }
        names, values = ", ".join(columns), ", ".join(columns.values())
        for number, shape in enumerate(shapes, 1):
            given = {"id": number, "key": f"k{number}", "shape": shape}
            asked = {"id": ":id"}
            if not CATALOGUE.get(layer_id).is_view:
                asked["source_key"] = ":key"
            if CATALOGUE.get(layer_id).geometry is not GeometryKind.NONE:
                asked["geom"] = "ST_GeomFromText(:shape, 4326)"
            connection.execute(
                text(
                    f"INSERT INTO layer.{layer_id} ({', '.join(asked)}, {names})"
                    f" OVERRIDING SYSTEM VALUE VALUES ({', '.join(asked.values())}, {values})"
                ),
                given,
            )
        connection.execute(
            text("UPDATE gis.layer SET version = version + 1 WHERE id = :id"), {"id": layer_id}
        )


def read_export(form: str, path: Path) -> tuple[list[str], list[str | None]]:
    """Ids, and types of geometry (None: of none), as those read them who know the format."""
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        points = ["Point" if row.get("x") else None for row in rows]
        shapes = [shapely.from_wkt(row["geom"]) if row.get("geom") else None for row in rows]
        kinds = [one.geom_type if one else None for one in shapes]
        either = [kind or point for kind, point in zip(kinds, points, strict=True)]
        return [row["id"] for row in rows], either
    if form == "parquet":
        table = pq.read_table(path)
        ids = table.column("id").to_pylist()
        there = "geom" in table.column_names
        shapes = table.column("geom").to_pylist() if there else [None] * len(ids)
        return ids, [kind_of(one) for one in shapes]
    _, _, wkb, (ids,) = pyogrio.raw.read(path, columns=["id"])  # by GDAL, whatever the format
    return list(ids), [kind_of(one) for one in ([None] * len(ids) if wkb is None else wkb)]


def read_ids(path: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(path, columns=["id"])


def kind_of(wkb: bytes | None) -> str | None:
    return None if wkb is None else shapely.from_wkb(wkb).geom_type


@pytest.mark.parametrize("rows", SHAPES)
@pytest.mark.parametrize("layer", CATALOGUE.layers, ids=lambda layer: layer.id)
def test_a_file_of_a_layer_holds_what_its_items_do(client, tables, tmp_path, layer, rows):
    check_files(client, tables, tmp_path, layer, rows)


def check_files(client: Client, tables: Database, folder: Path, layer: Layer, rows: str) -> None:
    """Every format that there is holds the ids and the geometries of the items."""
    if layer.geometry is GeometryKind.NONE:
        shapes = [None] * (0 if rows == "none" else 2)
    else:
        shapes = SHAPES[rows].get(layer.geometry, []) if rows != "none" else []
    fill(tables, layer.id, shapes)
    items = client.get(f"/ogc/collections/{layer.id}/items?limit=100").json()["features"]
    assert len(items) == len(shapes)
    kinds = {str(one["id"]): (one["geometry"] or {}).get("type") for one in items}
    for form in FORMATS:
        path = folder / f"{layer.id}{FORMATS[form].suffix}"
        answer = client.get(f"/ogc/collections/{layer.id}/items?f={form}")
        assert answer.status_code == 200, answer.text
        path.write_bytes(answer.content)
        ids, types = read_export(form, path)
        assert dict(zip(ids, types, strict=True)) == kinds, form
        if layer.geometry is not GeometryKind.NONE and form != "csv":
            frame = (gpd.read_parquet if form == "parquet" else read_ids)(path)
            assert len(frame) == len(items) and str(frame.crs) in ("OGC:CRS84", "EPSG:4326")
    if layer.geometry is not GeometryKind.NONE:
        check_metadata(folder, layer.id, kinds)


@pytest.fixture
def ndjson(monkeypatch: pytest.MonkeyPatch) -> ExportFormat:
    """Another format, in the registry for the length of a test."""
    monkeypatch.setitem(FORMATS, NDJSON.name, NDJSON)
    return NDJSON


@pytest.mark.parametrize("layer", CATALOGUE.layers, ids=lambda layer: layer.id)
def test_a_new_format_of_every_layer_costs_one_line(client, tables, tmp_path, ndjson, layer):
    check_files(client, tables, tmp_path, layer, "one without")
    assert (tmp_path / f"{layer.id}.geojsonl").exists()


def test_what_is_said_of_the_formats_follows_from_the_registry(client, tables, ndjson):
    fill(tables, "landslides", ["POINT(104 22)"])
    path = "/ogc/collections/landslides"
    collection = client.get(f"{path}?lang=en").json()
    (link,) = [each for each in collection["links"] if each["type"] == ndjson.media_type]
    assert link["title"] == "Items (GeoJSON Lines)" and link["rel"] == "items"
    by_link, by_header = (
        client.get(link["href"]),
        client.get(f"{path}/items", headers={"Accept": ndjson.media_type}),
    )
    assert by_link.content == by_header.content
    assert orjson.loads(by_link.content)["geometry"]["coordinates"] == [104, 22]
    assert by_link.headers["content-type"] == ndjson.media_type
    assert by_link.headers["content-disposition"] == 'attachment; filename="landslides.geojsonl"'
    assert "Items (GeoJSON Lines)" in client.get(f"{path}?f=html&lang=en").text
    definition = client.get("/ogc/openapi").json()["components"]
    offered = definition["parameters"]["itemsFormat"]["schema"]["enum"]
    assert offered == ["json", "html", *FORMATS]
    assert ndjson.media_type in definition["responses"]["Document"]["content"]
    refused = client.get(f"{path}/items?f=shp")
    assert refused.status_code == 400 and ", ".join(offered) in refused.json()["detail"]
    assert "| `ndjson` | GeoJSON Lines |" in export_format_page()


def check_metadata(folder: Path, layer_id: str, kinds: dict[str, str | None]) -> None:
    """What a reader is told before it reads a row."""
    there = {kind for kind in kinds.values() if kind}
    geo = orjson.loads(pq.read_metadata(folder / f"{layer_id}.parquet").metadata[b"geo"])
    column = geo["columns"]["geom"]
    assert set(column["geometry_types"]) == there
    frame = gpd.read_parquet(folder / f"{layer_id}.parquet")
    boxes = [] if not there else pytest.approx(frame.total_bounds.tolist())
    assert column.get("bbox", []) == boxes
    info = pyogrio.read_info(folder / f"{layer_id}.fgb")
    if there:
        assert info["geometry_type"] == (there.pop() if len(there) == 1 else "Unknown")
    indexed = bool(kinds) and None not in kinds.values()
    assert info["capabilities"]["fast_spatial_filter"] is indexed


@pytest.fixture
def breaking(tables: Database) -> Iterator[None]:
    """The 5,000th of 6,000 landslides cannot be read; those before are in the file already."""
    fill(tables, "landslides", ["POINT(104 22)"])
    with tables.writing() as connection, as_owner(connection):
        names = columns_of(connection, "landslides")
        kept = ", ".join(name for name in names if name not in ("id", "source_key"))
        others = ", ".join(name for name in names if name != "commune")
        connection.execute(
            text(
                f"INSERT INTO layer.landslides (id, source_key, {kept}) OVERRIDING SYSTEM VALUE"
                f" SELECT i, i::text, {kept} FROM layer.landslides, generate_series(2, 6000) AS i"
            )
        )
        connection.execute(text("ALTER TABLE layer.landslides RENAME TO whole"))
        connection.execute(
            text(
                f"CREATE VIEW layer.landslides AS SELECT {others}, CASE WHEN id = 5000"
                " THEN (1 / (id - 5000))::text ELSE commune END AS commune FROM layer.whole"
            )
        )
    yield
    with tables.writing() as connection, as_owner(connection):
        connection.execute(text("DROP VIEW layer.landslides"))
        connection.execute(text("ALTER TABLE layer.whole RENAME TO landslides"))


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_breaks_off_does_not_look_whole(client, form):
    answer = client.get(f"/ogc/collections/landslides/items?f={form}")
    assert answer.status_code == 400  # a file is whole before its first byte is sent
    assert answer.headers["content-type"] == "application/problem+json"
