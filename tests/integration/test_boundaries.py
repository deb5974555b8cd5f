"""Units and polygons in the database: all or nothing, once, and each patch in one commune."""

from datetime import date

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod
from sqlalchemy import text

from gis.boundaries.loader import load_boundaries, load_former
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource, find_source
from gis.boundaries.store import read_history
from gis.boundaries.units import BoundaryQuality, Level
from gis.database.engine import Database
from gis.errors import BadFile, BadInput
from gis.placing.placer import Claims
from gis.placing.reference import stored_placer
from layers.storage.sync import sync
from tests.provinces import grid_communes, toy_communes, toy_history, write_boundaries


def source(path) -> BoundarySource:
    return find_source(str(path), path.parent, "15", cache=path.parent)


def test_what_is_stored_is_read_back(database: Database, tmp_path):
    path = write_boundaries(tmp_path, toy_communes())
    report = load_boundaries(database, source(path), toy_history())
    with database.reading() as connection:
        history = read_history(connection)
    assert (report.communes, report.changed) == (3, True)
    assert history == toy_history()


def test_the_lineage_of_the_province_is_read_back(database: Database, tmp_path):
    path = write_boundaries(tmp_path, grid_communes())
    load_boundaries(database, source(path), package_history())
    with database.reading() as connection:
        history = read_history(connection)
    assert set(history.units) == set(package_history().units)
    assert set(history.changes) == set(package_history().changes)


def test_loading_twice_changes_nothing(database: Database, tmp_path):
    path = write_boundaries(tmp_path, toy_communes())
    load_boundaries(database, source(path), toy_history())
    assert load_boundaries(database, source(path), toy_history()).changed is False


def test_the_province_is_the_union_of_its_communes(database: Database, tmp_path):
    path = write_boundaries(tmp_path, toy_communes())
    load_boundaries(database, source(path), toy_history())
    with database.reading() as connection:
        same = connection.scalar(
            text(
                "SELECT ST_Equals(p.geom, (SELECT ST_Union(geom) FROM layer.communes))"
                " FROM gis.admin_unit p WHERE level = 'province' AND valid_to IS NULL"
            )
        )
    assert same


def test_a_file_with_other_codes_is_refused_and_nothing_is_lost(database: Database, tmp_path):
    path = write_boundaries(tmp_path, toy_communes())
    load_boundaries(database, source(path), toy_history())
    wrong = toy_communes().assign(code=["00001", "00004", "77777"])
    (tmp_path / "wrong").mkdir()
    with pytest.raises(BadFile, match="77777"):
        load_boundaries(
            database, source(write_boundaries(tmp_path / "wrong", wrong)), toy_history()
        )
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM layer.communes")) == 3


def test_a_setting_that_names_nothing_says_what_to_give(tmp_path):
    with pytest.raises(BadInput, match="GIS_BOUNDARIES"):
        find_source(str(tmp_path / "none.geojson"), tmp_path, "15", cache=tmp_path)


def test_without_a_network_communes_are_approximate_and_say_so(database: Database):
    report = load_boundaries(
        database,
        BoundarySource("vietnamadminunits", BoundaryQuality.APPROXIMATE),
        package_history(),
    )
    with database.reading() as connection:
        qualities = connection.execute(text("SELECT DISTINCT quality FROM layer.communes")).all()
    assert report.communes > 90
    assert qualities == [("approximate",)]


def test_the_real_communes_have_their_areas_and_the_patch_is_in_02647(lao_cai: Database, shared):
    path = shared / "boundaries" / "lao_cai_communes_2025.geojson"
    polygons = gpd.read_file(path).set_index("code").geometry
    geod = Geod(ellps="WGS84")
    with lao_cai.reading() as connection:
        stored = gpd.read_postgis(text("SELECT code, geom FROM layer.communes"), connection)
        overlaps = connection.scalar(
            text(
                "SELECT coalesce(sum(ST_Area(ST_Intersection(a.geom, b.geom)::geography)), 0)"
                " FROM layer.communes a JOIN layer.communes b"
                " ON a.code < b.code AND ST_Intersects(a.geom, b.geom)"
            )
        )
    assert len(stored) == 99
    for row in stored.itertuples():
        ours = abs(geod.geometry_area_perimeter(row.geom)[0])
        theirs = abs(geod.geometry_area_perimeter(polygons[row.code])[0])
        if row.code in ("02683", "02746"):
            assert theirs - ours == pytest.approx(3.489e6, rel=0.001)
        else:
            assert ours == pytest.approx(theirs, rel=0.001)
    assert overlaps < 1  # square metre, over all pairs


def test_a_code_means_another_unit_after_the_reform():
    history = package_history()
    before = history.unit("02647", Level.COMMUNE, date(2025, 6, 30))
    after = history.unit("02647", Level.COMMUNE, date(2025, 7, 1))
    assert before is not None
    assert after is not None
    assert (before.name, after.name) == ("Kim Tân", "Lào Cai")


def test_old_polygons_tell_points_of_their_day_the_unit_of_that_day(
    database: Database, catalogue, tmp_path
):
    """The grid's square of 02647 was, we say, the ward 02644 in its west and 02647 in its east."""
    path = write_boundaries(tmp_path, grid_communes())
    load_boundaries(database, source(path), package_history())
    with database.writing() as connection:
        sync(connection, catalogue)
    square = grid_communes().set_index("code").geometry["02647"]
    west, south, east, north = square.bounds
    middle = (west + east) / 2
    halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    old = gpd.GeoDataFrame({"code": ["02644", "02647"]}, geometry=halves, crs="EPSG:4326")
    (tmp_path / "old").mkdir()
    report = load_former(database, write_boundaries(tmp_path / "old", old), date(2024, 9, 10))
    claims = Claims(
        lon=np.array([west + 0.01, east - 0.01, east - 0.01]),
        lat=np.full(3, south + 0.01),
        address=[""] * 3,
        unit=[""] * 3,
        day=[date(2024, 9, 10), date(2024, 9, 10), date(2026, 1, 1)],
        precision_m=np.full(3, np.nan),
    )
    with database.reading() as connection:
        places = stored_placer(connection, date(2026, 6, 1)).place(claims)
    assert report.stored == 2
    assert places.commune.tolist() == ["02647"] * 3
    assert places.unit_then.tolist() == ["02644", "02647", "02647"]


def test_a_code_that_no_old_commune_had_is_refused(database: Database, tmp_path):
    path = write_boundaries(tmp_path, toy_communes())
    load_boundaries(database, source(path), toy_history())
    with pytest.raises(BadFile, match="00001"):
        load_former(database, path, date(2024, 9, 10))
