"""Description of a point: its commune and those around it, as PostGIS finds them."""

import time

import numpy as np
from sqlalchemy import Connection, text

from gis.clock import today
from gis.database.engine import Database
from gis.placing.point import describe_point
from gis.placing.reference import stored_territory

NEIGHBOURS = text("""
SELECT other.code, other.full_name AS name
FROM layer.communes here JOIN layer.communes other
  ON other.code <> here.code AND ST_DWithin(here.geom, other.geom, 0.0005)
WHERE ST_Intersects(here.geom, ST_Point(:lon, :lat, 4326))
  AND here.code = (SELECT min(code) FROM layer.communes
                   WHERE ST_Intersects(geom, ST_Point(:lon, :lat, 4326)))
ORDER BY other.code
""")
BORDER = text("""
SELECT ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat
FROM layer.communes c, ST_DumpPoints(ST_Simplify(ST_Boundary(c.geom), 0.01)) p
ORDER BY md5(c.code || p.path::text) LIMIT :number
""")


def points(connection: Connection, number: int) -> list[tuple[float, float]]:
    """Points anywhere in the province and beyond, and others 0 to 100 m from borders."""
    random = np.random.default_rng(7)
    west, south, east, north = stored_territory(connection).outline.bounds
    anywhere = random.uniform((west, south), (east, north), (number, 2))
    vertices = connection.execute(BORDER, {"number": number}).all()
    near = np.array([(row.lon, row.lat) for row in vertices])
    near[1:] += random.normal(0, 0.0005, near[1:].shape)
    return [(float(lon), float(lat)) for lon, lat in (*anywhere, *near)]


def test_neighbours_are_those_of_the_polygons(lao_cai: Database) -> None:
    with lao_cai.reading() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # it takes long
        inside = 0
        for lon, lat in points(connection, 3):
            expected = connection.execute(NEIGHBOURS, {"lon": lon, "lat": lat})
            answer = describe_point(connection, lon, lat, today())
            assert answer["neighbours"] == [dict(row._mapping) for row in expected]
            inside += bool(answer["neighbours"])
        assert inside >= 3


def test_a_point_is_described_in_milliseconds(lao_cai: Database) -> None:
    with lao_cai.reading() as connection:
        places = points(connection, 20)
        for lon, lat in places:  # the first question reads the boundaries
            describe_point(connection, lon, lat, today())
        begin = time.process_time()
        for lon, lat in places:
            describe_point(connection, lon, lat, today())
        assert (time.process_time() - begin) / len(places) < 0.015
