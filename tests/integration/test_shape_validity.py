"""Areas of every format and CRS: valid in degrees or refused, wound as RFC 7946 and MVT say."""

from collections.abc import Iterator

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import Transformer
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.records import NO_OPTIONS, FileOptions
from tests.databases import Server
from tests.intake_layers import layer_of, publish
from tests.unit.intake.test_geo_formats import DRIVERS, write

DEGREES, VN_2000, VN_2000_UTM, UTM = 4326, 9208, 3405, 32648
# Their own CRS is degrees; the others name the one that they are in.
ONLY_DEGREES = {".kml", ".geojsonl"}
WITHOUT_AREAS = {".gpx", ".dxf", ".osm", ".pbf", ".osm.pbf"}
FILES = [(suffix, srid) for suffix in (*DRIVERS, ".geojson") if suffix not in WITHOUT_AREAS
         for srid in ((DEGREES,) if suffix in ONLY_DEGREES else
                      (DEGREES, VN_2000, VN_2000_UTM, UTM))]  # fmt: skip
AREAS = Layer.model_validate(
    layer_of({"key": "ma"}, {"ten": "text"}).model_dump(mode="json") | {"geometry": "polygon"}
)


def areas(srid: int) -> geopandas.GeoDataFrame:
    """A good area wound clockwise, a bow-tie, and one that crosses itself only in degrees."""
    move = Transformer.from_crs(DEGREES, srid, always_xy=True).transform
    good = shapely.Polygon(
        [(104.02, 22.02), (104.02, 22.06), (104.06, 22.06), (104.06, 22.02)],
        [[(104.03, 22.03), (104.05, 22.03), (104.05, 22.05), (104.03, 22.05)]],
    )
    bow = shapely.Polygon([(104.02, 22.07), (104.06, 22.09), (104.06, 22.07), (104.02, 22.09)])
    shapes = shapely.transform([good, bow], move, interleaved=False)
    if srid != DEGREES:
        # Its upper edge is 27 km long; straight in degrees it runs up to 6 m further south.
        (west, east), (y, _) = move([104.02, 104.28], [22.08, 22.08])
        notch = ((west + east) / 2, y - 2)
        corners = [(west, y), (west, y - 3000), notch, (east, y - 3000), (east, y)]
        shapes = np.append(shapes, shapely.Polygon(corners))
        assert shapely.is_valid(shapes[-1])
    keys = ["good", "bow", "bent"][: len(shapes)]
    return geopandas.GeoDataFrame({"ma": keys, "ten": keys}, geometry=shapes, crs=srid)


def kml(frame: geopandas.GeoDataFrame) -> str:
    places = "".join(
        f'<Placemark><ExtendedData><Data name="ma"><value>{key}</value></Data></ExtendedData>'
        f"<Polygon>{rings(shape)}</Polygon></Placemark>"
        for key, shape in zip(frame.ma, frame.geometry, strict=True)
    )
    return f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{places}</Document></kml>'


def rings(area: shapely.Polygon) -> str:
    kinds = ["outer", *["inner"] * len(area.interiors)]
    return "".join(
        f"<{kind}BoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y}" for x, y in ring.coords)
        + f"</coordinates></LinearRing></{kind}BoundaryIs>"
        for kind, ring in zip(kinds, (area.exterior, *area.interiors), strict=True)
    )


@pytest.fixture(scope="module")
def province(postgres: Server, toy_template: str) -> Iterator[Database]:
    with postgres.opened(toy_template) as database:
        publish(database, AREAS)
        yield database


def test_every_format_that_can_hold_areas_is_tried() -> None:
    tried = {suffix for suffix, _ in FILES}
    assert set(DRIVERS) - WITHOUT_AREAS <= tried


@pytest.mark.parametrize(("suffix", "srid"), FILES)
def test_areas_are_valid_in_degrees_and_wound_right(province, tmp_path, suffix, srid):
    frame = areas(srid)
    path = tmp_path / f"areas{suffix}"
    if suffix == ".geojson":
        frame.to_file(path, driver="GeoJSON")
    elif suffix == ".kml":
        path.write_text(kml(frame))  # GDAL writes no bow-tie
    else:
        path = write(frame, path)
    source = f"{suffix} {srid}"
    # MapInfo's files name the axis of VN-2000, but another datum, which is asked about.
    asked = FileOptions(crs=f"EPSG:{srid}") if suffix in (".tab", ".mif") else NO_OPTIONS
    report = load_file(province, AREAS, path, LoadOptions("tests", source, asked))
    assert (report.added, report.reasons) == (1, {"bad_geometry": len(frame) - 1})
    with province.reading() as connection:
        kept = connection.execute(
            text("SELECT source_key, ST_IsValid(geom) AND ST_IsPolygonCCW(geom) FROM layer.mz"
                 " WHERE source = :source"), {"source": source}).all()  # fmt: skip
        why = connection.scalars(
            text("SELECT why FROM gis.quarantine WHERE source = :source"), {"source": source}
        ).all()
    assert kept == [("good", True)]
    assert all("invalid geometry: Self-intersection" in each for each in why)
