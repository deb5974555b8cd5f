"""PostGIS knows the provincial systems of VN-2000, and agrees with pyproj about them."""

import pytest
from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.database.roles import become
from gis.placing.crs import to_wgs84

# The control point of the province's own system: E, N in EPSG:9208; degrees in WGS 84.
EAST, NORTH = 419735.6526, 2486912.7857
LON, LAT = 103.9719054331, 22.4790428959

_TO_WGS84 = text("""
SELECT ST_X(p), ST_Y(p)
FROM ST_Transform(ST_SetSRID(ST_MakePoint(:x, :y), :srid), 4326) AS p
""")
_DISTANCE_M = text("""
SELECT ST_Distance(ST_MakePoint(:a, :b)::geography, ST_MakePoint(:c, :d)::geography)
""")


def metres(connection: Connection, lon: float, lat: float) -> float:
    """Distance from the control point."""
    ends = {"a": lon, "b": lat, "c": LON, "d": LAT}
    return float(connection.execute(_DISTANCE_M, ends).scalar_one())


def test_the_control_point_comes_back_within_a_centimetre(database: Database) -> None:
    with database.reading() as connection:
        found = connection.execute(_TO_WGS84, {"x": EAST, "y": NORTH, "srid": 9208}).one()
        assert metres(connection, *found) < 0.01


def test_pyproj_gives_the_control_point_within_a_centimetre(database: Database) -> None:
    lon, lat = to_wgs84([EAST], [NORTH], "EPSG:9208")
    with database.reading() as connection:
        assert metres(connection, lon[0], lat[0]) < 0.01


def test_postgis_and_pyproj_agree_in_every_provincial_system(database: Database) -> None:
    for srid in range(9205, 9219):
        with database.reading() as connection:
            values = {"x": 480_000.0, "y": 2_400_000.0, "srid": srid}
            there = tuple(connection.execute(_TO_WGS84, values).one())
        lon, lat = to_wgs84([480_000.0], [2_400_000.0], f"EPSG:{srid}")
        assert (lon[0], lat[0]) == pytest.approx(there, abs=1e-9), srid


def test_a_definition_without_datum_shift_would_be_223_m_off(database: Database) -> None:
    with database.writing() as connection:
        become(connection, "none")
        connection.execute(_BALLPARK)
        found = connection.execute(_TO_WGS84, {"x": EAST, "y": NORTH, "srid": 990001}).one()
        assert metres(connection, *found) == pytest.approx(223, abs=2)


_BALLPARK = text("""
INSERT INTO spatial_ref_sys (srid, proj4text)
VALUES (990001, '+proj=tmerc +lat_0=0 +lon_0=104.75 +k=0.9999 +x_0=500000 +datum=WGS84 +units=m')
""")
