"""OGC API Tiles: documents that lead a client to the tiles, and tiles of several collections."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from api.ogc.patches import CONFORMANCE
from gis.access import Role, create_key
from gis.database.engine import Database
from tests.databases import Server
from tests.integration.tile_layers import add_points, execute, path_of, publish, tile_service
from tests.integration.tile_reader import decode, layers_in
from tiles.grid import tile_at

HERE = tile_at(104.1, 22.4, 8)
SQUARE = "SRID=4326;MULTIPOLYGON(((104 22.2,104.3 22.2,104.3 22.5,104 22.5,104 22.2)))"
TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
REL = "http://www.opengis.net/def/rel/ogc/1.0"
GRID = "/ogc/tileMatrixSets/WebMercatorQuad"


@pytest.fixture(scope="module")
def tiled(postgres: Server, migrated: str) -> Iterator[Database]:
    """Rows that no test here changes."""
    with postgres.opened(migrated) as database:
        publish(database)
        add_points(database, 60)
        add_points(database, 20, "secret")
        execute(
            database,
            "INSERT INTO layer.areas (geom, kind, source, source_key)"
            " VALUES (:square, 'x', 't', '1')",
            square=SQUARE,
        )
        yield database


@pytest.fixture(scope="module")
def http(tiled: Database) -> Iterator[httpx.Client]:
    with tile_service(tiled) as client:
        yield client


def linked(document: dict, rel: str) -> str:
    (found,) = (one["href"] for one in document["links"] if one["rel"] == rel)
    return found


def filled(template: str) -> str:
    names = {"tileMatrix": HERE.z, "tileRow": HERE.y, "tileCol": HERE.x, "z": HERE.z}
    return template.format(**names, x=HERE.x, y=HERE.y)


@pytest.mark.parametrize(
    "name", ["core", "tileset", "tilesets-list", "geodata-tilesets", "dataset-tilesets", "mvt"]
)
def test_the_classes_of_tiles_are_declared(http, name):
    declared = http.get("/ogc/conformance").json()["conformsTo"]
    assert f"{TILES}{name}" in declared and f"{TILES}{name}" in CONFORMANCE


@pytest.mark.parametrize("start", ["/ogc/", "/ogc/collections/incidents"])
def test_links_lead_from_the_first_page_to_a_tile(http, start):
    tilesets = http.get(linked(http.get(start).json(), f"{REL}/tilesets-vector")).json()
    (one,) = tilesets["tilesets"]
    assert one["dataType"] == "vector" and one["crs"].endswith("/EPSG/0/3857")
    assert http.get(filled(linked(one, "item"))).content
    assert http.get(linked(one, f"{REL}/tiling-scheme")).json()["id"] == "WebMercatorQuad"
    tileset = http.get(linked(one, "self")).json()
    item = next(one for one in tileset["links"] if one["rel"] == "item")
    assert item["templated"] and item["type"] == "application/vnd.mapbox-vector-tile"
    tile = http.get(filled(item["href"]))
    assert tile.headers["content-type"] == item["type"]
    assert tile.content and "incidents" in layers_in(tile.content, HERE)


@pytest.mark.parametrize("root", ["/ogc/tiles", "/ogc/collections/incidents/tiles"])
def test_the_list_says_of_a_tileset_what_its_own_document_does(http, root):
    """Strict clients read tiles and limits there, and never open the document."""
    (one,) = http.get(root).json()["tilesets"]
    assert one.pop("tileMatrixSetId") == "WebMercatorQuad"
    document = http.get(linked(one, "self")).json()
    links = {(link["rel"], link["href"]) for link in document["links"]}
    told = {(link["rel"], link["href"]) for link in one.pop("links")}
    assert {rel for rel, _ in told} == {"self", "item", f"{REL}/tiling-scheme"}
    assert told <= links
    required = {"title", "dataType", "crs", "tileMatrixSetURI", "tileMatrixSetLimits"}
    assert required | {"boundingBox", "centerPoint", "mediaTypes"} <= one.keys()
    assert one.items() <= document.items() and "layers" in document


def test_a_tileset_says_what_its_tiles_hold_and_where(http):
    document = http.get("/ogc/collections/incidents/tiles/WebMercatorQuad?lang=en").json()
    (layer,) = document["layers"]
    assert (layer["id"], layer["geometryDimension"]) == ("incidents", 0)
    assert layer["propertiesSchema"]["properties"]["severity"] == {
        "title": "Severity",
        "type": "integer",
    }
    assert "phone" not in layer["propertiesSchema"]["properties"]
    west, south = document["boundingBox"]["lowerLeft"]
    assert 103.6 <= west < 104.6 and 21.9 <= south < 22.9
    limits = {one["tileMatrix"]: one for one in document["tileMatrixSetLimits"]}
    assert set(limits) == {str(z) for z in range(15)}
    assert limits["8"]["minTileCol"] <= HERE.x <= limits["8"]["maxTileCol"]
    assert limits["8"]["minTileRow"] <= HERE.y <= limits["8"]["maxTileRow"]
    assert http.get(linked(document, "stylesheet")).json()["version"] == 8
    assert http.get(linked(document, f"{REL}/legend")).json()["features"]


def test_every_tile_with_features_lies_within_the_limits(http):
    document = http.get("/ogc/collections/incidents/tiles/WebMercatorQuad").json()
    limits = next(one for one in document["tileMatrixSetLimits"] if one["tileMatrix"] == "7")
    whole, seen = range(100, 105), set()
    for x in whole:
        for y in range(53, 58):
            answer = http.get(f"/ogc/collections/incidents/tiles/WebMercatorQuad/7/{y}/{x}")
            if answer.status_code == 200 and answer.content:
                seen.add((x, y))
    columns = range(limits["minTileCol"], limits["maxTileCol"] + 1)
    rows = range(limits["minTileRow"], limits["maxTileRow"] + 1)
    assert seen and all(x in columns and y in rows for x, y in seen)


def test_rows_come_before_columns_in_the_standards_path(http):
    ours = http.get(path_of("incidents", HERE)).content
    row_first = f"/ogc/collections/incidents/tiles/WebMercatorQuad/{HERE.z}/{HERE.y}/{HERE.x}"
    assert http.get(row_first).content == ours != b""
    assert http.get(row_first, params={"f": "mvt"}).content == ours


def test_one_tile_holds_the_collections_that_are_named(http):
    address = f"/ogc/tiles/WebMercatorQuad/{HERE.z}/{HERE.y}/{HERE.x}"
    both = http.get(address, params={"collections": "areas,incidents"}).content
    assert {"areas", "incidents"} <= set(layers_in(both, HERE))
    assert len(decode(both, HERE, "incidents")) == len(
        decode(http.get(path_of("incidents", HERE)).content, HERE, "incidents")
    )
    only = http.get(address, params={"collections": "incidents"}).content
    assert layers_in(only, HERE) == ["incidents"]
    day = "2026-01-01T00:00:00Z/2026-01-01T12:00:00Z"
    timed = http.get(address, params={"collections": "incidents", "datetime": day}).content
    assert 0 < len(decode(timed, HERE, "incidents")) < len(decode(only, HERE, "incidents"))


def test_a_tile_of_the_dataset_holds_what_the_caller_may_read(http, tiled):
    address = f"/ogc/tiles/WebMercatorQuad/{HERE.z}/{HERE.y}/{HERE.x}"
    with tiled.writing() as connection:
        operator = {"X-API-Key": create_key(connection, "tests", Role.OPERATOR)}
    assert "secret" in layers_in(http.get(address, headers=operator).content, HERE)
    assert "secret" not in layers_in(http.get(address).content, HERE)
    assert http.get(address, params={"collections": "secret"}).status_code == 400
    tileset = http.get("/ogc/tiles/WebMercatorQuad").json()
    assert "secret" not in {one["id"] for one in tileset["layers"]}
    assert http.get("/ogc/collections/secret/tiles").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ogc/tiles/WebMercatorQuad/3/0/8", 404),
        ("/ogc/tiles/WebMercatorQuad/3/0/x", 400),
        ("/ogc/tiles/WorldCRS84Quad", 404),
        ("/ogc/tiles/WebMercatorQuad?collections=nowhere", 400),
        ("/ogc/tiles/WebMercatorQuad/3/0/0?collections=", 400),
        ("/ogc/tiles/WebMercatorQuad/3/0/0?filter=true", 400),
        ("/ogc/tiles/WebMercatorQuad/3/0/0?f=png", 400),
        ("/ogc/collections/incidents/tiles/WebMercatorQuad?f=xml", 400),
        ("/ogc/collections/incidents/tiles/WebMercatorQuad/3/0/0?filter=colour=1", 400),
        ("/ogc/tileMatrixSets/WorldCRS84Quad", 404),
    ],
)
def test_what_is_not_offered_is_refused_in_words(http, path, status):
    answer = http.get(path)
    assert answer.status_code == status and answer.json()["detail"]


def test_the_grid_is_the_registered_one(http):
    """As the package morecantile has it from OGC's register."""
    from morecantile import tms

    registered = tms.get("WebMercatorQuad")
    grid = http.get(GRID).json()
    assert grid["uri"] == str(registered.uri)
    for ours, theirs in zip(grid["tileMatrices"], registered.tileMatrices, strict=False):
        assert ours["id"] == theirs.id
        assert ours["cellSize"] == pytest.approx(theirs.cellSize, rel=1e-12)
        assert ours["scaleDenominator"] == pytest.approx(theirs.scaleDenominator, rel=1e-9)
        assert ours["pointOfOrigin"] == pytest.approx(list(theirs.pointOfOrigin), rel=1e-9)
        assert (ours["matrixWidth"], ours["tileWidth"]) == (theirs.matrixWidth, theirs.tileWidth)


@pytest.mark.parametrize(
    "path",
    [
        "/ogc/tiles/WebMercatorQuad?f=tilejson&collections=incidents,areas",
        "/ogc/collections/incidents/tiles/WebMercatorQuad?f=tilejson",
        "/tiles/incidents/tilejson.json",
    ],
)
def test_tilejson_leads_to_the_tiles_it_describes(http, path):
    document = http.get(path).json()
    assert document["tilejson"] == "3.0.0"
    assert (document["minzoom"], document["maxzoom"]) == (0, 14)
    assert document["vector_layers"][0]["fields"]["severity"] == "Number. Mức độ"
    assert document["vector_layers"][0]["fields"]["depth_m"] == "Number. Độ sâu (m)"
    west, south, east, north = document["bounds"]
    lon, lat, zoom = document["center"]
    assert west < lon < east and south < lat < north and zoom == 8
    assert 103.6 <= west < east <= 104.61 and 21.9 <= south < north <= 22.91
    content = http.get(filled(document["tiles"][0])).content
    told = {one["id"] for one in document["vector_layers"]}
    assert "incidents" in told and told <= set(layers_in(content, HERE))


def test_tilejson_names_the_fields_of_every_source_layer_of_every_tile(http):
    """And is 304 when unchanged."""
    for layer_id in ("areas", "incidents"):
        path = f"/tiles/{layer_id}/tilejson.json"
        answer = http.get(path)
        known = {"If-None-Match": answer.headers["ETag"]}
        assert http.get(path, headers=known).status_code == 304
        told = {one["id"]: set(one["fields"]) for one in answer.json()["vector_layers"]}
        for z in (0, 5, 8):
            tile = tile_at(104.1, 22.4, z)
            content = http.get(path_of(layer_id, tile)).content
            for name in layers_in(content, tile):
                for one in decode(content, tile, name):
                    assert one.properties.keys() <= told[name]


def test_both_suffixes_are_one_tile(http):
    path = path_of("incidents", HERE)
    for kind in ("", "?kind=road"):
        one, other = http.get(path + kind), http.get(path.replace(".mvt", ".pbf") + kind)
        assert one.content == other.content != b""
        for name in ("etag", "cache-control", "vary", "content-type", "content-encoding"):
            assert one.headers[name] == other.headers[name]
    assert http.head(path.replace(".mvt", ".pbf")).status_code == 200


def test_the_definition_names_every_operation_of_tiles(http):
    definition = http.get("/ogc/openapi").json()
    named = {
        operation["operationId"]
        for path in definition["paths"].values()
        for operation in path.values()
    }
    for what in ("getTileSetsList", "getTileSet", "getTile"):
        assert f"dataset.vector.{what}" in named
        assert f"collection.incidents.vector.{what}" in named
    tile = "/collections/incidents/tiles/WebMercatorQuad/{tileMatrix}/{tileRow}/{tileCol}"
    names = {one["$ref"].split("/")[-1] for one in definition["paths"][tile]["get"]["parameters"]}
    assert {"tileMatrix", "tileRow", "tileCol", "filter", "datetime", "fields"} <= names
    assert names <= set(definition["components"]["parameters"])


def test_every_parameter_of_a_query_is_written_as_the_standards_define_it(http):
    """Features core 7.15, Part 2 6.2, Part 3 6.2, Tiles core 10, DGGS: style form, not exploded."""
    definition = http.get("/ogc/openapi").json()
    shared = definition["components"]["parameters"]
    own = [
        one
        for path in definition["paths"].values()
        for operation in path.values()
        for one in operation.get("parameters", [])
        if "$ref" not in one
    ]
    asked = [one for one in (*shared.values(), *own) if one["in"] == "query"]
    assert {"limit", "datetime", "crs", "bbox-crs", "subset"} <= {one["name"] for one in asked}
    for one in asked:
        assert (one["style"], one["explode"], one["required"]) == ("form", False, False), one
    assert all("explode" not in one for one in shared.values() if one["in"] != "query")
    limit = shared["limit"]["schema"]
    assert limit["type"] == "integer" and 1 == limit["minimum"] <= limit["default"]
    assert limit["default"] <= limit["maximum"]
    for name in ("crs", "bbox-crs", "filter-crs"):
        schema = shared[name]["schema"]
        assert (schema["type"], schema["format"]) == ("string", "uri")
    bbox = shared["bbox"]["schema"]
    assert (bbox["type"], bbox["minItems"], bbox["maxItems"]) == ("array", 4, 6)


def test_documents_are_304_when_unchanged(http):
    for path in (GRID, "/ogc/tiles", "/ogc/collections/incidents/tiles/WebMercatorQuad"):
        etag = http.get(path).headers["ETag"]
        assert http.get(path, headers={"If-None-Match": etag}).status_code == 304


_GDAL = """
import sys, orjson, pyogrio, shapely
names = [str(name) for name in pyogrio.list_layers(sys.argv[1])[:, 0]]
meta, _, wkb, values = pyogrio.raw.read(sys.argv[1], layer=names[-1])
kinds = values[list(meta["fields"]).index("kind")]
box = shapely.total_bounds(shapely.from_wkb(wkb)).tolist()
print(orjson.dumps([names, meta["crs"], len(wkb), sorted(set(kinds)), box]).decode())
"""


def test_gdal_reads_the_tiles_of_a_collection_by_the_standard(http):
    """GDAL's own client of OGC API Tiles; it finds tileset, grid and tiles by their links."""
    address = f"OGCAPI:{http.base_url.join('/ogc/collections/incidents')}"
    # A process of its own: GDAL would wait for the answer of a thread that waits for it.
    command = [sys.executable, "-c", _GDAL, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    names, crs, rows, kinds, (west, _, east, _) = json.loads(done.stdout)
    assert names and crs == "EPSG:3857"
    assert (rows, kinds) == (60, ["flood", "road"])
    assert [west / 111_319.49, east / 111_319.49] == pytest.approx([103.6, 104.6], abs=0.1)
