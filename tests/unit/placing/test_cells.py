"""The cell table gives what the polygons themselves give, for every point."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.placing.cells import OUTSIDE, STEP_DEGREES, CellTable, h3_cells
from tests.provinces import toy_communes

# A triangle, a polygon with a hole, the island in it, and a neighbour across a jagged border.
HOLE = [(104.33, 22.03), (104.36, 22.03), (104.36, 22.06), (104.33, 22.06)]
JAGGED = [(104.4 + (n % 2) * 0.0013, 22 + n / 97) for n in range(10)]
SHAPES = {
    "00001": shapely.Polygon([(104.1, 22.0), (104.21, 22.0), (104.15, 22.09)]),
    "00003": shapely.Polygon([(104.3, 22.0), *JAGGED, (104.3, 22.1)], [HOLE]),
    "00005": shapely.Polygon(HOLE),
    "00008": shapely.Polygon([*JAGGED, (104.5, 22.08), (104.5, 22.0)]),
}


@pytest.fixture(scope="module")
def communes() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"code": list(SHAPES)}, geometry=list(SHAPES.values()), crs="EPSG:4326")


@pytest.fixture(scope="module")
def table(communes: gpd.GeoDataFrame) -> CellTable:
    return CellTable.build(communes)


def exactly(communes: gpd.GeoDataFrame, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """The first commune that covers each point, by geopandas alone."""
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    ordered = communes.sort_values("code").reset_index(drop=True)[["geometry"]]
    joined = gpd.sjoin(points, ordered, predicate="intersects", how="left")
    found = joined["index_right"].fillna(OUTSIDE).astype(int)
    return found.groupby(level=0).min().to_numpy()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_point_is_where_the_polygons_say(communes, table, seed):
    random = np.random.default_rng(seed)
    lon, lat = random.uniform(104.05, 104.55, 500), random.uniform(21.97, 22.13, 500)
    assert (table.assign(lon, lat) == exactly(communes, lon, lat)).all()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_points_on_and_beside_borders_are_where_the_polygons_say(communes, table, seed):
    random = np.random.default_rng(seed)
    lines = shapely.boundary(communes.geometry.to_numpy())
    chosen = random.choice(lines, 200)
    on = shapely.line_interpolate_point(chosen, random.random(200), normalized=True)
    shift = random.choice([0, 1e-12, -1e-12, STEP_DEGREES, -STEP_DEGREES], (2, 200))
    lon, lat = shapely.get_x(on) + shift[0], shapely.get_y(on) + shift[1]
    assert (table.assign(lon, lat) == exactly(communes, lon, lat)).all()


def test_every_vertex_is_where_the_polygons_say(communes, table):
    lon, lat = shapely.get_coordinates(communes.geometry.to_numpy()).T
    assert (table.assign(lon, lat) == exactly(communes, lon, lat)).all()


def test_a_point_on_a_common_border_belongs_to_the_lesser_code(table):
    lon, lat = np.array([JAGGED[3][0]]), np.array([JAGGED[3][1]])
    assert table.codes[table.assign(lon, lat)[0]] == "00003"


def test_a_hole_belongs_to_the_commune_that_fills_it(table):
    assert table.codes[table.assign(np.array([104.345]), np.array([22.045]))[0]] == "00005"


@pytest.mark.parametrize(
    ("lon", "lat"), [(np.nan, 22.05), (104.15, np.nan), (-180, -90), (180, 90), (1e300, -1e300)]
)
def test_what_is_nowhere_near_is_outside(table, lon, lat):
    assert table.assign(np.array([lon]), np.array([lat])).tolist() == [OUTSIDE]


def test_no_points_give_no_communes(table):
    assert len(table.assign(np.empty(0), np.empty(0))) == 0


def test_the_order_of_the_communes_is_irrelevant(communes, table):
    other = CellTable.build(communes.iloc[::-1])
    assert other.codes == table.codes
    assert (other.owner == table.owner).all()


def test_a_stored_table_answers_as_before(communes, table):
    restored = CellTable.from_bytes(table.to_bytes(), communes)
    lon, lat = np.linspace(104.1, 104.5, 999), np.full(999, 22.05)
    assert (restored.assign(lon, lat) == table.assign(lon, lat)).all()


def test_h3_cells_are_those_of_the_h3_library():
    import h3

    lon, lat = np.array([104.0, 104.3]), np.array([22.3, 22.7])
    expected = [h3.str_to_int(h3.latlng_to_cell(y, x, 11)) for x, y in zip(lon, lat, strict=True)]
    assert h3_cells(lon, lat).tolist() == expected


def test_the_real_communes_answer_as_geopandas_does(shared):
    path = shared / "boundaries" / "lao_cai_communes_2025.geojson"
    communes = gpd.read_file(path)[["code", "geometry"]]
    random = np.random.default_rng(0)
    west, south, east, north = communes.total_bounds
    lon, lat = random.uniform(west, east, 20_000), random.uniform(south, north, 20_000)
    table = CellTable.build(communes)
    assert (table.assign(lon, lat) == exactly(communes, lon, lat)).all()


def test_three_squares_are_distinguished():
    table = CellTable.build(toy_communes())
    found = table.assign(np.array([104.05, 104.15, 104.25, 104.35]), np.full(4, 22.05))
    assert found.tolist() == [0, 1, 2, OUTSIDE]
