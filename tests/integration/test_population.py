"""Inhabitants are loaded all or none, and every answer by hex tells its rate from then on."""

import h3
import numpy as np
import pytest
from sqlalchemy import Connection, text

from gis.access import Role
from gis.database.engine import Database
from gis.errors import BadFile, BadInput, NotFound
from gis.population.loader import PopulationFileOptions, load_population
from gis.population.pieces import PeopleByCell
from gis.population.store import (
    Population,
    PopulationQuality,
    drop_population,
    require_population,
    store_population,
    stored_population,
)
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests.integration.hex_layers import COUNTED, OPEN, add, hex_service, hexes, key, tile_of
from tests.population_files import people, write_raster, write_table

LAYERS = Catalogue((OPEN, COUNTED))
CELL = h3.latlng_to_cell(22.02, 104.1, 10)  # in the middle pixel, which has 500 people on 4.6 km²
NINE, SEVEN = h3.cell_to_parent(CELL, 9), h3.cell_to_parent(CELL, 7)
EMPTY = h3.latlng_to_cell(22.05, 104.25, 10)
SUMS = "SELECT gis.h3_resolution(cell), sum(people) FROM gis.population GROUP BY 1 ORDER BY 1"
ZONES = "/ogc/collections/incidents/dggs/H3/zones"
SOURCE = "SELECT * FROM gis.population_source"
TABLE = ("Mã xã,Dân số", "00001,2000000", "00004,1000000")


@pytest.fixture
def province(toy_province: Database) -> Database:
    with toy_province.writing() as connection:
        sync(connection, LAYERS)
    return toy_province


@pytest.fixture
def raster(tmp_path):
    return write_raster(tmp_path / "people.tif", people(100))


def asked(database: Database, statement: str, **values: object) -> list[tuple]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def version(database: Database, layer: str = "incidents") -> int:
    return asked(database, "SELECT version FROM gis.layer WHERE id = :id", id=layer)[0][0]


def people_in(database: Database, cell: str) -> float:
    found = asked(
        database, "SELECT people FROM gis.population WHERE cell = :cell", cell=int(cell, 16)
    )
    return found[0][0] if found else 0


def test_every_resolution_has_all_people_of_the_raster_within_the_province(province, raster):
    """The third row, with 700 and 800 people × 100, lies half beyond the southern border."""
    loaded = load_population(province, raster, PopulationFileOptions(year=2020, source="a raster"))
    assert loaded.population.people == pytest.approx(285000, rel=1e-6)
    assert loaded.communes_without == ("00007",)
    sums = dict(asked(province, SUMS))
    assert sums == pytest.approx(dict.fromkeys(range(5, 11), 285000), rel=1e-6)
    with province.reading() as connection:
        assert require_population(connection) == loaded.population


def test_people_beyond_the_border_are_not_counted(province, tmp_path):
    half_out = write_raster(tmp_path / "people.tif", np.full((2, 2), 100), corner=(104.0, 22.02))
    loaded = load_population(province, half_out, PopulationFileOptions())
    assert loaded.population.people == pytest.approx(200, rel=1e-6)
    beside = write_raster(tmp_path / "beside.tif", corner=(107.0, 20.0))
    with pytest.raises(BadFile, match="nobody lives in the province"):
        load_population(province, beside, PopulationFileOptions())


def test_a_table_gives_each_commune_its_people_and_its_hexes_are_approximate(province, tmp_path):
    table = write_table(tmp_path / "people.csv", *TABLE)
    loaded = load_population(province, table, PopulationFileOptions())
    assert loaded.population == Population(
        "people.csv", None, PopulationQuality.APPROXIMATE, 3000000
    )
    assert dict(asked(province, SUMS))[10] == pytest.approx(3000000)
    add(province, "incidents", CELL, 3)
    with hex_service(province, LAYERS) as http:
        operator = key(province, Role.OPERATOR)
        found = hexes(http, "incidents", tile_of(CELL, 14), operator)[CELL].properties
        assert found["approximate"] is True
        told = http.get(f"/hexes/{CELL}", headers=operator).json()
        assert told["layers"]["incidents"]["approximate"] is True
        assert told["population"]["quality"] == "approximate"
        values = http.get(f"{ZONES}/{CELL}/data", headers=operator).json()["values"]
        assert values["approximate"][0]["data"] == [1]
        found = http.get(f"{ZONES}?zone-level=10&filter=approximate=true", headers=operator)
        assert found.json()["zones"] == [CELL]


def test_a_rate_is_given_by_tiles_zones_and_hexes_from_the_load_on(province, raster):
    add(province, "incidents", CELL, 3, kind="flood", day="2026-03-01")
    add(province, "incidents", CELL, 3, kind="road", day="2026-04-01")
    add(province, "incidents", EMPTY, 7)
    operator = key(province, Role.OPERATOR)
    tile = tile_of(CELL, 14)
    path = f"/hexes/incidents/{tile.z}/{tile.x}/{tile.y}.mvt"
    with hex_service(province, LAYERS) as http:
        before = http.get(path, headers=operator)
        assert "per_1000" not in hexes(http, "incidents", tile, operator)[CELL].properties
        assert "per_1000" not in http.get(f"{ZONES}/{CELL}/data", headers=operator).json()["values"]
        assert http.get(f"/hexes/{CELL}", headers=operator).json()["population"] is None

        load_population(province, raster, PopulationFileOptions(year=2020))
        rate = pytest.approx(1000 * 6 / people_in(province, CELL), rel=1e-3)
        same = {"If-None-Match": before.headers["ETag"], **operator}
        assert http.get(path, headers=same).status_code == 200
        assert hexes(http, "incidents", tile, operator)[CELL].properties["per_1000"] == rate
        march = hexes(http, "incidents", tile, operator, datetime="2026-03-01/2026-03-31")
        assert march[CELL].properties["per_1000"] == pytest.approx(
            1000 * 3 / people_in(province, CELL), rel=1e-3
        )
        data = http.get(f"{ZONES}/{CELL}/data", headers=operator).json()
        assert data["values"]["per_1000"][0]["data"] == [rate]
        high = http.get(f"{ZONES}?zone-level=10&filter=per_1000 > 1", headers=operator).json()
        assert high["zones"] == [CELL]
        told = http.get(f"/hexes/{CELL}", headers=operator).json()
        assert told["layers"]["incidents"]["per_1000"] == rate
        assert told["population"] == {
            "source": "people.tif", "year": 2020, "quality": "gridded",
            "people": round(people_in(province, CELL), 1),
        }  # fmt: skip


def test_a_hex_with_few_inhabitants_or_none_has_no_rate(province, tmp_path):
    few = write_raster(tmp_path / "few.tif", people(6))
    load_population(province, few, PopulationFileOptions())
    assert 0 < people_in(province, CELL) < 50 < people_in(province, NINE)
    for cell in (CELL, EMPTY):
        add(province, "incidents", cell, 6)
    with hex_service(province, LAYERS) as http:
        operator = key(province, Role.OPERATOR)
        found = http.get(f"/hexes/{CELL}", headers=operator).json()
        assert "per_1000" not in found["layers"]["incidents"]
        assert found["population"]["people"] > 0
        assert (
            "per_1000" in http.get(f"/hexes/{NINE}", headers=operator).json()["layers"]["incidents"]
        )
        none = http.get(f"/hexes/{EMPTY}", headers=operator).json()
        assert "per_1000" not in none["layers"]["incidents"]
        assert none["population"]["people"] == 0


def test_the_public_gets_a_rate_where_it_gets_a_count_and_of_that_count(province, raster):
    load_population(province, raster, PopulationFileOptions())
    add(province, "counted", CELL, 4)
    add(province, "counted", h3.grid_ring(CELL, 2)[0], 6)
    with hex_service(province, LAYERS) as http:
        hidden = http.get(f"/hexes/{CELL}").json()["layers"]["counted"]
        assert hidden["count"] is None and "per_1000" not in hidden
        shown = http.get(f"/hexes/{SEVEN}").json()["layers"]["counted"]
        assert shown["count"] == 10
        assert shown["per_1000"] == pytest.approx(10000 / people_in(province, SEVEN), rel=1e-3)


def test_a_load_changes_the_layers_with_hexes_but_none_of_their_features(province, raster):
    before = version(province), version(province, "communes")
    load_population(province, raster, PopulationFileOptions())
    assert (version(province), version(province, "communes")) == (before[0] + 1, before[1])
    touched = "SELECT west FROM gis.changed_area WHERE layer_id = 'incidents' AND version = :now"
    assert asked(province, touched, now=version(province)) == [(None,)]


def test_loading_again_replaces_and_dropping_forgets(province, raster, tmp_path):
    load_population(province, raster, PopulationFileOptions())
    table = write_table(tmp_path / "people.csv", *TABLE)
    load_population(province, table, PopulationFileOptions())
    assert dict(asked(province, SUMS))[5] == pytest.approx(3000000)
    before = version(province)
    with province.writing() as connection:
        drop_population(connection)
    assert asked(province, SUMS) == [] and version(province) > before
    with province.writing() as connection:
        assert stored_population(connection) is None
        with pytest.raises(NotFound, match="gis population load"):
            drop_population(connection)


def test_what_fails_leaves_all_as_it_was(province, raster, tmp_path):
    load_population(province, raster, PopulationFileOptions(year=2020))
    before = (
        version(province),
        asked(province, SUMS),
        asked(province, SOURCE),
    )
    table = write_table(tmp_path / "people.csv", *TABLE, "99999,5")
    with pytest.raises(BadFile, match="99999"):
        load_population(province, table, PopulationFileOptions())
    with pytest.raises(ZeroDivisionError), province.writing() as connection:
        replace_by_one(connection)
        raise ZeroDivisionError
    assert before == (
        version(province), asked(province, SUMS), asked(province, SOURCE)
    )  # fmt: skip


def replace_by_one(connection: Connection) -> None:
    one = PeopleByCell(np.array([int(CELL, 16)]), np.array([1.0]))
    store_population(connection, one, Population("one", None, PopulationQuality.GRIDDED, 1))


def test_without_boundaries_nothing_is_loaded(database, raster):
    with pytest.raises(BadInput, match="no boundaries are loaded"):
        load_population(database, raster, PopulationFileOptions())
